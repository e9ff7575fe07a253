"""Levels whose matrices are padded: their scale is that of their pixels, not of their sizes.

Some scanners fill the tiles at the edges up, and count that as part of the image: 1770 pixels are
halved to 910, not to 885. PixelSpacing tells that one pixel is two. What lies beyond the base is
cropped; what a level lacks of it is absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import Final

from orthanc_stl_plugin.wsi.pyramid import Level

type Spacing = tuple[float, float] | None

LEAST_SCALE: Final = 1.5
_ROUNDED_SCALE: Final = 0.01  # spacings are written with a few digits
_ROUNDED_PX: Final = 1.5  # writers floor, round or ceil the sizes of levels


def without_padding(levels: Sequence[Level]) -> tuple[Level, ...]:
    """The levels of a pyramid, the largest first, each with the size that its base has in it."""
    base = levels[0]
    return (base, *(_without_padding(level, base) for level in levels[1:]))


def unpadded_px(whole: int, part: int, tile: int, scale: float) -> int | None:
    """Pixels of a level along one side; None where its spacing cannot be right.

    Args:
        whole: pixels of the base.
        part: pixels of the level's matrix, padding included.
        tile: pixels of its tiles: padding fills less than one.
        scale: pixels of the base for each.
    """
    nearest = round(scale)
    if abs(scale / nearest - 1) <= _ROUNDED_SCALE:
        scale = nearest
    if abs(whole / scale - part) <= _ROUNDED_PX or abs(whole / part / scale - 1) <= 1e-3:
        return part
    return ceil(whole / scale) if abs(whole / scale - part) < tile else None


def scales_of(base_mm: Spacing, level_mm: Spacing) -> tuple[float, float] | None:
    """Pixels of the base for each of a level, across and down; None where that is not known."""
    if base_mm is None or level_mm is None:
        return None
    across, down = level_mm[1] / base_mm[1], level_mm[0] / base_mm[0]
    return (across, down) if min(across, down) >= LEAST_SCALE else None


def _without_padding(level: Level, base: Level) -> Level:
    scales = scales_of(base.pixel_spacing_mm, level.pixel_spacing_mm)
    if scales is None:
        return level
    width = unpadded_px(base.width, level.width, level.tile_width, scales[0])
    height = unpadded_px(base.height, level.height, level.tile_height, scales[1])
    if width is None or height is None:
        return level
    return replace(level, width=width, height=height)
