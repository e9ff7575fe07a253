import numpy as np
import pytest
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.mesh.surface import isosurface
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import MeshOptions, SmoothingMethod
from tests.support.phantoms import letter_f, sphere, tilted_grid, voxel_centres_mm

OPTIONS = MeshOptions()
RAW = MeshOptions(method=SmoothingMethod.NONE)
GRID = Grid((9, 10, 11), np.eye(4))


def ramp() -> NDArray[np.float64]:
    """Values that fall by 10 from voxel to voxel along the columns: 100, 90, 80 ..."""
    return np.broadcast_to(100.0 - 10 * np.arange(9)[:, None, None], GRID.shape)


@pytest.mark.parametrize("options", [OPTIONS, RAW])
def test_grey_values_place_the_surface_between_voxels(options: MeshOptions) -> None:
    solid = sphere(15)
    grid = tilted_grid((1.0, 1.2, 2.0), 40, is_left_handed=True)
    values = 1000 - 20 * solid.distance_mm(voxel_centres_mm(grid))
    mesh = isosurface(values.astype(np.int16), 1000, grid, options)
    assert np.abs(solid.distance_mm(mesh.vertices.astype(np.float64))).mean() < 0.05
    assert report(mesh).is_watertight
    assert report(mesh).volume_mm3 == pytest.approx(solid.volume_mm3, rel=0.02)


def test_smoothing_does_not_harm_what_grey_values_say() -> None:
    solid = sphere(15)
    grid = tilted_grid((1.0, 1.0, 1.0), 40)
    values = -solid.distance_mm(voxel_centres_mm(grid))
    raw, smooth = (
        np.abs(solid.distance_mm(isosurface(values, 0, grid, how).vertices.astype(float))).mean()
        for how in (RAW, OPTIONS)
    )
    assert smooth < raw + 0.01


def test_an_f_of_grey_values_is_not_mirrored() -> None:
    solid = letter_f((-15, -6, -22))
    grid = tilted_grid((1.0, 1.3, 2.0), 66, is_left_handed=True)
    values = -solid.distance_mm(voxel_centres_mm(grid))
    found = report(isosurface(values, 0, grid, OPTIONS))
    assert found.volume_mm3 == pytest.approx(solid.volume_mm3, rel=0.02)
    assert found.centroid_mm == pytest.approx(solid.centroid_mm, abs=0.3)


def test_the_surface_stands_where_the_interpolation_meets_the_level() -> None:
    mesh = isosurface(ramp(), 63, GRID, RAW)
    inner = mesh.vertices[(mesh.vertices[:, 1:] == 5).all(axis=1)]
    assert sorted(inner[:, 0]) == pytest.approx([-0.5, 3.7], abs=1e-5)


def test_values_above_the_upper_limit_are_outside() -> None:
    mesh = isosurface(ramp(), 63, GRID, RAW, upper=84)
    inner = mesh.vertices[(mesh.vertices[:, 1:] == 5).all(axis=1)]
    assert sorted(inner[:, 0]) == pytest.approx([1.6, 3.7], abs=1e-5)


def test_the_surface_is_closed_half_a_voxel_beyond_the_volume() -> None:
    mesh = isosurface(np.full(GRID.shape, 7, dtype=np.uint8), 7, GRID, RAW)
    assert report(mesh).bounds_mm == ((-0.5, -0.5, -0.5), (8.5, 9.5, 10.5))
    assert report(mesh).is_watertight


def test_nan_is_outside() -> None:
    values = np.full(GRID.shape, 5.0, dtype=np.float32)
    values[6:] = np.nan
    found = report(isosurface(values, 2, GRID, RAW))
    assert found.bounds_mm[1][0] == pytest.approx(5.5)
    assert found.is_watertight


def test_infinite_values_make_a_closed_surface() -> None:
    values = np.full(GRID.shape, -np.inf)
    values[3:6, 3:7, 4:8] = np.inf
    assert report(isosurface(values, 0, GRID, OPTIONS)).is_watertight


def test_a_large_grey_volume_is_reduced_by_means_of_blocks() -> None:
    solid = sphere(15)
    grid = tilted_grid((0.5, 0.5, 0.5), 40)
    values = (-solid.distance_mm(voxel_centres_mm(grid))).astype(np.float32)
    values[0, 0, 0] = np.nan
    mesh = isosurface(values, 0, grid, MeshOptions(resolution=25))
    assert len(mesh.faces) < 8000
    assert np.abs(solid.distance_mm(mesh.vertices.astype(np.float64))).mean() < 0.15
    assert report(mesh).is_watertight


def test_the_values_are_left_as_they_were() -> None:
    values = ramp().copy()
    values.flags.writeable = False
    isosurface(values, 63, GRID, MeshOptions(resolution=4))
    assert np.array_equal(values, ramp())


@pytest.mark.parametrize(
    ("level", "upper", "sentence"),
    [(101, None, "from 101"), (50, 49, "between 50 and 49"), (np.nan, None, "from nan")],
)
def test_a_level_that_no_value_reaches_is_refused(
    level: float, upper: float | None, sentence: str
) -> None:
    with pytest.raises(UnusableSource, match=sentence):
        isosurface(ramp(), level, GRID, OPTIONS, upper=upper)


def test_grey_values_that_vanish_in_the_means_are_refused() -> None:
    values = np.indices((8, 8, 8)).sum(axis=0) % 2
    with pytest.raises(UnusableSource, match="resolution of 2"):
        isosurface(values, 1, Grid((8, 8, 8), np.eye(4)), MeshOptions(resolution=2))
