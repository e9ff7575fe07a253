"""The codecs of encapsulated frames: the bytes of one frame -> its samples, as they were encoded.

imagecodecs decodes everything but 8-bit JPEG. It releases the interpreter's lock, has one wheel
for every Python from 3.12 on, and replaces three packages, some of which have no wheel for 3.14.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid

from orthanc_stl_plugin.errors import TooLarge, UnusableSource
from orthanc_stl_plugin.formats.dicom.dataset import MALFORMED
from orthanc_stl_plugin.formats.pixels import jpeg
from orthanc_stl_plugin.formats.pixels.codestreams import (
    Codestream,
    bare_jpeg2000,
    read_jpeg,
    read_jpeg2000,
    read_jpeg_xl,
)
from orthanc_stl_plugin.formats.pixels.jpeg_markers import END, is_complete, read_header

DEFLATED_IMAGE_FRAME: Final = "1.2.840.10008.1.2.8.1"
_JPEG_XL: Final = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (110, 111, 112))
_LOSSY_JPEG: Final = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit)
_RLE_HEADER: Final = struct.Struct("<16I")
_YBR_OF_JPEG_2000: Final = ("YBR_ICT", "YBR_RCT")
# What decoding and showing a frame takes, as multiples of its bytes when it is decoded.
_WORKING_COPIES: Final = 3
_WORKING_COPIES_OF_COSTLY: Final = 7
# A frame that takes more than that must be stored in a fair share of it: of 1 MB, however well it
# compresses, no gigabyte is made.
_SMALL_BYTES: Final = 256 << 20
_MOST_BYTES_PER_STORED: Final = 900
_MOST_INFLATED_PER_BYTE: Final = 1040  # of deflate, which makes 258 bytes of two bits at best


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """What the data set says of each frame: PS3.3 C.7.6.3.1.

    `seen` is (rows, columns) of a frame at the edge of a slide that are shown: some writers store
    nothing else there.
    """

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    is_signed: bool
    photometric: str
    seen: tuple[int, int] | None = None
    is_costly: bool = False

    @property
    def byte_count(self) -> int:
        """The bytes of a decoded frame; bits are decoded to bytes."""
        return self.rows * self.columns * self.samples * max(self.bits_allocated, 8) // 8

    @property
    def working_bytes(self) -> int:
        """The memory that decoding and showing a frame takes, roughly."""
        return self.byte_count * (_WORKING_COPIES_OF_COSTLY if self.is_costly else _WORKING_COPIES)

    def check_memory(self, stored_bytes: int) -> None:
        """Refuses a frame that takes much memory for few stored bytes.

        Raises:
            TooLarge: with the limit.
        """
        limit = max(_SMALL_BYTES, _MOST_BYTES_PER_STORED * stored_bytes)
        if self.working_bytes > limit:
            raise TooLarge(
                "FrameTooLargeToDecode",
                stored_bytes=stored_bytes,
                needed_bytes=self.working_bytes,
                limit_bytes=limit,
            )

    def check(self, codestream: Codestream, stored_bytes: int) -> None:
        """Refuses a codestream that holds another image than the data set says.

        Raises:
            UnusableSource: rows, columns, samples or bits differ.
            TooLarge: see `check_memory`.
        """
        whole = self.rows, self.columns
        if (codestream.rows, codestream.columns) not in (whole, self.seen):
            seen_rows, seen_columns = self.seen or whole
            if (seen_rows, seen_columns) != whole:
                raise UnusableSource(
                    "FrameUnlikeSeenPart",
                    frame_columns=codestream.columns,
                    frame_rows=codestream.rows,
                    columns=self.columns,
                    rows=self.rows,
                    seen_columns=seen_columns,
                    seen_rows=seen_rows,
                )
            raise UnusableSource(
                "FrameUnlikeImage",
                frame_columns=codestream.columns,
                frame_rows=codestream.rows,
                columns=self.columns,
                rows=self.rows,
            )
        if codestream.samples not in (0, self.samples):
            raise UnusableSource(
                "FrameSamplesDiffer", samples=codestream.samples, image_samples=self.samples
            )
        self.check_memory(stored_bytes)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Samples as the codec gave them.

    Attributes:
        samples: (H, W, S) of any integer type.
        codestream: what the codestream said; rows and columns are those before the reduction.
        reduce_by: the factor by which the codec itself made the image smaller.
    """

    samples: NDArray[np.integer]
    codestream: Codestream
    reduce_by: int = 1


type Codec = Callable[[bytes, PixelLayout, int], Decoded]
"""(frame, layout, largest factor by which it may be made smaller) -> samples."""


def codec_of(transfer_syntax: str) -> Codec | None:
    """The codec of an encapsulated transfer syntax, None when there is none for it."""
    return _CODECS.get(transfer_syntax)


def photometric_after(transfer_syntax: str, photometric: str, samples: int) -> str:
    """The Photometric Interpretation of decoded frames; some codecs convert colours to RGB."""
    is_converted = transfer_syntax in _LOSSY_JPEG or transfer_syntax in _JPEG_XL
    if samples == 3 and (is_converted or photometric in _YBR_OF_JPEG_2000):
        return "RGB"
    return photometric


def _lossy_jpeg(frame: bytes, layout: PixelLayout, reduce_by: int) -> Decoded:
    header = read_header(frame)
    codestream = read_jpeg(frame)
    layout.check(codestream, len(frame))
    if header.is_baseline_8bit:
        factor = min(reduce_by, 4 if header.has_oblong_samplings else 8)
        return Decoded(jpeg.decode(frame, layout.photometric, factor), codestream, factor)
    is_rgb = (
        layout.photometric == "RGB" if header.is_lossless else header.is_rgb(layout.photometric)
    )
    if header.is_lossless and layout.samples == 3 and not is_rgb:
        raise UnusableSource("LosslessJpegInLossySyntax")
    return Decoded(_deep_jpeg(frame, layout, "RGB" if is_rgb else "YCBCR"), codestream)


def _lossless_jpeg(frame: bytes, layout: PixelLayout, reduce_by: int) -> Decoded:
    header = read_header(frame)
    if not header.is_lossless and (layout.samples == 1 or layout.photometric == "RGB"):
        return _lossy_jpeg(frame, layout, reduce_by)
    codestream = read_jpeg(frame)
    layout.check(codestream, len(frame))
    return Decoded(_deep_jpeg(frame, layout, "RGB"), codestream)


def _deep_jpeg(frame: bytes, layout: PixelLayout, colours: str) -> NDArray[np.integer]:
    """(H, W, S) grey, or RGB; "RGB" as `colours` leaves the three components as they are."""
    _check_complete(frame)
    if layout.samples == 1:
        return _pixels(imagecodecs.jpeg8_decode(frame))
    return imagecodecs.jpeg8_decode(frame, colorspace=colours, outcolorspace="RGB")


def _jpeg_ls(frame: bytes, layout: PixelLayout, _: int) -> Decoded:
    codestream = read_jpeg(frame)
    layout.check(codestream, len(frame))
    _check_complete(frame)
    # CharLS spends seconds beyond the end of a damaged frame, unless it meets an end marker.
    return Decoded(_pixels(imagecodecs.jpegls_decode(frame + END)), codestream)


def _jpeg_2000(frame: bytes, layout: PixelLayout, reduce_by: int) -> Decoded:
    bare = bare_jpeg2000(frame)
    return _wavelets(bare, layout, reduce_by, imagecodecs.jpeg2k_decode)


def _high_throughput(frame: bytes, layout: PixelLayout, reduce_by: int) -> Decoded:
    bare = bare_jpeg2000(frame)
    return _wavelets(bare, layout, reduce_by, imagecodecs.htj2k_decode)


def _wavelets(
    bare: bytes, layout: PixelLayout, reduce_by: int, decode: Callable[..., NDArray[np.integer]]
) -> Decoded:
    codestream = read_jpeg2000(bare)
    layout.check(codestream, len(bare))
    skipped = min(max(reduce_by.bit_length() - 2, 0), codestream.reductions)
    samples = _pixels(decode(bare, skipres=skipped))
    return Decoded(_centred(samples, skipped), codestream, 1 << skipped)


def _centred(samples: NDArray[np.integer], skipped: int) -> NDArray[np.integer]:
    """A smaller image whose samples lie in the middle of the pixels that they stand for.

    Those that wavelets give lie on the first of these pixels (T.800 F.3): a shift of half a sample
    at last. Interpolation would blur it, so that one more halving is left to averaging, after it.
    """
    if skipped == 0:
        return samples
    shift = np.float32(0.5 - 0.5 / (1 << skipped))
    moved = samples.astype(np.float32)
    for axis in (0, 1):
        ahead = np.take(
            moved, np.minimum(np.arange(1, moved.shape[axis] + 1), moved.shape[axis] - 1), axis
        )
        moved += shift * (ahead - moved)
    return np.rint(moved).astype(samples.dtype)


def _jpeg_xl(frame: bytes, layout: PixelLayout, _: int) -> Decoded:
    codestream = read_jpeg_xl(frame)
    layout.check(codestream, len(frame))
    return Decoded(_pixels(imagecodecs.jpegxl_decode(frame, numthreads=1)), codestream)


def _run_lengths(frame: bytes, layout: PixelLayout, _: int) -> Decoded:
    """PS3.5 annex G: one segment for each byte of each sample, the most significant first."""
    size = layout.rows * layout.columns
    itemsize = max(layout.bits_allocated // 8, 1)
    count, *offsets = _RLE_HEADER.unpack_from(frame)
    if count != itemsize * layout.samples:
        raise UnusableSource("RleSegmentCount", segments=count, needed=itemsize * layout.samples)
    ends = [*offsets[1:count], len(frame)]
    segments = [
        np.frombuffer(imagecodecs.packbits_decode(frame[start:end]), np.uint8)
        for start, end in zip(offsets, ends, strict=False)
    ]
    if layout.bits_allocated == 1:
        return _whole(np.unpackbits(segments[0], bitorder="little")[:size], layout)
    shortest = min(segment.size for segment in segments)
    if shortest < size:
        raise UnusableSource("RleSegmentTruncated", bytes=shortest, needed_bytes=size)
    planes = np.stack([segment[:size] for segment in segments])
    words = planes.reshape(layout.samples, itemsize, size).transpose(0, 2, 1)
    big_endian = np.ascontiguousarray(words).view(f">u{itemsize}")
    return _whole(big_endian.ravel(), layout, is_planar=True)


def _deflated(frame: bytes, layout: PixelLayout, _: int) -> Decoded:
    """Supplement 244: the native frame, deflated."""
    count = layout.rows * layout.columns * layout.samples
    if layout.byte_count <= _MOST_INFLATED_PER_BYTE * len(frame):  # else it is truncated
        layout.check_memory(len(frame))
    unpacked = zlib.decompressobj(-zlib.MAX_WBITS).decompress(
        frame, -(-count * layout.bits_allocated // 8)
    )
    if layout.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(unpacked, np.uint8), bitorder="little")
        return _whole(bits[:count], layout)
    return _whole(np.frombuffer(unpacked, f"<u{layout.bits_allocated // 8}"), layout)


def _whole(
    samples: NDArray[np.integer], layout: PixelLayout, *, is_planar: bool = False
) -> Decoded:
    rows, columns, count = layout.rows, layout.columns, layout.samples
    needed = rows * columns * count
    if samples.size < needed:
        raise UnusableSource("FrameTruncated", samples=samples.size, needed=needed)
    if is_planar:
        samples = samples.reshape(count, rows, columns).transpose(1, 2, 0)
    shaped = samples.reshape(rows, columns, count)
    return Decoded(shaped, Codestream(rows, columns, count, layout.bits_stored))


def _check_complete(frame: bytes) -> None:
    if not is_complete(frame):
        raise UnusableSource("JpegEndMissing", bytes=len(frame))


def _pixels(samples: NDArray[np.integer]) -> NDArray[np.integer]:
    """(H, W, S): imagecodecs leaves out the axis of a single sample."""
    return samples[..., np.newaxis] if samples.ndim == 2 else samples


_CODECS: Final[dict[str, Codec]] = {
    **dict.fromkeys(_LOSSY_JPEG, _lossy_jpeg),
    **dict.fromkeys((uid.JPEGLossless, uid.JPEGLosslessSV1), _lossless_jpeg),
    **dict.fromkeys((uid.JPEGLSLossless, uid.JPEGLSNearLossless), _jpeg_ls),
    **dict.fromkeys((uid.JPEG2000Lossless, uid.JPEG2000), _jpeg_2000),
    **dict.fromkeys((uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K), _high_throughput),
    **dict.fromkeys(_JPEG_XL, _jpeg_xl),
    uid.RLELossless: _run_lengths,
    DEFLATED_IMAGE_FRAME: _deflated,
}

COSTLY_SYNTAXES: Final = frozenset(
    {
        *(uid.JPEG2000Lossless, uid.JPEG2000),
        *(uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K),
        *_JPEG_XL,
    }
)
"""Those whose decoders work on four bytes for each sample."""


def decode(codec: Codec, frame: bytes, layout: PixelLayout, reduce_by: int) -> Decoded:
    """The samples of an encapsulated frame.

    Raises:
        UnusableSource: the frame is damaged, truncated, or another image than the layout says.
    """
    try:
        return codec(frame, layout, reduce_by)
    except MALFORMED as error:
        raise UnusableSource("FrameMalformed", reason=type(error).__name__) from error
