"""Headers of codestreams: the size of the image, read before memory is allocated for it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.pixels.jpeg_markers import read_header

_J2K_START: Final = b"\xff\x4f\xff\x51"
_J2K_CODING_STYLE: Final = 0x52
_J2K_FIRST_TILE: Final = 0x90
_SIZ: Final = struct.Struct(">2x H 2x 8I H")
_JXL_START: Final = b"\xff\x0a"
_JXL_RATIOS: Final = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_JXL_SIZE_BITS: Final = (9, 13, 18, 30)


@dataclass(frozen=True, slots=True)
class Codestream:
    """The header of a codestream.

    `samples` and `precision_bits` are 0 if only a decoder can find them (JPEG XL). `reductions` is
    the number of times that the decoder can halve rows and columns.
    """

    rows: int
    columns: int
    samples: int
    precision_bits: int
    is_signed: bool = False
    reductions: int = 0


def read_jpeg(frame: bytes) -> Codestream:
    """The header of a JPEG or JPEG-LS.

    Raises:
        UnusableSource: it has no valid header.
    """
    header = read_header(frame)
    return Codestream(header.rows, header.columns, len(header.component_ids), header.precision_bits)


def bare_jpeg2000(frame: bytes) -> bytes:
    """The bare JPEG 2000 codestream: some encoders wrap it in a JP2 file (PS3.5 A.4.4).

    Raises:
        UnusableSource: there is none.
    """
    at = frame.find(_J2K_START)
    if at < 0:
        raise UnusableSource("NotJpeg2000")
    return frame[at:] if at else frame


def read_jpeg2000(codestream: bytes) -> Codestream:
    """The header of a bare JPEG 2000 or HTJ2K codestream (ITU-T T.800 A.5.1).

    Raises:
        UnusableSource: it is truncated, or its components differ in size, precision or sign.
    """
    try:
        _, right, bottom, left, top, *_, samples = _SIZ.unpack_from(codestream, 2)
        components = {
            struct.unpack_from("BBB", codestream, 2 + _SIZ.size + 3 * n) for n in range(samples)
        }
    except struct.error as error:
        raise UnusableSource("Jpeg2000HeaderTruncated") from error
    if len(components) != 1:
        raise UnusableSource("Jpeg2000ComponentsDiffer")
    [(depth, step_across, step_down)] = components
    if step_across != 1 or step_down != 1:
        raise UnusableSource("Jpeg2000Subsampled")
    return Codestream(
        rows=bottom - top,
        columns=right - left,
        samples=samples,
        precision_bits=(depth & 0x7F) + 1,
        is_signed=depth > 0x7F,
        reductions=_decomposition_levels(codestream) if left == top == 0 else 0,
    )


def _decomposition_levels(codestream: bytes) -> int:
    at = 2
    while at + 10 <= len(codestream) and codestream[at] == 0xFF:
        marker = codestream[at + 1]
        if marker == _J2K_CODING_STYLE:
            return codestream[at + 9]
        if marker == _J2K_FIRST_TILE:
            break
        at += 2 + int.from_bytes(codestream[at + 2 : at + 4])
    return 0


def read_jpeg_xl(frame: bytes) -> Codestream:
    """The header of a JPEG XL codestream, bare or in its container (ISO 18181-1 D.2).

    Raises:
        UnusableSource: there is none.
    """
    at = frame.find(_JXL_START)
    if at < 0 or at + 12 > len(frame):
        raise UnusableSource("NotJpegXl")
    bits = _Bits(int.from_bytes(frame[at + 2 : at + 12], "little"))
    is_small = bits.take(1) == 1
    rows = bits.side(is_small=is_small)
    ratio = bits.take(3)
    if ratio == 0:
        return Codestream(rows, bits.side(is_small=is_small), 0, 0)
    across, down = _JXL_RATIOS[ratio - 1]
    return Codestream(rows, rows * across // down, 0, 0)


class _Bits:
    """Fields of a JPEG XL header, the lowest bit first."""

    def __init__(self, value: int) -> None:
        self._value = value

    def take(self, count: int) -> int:
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        return taken

    def side(self, *, is_small: bool) -> int:
        if is_small:
            return (self.take(5) + 1) * 8
        return self.take(_JXL_SIZE_BITS[self.take(2)]) + 1
