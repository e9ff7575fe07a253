"""Frames are found where they are, whatever the offset tables say."""

import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.element_scanner import UNDEFINED_LENGTH, Element
from orthanc_stl_plugin.formats.pixels.encapsulated_frames import encapsulated_index
from orthanc_stl_plugin.formats.pixels.frame_index import MOST_FRAMES, FrameIndex, native_index

PIXELS = 0x7FE00010
JPEG = b"\xff\xd8\xff"
END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
FRAMES = [JPEG + b"one!!", JPEG + b"the second one, longer.", JPEG + b"3.."]


def item(content: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def offsets(*values: int, kind: str = "<u4") -> bytes:
    return np.array(values, dtype=kind).tobytes()


def index_of(content: bytes, count: int, table: Element | None = None) -> FrameIndex:
    return encapsulated_index(content, Element(PIXELS, b"OB", 0, UNDEFINED_LENGTH), count, table)


def frames_of(content: bytes, count: int, table: Element | None = None) -> list[bytes]:
    index = index_of(content, count, table)
    return [index.frame_bytes(content, number) for number in range(len(index))]


def in_items(*fragments: bytes, table: bytes = b"") -> bytes:
    return item(table) + b"".join(item(fragment) for fragment in fragments) + END


TRUE_TABLE = offsets(0, 16, 50)


def test_frames_are_found_by_the_basic_offset_table() -> None:
    assert frames_of(in_items(*FRAMES, table=TRUE_TABLE), 3) == FRAMES


def test_frames_are_found_without_any_table() -> None:
    assert frames_of(in_items(*FRAMES), 3) == FRAMES


@pytest.mark.parametrize(
    "table",
    [
        offsets(0, 16, 51),
        offsets(0, 18, 50),
        offsets(0, 50, 16),
        offsets(0, 16, 4_000_000_000),
        offsets(16, 50, 50),
        offsets(0, 16),
        offsets(0, 16, 50, 62),
        b"\1\2\3",
    ],
)
def test_a_basic_offset_table_that_lies_is_not_believed(table: bytes) -> None:
    assert frames_of(in_items(*FRAMES, table=table), 3) == FRAMES


def test_an_extended_offset_table_comes_before_the_basic_one() -> None:
    content = in_items(FRAMES[0], FRAMES[1][:10], FRAMES[1][10:], FRAMES[2])
    extended = offsets(0, 16, 58, kind="<u8")
    table = Element(0x7FE00001, b"OV", len(content), len(extended))
    assert frames_of(content + extended, 3, table) == FRAMES


@pytest.mark.parametrize(
    "values", [(0, 17, 50), (0, 16, 2**63), (2**64 - 8, 16, 50), (0, 16, 10**9)]
)
def test_an_extended_offset_table_that_lies_is_not_believed(values: tuple[int, ...]) -> None:
    content = in_items(*FRAMES)
    extended = offsets(*values, kind="<u8")
    table = Element(0x7FE00001, b"OV", len(content), len(extended))
    assert frames_of(content + extended, 3, table) == FRAMES


def test_fragments_are_joined_by_the_basic_offset_table() -> None:
    halves = [part for frame in FRAMES for part in (frame[:4], frame[4:])]
    content = in_items(*halves, table=offsets(0, 24, 66))
    assert frames_of(content, 3) == FRAMES


def test_fragments_are_joined_by_their_start_markers_without_a_table() -> None:
    pieces = [FRAMES[0], FRAMES[1][:8], FRAMES[1][8:16], FRAMES[1][16:], FRAMES[2]]
    assert frames_of(in_items(*pieces), 3) == FRAMES


def test_all_fragments_are_the_one_frame_there_is() -> None:
    assert frames_of(in_items(b"no ", b"mark", b"ers "), 1) == [b"no markers "]


def test_fragments_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(UnusableSource, match="3 fragments .* 2 frames"):
        index_of(in_items(b"no", b"marker", b"here"), 2)


def test_empty_frames_keep_their_number() -> None:
    assert frames_of(in_items(FRAMES[0], b"", FRAMES[2]), 3) == [FRAMES[0], b"", FRAMES[2]]


def test_a_file_cut_within_a_frame_keeps_the_frames_before() -> None:
    content = in_items(*FRAMES, table=TRUE_TABLE)
    cut = content[: len(content) - len(END) - 1]
    index = index_of(cut, 3)
    assert (len(index), index.declared_count) == (2, 3)
    with pytest.raises(UnusableSource, match="holds 2 of 3 frames"):
        index.frame_bytes(cut, 2)


def test_a_cut_file_whose_fragments_happen_to_be_as_many_as_frames_is_not_mistaken() -> None:
    halves = [part for frame in FRAMES for part in (frame[:4], frame[4:])]
    cut = in_items(*halves)[: 8 + 2 * 12 + 2 * 8 + 4 + 8]
    assert frames_of(cut, 3)[:1] == [FRAMES[0]]
    assert len(index_of(cut, 3)) == 1


def test_more_frames_than_there_are_cost_nothing() -> None:
    index = index_of(in_items(*FRAMES), 2**31 - 1)
    assert (len(index), index.offsets.nbytes) == (3, 24)


def test_pixel_data_without_a_frame_are_refused() -> None:
    with pytest.raises(UnusableSource, match="none of its 3 frames"):
        index_of(in_items(), 3)
    with pytest.raises(UnusableSource, match="offset table"):
        index_of(b"\0" * 20, 3)


def test_a_span_that_holds_no_items_is_refused_when_it_is_read() -> None:
    index = index_of(in_items(*FRAMES), 3)
    offset, length = index.span(1)
    assert (offset, length) == (24, 34)
    with pytest.raises(UnusableSource, match="no items"):
        index.unwrapped(b"\0" * length)


@pytest.mark.parametrize("frame_index", [-1, 3])
def test_frames_are_counted_from_0(frame_index: int) -> None:
    with pytest.raises(UnusableSource, match=f"frame {frame_index} "):
        index_of(in_items(*FRAMES), 3).span(frame_index)


def native(content: bytes, count: int, bits: int) -> FrameIndex:
    return native_index(content, Element(PIXELS, b"OW", 4, len(content) - 4), count, bits)


def test_native_frames_follow_each_other() -> None:
    content = b"head" + bytes(range(24))
    index = native(content, 3, 64)
    assert [index.frame_bytes(content, number) for number in range(3)] == [
        bytes(range(8)),
        bytes(range(8, 16)),
        bytes(range(16, 24)),
    ]


def bits_of(frame: bytes, first_bit: int, count: int) -> NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little")[first_bit:][:count]


def test_one_bit_frames_need_not_begin_at_a_byte() -> None:
    bits = np.random.default_rng(1).integers(0, 2, (5, 15), dtype=np.uint8)
    content = b"head" + np.packbits(bits.ravel(), bitorder="little").tobytes()
    index = native(content, 5, 15)
    read = [bits_of(index.frame_bytes(content, n), 15 * n % 8, 15) for n in range(5)]
    np.testing.assert_array_equal(read, bits)


def test_native_frames_that_are_cut_off_are_missing() -> None:
    assert len(native(b"head" + bytes(23), 3, 64)) == 2
    element = Element(PIXELS, b"OW", 4, 2**32 - 2)
    assert len(native_index(b"head" + bytes(23), element, 2**31 - 1, 64)) == 2


def test_native_pixel_data_without_one_whole_frame_are_refused() -> None:
    with pytest.raises(UnusableSource, match="none of its 3 frames"):
        native(b"head" + bytes(7), 3, 64)


def test_too_many_native_frames_are_refused() -> None:
    element = Element(PIXELS, b"OW", 4, 2**20)
    with pytest.raises(UnusableSource, match=f"more than {MOST_FRAMES}"):
        native_index(bytes(2**20 + 4), element, 2**31 - 1, 1)


def test_too_many_fragments_are_refused() -> None:
    content = item(b"") + item(b"") * (MOST_FRAMES + 2**16) + END
    with pytest.raises(UnusableSource, match=f"more than {MOST_FRAMES}"):
        index_of(content, 3)
