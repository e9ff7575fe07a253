"""Places of tiles are found in the bytes of functional groups, however they are written."""

import struct

import numpy as np
import pytest

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.element_scanner import PER_FRAME_GROUPS, Element, Encoding
from orthanc_stl_plugin.formats.pixels.frame_index import FrameIndex
from orthanc_stl_plugin.formats.pixels.tile_positions import (
    MOST_PARSED_ITEMS,
    TilePositions,
    tile_positions,
)


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def item(content: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def sequence(group: int, number: int, *items: bytes) -> bytes:
    content = b"".join(item(one) for one in items)
    return struct.pack("<HH2sHI", group, number, b"SQ", 0, len(content)) + content


def groups_of(column: int, row: int, z: bytes = b"0 ", path: bytes = b"1 ") -> bytes:
    plane = (
        element(0x0040, 0x074A, b"DS", z)
        + element(0x0048, 0x021E, b"SL", struct.pack("<i", column))
        + element(0x0048, 0x021F, b"SL", struct.pack("<i", row))
    )
    return sequence(0x0048, 0x021A, plane) + sequence(
        0x0048, 0x0207, element(0x0048, 0x0106, b"SH", path)
    )


def places(*frames: bytes, count: int | None = None) -> TilePositions:
    content = b"".join(item(frame) for frame in frames)
    groups = Element(PER_FRAME_GROUPS, b"SQ", 0, len(content))
    there = np.arange(len(frames), dtype=np.int64)
    index = FrameIndex(there, there, count or len(frames), is_encapsulated=True)
    return tile_positions(content, groups, Encoding(), index)


def test_positions_are_counted_from_0() -> None:
    found = places(groups_of(1, 1), groups_of(257, 513))
    assert found.positions.tolist() == [[0, 0], [256, 512]]


def test_positions_that_cannot_be_are_unknown() -> None:
    found = places(groups_of(0, 1), groups_of(5, -(2**31)), groups_of(2**31 - 1, 1))
    assert found.positions.tolist() == [[-1, -1], [-1, -1], [2**31 - 2, 0]]


def test_heights_are_read_as_they_are_written() -> None:
    found = places(*(groups_of(1, 1, z) for z in (b"-1.5E-3 ", b" +2", b"", b"1e999 ")))
    np.testing.assert_array_equal(found.z_mm, [-0.0015, 2.0, np.nan, np.nan])
    assert places(groups_of(1, 1, b"")).z_mm is None


def test_optical_paths_are_numbered_as_they_appear() -> None:
    found = places(
        *(groups_of(1, 1, path=path) for path in (b"red ", b"exactly 16 bytes", b"red "))
    )
    assert found.path_identifiers == ("red", "exactly 16 bytes")
    assert found.path_ordinals.tolist() == [0, 1, 0]


def test_frames_that_say_less_than_others_are_parsed() -> None:
    found = places(groups_of(1, 1), b"", groups_of(9, 17, b"3 ", b"2 "))
    assert found.positions.tolist() == [[0, 0], [-1, -1], [8, 16]]
    assert found.path_ordinals.tolist() == [0, -1, 1]
    np.testing.assert_array_equal(found.z_mm, [0.0, np.nan, 3.0])


def test_groups_for_more_frames_than_there_are_count_in_order() -> None:
    found = places(groups_of(1, 1), groups_of(9, 1), count=3)
    assert found.positions.tolist() == [[0, 0], [8, 0]]


def test_too_many_irregular_groups_are_refused() -> None:
    with pytest.raises(UnusableSource, match=f"for {MOST_PARSED_ITEMS} frames at most"):
        places(*[b""] * (MOST_PARSED_ITEMS + 1))
