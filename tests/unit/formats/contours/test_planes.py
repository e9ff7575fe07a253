"""Contours on planes: sorting, even-odd coverage, areas and thicknesses."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import BadRequest, UnusableSource
from orthanc_stl_plugin.formats.contours import rasterisation
from orthanc_stl_plugin.formats.contours.planes import (
    areas_mm2,
    coverage,
    local_spacings_mm,
    reaches_mm,
    stack_planes,
    typical_gap_mm,
    volume_mm3,
)
from orthanc_stl_plugin.formats.contours.signed_distance import signed_distance
from orthanc_stl_plugin.model.geometry import Grid
from tests.support.dicom_samples import F_AREA_MM2, F_OUTLINE, on_plane, prism, rotation

SQUARE = np.array([[0, 0], [8, 0], [8, 8], [0, 8]], dtype=np.float64)


def circle(radius: float, z: float, centre: tuple[float, float] = (0, 0)) -> NDArray[np.float64]:
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    x = centre[0] + radius * np.cos(angle)
    y = centre[1] + radius * np.sin(angle)
    return np.column_stack([x, y, np.full(len(angle), z)])


def one_image(*loops: NDArray[np.float64], pixel_mm: float = 1.0) -> NDArray[np.float32]:
    image: NDArray[np.float32] = coverage([loops], np.zeros(2), pixel_mm, (12, 16))[0]
    return image


def test_a_pixel_knows_its_share_of_a_rectangle() -> None:
    image = one_image(np.array([[1.25, 2.5], [3.5, 2.5], [3.5, 4.0], [1.25, 4.0]]))
    expected = np.zeros((12, 16))
    expected[2, 1:4] = [0.375, 0.5, 0.25]
    expected[3, 1:4] = [0.75, 1.0, 0.5]
    np.testing.assert_allclose(image, expected, atol=1e-6)


def test_pixels_are_addressed_as_row_then_column() -> None:
    image = one_image(np.array([[13.0, 2.0], [15.0, 2.0], [15.0, 3.0], [13.0, 3.0]]))
    assert np.argwhere(image).tolist() == [[2, 13], [2, 14]]


def test_the_last_row_and_column_are_filled() -> None:
    image = one_image(np.array([[0.0, 0.0], [16.0, 0.0], [16.0, 12.0], [0.0, 12.0]]))
    assert image.min() == 1.0


def test_a_nested_contour_is_a_hole_whichever_way_it_is_wound() -> None:
    hole = SQUARE / 4 + 3
    for inner in (hole, hole[::-1]):
        image = one_image(SQUARE, inner)
        assert float(image.sum()) == pytest.approx(60, abs=1e-4)
        assert image[4, 4] == 0.0


def test_an_island_in_a_hole_is_inside() -> None:
    image = one_image(SQUARE, SQUARE * 0.75 + 1, SQUARE * 0.25 + 3)
    assert image[4, 4] == 1.0
    assert float(image.sum()) == pytest.approx(64 - 36 + 4, abs=1e-4)


def test_a_keyhole_contour_has_its_hole() -> None:
    hole = np.array([[4, 4], [4, 6], [6, 6], [6, 4], [4, 4]], dtype=np.float64)
    image = one_image(np.concatenate([SQUARE, [[0, 0]], hole]))
    assert float(image.sum()) == pytest.approx(60, abs=1e-4)
    assert image[5, 5] == 0.0
    assert image[2, 2] == 1.0


@given(
    st.floats(-40, 40),
    st.floats(-40, 40),
    st.floats(0, 6.3),
    st.floats(0.3, 2.0),
)
def test_coverage_adds_up_to_the_area_wherever_the_outline_lies(
    x: float, y: float, angle: float, pixel_mm: float
) -> None:
    turn = rotation(angle, 0, 0)[:2, :2]
    outline = F_OUTLINE @ turn.T + (x, y)
    low = outline.min(axis=0) - pixel_mm
    columns, rows = (np.ceil(np.ptp(outline, axis=0) / pixel_mm).astype(int) + 2).tolist()
    image = coverage([[outline]], low, pixel_mm, (rows, columns))
    # Scanlines may miss half of their distance at each of the edges along them: 100 mm at most.
    assert float(image.sum()) * pixel_mm**2 == pytest.approx(F_AREA_MM2, abs=100 * pixel_mm / 32)


def test_an_area_is_that_of_the_polygon() -> None:
    stack = stack_planes(prism(F_OUTLINE, [0.0, 2.0]))
    np.testing.assert_allclose(areas_mm2(stack), [F_AREA_MM2] * 2, rtol=2e-3)


def test_an_area_is_exact_however_thin_the_polygon_is() -> None:
    sliver = np.array([(0, 0), (100, 0.03), (100, 0.07), (0, 0.05), (0, 90), (-1, 90), (-1, 0)])
    x, y = sliver.T
    shoelace = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    [area] = areas_mm2(stack_planes([on_plane(sliver, 0)]))
    assert area == pytest.approx(shoelace, rel=1e-12)


@pytest.mark.parametrize(
    ("loop", "area"),
    [
        (SQUARE[[0, 2, 1, 3]], 32),
        (np.concatenate([SQUARE, SQUARE]), 0),
        (np.concatenate([SQUARE, SQUARE[:1], SQUARE / 2]), 64 - 16),
    ],
    ids=["figure of eight", "drawn twice", "half of it drawn twice"],
)
def test_what_a_contour_encloses_an_even_number_of_times_is_outside(
    loop: NDArray[np.float64], area: float
) -> None:
    np.testing.assert_allclose(areas_mm2(stack_planes([on_plane(loop, 0)])), [area])


def test_contours_too_far_away_to_be_measured_are_refused() -> None:
    with pytest.raises(UnusableSource, match=r"reach 8e\+160 mm .* above the limit of 1e\+09 mm"):
        stack_planes([on_plane(SQUARE * 1e160, 0)])


def test_contours_of_one_plane_meet_although_their_heights_differ_a_little() -> None:
    heights = [0.0, 0.06, 3.0, 3.04, 6.0]
    stack = stack_planes([on_plane(SQUARE + 20 * i, z) for i, z in enumerate(heights)])
    np.testing.assert_allclose(stack.positions_mm, [0.03, 3.02, 6.0])
    assert [len(loops) for loops in stack.loops] == [2, 2, 1]


def test_micrometre_slices_stay_apart() -> None:
    stack = stack_planes(prism(SQUARE / 100, [0.0, 0.01, 0.02]))
    assert len(stack.positions_mm) == 3


@pytest.mark.parametrize("last", [40.2, 40.5, 41.0])
def test_a_plane_near_another_stays_a_plane_whatever_the_other_gaps(last: float) -> None:
    heights = [0.0, 10, 20, 30, 40, last]
    stack = stack_planes([on_plane(SQUARE * (8 - z / 10), z) for z in heights])
    np.testing.assert_allclose(stack.positions_mm, heights)


@pytest.mark.parametrize("uneven", [[7], [7, 8], range(20)])
def test_uneven_contours_leave_neighbouring_planes_apart(uneven: Sequence[int]) -> None:
    contours = prism(SQUARE * 8, [0.3 * i for i in range(20)])
    for index in uneven:
        contours[index][2, 2] += 0.25
    assert len(stack_planes(contours).positions_mm) == 20


def test_uneven_contours_of_one_plane_meet() -> None:
    heights = [0.0, 3.0, 6.0]
    holes = prism(SQUARE + 4, heights)
    for hole in holes:
        hole[:3, 2] += 0.45
    stack = stack_planes([*prism(SQUARE * 8, heights), *holes])
    assert [len(loops) for loops in stack.loops] == [2, 2, 2]


def test_a_contour_stored_twice_counts_once() -> None:
    stack = stack_planes([on_plane(SQUARE, 0), on_plane(SQUARE, 0), on_plane(SQUARE, 2)])
    np.testing.assert_allclose(areas_mm2(stack), [64, 64], rtol=1e-3)


@pytest.mark.parametrize("repeat", [SQUARE[::-1], np.roll(SQUARE, 2, axis=0), SQUARE[[1, 0, 3, 2]]])
def test_a_repeated_contour_counts_once_wherever_it_starts_and_whichever_way_it_runs(
    repeat: NDArray[np.float64],
) -> None:
    stack = stack_planes([on_plane(SQUARE - 4, 0), on_plane(repeat - 4, 0), on_plane(SQUARE, 2)])
    np.testing.assert_allclose(areas_mm2(stack), [64, 64], rtol=1e-3)


def test_contours_of_the_same_points_joined_otherwise_are_both_kept() -> None:
    bow_tie = SQUARE[[0, 2, 1, 3]]
    stack = stack_planes([on_plane(SQUARE, 0), on_plane(bow_tie, 0), on_plane(SQUARE, 2)])
    assert [len(loops) for loops in stack.loops] == [2, 1]


def test_a_contour_that_passes_a_point_twice_is_found_again() -> None:
    keyhole = np.concatenate([SQUARE, SQUARE[:1], SQUARE[::-1] / 4 + 3, SQUARE[-1:] / 4 + 3])
    turned = np.roll(keyhole[::-1], 5, axis=0)
    stack = stack_planes([on_plane(keyhole, 0), on_plane(turned, 0), on_plane(SQUARE, 2)])
    np.testing.assert_allclose(areas_mm2(stack), [60, 64], rtol=1e-3)


def test_thousands_of_contours_on_a_plane_are_compared_in_a_moment() -> None:
    places = [(float(i % 90), float(i // 90)) for i in range(3000)]
    loops = [on_plane(SQUARE / 20 + place, 0) for place in places]
    start = time.process_time()
    stack = stack_planes(loops)
    # A comparison of all pairs takes minutes.
    assert time.process_time() - start < 10
    assert len(stack.loops[0]) == 3000


def test_the_common_normal_of_oblique_planes_is_found() -> None:
    turn = rotation(0.3, -0.5, 0.9)
    stack = stack_planes([points @ turn.T for points in prism(F_OUTLINE, [1.0, 4.0, 7.0])])
    assert abs(stack.axes[2] @ turn[:, 2]) == pytest.approx(1, abs=1e-9)
    assert np.linalg.det(stack.axes) == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(np.diff(stack.positions_mm), 3, atol=1e-6)


def test_planes_that_cross_are_refused() -> None:
    turned = on_plane(SQUARE, 0)[:, [0, 2, 1]]
    with pytest.raises(UnusableSource, match="parallel planes: one reaches 8 mm"):
        stack_planes([on_plane(SQUARE, 0), on_plane(SQUARE, 2), turned])


def test_a_contour_that_is_not_flat_is_refused() -> None:
    bent = on_plane(SQUARE, 0)
    bent[2, 2] = 4
    with pytest.raises(UnusableSource, match="parallel planes"):
        stack_planes([bent])


def test_contours_without_area_are_refused() -> None:
    line = np.array([[0, 0, 0], [1, 1, 0], [2, 2, 0]], dtype=np.float64)
    with pytest.raises(UnusableSource, match="no area"):
        stack_planes([line])


def test_the_typical_gap_is_not_misled_by_missing_planes() -> None:
    assert typical_gap_mm(np.array([0.0, 3.0, 6.0, 21.0, 24.0])) == pytest.approx(3)
    assert typical_gap_mm(np.array([5.0])) is None


def test_a_plane_reaches_half_way_to_a_joined_neighbour_and_half_a_spacing_else() -> None:
    reaches = reaches_mm(np.array([0.0, 3.0, 9.0, 19.0]), np.full(4, 3.0))
    np.testing.assert_allclose(reaches, [[1.5, 1.5], [1.5, 3.0], [3.0, 1.5], [1.5, 1.5]])


def test_the_reaches_of_a_narrow_gap_do_not_overlap() -> None:
    reaches = reaches_mm(np.array([0.0, 1.0, 4.0, 7.0]), np.full(4, 3.0))
    np.testing.assert_allclose(reaches, [[0.5, 0.5], [0.5, 1.5], [1.5, 1.5], [1.5, 1.5]])


def test_two_wider_gaps_in_a_row_that_are_alike_are_a_spacing_of_their_own() -> None:
    heights = np.array([0.0, 2, 4, 9, 14.5, 16.5, 24, 40, 56])
    spacings = local_spacings_mm(heights, 2.0)
    np.testing.assert_allclose(spacings, [2, 2, 5.5, 5.5, 5.5, 2, 2, 2, 2])


def test_volume_is_the_sum_of_area_times_thickness() -> None:
    stack = stack_planes([on_plane(SQUARE, 0), on_plane(SQUARE / 2, 2), on_plane(SQUARE, 12)])
    assert volume_mm3(stack, np.full(3, 2.0)) == pytest.approx(64 * 2 + 16 * 2 + 64 * 2, rel=2e-3)


def test_signed_distances_of_a_disc_are_right_to_a_third_of_a_pixel() -> None:
    image = coverage([[circle(9.3, 0, (16.2, 15.6))[:, :2]]], np.zeros(2), 1.0, (32, 32))[0]
    rows, columns = np.indices(image.shape) + 0.5
    expected = 9.3 - np.hypot(rows - 15.6, columns - 16.2)
    near = np.abs(expected) < 6
    errors = np.abs(signed_distance(image) - expected)[near]
    assert errors.max() < 0.34
    assert errors.mean() < 0.06


def rasterised(
    contours: Sequence[NDArray[np.float64]], spacing_mm: float, resolution: int
) -> tuple[NDArray[np.float32], Grid]:
    stack = stack_planes(contours)
    spacings = np.full(len(stack.loops), spacing_mm)
    return rasterisation.occupancy(stack, spacings, resolution, None)


def grey_volume(contours: list[NDArray[np.float64]], spacing_mm: float, resolution: int) -> float:
    values, grid = rasterised(contours, spacing_mm, resolution)
    return float(values.sum(dtype=np.float64)) * grid.voxel_volume_mm3


@pytest.mark.parametrize("resolution", [16, 40, 256])
def test_interpolation_keeps_the_volume_of_a_cone(resolution: int) -> None:
    contours = [circle(radius, 3.0 * i) for i, radius in enumerate([2.0, 6.0, 11.0, 15.0])]
    expected = volume_mm3(stack_planes(contours), np.full(4, 3.0))
    assert grey_volume(contours, 3.0, resolution) == pytest.approx(expected, rel=0.01)


def test_a_part_that_ends_on_a_plane_ends_half_way_to_the_next() -> None:
    contours = [circle(10, 3.0 * i) for i in range(8)]
    contours += [circle(6, 3.0 * i, (30, 0)) for i in range(3)]
    values, grid = rasterised(contours, 3.0, 256)
    heights = [grid.to_index(np.array([[30.0, 0.0, z]]))[0].round().astype(int) for z in (7, 8)]
    assert [float(values[tuple(index)]) > 0.5 for index in heights] == [True, False]


def test_a_tube_between_distant_sections_is_not_cut() -> None:
    contours = [circle(2, 3.0 * i, (5.0 * i, 0)) for i in range(4)]
    values, grid = rasterised(contours, 3.0, 128)
    between = np.array([[2.5, 0, 1.5], [7.5, 0, 4.5], [12.5, 0, 7.5]])
    found = [float(values[tuple(i)]) for i in grid.to_index(between).round().astype(int)]
    assert min(found) > 0.5


def test_no_axis_has_more_voxels_than_the_resolution() -> None:
    contours = [circle(50, 1.0 * i) for i in range(100)]
    values, _ = rasterised(contours, 1.0, 48)
    assert max(values.shape) <= 48


def test_a_resolution_that_shows_nothing_is_refused() -> None:
    with pytest.raises(BadRequest, match="resolution 3 is below the least, 16"):
        rasterised(prism(SQUARE, [0.0]), 1.0, 3)
