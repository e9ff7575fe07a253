"""Fields of several structures on one grid, against scipy's interpolation."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from orthanc_stl_plugin.formats.rtstruct import Occupancy
from orthanc_stl_plugin.formats.union import united_occupancies
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.labels import Segment
from tests.dicom_samples import rotation

VOXEL_MM = np.array([0.7, 1.1, 2.5])
AXES = rotation(0.4, -0.3, 0.7)


def part(number: int, shape: tuple[int, int, int], start_mm: tuple[float, ...]) -> Occupancy:
    """Random shares, mostly inside, on a tilted grid."""
    affine = np.eye(4)
    affine[:3, :3] = AXES * VOXEL_MM
    affine[:3, 3] = AXES @ start_mm
    values = np.random.default_rng(number).random(shape, dtype=np.float32) ** 0.2
    return Occupancy(Segment(number, f"part {number}"), values, Grid(shape, affine, "1.2"))


def shares_at(one: Occupancy, grid: Grid) -> NDArray[np.float32]:
    centres = grid.to_world(np.indices(grid.shape).reshape(3, -1).T.astype(float))
    places = one.grid.to_index(centres).T.reshape(3, *grid.shape)
    return np.asarray(
        ndimage.map_coordinates(one.values, places, order=1, mode="grid-constant"), np.float32
    )


def test_the_greatest_share_of_parts_between_each_others_voxels_counts():
    parts = [part(1, (12, 9, 7), (0, 0, 0)), part(2, (8, 11, 5), (3.1, -2.3, 4.4))]
    [united] = united_occupancies(parts, 64)
    expected = np.maximum(*(shares_at(one, united.grid) for one in parts))
    assert united.grid.voxel_size_mm == pytest.approx(VOXEL_MM)
    assert united.values == pytest.approx(expected, abs=1e-5)
    assert expected.max() > 0.9
