"""Data elements in a buffer, found without reading their values (PS3.5 section 7)."""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from orthanc_stl_plugin.errors import UnusableSource

type Buffer = bytes | mmap.mmap
"""The bytes of a file, in memory or mapped."""

UNDEFINED_LENGTH: Final = 0xFFFFFFFF
ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD
PER_FRAME_GROUPS: Final = 0x52009230

SHORT_VRS: Final = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
)
DEEPEST_NESTING: Final = 32
# The end of a sequence followed by an element of a group above 5200: true of the Per-Frame
# Functional Groups Sequence, and hardly ever of sequences inside it.
LIKELY_END: Final = re.compile(rb"\xfe\xff\xdd\xe0\0{4}(?=[\0-\xff][\x52-\x7f])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of elements (PS3.5 section 7.1)."""

    is_implicit: bool = False
    is_little_endian: bool = True

    @property
    def order(self) -> str:
        """The byte order, for struct."""
        return "<" if self.is_little_endian else ">"


@dataclass(frozen=True, slots=True)
class Element:
    """A data element, or an item or delimiter of a sequence.

    Attributes:
        tag: group << 16 | element.
        vr: b"" if none is written.
        value_at: offset of the value in the buffer.
        length: bytes, or UNDEFINED_LENGTH.
    """

    tag: int
    vr: bytes
    value_at: int
    length: int


def element_at(buffer: Buffer, at: int, encoding: Encoding) -> Element:
    """The element whose tag starts at `at`.

    Raises:
        UnusableSource: the buffer ends within its header.
    """
    order = encoding.order
    try:
        group, number, length = struct.unpack_from(f"{order}HHI", buffer, at)
        tag = group << 16 | number
        if encoding.is_implicit or group == 0xFFFE:
            return Element(tag, b"", at + 8, length)
        vr = bytes(buffer[at + 4 : at + 6])
        if vr in SHORT_VRS:
            (length,) = struct.unpack_from(f"{order}H", buffer, at + 6)
            return Element(tag, vr, at + 8, length)
        (length,) = struct.unpack_from(f"{order}I", buffer, at + 8)
    except struct.error as error:
        raise UnusableSource("DicomTruncatedAfter", bytes=len(buffer)) from error
    return Element(tag, vr, at + 12, length)


def end_of(buffer: Buffer, element: Element, encoding: Encoding, depth: int = 0) -> int:
    """The offset after an element.

    Raises:
        UnusableSource: it extends beyond the buffer, or is nested too deeply.
    """
    if element.length != UNDEFINED_LENGTH:
        return _inside(buffer, element.value_at + element.length)
    if element.vr == b"UN":
        encoding = Encoding(is_implicit=True)  # PS3.5 6.2.2 note 2
    ends = (end for _, end in items_of(buffer, element, encoding, depth))
    return _inside(buffer, max(ends, default=element.value_at) + 8)


def items_of(
    buffer: Buffer, sequence: Element, encoding: Encoding, depth: int = 0
) -> Iterator[tuple[int, int]]:
    """The offsets of the content of each item of a sequence, and those after the items.

    Raises:
        UnusableSource: the sequence contains something other than items.
    """
    if depth > DEEPEST_NESTING:
        raise UnusableSource("SequencesTooDeep", limit=DEEPEST_NESTING)
    at = sequence.value_at
    is_open = sequence.length == UNDEFINED_LENGTH
    while is_open or at < sequence.value_at + sequence.length:
        item = element_at(buffer, at, encoding)
        if item.tag == SEQUENCE_END:
            return
        if item.tag != ITEM:
            raise UnusableSource("SequenceWithoutItem", offset=at)
        at = _end_of_item(buffer, item, encoding, depth)
        yield item.value_at, at


def _end_of_item(buffer: Buffer, item: Element, encoding: Encoding, depth: int) -> int:
    if item.length != UNDEFINED_LENGTH:
        return _inside(buffer, item.value_at + item.length)
    at = item.value_at
    while (element := element_at(buffer, at, encoding)).tag != ITEM_END:
        at = end_of(buffer, element, encoding, depth + 1)
    return at + 8


def _inside(buffer: Buffer, at: int) -> int:
    if at > len(buffer):
        raise UnusableSource("DicomTruncated", bytes=len(buffer), needed_bytes=at)
    return at


def elements_up_to(buffer: Buffer, at: int, encoding: Encoding, last: int) -> dict[int, Element]:
    """The elements from `at` to the one tagged `last`, by tag, in ascending order.

    The value of `last` may be truncated or absent. The items of a Per-Frame Functional Groups
    Sequence of undefined length are not visited, which would take a second for 20,000 of them; its
    actual length, including its delimiter, is filled in.

    Raises:
        UnusableSource: the bytes are not such elements.
    """
    found: dict[int, Element] = {}
    previous = -1
    while at < len(buffer):
        element = element_at(buffer, at, encoding)
        if not previous < element.tag <= last:
            break
        found[element.tag] = element
        previous = element.tag
        if element.tag == last:
            break
        if element.tag == PER_FRAME_GROUPS and element.length == UNDEFINED_LENGTH:
            return _from_open_groups(buffer, element, encoding, last)
        at = end_of(buffer, element, encoding)
    return found


def _from_open_groups(
    buffer: Buffer, groups: Element, encoding: Encoding, last: int
) -> dict[int, Element]:
    """A sequence of undefined length and the element after it; its end is guessed and checked."""
    guess = LIKELY_END.search(buffer, groups.value_at) if encoding.is_little_endian else None
    if guess is not None:
        with suppress(UnusableSource):
            rest = elements_up_to(buffer, guess.end(), encoding, last)
            if last in rest:
                return {groups.tag: _closed(groups, guess.end())} | rest
    end = end_of(buffer, groups, encoding)
    return {groups.tag: _closed(groups, end)} | elements_up_to(buffer, end, encoding, last)


def _closed(sequence: Element, end: int) -> Element:
    return replace(sequence, length=end - sequence.value_at)
