"""The marker segments of a JPEG (ITU-T T.81 annex B): its size, coding and colour space."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from orthanc_stl_plugin.errors import UnusableSource

START: Final = b"\xff\xd8"
END: Final = b"\xff\xd9"
APP0: Final = 0xE0
APP2: Final = 0xE2
APP14: Final = 0xEE
LAST_APP: Final = 0xEF
COMMENT: Final = 0xFE
START_OF_SCAN: Final = 0xDA
JFIF: Final = b"JFIF\0"
ADOBE: Final = b"Adobe"
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_NOT_FRAMES: Final = frozenset({0xC4, 0xC8, 0xCC})
_MOST_PADDING: Final = 64
_LOSSLESS: Final = (3, 7, 11, 15)
_ADOBE_TRANSFORM_AT: Final = 11  # after "Adobe", version, two words of flags
_RGB_IDS: Final = ((82, 71, 66), (114, 103, 98))  # "RGB", "rgb"


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker segment: bytes `start` to `end` of the JPEG, including the marker's 0xFF."""

    marker: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """The header of a JPEG, before its first scan.

    `process` is the n of SOFn (T.81 table B.1): 0 baseline, 1 extended, 2 progressive, 3 lossless,
    55 JPEG-LS. `component_ids` and `samplings` have one entry for each component; a sampling is
    (horizontal, vertical). `adobe_transform` is from the Adobe APP14 segment, or None.
    """

    process: int
    precision_bits: int
    rows: int
    columns: int
    component_ids: tuple[int, ...]
    samplings: tuple[tuple[int, int], ...]
    adobe_transform: int | None
    has_jfif: bool

    @property
    def is_baseline_8bit(self) -> bool:
        """Whether browsers show it: Huffman-coded DCT, sequential or progressive, any colour."""
        has_colours = len(self.component_ids) in (1, 3)
        return self.process in (0, 1, 2) and self.precision_bits == 8 and has_colours

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, components."""
        return self.rows, self.columns, len(self.component_ids)

    @property
    def is_lossless(self) -> bool:
        """Whether it is coded by prediction instead of DCT."""
        return self.process in _LOSSLESS

    @property
    def has_oblong_samplings(self) -> bool:
        """Whether chrominance is subsampled in one direction: at 1/8 it keeps half its width."""
        return any(
            across * self.samplings[0][1] != down * self.samplings[0][0]
            for across, down in self.samplings
        )

    @property
    def looks_rgb(self) -> bool:
        """Whether decoders that see the JPEG only, such as libjpeg, take its components for RGB."""
        if len(self.component_ids) != 3 or self.has_jfif:
            return False
        if self.adobe_transform is not None:
            return self.adobe_transform == 0
        return self.component_ids == _RGB_IDS[0]

    def is_rgb(self, photometric: str) -> bool:
        """Whether the three components are red, green and blue, not luminance and chrominance.

        By PS3.5 8.2.1, `photometric`, the Photometric Interpretation, decides; but some files say
        RGB although their encoder wrote YCbCr. So the JPEG's own signs come first: RGB is never
        subsampled, JFIF is always YCbCr, and Adobe's transform says which. Without a sign,
        `photometric` decides.
        """
        if len(self.component_ids) != 3 or len(set(self.samplings)) > 1:
            return False
        if self.component_ids in _RGB_IDS:
            return True
        says_rgb = photometric == "RGB"
        if self.has_jfif:
            return says_rgb and self.adobe_transform == 0
        return says_rgb if self.adobe_transform is None else self.adobe_transform == 0


def segments(jpeg: bytes) -> Iterator[Segment]:
    """The marker segments up to and including the first start of scan.

    Raises:
        UnusableSource: these bytes are not a JPEG, or end before the first scan.
    """
    if not jpeg.startswith(START):
        raise UnusableSource("NotJpeg")
    at = 2
    while at + 4 <= len(jpeg):
        if jpeg[at] != 0xFF:
            raise UnusableSource("JpegMarkerMissing", offset=at)
        marker = jpeg[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _STANDALONE:
            at += 2
        else:
            length = int.from_bytes(jpeg[at + 2 : at + 4])
            end = at + 2 + length
            if length < 2 or end > len(jpeg):
                break
            yield Segment(marker, at, end)
            if marker == START_OF_SCAN:
                return
            at = end
    raise UnusableSource("JpegScanMissing", bytes=len(jpeg))


def read_header(jpeg: bytes) -> JpegHeader:
    """The header of a JPEG.

    Raises:
        UnusableSource: these bytes are not a JPEG, end before the first scan, or lack a frame
            header.
    """
    frame: tuple[int, bytes] | None = None
    adobe_transform: int | None = None
    has_jfif = False
    for segment in segments(jpeg):
        body = jpeg[segment.start + 4 : segment.end]
        if _starts_frame(segment.marker):
            frame = (segment.marker - 0xC0, body)
        elif segment.marker == APP0 and body.startswith(JFIF):
            has_jfif = True
        elif segment.marker == APP14 and body.startswith(ADOBE) and len(body) > _ADOBE_TRANSFORM_AT:
            adobe_transform = body[_ADOBE_TRANSFORM_AT]
    if frame is None:
        raise UnusableSource("JpegHeaderMissing")
    process, body = frame
    try:
        precision_bits, rows, columns, count = struct.unpack_from(">BHHB", body)
        components = [struct.unpack_from(">BBB", body, 6 + 3 * n) for n in range(count)]
    except struct.error as error:
        raise UnusableSource("JpegHeaderTooShort") from error
    return JpegHeader(
        process,
        precision_bits,
        rows,
        columns,
        tuple(identifier for identifier, _, _ in components),
        tuple((sampling >> 4, sampling & 15) for _, sampling, _ in components),
        adobe_transform,
        has_jfif,
    )


def is_complete(jpeg: bytes) -> bool:
    """Whether it has an end marker, followed by a little padding or by zeros."""
    return END in jpeg[-_MOST_PADDING:] or jpeg.rstrip(b"\0").endswith(END)


def _starts_frame(marker: int) -> bool:
    return (0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES) or marker == 0xF7
