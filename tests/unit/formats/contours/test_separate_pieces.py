import numpy as np

from orthanc_stl_plugin.formats.contours.planes import stack_planes
from orthanc_stl_plugin.formats.contours.rtstruct import occupancies, read_rtstruct
from orthanc_stl_plugin.formats.contours.separate_pieces import pieces
from tests.support.dicom_samples import RoiSample, prism, rtstruct_bytes

SQUARE = np.array([(0.0, 0), (10, 0), (10, 8), (0, 8)])
HEIGHTS = [0.0, 3, 6, 9]


def counted(*contours: np.ndarray) -> list[int]:
    """How many contours each piece has."""
    stack = stack_planes(contours)
    found = pieces(stack, np.full(len(stack.loops), 3.0))
    return [sum(len(plane) for plane in piece.loops) for piece, _ in found]


def test_one_prism_is_one_piece():
    assert counted(*prism(SQUARE, HEIGHTS)) == [4]


def test_prisms_far_apart_are_pieces_of_their_own():
    assert counted(*prism(SQUARE, HEIGHTS), *prism(SQUARE + 50, HEIGHTS[:2])) == [4, 2]


def test_a_hole_belongs_to_what_it_is_in():
    assert counted(*prism(SQUARE, HEIGHTS), *prism(SQUARE / 2 + 2, HEIGHTS)) == [8]


def test_a_branch_that_joins_further_up_is_the_same_piece():
    fork = [*prism(SQUARE, HEIGHTS), *prism(SQUARE + np.array([20, 0]), HEIGHTS)]
    bridge = np.array([(0.0, 0), (30, 0), (30, 8), (0, 8)])
    assert counted(*fork, *prism(bridge, [12.0])) == [9]


def test_a_missing_plane_does_not_part_a_piece_but_a_wide_gap_does():
    assert counted(*prism(SQUARE, [0.0, 3, 9, 12])) == [4]
    assert counted(*prism(SQUARE, [0.0, 3, 12, 15])) == [2, 2]


def test_every_contour_lands_in_exactly_one_piece_where_it_was():
    contours = [*prism(SQUARE, HEIGHTS), *prism(SQUARE + 50, HEIGHTS)]
    stack = stack_planes(contours)
    [(low, _), (high, _)] = pieces(stack, np.full(4, 3.0))
    assert np.allclose(low.positions_mm, stack.positions_mm)
    assert np.allclose(np.subtract(high.bounds_mm, low.bounds_mm), 50)


def test_small_dots_far_apart_are_as_fine_as_each_needs():
    dots = [*prism(SQUARE / 4, HEIGHTS), *prism(SQUARE / 4 + 300, HEIGHTS)]
    roi = read_rtstruct(rtstruct_bytes([RoiSample(1, "dots", tuple(dots))])).rois[0]
    found = list(occupancies(roi))
    assert len(found) == 2
    for piece in found:
        assert 0.1 < max(piece.grid.voxel_size_mm[:2]) < 0.2


def test_a_speck_is_resolved_but_takes_few_voxels():
    speck = read_rtstruct(rtstruct_bytes([RoiSample(1, "speck", prism(SQUARE / 40, [0.0, 2]))]))
    [piece] = occupancies(speck.rois[0])
    assert min(piece.values.shape[:2]) >= 16
    assert piece.values.size < 200_000
    volume = piece.values.sum(dtype=float) * piece.grid.voxel_volume_mm3
    assert np.isclose(volume, 80 / 1600 * 4, rtol=0.02)
