"""From decoded tiles to the requested image (IIIF Image 3.0, section 4.6).

Arrays are (height, width, channels) uint8: one channel is gray, three are RGB, four are RGB with
straight alpha. Region, size, mirroring, rotation and quality are applied in this order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import cos, radians, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from orthanc_stl_plugin.iiif.image.plan import Placement, RenderPlan
from orthanc_stl_plugin.iiif.image.request import Format, Quality
from orthanc_stl_plugin.iiif.image.resolve import Resolved, rotated_extent

type Pixels = NDArray[np.uint8]

WHITE: Final = (255, 255, 255)
BITONAL_THRESHOLD: Final = 128


def assemble(
    tiles: Iterable[tuple[Placement, Pixels]], plan: RenderPlan, absent: Sequence[int]
) -> Pixels:
    """The (canvas_height, canvas_width, channels) pixels of a plan.

    Args:
        tiles: decoded tiles, reduced by `plan.reduce_by`, (height, width) or (height, width, 1 or
            the length of `absent`); missing tiles are left out.
        plan: the plan with the placements.
        absent: the colour where no tile is; its length is the number of channels.
    """
    present = [(placement, _part(placement, tile)) for placement, tile in tiles]
    shape = (plan.canvas_height, plan.canvas_width, len(absent))
    if len(present) == 1 and present[0][1].shape == shape:
        return present[0][1]
    canvas = np.empty(shape, np.uint8)
    if sum(part.shape[0] * part.shape[1] for _, part in present) < shape[0] * shape[1]:
        canvas[:] = np.array(absent, np.uint8)
    for placement, part in present:
        lower, right = placement.target_y + part.shape[0], placement.target_x + part.shape[1]
        canvas[placement.target_y : lower, placement.target_x : right] = part
    return canvas


def render(canvas: Pixels, plan: RenderPlan, resolved: Resolved) -> Pixels:
    """The (height, width, 1, 3 or 4) image from a canvas with 1, 3 or 4 channels.

    The corners left by a rotation other than by right angles are transparent if the format supports
    transparency (four channels), else white.
    """
    pixels = _scaled(canvas, plan, (resolved.output_width, resolved.output_height))
    if resolved.mirrored:
        pixels = pixels[:, ::-1]
    if resolved.rotation_degrees % 90 == 0:
        pixels = np.rot90(pixels, -int(resolved.rotation_degrees // 90))
    else:
        transparent = resolved.format is not Format.JPG
        pixels = _turned(pixels, resolved.rotation_degrees, transparent=transparent)
    if resolved.quality in (Quality.GRAY, Quality.BITONAL):
        pixels = _without_colour(pixels, bitonal=resolved.quality is Quality.BITONAL)
    return pixels


def _part(placement: Placement, tile: Pixels) -> Pixels:
    """The part of a tile to place, (height, width, channels)."""
    layered = tile if tile.ndim == 3 else tile[:, :, np.newaxis]
    return layered[
        placement.y : placement.y + placement.height, placement.x : placement.x + placement.width
    ]


def _scaled(canvas: Pixels, plan: RenderPlan, size: tuple[int, int]) -> Pixels:
    left, upper, right, lower = plan.crop
    if right - left == size[0] and lower - upper == size[1] and not (left % 1 or upper % 1):
        return canvas[int(upper) : int(lower), int(left) : int(right)]
    return _pixels(_image(canvas).resize(size, Image.Resampling.BICUBIC, box=plan.crop))


def _turned(pixels: Pixels, degrees: float, *, transparent: bool) -> Pixels:
    """The image rotated clockwise, in the bounding box of its rotated corners, without scaling."""
    height, width = pixels.shape[:2]
    turned_width, turned_height = rotated_extent(width, height, degrees)
    image = _image(_with_alpha(pixels) if transparent else pixels)
    cosine, sine = cos(radians(degrees)), sin(radians(degrees))
    from_x = width / 2 - cosine * turned_width / 2 - sine * turned_height / 2
    from_y = height / 2 + sine * turned_width / 2 - cosine * turned_height / 2
    turned = image.transform(
        (turned_width, turned_height),
        Image.Transform.AFFINE,
        (cosine, sine, from_x, -sine, cosine, from_y),
        Image.Resampling.BICUBIC,
        fillcolor=(0, 0, 0, 0) if image.mode == "RGBA" else WHITE[: len(image.getbands())],
    )
    return _pixels(turned)


def _with_alpha(pixels: Pixels) -> Pixels:
    """The image with four channels, opaque if it had no alpha."""
    if pixels.shape[2] == 4:
        return pixels
    opaque = np.full((*pixels.shape[:2], 4), 255, np.uint8)
    opaque[:, :, :3] = pixels
    return opaque


def _without_colour(pixels: Pixels, *, bitonal: bool) -> Pixels:
    """Gray (luma of ITU-R BT.601), or black and white; alpha is kept."""
    colours = pixels[:, :, :3]
    gray = pixels[:, :, :1]
    if pixels.shape[2] > 1:
        gray = np.asarray(_image(colours).convert("L"))[:, :, np.newaxis]
    if bitonal:
        gray = np.where(gray >= BITONAL_THRESHOLD, 255, 0).astype(np.uint8)
    if pixels.shape[2] < 4:
        return gray
    return np.concatenate([gray, gray, gray, pixels[:, :, 3:]], axis=2)


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(
        np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    )


def _pixels(image: Image.Image) -> Pixels:
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis]
