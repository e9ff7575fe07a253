"""8-bit JPEG: decoding, encoding, lossless cropping, and right colours without decoding.

By PS3.5 8.2.1 a DICOM frame may be an RGB JPEG that only Photometric Interpretation distinguishes
from a YCbCr one. `displayable` writes this into the JPEG, where browsers and libjpeg-turbo look for
it. Everything decoded here has passed through it, so stored and decoded tiles agree in colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.pixels import libturbojpeg
from orthanc_stl_plugin.formats.pixels.jpeg_markers import (
    ADOBE,
    APP0,
    APP2,
    APP14,
    COMMENT,
    JFIF,
    LAST_APP,
    START,
    START_OF_SCAN,
    JpegHeader,
    Segment,
    is_complete,
    read_header,
    segments,
)

DEFAULT_QUALITY: Final = 90
_ICC: Final = b"ICC_PROFILE\0"
_ICC_CHUNK_BYTES: Final = 65535 - 2 - len(_ICC) - 2
_ICC_CHUNKS: Final = 255
_SCAN: Final = bytes((0xFF, START_OF_SCAN))
_EMPTY_SCAN: Final = _SCAN + b"\0\2"


type Shape = tuple[int, int, int]
"""Rows, columns, samples."""


def is_baseline_8bit(jpeg: bytes, shapes: tuple[Shape, ...] = ()) -> bool:
    """Whether browsers show it: 8 bits, Huffman-coded, sequential or progressive, grey or colour.

    With `shapes`, its shape must be one of these too.
    """
    try:
        header = read_header(jpeg)
    except UnusableSource:
        return False
    return header.is_baseline_8bit and (not shapes or header.shape in shapes)


def decode(jpeg: bytes, photometric: str = "", reduce_by: int = 1) -> NDArray[np.uint8]:
    """(ceil(rows / reduce_by), ceil(columns / reduce_by), 1 or 3) uint8 grey or RGB.

    `photometric` is the image's Photometric Interpretation; without it the JPEG alone decides.
    `reduce_by` is 1, 2, 4 or 8: a smaller image takes less time.

    Raises:
        UnusableSource: it is not a complete 8-bit JPEG with one or three components.
    """
    header = read_header(jpeg)
    _check(jpeg, header)
    return libturbojpeg.decompress(
        _recoloured(jpeg, header, photometric),
        is_grey=len(header.component_ids) == 1,
        reduce_by=reduce_by,
    )


def encode(
    image: NDArray[np.uint8], quality: int = DEFAULT_QUALITY, *, icc_profile: bytes | None = None
) -> bytes:
    """The JFIF JPEG of an (H, W, 1 or 3) uint8 grey or RGB image.

    Chrominance is not subsampled: on a stained slide at quality 90, files are a fifth larger than
    with half the resolution, and the mean error is a third.
    """
    jpeg = libturbojpeg.compress(image, quality)
    return _with_profile(jpeg, icc_profile) if icc_profile else jpeg


def crop(jpeg: bytes, width: int, height: int) -> bytes:
    """Its top left corner with unchanged coefficients, so without loss.

    Raises:
        UnusableSource: it is not a complete 8-bit JPEG, or is smaller than that.
    """
    header = read_header(jpeg)
    _check(jpeg, header)
    if width > header.columns or height > header.rows:
        raise UnusableSource(
            "JpegCornerTooLarge",
            width=width,
            height=height,
            columns=header.columns,
            rows=header.rows,
        )
    return libturbojpeg.crop(jpeg, width, height)


def displayable(jpeg: bytes, photometric: str, icc_profile: bytes | None = None) -> bytes:
    """The same JPEG with markers that make browsers show it correctly; it is not re-encoded.

    Exif, XMP, IPTC and comments are left out: browsers would rotate the picture against its stated
    size, and they may contain its place and author. A DICOM image has attributes for all that.

    Args:
        jpeg: one with `is_baseline_8bit`.
        photometric: the image's Photometric Interpretation.
        icc_profile: to embed in place of any in the JPEG; encoded tiles get the same one.

    Raises:
        UnusableSource: these bytes are not a JPEG, or end before the first scan.
    """
    plain = _without_metadata(jpeg)
    recoloured = _recoloured(plain, read_header(plain), photometric)
    return _with_profile(recoloured, icc_profile) if icc_profile else recoloured


def browser_jpeg(
    jpeg: bytes,
    photometric: str,
    icc_profile: bytes | None = None,
    shapes: tuple[Shape, ...] = (),
) -> bytes | None:
    """`displayable`, fast for tiles that share their header; None without `is_baseline_8bit`.

    Also None for a truncated JPEG, of which browsers would show a part.
    """
    scan = jpeg.find(_SCAN)
    if scan < 0 or not is_complete(jpeg):
        return None
    header = jpeg[:scan]
    shown = _browser_header(header, photometric, icc_profile, shapes)
    if shown is None:  # otherwise these two bytes belong to something else, such as a thumbnail
        is_shown = is_baseline_8bit(jpeg, shapes)
        return displayable(jpeg, photometric, icc_profile) if is_shown else None
    return jpeg if shown == header else b"".join((shown, memoryview(jpeg)[scan:]))


@lru_cache(maxsize=16)
def _browser_header(
    header: bytes, photometric: str, icc_profile: bytes | None, shapes: tuple[Shape, ...]
) -> bytes | None:
    """The part of a displayable JPEG before its scan; None if `header` is not that part."""
    jpeg = header + _EMPTY_SCAN
    if not is_baseline_8bit(jpeg, shapes):
        return None
    return displayable(jpeg, photometric, icc_profile).removesuffix(_EMPTY_SCAN)


def embedded_profile(jpeg: bytes) -> bytes | None:
    """The ICC profile in a JPEG, joined from its chunks (ICC.1 annex B.4), or None.

    Raises:
        UnusableSource: these bytes are not a JPEG, or end before the first scan.
    """
    chunks = [
        jpeg[segment.start + 4 + len(_ICC) : segment.end]
        for segment in segments(jpeg)
        if _has_profile(jpeg, segment)
    ]
    return b"".join(chunk[2:] for chunk in sorted(chunks, key=lambda one: one[:1])) or None


def _has_profile(jpeg: bytes, segment: Segment) -> bool:
    return segment.marker == APP2 and jpeg.startswith(_ICC, segment.start + 4, segment.end)


def _with_profile(jpeg: bytes, icc_profile: bytes) -> bytes:
    """A JPEG without a profile, with that ICC profile added (ICC.1 annex B.4)."""
    at = len(START)
    for segment in segments(jpeg):
        body = jpeg[segment.start + 4 : segment.end]
        if segment.marker == APP0 and body.startswith(JFIF):
            at = segment.end  # JFIF must come first
    return b"".join((jpeg[:at], _profile_segments(icc_profile), jpeg[at:]))


@lru_cache(maxsize=16)
def _profile_segments(icc_profile: bytes) -> bytes:
    starts = range(0, len(icc_profile), _ICC_CHUNK_BYTES)
    if len(starts) > _ICC_CHUNKS:
        return b""
    return b"".join(
        _segment(
            APP2,
            _ICC + bytes((number, len(starts))) + icc_profile[start : start + _ICC_CHUNK_BYTES],
        )
        for number, start in enumerate(starts, 1)
    )


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body


def _adobe_segment(transform: int) -> bytes:
    return _segment(APP14, ADOBE + bytes((0, 100, 0, 0, 0, 0, transform)))


def _recoloured(jpeg: bytes, header: JpegHeader, photometric: str) -> bytes:
    is_rgb = header.is_rgb(photometric)
    if is_rgb == header.looks_rgb and not (is_rgb and header.adobe_transform is None):
        return jpeg
    kept = b"".join(
        jpeg[segment.start : segment.end] for segment in _without_colour_signs(jpeg, is_rgb)
    )
    scan = next(one for one in segments(jpeg) if one.marker == START_OF_SCAN)
    return b"".join((START, _adobe_segment(0 if is_rgb else 1), kept, jpeg[scan.start :]))


def _without_metadata(jpeg: bytes) -> bytes:
    metadata = [one for one in segments(jpeg) if _is_metadata(jpeg, one)]
    kept_from = [0, *(one.end for one in metadata)]
    kept_to = [*(one.start for one in metadata), len(jpeg)]
    return b"".join(jpeg[a:b] for a, b in zip(kept_from, kept_to, strict=True))


def _is_metadata(jpeg: bytes, segment: Segment) -> bool:
    """Whether pixels and colours do not need the segment, profiles apart."""
    sign = {APP0: JFIF, APP14: ADOBE}.get(segment.marker)
    if sign is not None:
        return not jpeg.startswith(sign, segment.start + 4, segment.end)
    return segment.marker == COMMENT or APP0 <= segment.marker <= LAST_APP


def _without_colour_signs(jpeg: bytes, is_rgb: bool) -> Iterator[Segment]:
    for segment in segments(jpeg):
        body = jpeg[segment.start + 4 : segment.end]
        is_adobe = segment.marker == APP14 and body.startswith(ADOBE)
        is_jfif = segment.marker == APP0 and body.startswith(JFIF)
        if segment.marker != START_OF_SCAN and not is_adobe and not (is_jfif and is_rgb):
            yield segment


def _check(jpeg: bytes, header: JpegHeader) -> None:
    if not header.is_baseline_8bit:
        raise UnusableSource(
            "JpegNotBaseline",
            process=header.process,
            bits=header.precision_bits,
            components=len(header.component_ids),
        )
    if not is_complete(jpeg):
        raise UnusableSource("JpegEndMissing", bytes=len(jpeg))
