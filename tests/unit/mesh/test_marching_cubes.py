import numpy as np
import pytest
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.mesh.marching_cubes import bounding_box, crossings
from orthanc_stl_plugin.mesh.marching_cubes_tables import MAX_TRIANGLES, cell_tables


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int16, np.uint16, np.int64])
@pytest.mark.parametrize("length", [16, 13])
def test_the_box_ends_at_the_first_and_last_voxels(dtype: type, length: int) -> None:
    volume: NDArray[np.generic] = np.zeros((9, 7, length), dtype=dtype)
    volume[2, 3, 11] = volume[5, 1, 4] = dtype(1)
    assert bounding_box(volume) == (slice(2, 6), slice(1, 4), slice(4, 12))


def test_the_box_of_a_strided_view_is_found() -> None:
    volume = np.zeros((8, 8, 32), dtype=np.uint8)
    volume[3, 5, 9] = 1
    assert bounding_box(volume[:, :, 1::2]) == (slice(3, 4), slice(5, 6), slice(4, 5))


def test_a_negative_label_counts_as_inside() -> None:
    volume = np.zeros((3, 3, 8), dtype=np.int8)
    volume[1, 1, 5] = -3
    assert bounding_box(volume) == (slice(1, 2), slice(1, 2), slice(5, 6))


def test_an_empty_volume_has_no_box() -> None:
    with pytest.raises(UnusableSource, match="the mask is empty"):
        bounding_box(np.zeros((3, 4, 5), dtype=np.bool_))


def test_one_voxel_is_surrounded_by_an_octahedron() -> None:
    surface = crossings(np.ones((1, 1, 1), dtype=np.bool_))
    assert sorted(zip(surface.axis.tolist(), surface.lower.T.tolist(), strict=True)) == [
        (0, [-1, 0, 0]),
        (0, [0, 0, 0]),
        (1, [0, -1, 0]),
        (1, [0, 0, 0]),
        (2, [0, 0, -1]),
        (2, [0, 0, 0]),
    ]
    assert len(surface.faces) == 8


def test_the_volume_that_the_triangles_miss_is_accounted_for() -> None:
    surface = crossings(np.ones((1, 1, 1), dtype=np.bool_))
    octahedron = 4 / 3 * 0.5**3
    missing = cell_tables().missing_volume.take(surface.shape // MAX_TRIANGLES)
    assert missing.sum() == pytest.approx(1 - octahedron, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_an_opposite_half_edge_runs_back_along_the_same_side(seed: int) -> None:
    surface = crossings(np.random.default_rng(seed).random((5, 6, 7)) < 0.5)
    begin, end = surface.faces.T, np.roll(surface.faces.T, -1, axis=0)
    np.testing.assert_array_equal(begin.ravel()[surface.opposite], end)
    np.testing.assert_array_equal(end.ravel()[surface.opposite], begin)
