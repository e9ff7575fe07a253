"""The frames of encapsulated pixel data, found without reading pixels (PS3.5 A.4)."""

from __future__ import annotations

from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.element_scanner import SEQUENCE_END, Buffer, Element
from orthanc_stl_plugin.formats.pixels.frame_index import (
    ITEM_HEADER,
    ITEM_TAG,
    FrameIndex,
    Offsets,
    checked_count,
)

CHECKED_OFFSETS: Final = 1024
END_TAG: Final = (SEQUENCE_END >> 16, SEQUENCE_END & 0xFFFF)
START_MARKERS: Final = (
    b"\xff\xd8\xff",  # JPEG, JPEG-LS
    b"\xff\x4f\xff\x51",  # JPEG 2000 codestream
    b"\0\0\0\x0cjP  ",  # JP2
    b"\xff\x0a",  # JPEG XL codestream
    b"\0\0\0\x0cJXL ",
)
LONGEST_MARKER: Final = 8
_ITEM_HEADERS: Final = np.dtype([("group", "<u2"), ("number", "<u2"), ("length", "<u4")])


def encapsulated_index(
    buffer: Buffer,
    pixel_data: Element,
    declared_count: int,
    extended_table: Element | None = None,
) -> FrameIndex:
    """The frames by the first valid offset table (extended, basic), or else by visiting all items.

    Only a sample of a large table is checked, so that opening a file does not read all of it. A
    frame with a wrong offset is still detected when it is unwrapped.

    Raises:
        UnusableSource: there is no frame, or the fragments cannot be assigned to frames.
    """
    basic_length = _item_length(buffer, pixel_data.value_at)
    if basic_length is None:
        raise UnusableSource("OffsetTableMissing")
    basic_at = pixel_data.value_at + ITEM_HEADER.size
    first = basic_at + basic_length
    tables = [_offsets(buffer, basic_at, basic_length, "<u4")]
    if extended_table is not None:
        tables.insert(0, _offsets(buffer, extended_table.value_at, extended_table.length, "<u8"))
    for offsets in tables:
        if len(offsets) == declared_count and offsets[0] == 0:
            bounds = _bounds(buffer, first + offsets)
            if bounds is not None:
                return _index(bounds[:-1], bounds[1:], declared_count)
    return _walked(buffer, first, declared_count)


def _offsets(buffer: Buffer, at: int, length: int, kind: str) -> Offsets:
    content = bytes(buffer[at : at + length])
    whole = len(content) - len(content) % np.dtype(kind).itemsize
    return np.frombuffer(content[:whole], kind).astype(np.int64)


def _bounds(buffer: Buffer, starts: Offsets) -> Offsets | None:
    """(N + 1,) the start of each frame and the end of the last; None if the table is wrong."""
    if (np.diff(starts) < ITEM_HEADER.size).any() or not 0 <= starts[-1] < len(buffer):
        return None
    end = _end_of_items(buffer, int(starts[-1]), len(buffer))
    if end == starts[-1] or _item_length(buffer, end, END_TAG) is None:
        return None
    bounds = np.append(starts, end)
    sample = np.linspace(0, len(starts) - 1, min(len(starts), CHECKED_OFFSETS)).astype(np.int64)
    begins, stops = bounds[sample], bounds[sample + 1]
    is_one = _are_one_item(buffer, begins, stops)
    for start, stop in zip(begins[~is_one].tolist(), stops[~is_one].tolist(), strict=True):
        if _end_of_items(buffer, start, stop) != stop:
            return None
    return bounds


def _are_one_item(buffer: Buffer, begins: Offsets, stops: Offsets) -> NDArray[np.bool_]:
    """(N,) whether a single item fills each range of bytes."""
    content = np.frombuffer(buffer, np.uint8)
    headers = content[begins[:, np.newaxis] + np.arange(ITEM_HEADER.size)].view(_ITEM_HEADERS)[:, 0]
    is_item = (headers["group"] == ITEM_TAG[0]) & (headers["number"] == ITEM_TAG[1])
    lengths: Offsets = headers["length"].astype(np.int64)
    return np.asarray(is_item & (begins + ITEM_HEADER.size + lengths == stops))


def _end_of_items(buffer: Buffer, at: int, limit: int) -> int:
    """The ends of the items from `at` to `limit`."""
    while at < limit:
        length = _item_length(buffer, at)
        if length is None or at + ITEM_HEADER.size + length > limit:
            break
        at += ITEM_HEADER.size + length
    return at


def _item_length(buffer: Buffer, at: int, tag: tuple[int, int] = ITEM_TAG) -> int | None:
    """The length of the item or delimiter at `at`, or None."""
    if not 0 <= at <= len(buffer) - ITEM_HEADER.size:
        return None
    group, number, length = ITEM_HEADER.unpack_from(buffer, at)
    return length if (group, number) == tag else None


def _walked(buffer: Buffer, first: int, declared_count: int) -> FrameIndex:
    starts = array("q")
    at, size, unpack = first, len(buffer), ITEM_HEADER.unpack_from
    while at + 8 <= size:
        group, number, length = unpack(buffer, at)
        if group != 0xFFFE or number != 0xE000 or at + 8 + length > size:
            break
        starts.append(at)
        at += 8 + length
        if len(starts) & 0xFFFF == 0:
            checked_count(len(starts))
    is_closed = _item_length(buffer, at, END_TAG) is not None
    bounds = np.append(np.frombuffer(starts, np.int64), at)
    if declared_count == 1 and is_closed:
        return _index(bounds[:-1][:1], bounds[1:][-1:], declared_count)
    if len(starts) == declared_count and is_closed:
        return _index(bounds[:-1], bounds[1:], declared_count)
    return _grouped(buffer, bounds, declared_count, is_closed=is_closed)


def _grouped(
    buffer: Buffer, bounds: Offsets, declared_count: int, *, is_closed: bool
) -> FrameIndex:
    """Frames from fragments of another number: the codec's start markers decide."""
    is_start = [
        bytes(buffer[at : at + LONGEST_MARKER]).startswith(START_MARKERS)
        for at in (bounds[:-1] + ITEM_HEADER.size).tolist()
    ]
    if not any(is_start):  # run-length and deflated frames have one fragment each
        is_start = [True] * len(is_start)
    frames = np.append(bounds[:-1][np.array(is_start, dtype=np.bool_)], bounds[-1:])
    has_several = len(frames) < len(bounds)
    if has_several and not is_closed:
        frames = frames[:-1]  # the last frame may lack fragments
    # Nothing tells which ones of a few are not there. Where most are not, their number is wrong.
    is_few = is_closed and 0 < declared_count - (len(frames) - 1) < len(frames)
    if is_few or len(frames) - 1 > declared_count or (is_start and not is_start[0]):
        raise UnusableSource("FragmentsNotFrames", fragments=len(bounds) - 1, frames=declared_count)
    return _index(frames[:-1], frames[1:], declared_count)


def _index(starts: Offsets, ends: Offsets, declared_count: int) -> FrameIndex:
    if not len(starts):
        raise UnusableSource("FramesMissing", frames=declared_count)
    return FrameIndex(starts, ends - starts, declared_count, is_encapsulated=True)
