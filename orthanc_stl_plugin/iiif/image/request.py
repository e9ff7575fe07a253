"""The grammar of an image request (IIIF Image 3.0 and 2.1.1, section 4): text in, values out.

Nothing here knows the image: `resolve` applies a request to one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from orthanc_stl_plugin.errors import BadRequest, NotSupported

LONGEST_NUMBER: Final = 32
"""Characters: enough for every float that a client prints, too few for one that overflows."""


class Version(Enum):
    """The version of the Image API that an address belongs to."""

    V2 = 2
    V3 = 3


class Quality(StrEnum):
    """Section 4.4."""

    DEFAULT = "default"
    COLOR = "color"
    GRAY = "gray"
    BITONAL = "bitonal"


class Format(StrEnum):
    """The supported formats of section 4.5."""

    JPG = "jpg"
    PNG = "png"
    WEBP = "webp"
    GIF = "gif"
    TIF = "tif"


class NamedRegion(Enum):
    """Named regions (section 4.1)."""

    FULL = "full"
    SQUARE = "square"


@dataclass(frozen=True, slots=True)
class PixelRegion:
    """`x,y,w,h` in pixels of the full image; it may extend beyond it."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PercentRegion:
    """`pct:x,y,w,h` in percent of the full image's width and height."""

    x: float
    y: float
    width: float
    height: float


type Region = NamedRegion | PixelRegion | PercentRegion


class SizeForm(Enum):
    """The forms of section 4.2; `full` exists in version 2 only."""

    MAX = "max"
    FULL = "full"
    WIDTH = "w,"
    HEIGHT = ",h"
    PERCENT = "pct:n"
    EXACT = "w,h"
    CONFINED = "!w,h"


@dataclass(frozen=True, slots=True)
class Size:
    """A requested size; fields that its form does not use are zero.

    Attributes:
        upscaling: whether the region may be enlarged: with `^` in version 3; always in version 2,
            except for `max` and `full`.
        percent: of the region's width and height.
    """

    form: SizeForm
    upscaling: bool
    width: int = 0
    height: int = 0
    percent: float = 0.0


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """A well-formed image request; `rotation_degrees` is clockwise, 0 to 360, after mirroring."""

    region: Region
    size: Size
    rotation_degrees: float
    mirrored: bool
    quality: Quality
    format: Format


_NAMED_REGIONS: Final = {region.value: region for region in NamedRegion}
_QUALITIES: Final = {quality.value: quality for quality in Quality}
_FORMATS: Final = {format_.value: format_ for format_ in Format}
_FORMATS_NOT_BUILT: Final = frozenset({"jp2", "pdf"})
_MAX: Final = Size(SizeForm.MAX, upscaling=False)
_MAX_UPSCALED: Final = Size(SizeForm.MAX, upscaling=True)
_FULL: Final = Size(SizeForm.FULL, upscaling=False)


def parse_request(
    version: Version, region: str, size: str, rotation: str, last: str
) -> ImageRequest:
    """The request in the last four segments of a path, percent-decoded.

    `last` is `quality.format`.

    Raises:
        BadRequest: a segment does not match the grammar.
        NotSupported: the specification has the format, but it is not supported.
    """
    mirrored = rotation.startswith("!")
    quality, _, format_ = last.rpartition(".")
    if quality not in _QUALITIES:
        raise BadRequest("QualityUnknown", quality=_shown(quality), known=", ".join(_QUALITIES))
    if format_ in _FORMATS_NOT_BUILT:
        raise NotSupported("FormatNotSupported", format=format_, known=", ".join(_FORMATS))
    if format_ not in _FORMATS:
        raise BadRequest("FormatUnknown", format=_shown(format_), known=", ".join(_FORMATS))
    return ImageRequest(
        _region(region),
        _size(size, version),
        _rotation_degrees(rotation[1:] if mirrored else rotation),
        mirrored,
        _QUALITIES[quality],
        _FORMATS[format_],
    )


def _region(text: str) -> Region:
    named = _NAMED_REGIONS.get(text)
    if named is not None:
        return named
    if text.startswith("pct:"):
        parts = text[4:].split(",")
        if len(parts) != 4 or not all(map(_is_decimal, parts)):
            raise BadRequest("RegionPercentInvalid", region=_shown(text))
        percents = PercentRegion(*map(float, parts))
        if percents.width <= 0 or percents.height <= 0:
            raise BadRequest("RegionEmpty", region=_shown(text))
        return percents
    parts = text.split(",")
    if len(parts) != 4 or not all(map(_is_integer, parts)):
        raise BadRequest("RegionInvalid", region=_shown(text))
    pixels = PixelRegion(*map(int, parts))
    if pixels.width == 0 or pixels.height == 0:
        raise BadRequest("RegionEmpty", region=_shown(text))
    return pixels


def _size(text: str, version: Version) -> Size:
    if text == "max":
        return _MAX
    if version is Version.V2:
        return _FULL if text == "full" else _scaled_size(text, text, upscaling=True)
    if text == "full":
        raise BadRequest("SizeOfVersionTwo")
    if text == "^max":
        return _MAX_UPSCALED
    if text.startswith("^"):
        return _scaled_size(text[1:], text, upscaling=True)
    return _scaled_size(text, text, upscaling=False)


def _scaled_size(text: str, asked: str, *, upscaling: bool) -> Size:
    """The size in `text`, which is `asked` without its `^`."""
    if text.startswith("pct:"):
        if not _is_decimal(text[4:]):
            raise BadRequest("SizePercentInvalid", size=_shown(asked))
        percent = float(text[4:])
        if percent <= 0:
            raise BadRequest("SizeLeavesNoPixel", size=_shown(asked))
        return Size(SizeForm.PERCENT, upscaling, percent=percent)
    confined = text.startswith("!")
    width, comma, height = text[confined:].partition(",")
    form = _form(width, height, confined=confined)
    if not comma or form is None:
        raise BadRequest("SizeInvalid", size=_shown(asked))
    size = Size(form, upscaling, int(width or 0), int(height or 0))
    if (width and size.width == 0) or (height and size.height == 0):
        raise BadRequest("SizeEmpty", size=_shown(asked))
    return size


def _form(width: str, height: str, *, confined: bool) -> SizeForm | None:
    """The form of a size, from the texts before and after the comma; None if invalid."""
    has_width, has_height = _is_integer(width), _is_integer(height)
    if has_width and has_height:
        return SizeForm.CONFINED if confined else SizeForm.EXACT
    if confined:
        return None
    if has_width and not height:
        return SizeForm.WIDTH
    if has_height and not width:
        return SizeForm.HEIGHT
    return None


def _rotation_degrees(text: str) -> float:
    if text == "0":
        return 0.0
    degrees = float(text) if _is_decimal(text) else -1.0
    if not 0 <= degrees <= 360:
        raise BadRequest("RotationInvalid", rotation=_shown(text))
    return degrees


def _is_integer(text: str) -> bool:
    return text.isdigit() and text.isascii() and len(text) <= LONGEST_NUMBER


def _is_decimal(text: str) -> bool:
    """Whether `text` is digits with at most one point (3.0 section 4.7): no sign, no exponent."""
    return len(text) <= LONGEST_NUMBER and _is_integer(text.replace(".", "", 1))


def _shown(text: str) -> str:
    """A client's text for a message: shortened, without control characters."""
    return repr(text if len(text) <= 60 else text[:60] + "…")
