"""RT-STRUCT contours on planes 5 mm apart."""

from pathlib import Path

import numpy as np
import pytest
from skimage.measure import find_contours

from orthanc_stl_plugin.formats.contours.rtstruct import read_rtstruct
from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.model.mesh import Mesh, MeshOptions
from orthanc_stl_plugin.services.models.sources import RtStructSource
from orthanc_stl_plugin.services.models.surfaces import surfaces
from tests.support import dicom_samples as samples
from tests.support.phantoms import (
    Solid,
    mean_deviation_degrees,
    mean_distance_mm,
    sphere,
    tilted_cylinder,
    torus,
    upright_grid,
    voxel_centres_mm,
)

SPACING_MM = (0.7, 0.7, 5.0)
TORUS = torus(20, 6)
ROD = tilted_cylinder(1.5, 30, 200)
SHIFTS = [0.03, 0.28, 0.53, 0.78]
SQUARE = np.array([(0.0, 0), (40, 0), (40, 30), (0, 30)])


def drawn(solid: Solid, extent_mm: tuple[float, float, float], shift: float) -> samples.RoiSample:
    """The outlines of a solid on the planes of a grid."""
    grid = upright_grid(SPACING_MM, extent_mm, shift)
    distance_mm = solid.distance_mm(voxel_centres_mm(grid))
    outlines = [
        grid.to_world(np.column_stack([outline, np.full(len(outline), number)]))[:-1]
        for number in range(1, grid.shape[2] - 1)
        for outline in find_contours(distance_mm[:, :, number], 0)
    ]
    return samples.RoiSample(1, "ROI", tuple(outlines))


def meshed(roi: samples.RoiSample, folder: Path) -> Mesh:
    """The default surface of a ROI, which is closed and as large as its planes tell."""
    path = folder / "rt.dcm"
    path.write_bytes(samples.rtstruct_bytes([roi]))
    [surface] = surfaces(RtStructSource(path), MeshOptions())
    [expected] = read_rtstruct(path).rois
    assert report(surface.mesh).is_watertight
    assert report(surface.mesh).volume_mm3 == pytest.approx(expected.volume_mm3, rel=2e-3)
    return surface.mesh


def test_a_torus_on_two_or_three_planes_is_round(tmp_path: Path):
    # Steps as voxels have them lie 0.593 mm away; SurfaceNets deviate by 15.2 degrees.
    found = [meshed(drawn(TORUS, (56, 56, 16), shift), tmp_path) for shift in SHIFTS]
    distances_mm = [mean_distance_mm(mesh, TORUS) for mesh in found]
    assert np.mean(distances_mm) < 0.395
    assert np.mean([mean_deviation_degrees(mesh, TORUS) for mesh in found]) < 12


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_rod_that_moves_by_its_diameter_from_plane_to_plane_is_straight(
    shift: float, tmp_path: Path
):
    # Steps as voxels have them lie 0.236 mm away; SurfaceNets deviate by 20.4 degrees.
    mesh = meshed(drawn(ROD, (40, 8, 50), shift), tmp_path)
    assert mean_distance_mm(mesh, ROD, 20) < 0.157
    assert mean_deviation_degrees(mesh, ROD, 20) < 12


@pytest.mark.parametrize("radius_mm", [8, 20])
def test_a_sphere_has_no_collar(radius_mm: float, tmp_path: Path):
    mesh = meshed(drawn(sphere(radius_mm), (44, 44, 44), 0.28), tmp_path)
    assert mean_distance_mm(mesh, sphere(radius_mm)) < 0.25
    assert mean_deviation_degrees(mesh, sphere(radius_mm)) < 9


def test_a_prism_ends_half_a_slice_beyond_its_last_plane_with_a_round_rim(tmp_path: Path):
    roi = samples.RoiSample(1, "Block", samples.prism(SQUARE, np.arange(0.0, 24, 3)))
    x, y, z = meshed(roi, tmp_path).vertices.T
    rim_mm = np.minimum.reduce([x, 40 - x, y, 30 - y])
    top = z > 21
    assert z[top & (rim_mm > 7)] == pytest.approx(22.5, abs=0.6)
    assert z[top & (rim_mm < 0.3)].max() < 22.2


def test_planes_farther_apart_than_slices_are_end_straight(tmp_path: Path):
    roi = samples.RoiSample(1, "Block", samples.prism(SQUARE, [0.0, 30.0]))
    z = meshed(roi, tmp_path).vertices[:, 2]
    assert (z.min(), z.max()) == pytest.approx((-15, 45), abs=0.5)


def test_two_rois_beside_each_other_make_one_model_without_a_groove(tmp_path: Path):
    heights = np.arange(0.0, 24, 3)
    halves = [SQUARE * [0.5, 1], SQUARE * [0.5, 1] + [20, 0]]
    rois = [
        samples.RoiSample(n, f"half {n}", samples.prism(s, heights)) for n, s in enumerate(halves)
    ]
    (tmp_path / "rt.dcm").write_bytes(samples.rtstruct_bytes(rois))
    source = RtStructSource(tmp_path / "rt.dcm", split=False)
    [surface] = surfaces(source, MeshOptions())
    x, y, z = surface.mesh.vertices.T
    middle = (np.abs(x - 20) < 3) & (np.abs(y - 15) < 10)
    assert np.abs(z[middle] - 10.5) == pytest.approx(12, abs=0.3)
