"""Images find their places in the slide of their series."""

from dataclasses import replace

import numpy as np
import pytest

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.wsi.build import slide
from orthanc_stl_plugin.wsi.pyramid import Flavour, FocalPlane, FrameAddress, OpticalPath, Pyramid
from orthanc_stl_plugin.wsi.slide_image import (
    Concatenation,
    FullTiling,
    ScanIdentity,
    SlideImage,
    SparseTiling,
)

RED, BLUE = OpticalPath("1", "red"), OpticalPath("2", "blue")


def full(name: str, width: int, height: int, frames: int, **others: object) -> SlideImage:
    """A TILED_FULL image in tiles of 10 x 8."""
    image = SlideImage(name, Flavour.VOLUME, width, height, 10, 8, frames, frames, FullTiling())
    return replace(image, **others)  # type: ignore[arg-type] # the tests name fields


def sparse(
    name: str, positions: list[tuple[int, int]], size: tuple[int, int] = (25, 20), **others: object
) -> SlideImage:
    """A TILED_SPARSE image in tiles of 10 x 8."""
    tiling = SparseTiling(np.array(positions, dtype=np.int32).reshape(-1, 2))
    count = len(positions)
    image = SlideImage(name, Flavour.VOLUME, 10, 8, 10, 8, count, count, tiling)
    return replace(image, width=size[0], height=size[1], **others)  # type: ignore[arg-type] # the tests name fields


def frame_indices(pyramid: Pyramid, level: int = 0) -> list[list[int | None]]:
    """Row by row, None where no frame is."""
    one = pyramid.levels[level]
    rows = [[one.frame(column, row) for column in range(one.columns)] for row in range(one.rows)]
    return [[None if frame is None else frame.frame_index for frame in row] for row in rows]


def test_full_tiles_run_along_rows_first() -> None:
    pyramid = slide([full("a", 25, 20, 9)]).default
    assert frame_indices(pyramid) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert pyramid.levels[0].frame(2, 1) == FrameAddress("a", 5)


def test_there_is_no_frame_off_the_grid() -> None:
    level = slide([full("a", 25, 20, 9)]).default.levels[0]
    for column, row in [(-1, 0), (3, 0), (0, -1), (0, 3)]:
        assert level.frame(column, row) is None


def test_full_tiles_run_through_planes_then_optical_paths() -> None:
    image = full("a", 20, 8, 12, tiling=FullTiling(3, 0.5, 0.25), optical_paths=(RED, BLUE))
    shown = [
        (pyramid.optical_path, pyramid.focal_plane, frame_indices(pyramid))
        for pyramid in slide([image]).pyramids
    ]
    assert shown == [
        (RED, FocalPlane(0, 0.5), [[0, 1]]),
        (RED, FocalPlane(1, 0.75), [[2, 3]]),
        (RED, FocalPlane(2, 1.0), [[4, 5]]),
        (BLUE, FocalPlane(0, 0.5), [[6, 7]]),
        (BLUE, FocalPlane(1, 0.75), [[8, 9]]),
        (BLUE, FocalPlane(2, 1.0), [[10, 11]]),
    ]


def test_full_tiles_are_counted_across_a_concatenation() -> None:
    second = full("b", 25, 20, 4, concatenation=Concatenation("u", 2, 5))
    first = full("a", 25, 20, 5, concatenation=Concatenation("u", 1, 0))
    level = slide([second, first]).default.levels[0]
    assert set(level.instance_ids) == {"a", "b"}
    assert level.frame(1, 1) == FrameAddress("a", 4)
    assert level.frame(2, 1) == FrameAddress("b", 0)
    assert level.frame(2, 2) == FrameAddress("b", 3)


def test_offsets_of_a_concatenation_that_are_not_stated_are_counted() -> None:
    parts = [
        full("c", 25, 20, 2, concatenation=Concatenation("u", 3, None)),
        full("a", 25, 20, 2, concatenation=Concatenation("u", 1, None), declared_count=3),
        full("b", 25, 20, 4, concatenation=Concatenation("u", 2, None)),
    ]
    level = slide(parts).default.levels[0]
    assert level.frame(2, 0) is None  # the third frame of the first part is cut off
    assert level.frame(0, 1) == FrameAddress("b", 0)
    assert level.frame(1, 2) == FrameAddress("c", 0)
    with pytest.raises(UnusableSource, match="part 1 of a concatenation is missing"):
        slide([parts[0], parts[2]])


def test_a_missing_part_of_a_concatenation_leaves_its_tiles_empty() -> None:
    last = full("c", 25, 20, 2, concatenation=Concatenation("u", 3, 7))
    assert frame_indices(slide([last]).default) == [[None] * 3, [None] * 3, [None, 0, 1]]


def test_a_plane_whose_frames_are_all_missing_is_no_pyramid() -> None:
    upper = full("b", 20, 8, 2, tiling=FullTiling(2), concatenation=Concatenation("u", 2, 2))
    (pyramid,) = slide([upper]).pyramids
    assert pyramid.focal_plane == FocalPlane(1)
    assert frame_indices(pyramid) == [[0, 1]]


def test_missing_frames_leave_the_last_tiles_empty() -> None:
    assert frame_indices(slide([full("a", 25, 20, 7)]).default)[2] == [6, None, None]


def test_frames_beyond_the_last_tile_are_left_out() -> None:
    assert len(slide([full("a", 25, 20, 20)]).pyramids) == 1
    assert frame_indices(slide([full("a", 25, 20, 20)]).default)[2] == [6, 7, 8]


def test_sparse_tiles_are_where_they_say() -> None:
    image = sparse("a", [(20, 16), (0, 0), (10, 8)])
    assert frame_indices(slide([image]).default) == [
        [1, None, None],
        [None, 2, None],
        [None, None, 0],
    ]


def test_sparse_tiles_off_the_image_or_without_a_place_are_left_out() -> None:
    image = sparse("a", [(0, 0), (30, 0), (0, 24), (-1, -1), (20, 0)])
    assert frame_indices(slide([image]).default)[0] == [0, None, 4]
    with pytest.raises(UnusableSource, match="none of the 1 tiled images"):
        slide([sparse("a", [(30, 0)])])


@pytest.mark.parametrize("place", [(5, 0), (10, 7)])
def test_a_tile_between_those_of_the_grid_is_refused_not_left_out(place: tuple[int, int]) -> None:
    with pytest.raises(UnusableSource, match="frame 1 .* begins at column"):
        slide([sparse("a", [(0, 0), place, (20, 0)])])


def test_sparse_frames_have_their_own_path_and_plane() -> None:
    tiling = SparseTiling(
        np.zeros((4, 2), dtype=np.int32),
        np.array([0.2, 0.1, 0.1, 0.2]),
        np.array([1, 1, 0, 0], dtype=np.int32),
    )
    image = sparse("a", [(0, 0)] * 4, tiling=tiling, optical_paths=(RED, BLUE))
    shown = {
        (pyramid.optical_path, pyramid.focal_plane): frame_indices(pyramid)[0][0]
        for pyramid in slide([image]).pyramids
    }
    assert shown == {
        (RED, FocalPlane(0, 0.1)): 2,
        (RED, FocalPlane(1, 0.2)): 3,
        (BLUE, FocalPlane(0, 0.1)): 1,
        (BLUE, FocalPlane(1, 0.2)): 0,
    }


def test_tiles_that_were_focused_one_by_one_are_one_plane() -> None:
    positions = [(0, 0), (10, 0), (20, 0)]
    tiling = SparseTiling(np.array(positions, dtype=np.int32), np.array([0.1, 0.3, 0.2]))
    (pyramid,) = slide([sparse("a", positions, tiling=tiling)]).pyramids
    assert pyramid.focal_plane == FocalPlane(0, None)
    assert frame_indices(pyramid)[0] == [0, 1, 2]


def test_stacks_that_were_focused_one_by_one_are_ranked() -> None:
    positions = [(0, 0), (10, 0), (0, 0), (10, 0)]
    tiling = SparseTiling(np.array(positions, dtype=np.int32), np.array([0.5, 0.1, 0.4, 0.2]))
    lower, upper = slide([sparse("a", positions, tiling=tiling)]).pyramids
    assert frame_indices(lower)[0][:2] == [2, 1]
    assert frame_indices(upper)[0][:2] == [0, 3]


def test_planes_in_instances_of_their_own_are_put_together() -> None:
    images = [
        full(name, 20, 8, 2, tiling=FullTiling(1, z_mm), recency=("", number, ""))
        for number, (name, z_mm) in enumerate([("top", 0.9), ("bottom", 0.1), ("middle", 0.4)])
    ]
    pyramids = slide(images).pyramids
    assert [pyramid.focal_plane.z_mm for pyramid in pyramids] == [0.1, 0.4, 0.9]
    assert [pyramid.levels[0].instance_ids for pyramid in pyramids] == [
        ("bottom",),
        ("middle",),
        ("top",),
    ]


def test_channels_in_instances_of_their_own_are_put_together() -> None:
    images = [
        full("red", 20, 8, 2, optical_paths=(RED,)),
        full("blue", 20, 8, 2, optical_paths=(BLUE,), tiling=FullTiling(1, 0.3)),
    ]
    assert {
        pyramid.optical_path: (pyramid.levels[0].instance_ids, pyramid.focal_plane)
        for pyramid in slide(images).pyramids
    } == {RED: (("red",), FocalPlane(0)), BLUE: (("blue",), FocalPlane(0, 0.3))}


def test_levels_are_sorted_and_need_no_integer_ratio() -> None:
    images = [
        full("small", 14, 11, 4),
        full("large", 100, 80, 100),
        full("middle", 37, 30, 16),
    ]
    pyramid = slide(images).default
    assert [(level.width, level.height) for level in pyramid.levels] == [
        (100, 80),
        (37, 30),
        (14, 11),
    ]
    assert (pyramid.width, pyramid.height) == (100, 80)


def test_levels_may_differ_in_tile_size() -> None:
    images = [full("a", 100, 80, 100), full("b", 50, 40, 1, tile_width=64, tile_height=50)]
    large, small = slide(images).default.levels
    assert (large.tile_width, small.tile_width) == (10, 64)
    assert (small.columns, small.rows) == (1, 1)


def test_a_level_with_fewer_planes_belongs_to_the_nearest_one() -> None:
    images = [
        full("stack", 40, 16, 24, tiling=FullTiling(3, 0.0, 0.5)),
        full("low", 20, 8, 2, tiling=FullTiling(1, 0.6)),
    ]
    assert [len(pyramid.levels) for pyramid in slide(images).pyramids] == [1, 2, 1]


def test_of_two_frames_for_a_tile_the_one_of_the_later_image_is_shown() -> None:
    older = full("older", 25, 20, 9, recency=("20200101", 9, "1"))
    newer = sparse("newer", [(10, 8)], recency=("20210101", 1, "0"))
    for images in ([older, newer], [newer, older]):
        level = slide(images).default.levels[0]
        assert level.frame(1, 1) == FrameAddress("newer", 0)
        assert level.frame(1, 0) == FrameAddress("older", 1)


def test_images_with_other_tiles_than_the_latest_are_left_out() -> None:
    older = full("older", 25, 20, 9, recency=("20200101", 1, ""))
    newer = full("newer", 25, 20, 1, recency=("20210101", 1, ""), tile_width=32, tile_height=32)
    (level,) = slide([newer, older]).default.levels
    assert level.instance_ids == ("newer",)


def test_labels_overviews_and_thumbnails_are_no_levels() -> None:
    images = [
        full("a", 25, 20, 9),
        full("label", 10, 8, 1, flavour=Flavour.LABEL),
        full("overview", 9, 3, 1, flavour=Flavour.OVERVIEW),
        full("thumbnail", 5, 4, 1, flavour=Flavour.THUMBNAIL),
        full("plain", 10, 8, 5, tiling=None),
    ]
    shown = slide(images)
    assert [len(pyramid.levels) for pyramid in shown.pyramids] == [1]
    assert [
        (image.flavour.value, image.instance_id, image.width, image.height)
        for image in shown.associated
    ] == [
        ("LABEL", "label", 10, 8),
        ("OVERVIEW", "overview", 9, 3),
        ("THUMBNAIL", "thumbnail", 5, 4),
        ("OTHER", "plain", 10, 8),
    ]
    assert shown.associated[3].level.frame(0, 0) == FrameAddress("plain", 0)


def test_a_series_without_levels_has_no_default() -> None:
    with pytest.raises(UnusableSource, match="no image with a total pixel matrix"):
        _ = slide([]).default
    with pytest.raises(UnusableSource, match="holds no slide, but only its LABEL"):
        _ = slide([full("label", 10, 8, 1, flavour=Flavour.LABEL)]).default


def scan_numbers(*images: SlideImage) -> dict[str, int]:
    return {
        name: pyramid.scan_number
        for pyramid in slide(images).pyramids
        for level in pyramid.levels
        for name in level.instance_ids
    }


def test_images_of_other_proportions_are_other_scans() -> None:
    assert scan_numbers(
        full("a", 100, 80, 100),
        full("b", 40, 60, 32),
        full("a2", 51, 40, 30),
        full("b2", 20, 30, 8),
    ) == {"a": 0, "b": 1, "a2": 0, "b2": 1}


def test_pyramid_uids_decide() -> None:
    one, other = ScanIdentity("1.1"), ScanIdentity("1.2")
    assert scan_numbers(
        full("a", 100, 80, 100, scan=one),
        full("b", 90, 72, 81, scan=other),
        full("b2", 50, 40, 25, scan=other),
        full("a2", 25, 21, 9, scan=one),
    ) == {"a": 0, "b": 1, "b2": 1, "a2": 0}


def test_other_specimens_are_other_scans() -> None:
    one, other = ScanIdentity("", "", frozenset({"s1"})), ScanIdentity("", "", frozenset({"s2"}))
    assert scan_numbers(full("a", 100, 80, 100, scan=one), full("b", 50, 40, 25, scan=other)) == {
        "a": 0,
        "b": 1,
    }


def test_frames_of_reference_tell_images_of_one_size_apart_but_not_levels() -> None:
    one, other = ScanIdentity("", "1.1"), ScanIdentity("", "1.2")
    assert scan_numbers(full("a", 100, 80, 100, scan=one), full("b", 50, 40, 25, scan=other)) == {
        "a": 0,
        "b": 0,
    }
    assert scan_numbers(
        full("a", 100, 80, 100, scan=one),
        full("b", 100, 80, 100, scan=other),
        full("b2", 50, 40, 25, scan=other),
    ) == {"a": 0, "b": 1, "b2": 1}


def test_a_huge_matrix_costs_what_its_frames_cost() -> None:
    size = (2**32 - 1, 2**32 - 1)
    (pyramid,) = slide(
        [sparse("a", [(0, 0), (5000, 4000)], size, tile_width=5000, tile_height=4000)]
    ).pyramids
    assert pyramid.levels[0].tiles.keys.nbytes == 16
    assert pyramid.levels[0].frame(1, 1) == FrameAddress("a", 1)
    with pytest.raises(UnusableSource, match="a grid of"):
        sparse("a", [(0, 0)], size)


def test_an_absurd_number_of_planes_is_refused() -> None:
    with pytest.raises(UnusableSource, match="1000000 focal planes"):
        slide([full("a", 25, 20, 9, tiling=FullTiling(1_000_000))])


def test_200000_tiles_cost_less_than_5_megabytes() -> None:
    level = slide([full("a", 5000, 3200, 200_000)]).default.levels[0]
    assert level.tiles.keys.nbytes + level.tiles.places.nbytes == 3_200_000
    assert level.frame(499, 399) == FrameAddress("a", 199_999)


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(UnusableSource, match="0 x 8 in tiles"):
        full("a", 0, 8, 1)
