"""Triangles of polygons: their areas add up to that of the polygon, none is turned round."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.meshes.polygons import folded
from tests.support.dicom_samples import F_AREA_MM2, F_OUTLINE, rotation

TURN = rotation(0.3, -0.5, 0.9)


def in_space(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([outline, np.full(len(outline), 7.0)]) @ TURN.T


def signed_areas(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the triangles that an outline falls into, where a fan would fold it; else none."""
    found = folded(in_space(outline), [range(len(outline))])
    corners = outline[np.array(found.get(0, np.zeros((0, 3), dtype=int)))]
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]) / 2


def assert_fills(outline: NDArray[np.float64], area: float) -> None:
    areas = signed_areas(outline)
    assert len(areas) == len(outline) - 2
    assert areas.min() >= 0
    assert areas.sum() == pytest.approx(area)


@pytest.mark.parametrize("start", range(10))
def test_an_f_is_filled_from_wherever_it_starts(start: int):
    outline = np.roll(F_OUTLINE, start, axis=0)
    areas = signed_areas(outline)
    if len(areas):
        assert_fills(outline, F_AREA_MM2)
    # From no corner of an F are all others seen.
    assert len(areas) == 8


def test_an_arrowhead_is_cut_at_its_reflex_corner():
    arrowhead = np.array([(4.0, 0), (1, 1), (0, 4), (0, 0)])
    assert_fills(arrowhead, 4)
    assert len(signed_areas(np.roll(arrowhead, 1, axis=0))) == 0


def test_a_frame_with_a_cut_to_its_hole_is_filled():
    outer = np.array([(0.0, 0), (10, 0), (10, 8), (0, 8)])
    inner = np.array([(3.0, 3), (3, 5), (6, 5), (6, 3)])
    assert_fills(np.concatenate([outer, outer[:1], inner, inner[:1]]), 80 - 6)


@settings(max_examples=60)
@given(st.lists(st.floats(1, 20), min_size=4, max_size=40))
def test_a_star_of_any_rays_is_filled(rays: list[float]):
    angles = np.linspace(0, 2 * np.pi, len(rays), endpoint=False)
    outline = np.array(rays)[:, np.newaxis] * np.column_stack([np.cos(angles), np.sin(angles)])
    x, y = outline.T
    areas = signed_areas(outline)
    if len(areas):
        assert areas.min() > -1e-6
        assert areas.sum() == pytest.approx((x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def thin_zigzag(count: int) -> NDArray[np.float64]:
    """A band half a millimetre high that runs up and down 5 m in each of its millimetres."""
    x = np.arange(count // 2)
    y = np.where(x % 2, 5000.0, 0)
    return np.concatenate([np.column_stack([x, y]), np.column_stack([x, y + 0.5])[::-1]])


def bowl(count: int) -> NDArray[np.float64]:
    """A square but for a hill from its ground: two corners see all reflex corners."""
    x = np.linspace(-1, 1, count - 2)
    return np.concatenate([[(-1, 2.0)], np.column_stack([x, 1 - x**2]), [(1, 2.0)]])


@pytest.mark.parametrize(
    ("outline", "area"), [(thin_zigzag(6000), 0.5 * 2999), (bowl(6000), 4 - 4 / 3)]
)
def test_thousands_of_thin_corners_are_filled(outline: NDArray[np.float64], area: float):
    assert_fills(outline, area)


def test_convex_polygons_and_triangles_are_left_to_a_fan():
    points = in_space(np.array([(0.0, 0), (4, 0), (6, 3), (3, 5), (0, 4)]))
    assert folded(points, [range(5), (0, 1, 2), (0, 1, 2, 4)]) == {}


def test_polygons_of_vertices_that_are_not_there_are_passed_over():
    points = in_space(F_OUTLINE)
    assert list(folded(points, [(0, 1, 2, 10), (0, -1, 2, 3), range(10)])) == [2]


def sides_of(triangles: list[tuple[int, int, int]]) -> set[tuple[int, int]]:
    """The sides that no other triangle has the other way round."""
    sides = Counter(side for a, b, c in triangles for side in ((a, b), (b, c), (c, a)))
    return {(a, b) for (a, b), count in sides.items() if count > sides[b, a]}


def test_a_corner_that_earcut_leaves_out_is_put_back():
    """At the tip of a spike without area: a surface would be open there."""
    outline = np.array([(1.0, 0), (2, 0), (2, 2), (2, 1), (1, 3)])
    [triangles] = folded(in_space(outline), [range(5)]).values()
    assert sides_of(triangles) == {(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)}
    assert signed_areas(outline).sum() == pytest.approx(2)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=4, max_size=9))
def test_triangles_are_bounded_by_their_polygon_whatever_it_is(corners: list[tuple[int, int]]):
    """So no surface is opened: its neighbours have the same sides."""
    outline = np.array(corners, dtype=np.float64)
    for triangles in folded(in_space(outline), [range(len(corners))]).values():
        assert len(triangles) == len(corners) - 2
        assert sides_of(triangles) == set(pairwise([*range(len(corners)), 0]))


def test_a_polygon_that_crosses_itself_has_triangles_too():
    bow_tie = np.array([(0.0, 0), (10, 8), (10, 0), (1, 9), (0, 9)])
    assert len(signed_areas(bow_tie)) in {0, 3}


def test_a_concave_polygon_of_more_corners_than_can_be_cut_is_refused():
    angles = np.linspace(0, 2 * np.pi, 10_002, endpoint=False)
    rays = np.where(np.arange(10_002) % 2, 5.0, 9.0)
    star = rays[:, np.newaxis] * np.column_stack([np.cos(angles), np.sin(angles)])
    with pytest.raises(UnusableSource, match="10002 corners, above the limit of 10000"):
        folded(in_space(star), [range(10_002)])
