"""Pixels to image files, with their colour profile.

The caller passes the JPEG encoder. PNG is made by libpng, in a quarter of Pillow's time for files
of the same size. Pillow's encoders hold the interpreter lock for part of their work.
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from io import BytesIO
from typing import Final, Protocol

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from orthanc_stl_plugin.iiif.image.request import Format

type Pixels = NDArray[np.uint8]

MEDIA_TYPES: Final = {
    Format.JPG: "image/jpeg",
    Format.PNG: "image/png",
    Format.WEBP: "image/webp",
    Format.GIF: "image/gif",
    Format.TIF: "image/tiff",
}
_PILLOW_OPTIONS: Final[dict[Format, tuple[str, dict[str, object]]]] = {
    Format.WEBP: ("WEBP", {"quality": 85, "method": 2}),
    Format.GIF: ("GIF", {}),
    Format.TIF: ("TIFF", {"compression": "tiff_lzw"}),
}
_PNG_HEADER_BYTES: Final = 8 + 4 + 4 + 13 + 4  # the signature and IHDR, the first chunk
_ICC_COLOUR_SPACES: Final = {b"GRAY": 1, b"RGB ": 3}


class JpegEncoder(Protocol):
    """A JPEG encoder."""

    def __call__(self, image: Pixels, /, *, icc_profile: bytes | None) -> bytes:
        """The JPEG file of contiguous pixels with one or three channels, with their profile."""
        ...


def encode(
    pixels: Pixels, format_: Format, jpeg: JpegEncoder, icc_profile: bytes | None = None
) -> tuple[bytes, str]:
    """The bytes of an image file and its media type.

    Args:
        pixels: (height, width, 1, 3 or 4) uint8: gray, RGB, or RGB with straight alpha.
        format_: the format of the file.
        jpeg: for the format jpg.
        icc_profile: of the pixels' colour space; left out where the format cannot hold it (GIF) or
            the pixels have other channels than it, as after conversion to gray.
    """
    if icc_profile is not None and not _describes(icc_profile, pixels):
        icc_profile = None
    if format_ is Format.JPG:
        opaque = np.ascontiguousarray(pixels if pixels.shape[2] < 4 else pixels[:, :, :3])
        return jpeg(opaque, icc_profile=icc_profile), MEDIA_TYPES[format_]
    if format_ is Format.PNG:
        return _png(pixels, icc_profile), MEDIA_TYPES[format_]
    name, options = _PILLOW_OPTIONS[format_]
    image = Image.fromarray(
        np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    )
    if icc_profile is not None and format_ is not Format.GIF:
        options = options | {"icc_profile": icc_profile}
    file = BytesIO()
    image.save(file, name, **options)
    return file.getvalue(), MEDIA_TYPES[format_]


def _png(pixels: Pixels, icc_profile: bytes | None) -> bytes:
    """PNG with the filter and match search that are fast, and small, for photographs."""
    encoded = imagecodecs.png_encode(
        # A copy: a side of one pixel may have any stride, which this codec refuses.
        np.array(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels, order="C"),
        level=1,
        strategy=imagecodecs.PNG.STRATEGY.RLE,
        filter=imagecodecs.PNG.FILTER.PAETH,
    )
    file = bytes(encoded)
    if icc_profile is None:
        return file
    return b"".join((file[:_PNG_HEADER_BYTES], _png_profile(icc_profile), file[_PNG_HEADER_BYTES:]))


@lru_cache(maxsize=16)
def _png_profile(icc_profile: bytes) -> bytes:
    """The iCCP chunk (PNG 3rd edition, section 11.3.2.3)."""
    body = b"iCCP" + b"ICC profile\0\0" + zlib.compress(icc_profile)
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _describes(icc_profile: bytes, pixels: Pixels) -> bool:
    """Whether the profile's data colour space (ICC.1 section 7.2.6) is that of the pixels."""
    channels = _ICC_COLOUR_SPACES.get(icc_profile[16:20])
    return channels is not None and channels == min(pixels.shape[2], 3)
