"""Fields of several structures on one grid, against scipy's interpolation."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from orthanc_stl_plugin.formats.contours.combined_rois import united_occupancies
from orthanc_stl_plugin.formats.contours.rtstruct import (
    INSIDE,
    Occupancy,
    occupancies,
    read_rtstruct,
)
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.labels import Segment
from tests.support.dicom_samples import RoiSample, prism, rotation, rtstruct_bytes

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


def sector(start: float, stop: float) -> NDArray[np.float64]:
    """A part of a disc of 20 mm, between two angles."""
    angles = np.linspace(start, stop, 40)
    rim = 20 * np.column_stack([np.cos(angles), np.sin(angles)])
    return np.concatenate([np.zeros((1, 2)), rim])


@pytest.mark.parametrize("cuts", [[0.1, 0.1 + np.pi], [0.3, 2.1, 4.5], [0.2, 1.4, 2.9, 4.3, 5.2]])
@pytest.mark.parametrize("resolution", [64, 128])
def test_parts_that_touch_have_no_pin_holes_in_their_wall(cuts: list[float], resolution: int):
    ends = [*cuts[1:], cuts[0] + 2 * np.pi]
    rois = [
        RoiSample(number, f"lobe {number}", prism(sector(start, stop), np.arange(0, 12, 2.0)))
        for number, (start, stop) in enumerate(zip(cuts, ends, strict=True), 1)
    ]
    parts = [
        piece
        for roi in read_rtstruct(rtstruct_bytes(rois)).rois
        for piece in occupancies(roi, resolution=resolution, are_ends_round=False)
    ]
    [united] = united_occupancies(parts, resolution)
    inside = united.values >= INSIDE
    assert ndimage.label(inside)[1] == 1
    assert ndimage.label(~inside)[1] == 1
    # A tunnel is as wrong as a bubble. The first and the last layers may lie on the surface.
    middle = inside[..., np.flatnonzero(inside.any(axis=(0, 1)))[1:-1]]
    assert {ndimage.label(~layer)[1] for layer in np.moveaxis(middle, 2, 0)} == {1}
    volume = np.count_nonzero(inside) * united.grid.voxel_volume_mm3
    assert volume == pytest.approx(np.pi * 20**2 * 12, rel=0.01)


def test_a_gap_of_a_voxel_between_parts_stays_open():
    parts = [full(number, (10, 20, 8), x) for number, x in enumerate([0.0, 11.0], 1)]
    [united] = united_occupancies(parts, 64)
    assert ndimage.label(united.values >= INSIDE)[1] == 2


def test_a_part_grows_at_neither_end_on_a_grid_of_larger_voxels():
    large, small = full(1, (100, 40, 40), 0), full(2, (10, 10, 10), 102)
    [united] = united_occupancies([large, small], 34)
    assert united.grid.voxel_size_mm[0] > 3
    volume = united.values.sum() * united.grid.voxel_volume_mm3
    assert volume == pytest.approx(100 * 40 * 40 + 10**3, rel=0.005)


def full(number: int, shape: tuple[int, int, int], x: float) -> Occupancy:
    """A part that fills all of its voxels of a millimetre, from x on."""
    affine = np.eye(4)
    affine[0, 3] = x
    values = np.ones(shape, dtype=np.float32)
    return Occupancy(Segment(number, f"part {number}"), values, Grid(shape, affine, "1.2"))
