"""Which level, which tiles and which pixels: small pyramids worked out by hand."""

import pytest

from orthanc_stl_plugin.errors import TooLarge
from orthanc_stl_plugin.iiif.image.plan import (
    LevelShape,
    Placement,
    RenderPlan,
    StoredTile,
    plan,
    whole_ratio,
)
from orthanc_stl_plugin.iiif.image.request import Version, parse_request
from orthanc_stl_plugin.iiif.image.resolve import Limits, resolve

# 1001 x 700 at 1, 1/2 (rounded up, other tiles) and 1/4 (rounded down)
LEVELS = [
    LevelShape(1001, 700, 256, 256),
    LevelShape(501, 350, 128, 100),
    LevelShape(250, 175, 256, 256),
]


def planned(
    path: str,
    levels: list[LevelShape] = LEVELS,
    largest_reduction: int = 1,
    largest_canvas: int | None = None,
) -> RenderPlan:
    request = parse_request(Version.V3, *path.split("/"))
    resolved = resolve(request, levels[0].width, levels[0].height, Limits())
    return plan(resolved, levels, largest_reduction, largest_canvas)


def test_an_inner_tile_is_answered_as_it_is_stored() -> None:
    made = planned("256,256,256,256/256,256/0/default.jpg")
    assert made.level == 0
    assert made.stored_tile == StoredTile(1, 1, 256, 256)
    assert made.placements == (Placement(1, 1, 0, 0, 256, 256, 0, 0),)


def test_a_tile_of_another_level_is_found_by_its_own_tile_size() -> None:
    made = planned("256,200,256,200/128,100/0/color.jpg")
    assert made.level == 1
    assert made.stored_tile == StoredTile(1, 1, 128, 100)


def test_a_tile_at_the_edge_is_a_crop_of_the_stored_one() -> None:
    made = planned("768,512,233,188/233,188/0/default.jpg")
    assert made.stored_tile == StoredTile(3, 2, 233, 188)


def test_an_edge_that_was_rounded_up_counts_its_last_pixel_whole() -> None:
    """Columns 768 to 1001 are 116.5 pixels of the half-size level, stored as 117."""
    made = planned("768,600,233,100/117,50/0/default.jpg")
    assert (made.level, made.stored_tile) == (1, StoredTile(3, 3, 117, 50))


def test_an_edge_that_was_rounded_down_is_stretched_to_the_size_asked_for() -> None:
    made = planned("full/251,175/0/default.jpg")
    assert (made.level, made.stored_tile) == (2, None)
    assert made.crop == (0, 0, 250, 175)


@pytest.mark.parametrize(
    "path",
    [
        "256,256,256,256/256,256/90/default.jpg",
        "256,256,256,256/256,256/!0/default.jpg",
        "256,256,256,256/256,256/0/gray.jpg",
        "256,256,256,256/256,256/0/bitonal.jpg",
        "256,256,256,256/255,256/0/default.jpg",
        "255,256,256,256/256,256/0/default.jpg",
        "256,256,257,256/257,256/0/default.jpg",
    ],
)
def test_what_changes_a_tile_is_not_a_stored_tile(path: str) -> None:
    assert planned(path).stored_tile is None


def test_a_region_over_four_tiles_takes_a_corner_of_each() -> None:
    made = planned("200,250,100,10/100,10/0/default.jpg")
    assert (made.canvas_width, made.canvas_height) == (100, 10)
    assert made.placements == (
        Placement(0, 0, 200, 250, 56, 6, 0, 0),
        Placement(1, 0, 0, 250, 44, 6, 56, 0),
        Placement(0, 1, 200, 0, 56, 4, 0, 6),
        Placement(1, 1, 0, 0, 44, 4, 56, 6),
    )


@pytest.mark.parametrize(
    ("size", "level"),
    [("1001,700", 0), ("502,351", 0), ("501,350", 1), ("252,176", 1), ("251,175", 2), ("9,9", 2)],
)
def test_the_smallest_level_with_enough_pixels_is_taken(size: str, level: int) -> None:
    assert planned(f"full/{size}/0/default.jpg").level == level


def test_a_pixel_at_full_size_is_the_pixel_of_the_largest_level() -> None:
    assert planned("1000,699,1,1/1,1/0/default.jpg").level == 0
    assert planned("10,10,1,1/1,1/0/default.jpg").level == 0


def test_a_level_whose_ratio_is_no_whole_number_is_used_to_its_edge() -> None:
    levels = [LevelShape(1000, 1000, 256, 256), LevelShape(370, 371, 256, 256)]
    whole = planned("full/300,300/0/default.jpg", levels)
    assert (whole.level, whole.crop) == (1, (0, 0, 370, 371))
    part = planned("500,500,100,100/30,30/0/default.jpg", levels)
    assert part.crop == pytest.approx((0, 0.5, 37, 37.6))  # from 185 and 185.5 on


@pytest.mark.parametrize(
    ("full", "length", "ratio"),
    [
        (1000, 1000, 1),
        (1001, 500, 2),
        (1001, 501, 2),
        (1001, 502, 0),
        (900, 300, 3),
        (100001, 97, 1024),
        (100001, 98, 1024),
        (1, 1, 1),
        (5, 2, 0),
        (9, 3, 0),
        (9, 4, 2),
        (1000, 590, 0),
    ],
)
def test_a_whole_ratio_is_known_however_it_was_rounded(full: int, length: int, ratio: int) -> None:
    assert whole_ratio(full, length) == ratio


def test_the_last_column_that_a_level_dropped_is_its_neighbour() -> None:
    levels = [LevelShape(1001, 8, 256, 256), LevelShape(500, 4, 256, 256)]
    made = planned("1000,0,1,8/1,4/0/default.jpg", levels)
    assert made.level == 1
    assert made.placements == (Placement(1, 0, 243, 0, 1, 4, 0, 0),)


@pytest.mark.parametrize(
    ("size", "reduce_by"),
    [("2048,2048", 1), ("342,342", 1), ("341,341", 2), ("200,200", 2), ("85,85", 8)],
)
def test_a_level_is_decoded_smaller_when_three_times_the_pixels_remain(
    size: str, reduce_by: int
) -> None:
    levels = [LevelShape(2048, 2048, 512, 512)]
    made = planned(f"full/{size}/0/default.jpg", levels, largest_reduction=8)
    assert made.reduce_by == reduce_by
    assert made.canvas_width == 2048 // reduce_by


def test_reduced_tiles_lie_at_reduced_places() -> None:
    levels = [LevelShape(2048, 2048, 512, 512)]
    made = planned("400,512,400,256/33,21/0/default.jpg", levels, largest_reduction=8)
    assert made.reduce_by == 4
    assert made.crop == pytest.approx((0, 0, 100, 64))
    assert made.placements == (
        Placement(0, 1, 100, 0, 28, 64, 0, 0),
        Placement(1, 1, 0, 0, 72, 64, 28, 0),
    )
    assert made.stored_tile is None


def test_tiles_that_do_not_reduce_to_whole_pixels_are_reduced_less() -> None:
    levels = [LevelShape(1000, 1000, 250, 252)]
    assert planned("full/100,100/0/default.jpg", levels, largest_reduction=8).reduce_by == 2


def test_a_single_tile_reduces_whatever_its_size_without_the_pixel_that_pads_it() -> None:
    levels = [LevelShape(1001, 703, 1001, 703)]
    made = planned("full/41,29/0/default.jpg", levels, largest_reduction=8)
    assert (made.reduce_by, made.canvas_width, made.canvas_height) == (8, 125, 87)


def test_a_canvas_above_the_limit_is_drawn_from_a_coarser_level() -> None:
    made = planned("full/1,700/0/default.jpg", largest_canvas=200_000)
    assert (made.level, made.canvas_width, made.canvas_height) == (1, 501, 350)


def test_a_canvas_above_the_limit_on_the_coarsest_level_is_too_large() -> None:
    with pytest.raises(TooLarge, match=r"43750 .* 40000"):
        planned("full/max/0/default.jpg", largest_canvas=40_000)


def test_tiles_that_nobody_can_list_are_too_many() -> None:
    level = LevelShape(1_000_000_000, 1_000_000_000, 256, 256)
    with pytest.raises(TooLarge, match="15258789062500 tiles"):
        planned("full/200,/0/default.jpg", [level])
