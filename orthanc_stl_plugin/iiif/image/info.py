"""The image information document `info.json` (IIIF Image 3.0 and 2.1.1, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orthanc_stl_plugin.iiif.image.plan import LevelShape, whole_ratio
from orthanc_stl_plugin.iiif.image.resolve import Extent, Limits

PROTOCOL: Final = "http://iiif.io/api/image"
CONTEXT_V3: Final = "http://iiif.io/api/image/3/context.json"
CONTEXT_V2: Final = "http://iiif.io/api/image/2/context.json"
PROFILE_V3: Final = "http://iiif.io/api/image/3/level2.json"
PROFILE_V2: Final = "http://iiif.io/api/image/2/level2.json"

SMALLEST_SIZE: Final = 256
"""Pixels: the longer side of the smallest advertised size, a thumbnail, is at most this."""

TILES_FOR_VIEWERS: Final = range(64, 1025)
"""Pixels: tiles with other sides, such as strips or untiled images, do not suit viewers."""

USUAL_TILE: Final = 512

EXTRA_FORMATS: Final = ("webp", "gif", "tif")
_EXTRA_FEATURES: Final = (
    "canonicalLinkHeader",
    "mirroring",
    "profileLinkHeader",
    "rotationArbitrary",
)


@dataclass(frozen=True, slots=True)
class ImageDescription:
    """The properties of an image beyond its pixels.

    Attributes:
        has_colour: whether the qualities color and gray differ.
        rights: the URI of a licence or rights statement.
        pixel_spacing_mm: (across, down), or None.
    """

    has_colour: bool = True
    rights: str | None = None
    pixel_spacing_mm: tuple[float, float] | None = None


def info_v3(
    service_id: str,
    levels: Sequence[LevelShape],
    limits: Limits,
    description: ImageDescription,
) -> dict[str, object]:
    """The document of version 3.0; `service_id` is the base URI, without a trailing slash."""
    document: dict[str, object] = {
        "@context": CONTEXT_V3,
        "id": service_id,
        "type": "ImageService3",
        "protocol": PROTOCOL,
        "profile": "level2",
        "width": levels[0].width,
        "height": levels[0].height,
        **_limits(limits),
        **_sizes_and_tiles(levels, limits),
        "preferredFormats": ["jpg"],
        "extraFormats": list(EXTRA_FORMATS),
        "extraQualities": (["color"] if description.has_colour else []) + ["gray", "bitonal"],
        "extraFeatures": [*_EXTRA_FEATURES, "sizeUpscaling"],
    }
    if description.rights is not None:
        document["rights"] = description.rights
    return document


def info_v2(
    service_id: str,
    levels: Sequence[LevelShape],
    limits: Limits,
    description: ImageDescription,
) -> dict[str, object]:
    """The document of version 2.1.1; `service_id` is the base URI, without a trailing slash.

    Level 2 of this version has all four qualities, so the profile does not repeat them.
    """
    profile: dict[str, object] = {
        "formats": list(EXTRA_FORMATS),
        "supports": [*_EXTRA_FEATURES, "regionSquare", "sizeAboveFull"],
        **_limits(limits),
    }
    document: dict[str, object] = {
        "@context": CONTEXT_V2,
        "@id": service_id,
        "@type": "iiif:Image",
        "protocol": PROTOCOL,
        "width": levels[0].width,
        "height": levels[0].height,
        **_sizes_and_tiles(levels, limits),
        "profile": [PROFILE_V2, profile],
    }
    if description.rights is not None:
        document["license"] = description.rights
    spacing = description.pixel_spacing_mm
    if spacing is not None and abs(spacing[0] - spacing[1]) <= 1e-3 * spacing[0]:
        document["service"] = _physical_dimensions(spacing[0])
    return document


def scale_factors(levels: Sequence[LevelShape]) -> list[int]:
    """Powers of two from 1 to the one at which the image fits into a tile and is a thumbnail."""
    full = levels[0]
    tile_width, tile_height = _tile(full)
    factors = [1]
    while -(-full.width // factors[-1]) > min(tile_width, SMALLEST_SIZE) or -(
        -full.height // factors[-1]
    ) > min(tile_height, SMALLEST_SIZE):
        factors.append(2 * factors[-1])
    return factors


def sizes(levels: Sequence[LevelShape], limits: Limits) -> list[Extent]:
    """The advertised sizes within the limits, ascending: one for every scale factor.

    If a level has that factor, its own size is used, however it was rounded. Levels at other ratios
    are not advertised, because viewers take the sizes for the scale factors.
    """
    full = levels[0]
    found = {
        whole_ratio(full.width, level.width): (level.width, level.height)
        for level in reversed(levels)
        if whole_ratio(full.width, level.width) == whole_ratio(full.height, level.height)
    }
    rounded_up = {
        factor: (-(-full.width // factor), -(-full.height // factor))
        for factor in scale_factors(levels)
    }
    extents = [found.get(factor, extent) for factor, extent in rounded_up.items()]
    return [extent for extent in reversed(extents) if _within(extent, limits)]


def _sizes_and_tiles(levels: Sequence[LevelShape], limits: Limits) -> dict[str, object]:
    tile = _tile(levels[0])
    advertised: dict[str, object] = {
        "sizes": [{"width": width, "height": height} for width, height in sizes(levels, limits)]
    }
    if _within(tile, limits):
        advertised["tiles"] = [
            {"width": tile[0], "height": tile[1], "scaleFactors": scale_factors(levels)}
        ]
    return advertised


def _tile(level: LevelShape) -> Extent:
    """The advertised tile size."""
    if level.tile_width in TILES_FOR_VIEWERS and level.tile_height in TILES_FOR_VIEWERS:
        return level.tile_width, level.tile_height
    return USUAL_TILE, USUAL_TILE


def _within(extent: Extent, limits: Limits) -> bool:
    width, height = extent
    max_height = limits.max_height or limits.max_width
    return (
        (limits.max_width is None or width <= limits.max_width)
        and (max_height is None or height <= max_height)
        and (limits.max_area is None or width * height <= limits.max_area)
    )


def _limits(limits: Limits) -> dict[str, object]:
    named = {
        "maxWidth": limits.max_width,
        "maxHeight": limits.max_height,
        "maxArea": limits.max_area,
    }
    return {name: value for name, value in named.items() if value is not None}


def _physical_dimensions(pixel_spacing_mm: float) -> dict[str, object]:
    """The physical dimensions service (IIIF annex), for square pixels."""
    return {
        "@context": "http://iiif.io/api/annex/services/physdim/1/context.json",
        "profile": "http://iiif.io/api/annex/services/physdim",
        "physicalScale": pixel_spacing_mm,
        "physicalUnits": "mm",
    }
