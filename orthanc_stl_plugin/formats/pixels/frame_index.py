"""The offsets of frames in a file."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.element_scanner import ITEM, Buffer, Element

MOST_FRAMES: Final = 1 << 20
ITEM_HEADER: Final = struct.Struct("<HHI")
ITEM_TAG: Final = (ITEM >> 16, ITEM & 0xFFFF)

type Offsets = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FrameIndex:
    """The complete frames of a file; incomplete ones of a truncated file are left out.

    Attributes:
        offsets: (N,) int64 offset of each frame's span in the file.
        lengths: (N,) int64 bytes of each span: pixels, or, if encapsulated, the items of fragments
            with their headers (which `unwrapped` removes).
        declared_count: NumberOfFrames; more than N if frames are missing at the end.
        is_encapsulated: whether spans are items. Native frames of one-bit pixels follow each other
            without padding: a span then covers all bytes with bits of the frame.
    """

    offsets: Offsets
    lengths: Offsets
    declared_count: int
    is_encapsulated: bool

    def __len__(self) -> int:
        return len(self.offsets)

    def span(self, frame_index: int) -> tuple[int, int]:
        """Offset and length in bytes, for `os.pread` and then `unwrapped`.

        Raises:
            UnusableSource: the frame, counted from 0, is not in the file.
        """
        if not 0 <= frame_index < len(self.offsets):
            raise UnusableSource(
                "FrameNotInFile",
                frame=frame_index,
                there=len(self.offsets),
                frames=self.declared_count,
            )
        return self.offsets.item(frame_index), self.lengths.item(frame_index)

    def unwrapped(self, span: bytes) -> bytes:
        """The frame in the bytes of its span; fragments are joined if encapsulated.

        Raises:
            UnusableSource: the span contains something other than items.
        """
        if not self.is_encapsulated:
            return span
        fragments = []
        at = 0
        while at + ITEM_HEADER.size <= len(span):
            *tag, length = ITEM_HEADER.unpack_from(span, at)
            if tuple(tag) != ITEM_TAG or at + 8 + length > len(span):
                break
            fragments.append(span[at + 8 : at + 8 + length])
            at += 8 + length
        if at != len(span) or not fragments:
            raise UnusableSource("FrameNotItems", bytes=len(span))
        return fragments[0] if len(fragments) == 1 else b"".join(fragments)

    def frame_bytes(self, buffer: Buffer, frame_index: int) -> bytes:
        """The bytes of a frame, counted from 0, for a decoder.

        Raises:
            UnusableSource: the frame is not in the file, or is malformed.
        """
        offset, length = self.span(frame_index)
        return self.unwrapped(bytes(buffer[offset : offset + length]))


def native_index(
    buffer: Buffer, pixel_data: Element, declared_count: int, bits_per_frame: int
) -> FrameIndex:
    """The frames of native pixel data (PS3.5 8.1.1), which follow each other bit by bit.

    Raises:
        UnusableSource: no frame is complete, or there are too many.
    """
    there = min(pixel_data.length, max(0, len(buffer) - pixel_data.value_at))
    count = checked_count(min(declared_count, there * 8 // bits_per_frame))
    if not count:
        raise UnusableSource("FramesMissing", frames=declared_count)
    first_bits = np.arange(count + 1, dtype=np.int64) * bits_per_frame
    begins = first_bits[:-1] // 8
    ends = -(-first_bits[1:] // 8)
    return FrameIndex(pixel_data.value_at + begins, ends - begins, declared_count, False)


def checked_count(count: int) -> int:
    """The number of frames, checked.

    Raises:
        UnusableSource: there are more than `MOST_FRAMES`.
    """
    if count > MOST_FRAMES:
        raise UnusableSource("TooManyFrames", frames=count, limit=MOST_FRAMES)
    return count
