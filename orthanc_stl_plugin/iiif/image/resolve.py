"""A request applied to an image: integers inside the image and the limits."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, cos, floor, isqrt, radians, sin
from typing import Final

from orthanc_stl_plugin.errors import BadRequest, ConfigurationError
from orthanc_stl_plugin.iiif.image.request import (
    Format,
    ImageRequest,
    NamedRegion,
    PixelRegion,
    Quality,
    Region,
    Size,
    SizeForm,
    Version,
)

type Extent = tuple[int, int]
"""(width, height) in pixels."""

type Box = tuple[int, int, int, int]
"""(x, y, width, height) in pixels."""

LARGEST_SIDE: Final = {
    Format.JPG: 65500, Format.PNG: 1_000_000, Format.WEBP: 16383, Format.GIF: 65535,
}  # fmt: skip
"""The most pixels along a side that a format allows, or that its usual library supports."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits in `info.json` (3.0 section 5.2), in pixels of the scaled region; None for none.

    Raises:
        ConfigurationError: `max_height`, which defaults to `max_width`, is given without it.
    """

    max_width: int | None = None
    max_height: int | None = None
    max_area: int | None = None

    def __post_init__(self) -> None:
        if self.max_width is None and self.max_height is not None:
            raise ConfigurationError(f"a limit of height {self.max_height} takes one of width")


@dataclass(frozen=True, slots=True)
class Resolved:
    """An image to make.

    Attributes:
        x, y, width, height: the region in pixels of the full image, inside it and never empty.
        output_width, output_height: the size that the region is scaled to, before the rotation.
        rotation_degrees: clockwise, at least 0, below 360, after mirroring.
        quality: the requested quality; `default` for its synonyms.
    """

    x: int
    y: int
    width: int
    height: int
    output_width: int
    output_height: int
    rotation_degrees: float
    mirrored: bool
    quality: Quality
    format: Format


def resolve(
    request: ImageRequest, width: int, height: int, limits: Limits, *, has_colour: bool = True
) -> Resolved:
    """The image that `request` asks for, from a full image of `width` x `height` pixels.

    `color` means `default`, and so does `gray` for an image without colour.

    Raises:
        BadRequest: the region lies outside the image, the size enlarges without `^`, or the result
            exceeds a limit of the settings or of the format.
    """
    box = _region_box(request.region, width, height)
    output = _output_size(request.size, box[2], box[3], limits)
    rotation_degrees = request.rotation_degrees
    if rotation_degrees:
        rotation_degrees = round(rotation_degrees, 6) % 360
    _require_within(output, limits)
    turned = rotated_extent(*output, rotation_degrees) if rotation_degrees else output
    _require_area_within(turned, limits)
    _require_format_holds(turned, request.format)
    quality = request.quality
    if quality is Quality.COLOR or (quality is Quality.GRAY and not has_colour):
        quality = Quality.DEFAULT
    return Resolved(*box, *output, rotation_degrees, request.mirrored, quality, request.format)


def canonical(resolved: Resolved, version: Version, image: Extent, limits: Limits) -> str:
    """The canonical four segments of the path (3.0 section 4.8, 2.1.1 section 4.7)."""
    region = f"{resolved.x},{resolved.y},{resolved.width},{resolved.height}"
    if (resolved.width, resolved.height) == image:
        region = "full"
    size = (
        _canonical_size(resolved, limits) if version is Version.V3 else _canonical_size_v2(resolved)
    )
    rotation = f"{resolved.rotation_degrees:.6f}".rstrip("0").rstrip(".")
    mirror = "!" if resolved.mirrored else ""
    return f"{region}/{size}/{mirror}{rotation}/{resolved.quality}.{resolved.format}"


def rotated_extent(width: int, height: int, rotation_degrees: float) -> Extent:
    """The bounding box of a rotated image (3.0 implementation notes, section 5), rounded up."""
    angle = radians(rotation_degrees)
    across, down = abs(cos(angle)), abs(sin(angle))
    return (
        max(1, ceil(width * across + height * down - 1e-6)),
        max(1, ceil(height * across + width * down - 1e-6)),
    )


def fitted_to_area(width: int, height: int, area: int) -> Extent:
    """The largest size of that ratio with at most `area` pixels, rounded down, at least 1."""
    wide = max(1, isqrt(area * width // height))
    high = max(1, isqrt(area * height // width))
    return max(1, min(wide, area // high)), max(1, min(high, area // wide))


def _region_box(region: Region, width: int, height: int) -> Box:
    if region is NamedRegion.FULL:
        return 0, 0, width, height
    if region is NamedRegion.SQUARE:
        side = min(width, height)
        return (width - side) // 2, (height - side) // 2, side, side
    if isinstance(region, PixelRegion):
        x, y = region.x, region.y
        right, lower = min(x + region.width, width), min(y + region.height, height)
    else:
        x, right = _edges(region.x, region.width, width)
        y, lower = _edges(region.y, region.height, height)
    if right <= x or lower <= y:
        raise BadRequest("RegionOutsideImage", width=width, height=height)
    return x, y, right - x, lower - y


def _edges(start_percent: float, percent: float, length: int) -> tuple[int, int]:
    """A span in pixels; each edge is rounded by itself, so that neighbouring regions meet."""
    start = floor(start_percent * length / 100 + 0.5)
    return start, min(floor((start_percent + percent) * length / 100 + 0.5), length)


def _output_size(size: Size, width: int, height: int, limits: Limits) -> Extent:
    form = size.form
    if form is SizeForm.EXACT:
        output = size.width, size.height
    elif form is SizeForm.WIDTH:
        output = size.width, _other_side(size.width, width, height)
    elif form is SizeForm.HEIGHT:
        output = _other_side(size.height, height, width), size.height
    elif form is SizeForm.FULL:
        output = width, height
    elif form is SizeForm.PERCENT:
        output = _percent_size(size, width, height)
    elif form is SizeForm.CONFINED:
        return _largest(width, height, size, limits)
    else:
        return _maximum(width, height, limits, upscaling=size.upscaling)
    if not size.upscaling and (output[0] > width or output[1] > height):
        raise BadRequest(
            "SizeEnlarges",
            width=output[0],
            height=output[1],
            region_width=width,
            region_height=height,
        )
    return output


def _percent_size(size: Size, width: int, height: int) -> Extent:
    if size.percent > 100 and not size.upscaling:
        raise BadRequest("SizePercentEnlarges", percent=size.percent)
    output = floor(width * size.percent / 100 + 0.5), floor(height * size.percent / 100 + 0.5)
    if max(output) == 0:
        raise BadRequest(
            "SizePercentLeavesNoPixel", percent=size.percent, width=width, height=height
        )
    return max(1, output[0]), max(1, output[1])


def _other_side(given: int, along: int, across: int) -> int:
    """The length that keeps the ratio along : across when `along` becomes `given`; at least 1.

    If `given` is a tile at the edge of a pyramid, whose sides are both rounded up (3.0
    implementation notes, section 3), the result is rounded up too, so that the stored tile is sent.
    """
    rounded = (2 * given * across + along) // (2 * along)
    if given <= along:
        factor = 1 << (-(-along // given) - 1).bit_length()
        stored = -(-across // factor)
        if -(-along // factor) == given and abs(stored * along - given * across) < along:
            rounded = stored
    return max(1, rounded)


def _largest(width: int, height: int, size: Size, limits: Limits) -> Extent:
    """The largest size within the box of `!w,h` and the limits, with the ratio kept.

    A region smaller than the box keeps its size without a `^`: "as large as possible but not larger
    than the extracted region" (3.0 section 4.2).
    """
    within = Limits(
        min(size.width, limits.max_width or size.width),
        min(size.height, limits.max_height or limits.max_width or size.height),
        limits.max_area,
    )
    return _maximum(width, height, within, upscaling=size.upscaling)


def _maximum(width: int, height: int, limits: Limits, *, upscaling: bool) -> Extent:
    """The largest size within the limits; without limits, that of the region."""
    max_width = limits.max_width
    max_height = limits.max_height or max_width
    area = limits.max_area
    if not upscaling or (max_width is None and max_height is None and area is None):
        max_width = min(width, max_width or width)
        max_height = min(height, max_height or height)
    output = _fitted(width, height, max_width, max_height)
    if area is not None and (output is None or output[0] * output[1] > area):
        output = fitted_to_area(width, height, area)
    return output or (width, height)


def _fitted(
    width: int, height: int, max_width: int | None, max_height: int | None
) -> Extent | None:
    """The largest size of that ratio in a box, whose sides may be unlimited; None if both are."""
    if max_width is not None and (max_height is None or max_width * height <= max_height * width):
        return max_width, max(1, (2 * max_width * height + width) // (2 * width))
    if max_height is not None:
        return max(1, (2 * max_height * width + height) // (2 * height)), max_height
    return None


def _require_within(output: Extent, limits: Limits) -> None:
    wide, high = output
    if limits.max_width is not None and wide > limits.max_width:
        raise BadRequest("WidthAboveLimit", width=wide, max_width=limits.max_width)
    max_height = limits.max_height or limits.max_width
    if max_height is not None and high > max_height:
        raise BadRequest("HeightAboveLimit", height=high, max_height=max_height)
    _require_area_within(output, limits)


def _require_area_within(output: Extent, limits: Limits) -> None:
    wide, high = output
    if limits.max_area is not None and wide * high > limits.max_area:
        raise BadRequest("AreaAboveLimit", width=wide, height=high, max_area=limits.max_area)


def _require_format_holds(output: Extent, format_: Format) -> None:
    largest = LARGEST_SIDE.get(format_)
    if largest is not None and max(output) > largest:
        raise BadRequest(
            "SizeAboveFormat", width=output[0], height=output[1], format=format_, limit=largest
        )


def _canonical_size(resolved: Resolved, limits: Limits) -> str:
    region = resolved.width, resolved.height
    output = resolved.output_width, resolved.output_height
    if output == _maximum(*region, limits, upscaling=False):
        return "max"
    if output == _maximum(*region, limits, upscaling=True):
        return "^max"
    upscaled = "^" if output[0] > region[0] or output[1] > region[1] else ""
    return f"{upscaled}{output[0]},{output[1]}"


def _canonical_size_v2(resolved: Resolved) -> str:
    region = resolved.width, resolved.height
    output = resolved.output_width, resolved.output_height
    if output == region:
        return "full"
    if output[1] == _other_side(output[0], *region):
        return f"{output[0]},"
    return f"{output[0]},{output[1]}"
