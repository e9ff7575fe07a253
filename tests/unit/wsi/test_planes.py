"""Tiles that were focused one by one are ranked into focal planes, though some lack a frame."""

import numpy as np
import pytest
from numpy.typing import NDArray

from orthanc_stl_plugin.wsi.build import slide
from orthanc_stl_plugin.wsi.pyramid import Flavour, FocalPlane, OpticalPath, Pyramid
from orthanc_stl_plugin.wsi.slide_image import SlideImage, SparseTiling

COLUMNS, ROWS = 4, 3
RED, BLUE = OpticalPath("1", "red"), OpticalPath("2", "blue")

type Frame = tuple[int, int, float]
"""Column and row of the tile, height in mm."""


def focus_mm(column: int, row: int) -> float:
    """The height of the tissue, which rises by less than a micrometre from tile to tile."""
    return 0.1 + column * 0.0009 + row * 0.0007


def stack(plane_count: int, spacing_mm: float = 0.002) -> list[Frame]:
    """The frames of all tiles in these planes, one plane after the other."""
    return [
        (column, row, focus_mm(column, row) + plane * spacing_mm)
        for plane in range(plane_count)
        for row in range(ROWS)
        for column in range(COLUMNS)
    ]


def pyramids(frames: list[Frame], paths: list[int] | None = None) -> tuple[Pyramid, ...]:
    places = np.array([frame[:2] for frame in frames], dtype=np.int32) * (10, 8)
    tiling = SparseTiling(
        places.astype(np.int32),
        np.array([frame[2] for frame in frames]),
        None if paths is None else np.array(paths, dtype=np.int32),
    )
    count = len(frames)
    image = SlideImage("a", Flavour.VOLUME, 38, 21, 10, 8, count, count, tiling, (RED, BLUE))
    return slide([image]).pyramids


def shown(pyramid: Pyramid) -> NDArray[np.int64]:
    """(rows, columns) frame indices, -1 where none is."""
    level = pyramid.levels[0]
    found = [[level.frame(column, row) for column in range(COLUMNS)] for row in range(ROWS)]
    return np.array([[one.frame_index if one else -1 for one in line] for line in found])


@pytest.mark.parametrize("plane", [0, 1, 2])
@pytest.mark.parametrize("tile", [(0, 0), (0, 1), (3, 1), (2, 2), (3, 2)])
def test_a_missing_frame_leaves_a_hole_in_its_plane_and_no_other(
    plane: int, tile: tuple[int, int]
) -> None:
    frames = stack(3)
    gone = plane * COLUMNS * ROWS + tile[1] * COLUMNS + tile[0]
    expected = np.arange(36).reshape(3, ROWS, COLUMNS)
    expected[expected == gone] = -1
    expected[expected > gone] -= 1
    found = pyramids(frames[:gone] + frames[gone + 1 :])
    assert [pyramid.focal_plane for pyramid in found] == [FocalPlane(at) for at in range(3)]
    np.testing.assert_array_equal([shown(pyramid) for pyramid in found], expected)


def test_no_frame_of_a_tile_that_lacks_one_is_lost_however_it_was_focused() -> None:
    for shift_mm in (-0.5, -0.001, 0.0005, 0.001, 0.5):
        frames = [*stack(3)[:-1], (1, 1, 0.2)]
        moved = [
            (column, row, z_mm + (shift_mm if (column, row) == (3, 2) else 0.0))
            for column, row, z_mm in frames
        ]
        found = np.array([shown(pyramid)[2, 3] for pyramid in pyramids(moved)])
        assert found[found >= 0].tolist() == [11, 23]


def test_of_a_tile_that_was_scanned_twice_the_later_frame_is_shown() -> None:
    for z_mm in (0.05, 0.1017, 0.2):
        (pyramid,) = pyramids([*stack(1), (1, 1, z_mm)])
        assert pyramid.focal_plane == FocalPlane(0)
        expected = np.arange(12).reshape(ROWS, COLUMNS)
        expected[1, 1] = 12
        np.testing.assert_array_equal(shown(pyramid), expected)


def test_a_frame_of_a_stack_that_was_scanned_twice_replaces_the_nearest_one() -> None:
    lower, upper = pyramids([*stack(2), (1, 1, focus_mm(1, 1) + 0.0021)])
    assert shown(lower)[1, 1] == 5
    assert shown(upper)[1, 1] == 24
    assert (shown(lower) >= 0).all()
    assert (shown(upper) >= 0).all()


def test_every_optical_path_has_its_own_planes() -> None:
    red, blue = stack(3), [(column, row, 0.3) for column, row, _ in stack(1)]
    found = pyramids([*red[:-1], *blue], [0] * 35 + [1] * 12)
    assert [(pyramid.optical_path, pyramid.focal_plane) for pyramid in found] == [
        (RED, FocalPlane(0)),
        (RED, FocalPlane(1)),
        (RED, FocalPlane(2)),
        (BLUE, FocalPlane(0, 0.3)),
    ]
    np.testing.assert_array_equal(shown(found[3]), 35 + np.arange(12).reshape(ROWS, COLUMNS))


def test_planes_of_known_heights_stay_though_tiles_lack_some() -> None:
    frames = [(column, row, 0.002 * plane) for plane in range(3) for column, row, _ in stack(1)]
    found = pyramids([frame for number, frame in enumerate(frames) if number % 5])
    assert [pyramid.focal_plane.z_mm for pyramid in found] == [0.0, 0.002, 0.004]
