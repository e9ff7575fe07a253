"""Elements are found without reading their values."""

import struct

import pytest

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.element_scanner import (
    DEEPEST_NESTING,
    PER_FRAME_GROUPS,
    UNDEFINED_LENGTH,
    Element,
    Encoding,
    element_at,
    elements_up_to,
    end_of,
)

EXPLICIT = Encoding()
PIXEL_DATA = 0x7FE00010
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED_LENGTH)
ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
PIXELS = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 4) + b"\1\2\3\4"


def open_sequence(group: int, number: int, content: bytes) -> bytes:
    header = struct.pack("<HH2sHI", group, number, b"SQ", 0, UNDEFINED_LENGTH)
    return header + ITEM + content + ITEM_END + SEQUENCE_END


def test_short_and_long_lengths_are_read() -> None:
    short = struct.pack("<HH2sH", 0x0048, 0x021E, b"SL", 4) + b"\1\0\0\0"
    assert element_at(short, 0, EXPLICIT) == Element(0x0048021E, b"SL", 8, 4)
    assert element_at(PIXELS, 0, EXPLICIT) == Element(PIXEL_DATA, b"OB", 12, 4)
    implicit = struct.pack("<HHI", 0x0048, 0x021E, 4)
    assert element_at(implicit, 0, Encoding(is_implicit=True)) == Element(0x0048021E, b"", 8, 4)


def test_groups_without_a_length_get_the_one_they_have() -> None:
    inner = open_sequence(0x0048, 0x021A, b"")
    groups = open_sequence(0x5200, 0x9230, inner)
    found = elements_up_to(groups + PIXELS, 0, EXPLICIT, PIXEL_DATA)
    assert found[PER_FRAME_GROUPS].length == len(groups) - 12
    assert found[PIXEL_DATA].value_at == len(groups) + 12


def test_a_private_group_after_a_sequence_of_an_item_is_not_taken_for_the_end() -> None:
    private = struct.pack("<HH2sH", 0x5533, 0x0010, b"LO", 4) + b"ACME"
    inner = open_sequence(0x0048, 0x021A, b"") + private
    groups = open_sequence(0x5200, 0x9230, inner)
    found = elements_up_to(groups + PIXELS, 0, EXPLICIT, PIXEL_DATA)
    assert found[PER_FRAME_GROUPS].length == len(groups) - 12
    assert found[PIXEL_DATA].value_at == len(groups) + 12


def test_unknown_sequences_are_implicit_inside() -> None:
    inside = struct.pack("<HHI", 0x0009, 0x0001, 2) + b"ab"
    header = struct.pack("<HH2sHI", 0x0009, 0x1000, b"UN", 0, UNDEFINED_LENGTH)
    content = header + ITEM + inside + ITEM_END + SEQUENCE_END
    assert end_of(content, element_at(content, 0, EXPLICIT), EXPLICIT) == len(content)


def test_elements_out_of_order_end_the_data_set() -> None:
    earlier = struct.pack("<HH2sH", 0x0010, 0x0010, b"LO", 0)
    later = struct.pack("<HH2sH", 0x6000, 0x0010, b"US", 0)
    assert list(elements_up_to(later + earlier + PIXELS, 0, EXPLICIT, PIXEL_DATA)) == [0x60000010]


def test_sequences_that_are_nested_too_deeply_are_refused() -> None:
    content = b""
    for _ in range(DEEPEST_NESTING + 2):
        content = open_sequence(0x0048, 0x021A, content)
    with pytest.raises(UnusableSource, match=f"more than {DEEPEST_NESTING} deep"):
        end_of(content, element_at(content, 0, EXPLICIT), EXPLICIT)


@pytest.mark.parametrize("kept", [3, 11, 20, 30])
def test_sequences_that_are_cut_off_are_refused(kept: int) -> None:
    content = open_sequence(0x0048, 0x021A, PIXELS)[:kept]
    with pytest.raises(UnusableSource, match="truncated"):
        end_of(content, element_at(content, 0, EXPLICIT), EXPLICIT)


def test_what_is_no_item_is_refused() -> None:
    content = open_sequence(0x0048, 0x021A, b"")[:12] + PIXELS
    with pytest.raises(UnusableSource, match="no item at byte 12"):
        end_of(content, element_at(content, 0, EXPLICIT), EXPLICIT)
