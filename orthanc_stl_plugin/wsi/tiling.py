"""The tile, optical path and focal plane of each frame of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.wsi.planes import Z_DECIMALS, Heights, checked_planes, planes_of_frames
from orthanc_stl_plugin.wsi.slide_image import FullTiling, SlideImage, SparseTiling


@dataclass(frozen=True, slots=True, eq=False)
class PlacedFrames:
    """The N frames of an image that have a position.

    Attributes:
        keys: (N,) int64 row * columns + column of the tile.
        frame_indices: (N,) int64 from 0.
        path_ordinals: (N,) int64 into the image's optical paths.
        plane_ordinals: (N,) int64 into `planes_z_mm`.
        planes_z_mm: the focal planes, from the glass upwards; None if the height is unknown (for
            some optical paths, say): those planes come first.
    """

    keys: NDArray[np.int64]
    frame_indices: NDArray[np.int64]
    path_ordinals: NDArray[np.int64]
    plane_ordinals: NDArray[np.int64]
    planes_z_mm: Heights


def full_frames(image: SlideImage, tiling: FullTiling, frame_offset: int = 0) -> PlacedFrames:
    """The frames of a TILED_FULL image that lie on its grid of tiles.

    PS3.3 C.7.6.17.3: along rows, then down, then through the planes, then the optical paths.

    Args:
        image: an image with this tiling.
        tiling: of the image.
        frame_offset: frames in the earlier parts of its concatenation.

    Raises:
        UnusableSource: it has too many focal planes.
    """
    tiles = image.columns * image.rows
    per_path = tiles * checked_planes(tiling.plane_count)
    there = min(image.frame_count, max(0, per_path * len(image.optical_paths) - frame_offset))
    frames = np.arange(there, dtype=np.int64)
    numbers = frames + frame_offset
    within_path = numbers % per_path
    return PlacedFrames(
        within_path % tiles,
        frames,
        numbers // per_path,
        within_path // tiles,
        _heights(tiling),
    )


def _heights(tiling: FullTiling) -> Heights:
    first, step = tiling.first_z_mm, tiling.plane_distance_mm
    if first is None or (step is None and tiling.plane_count > 1):
        return (None,) * tiling.plane_count
    return tuple(
        round(first + number * (step or 0.0), Z_DECIMALS) for number in range(tiling.plane_count)
    )


def sparse_frames(
    images: Sequence[SlideImage], tilings: Sequence[SparseTiling]
) -> list[PlacedFrames]:
    """The frames of the parts of a TILED_SPARSE image that have a position in it.

    Args:
        images: a complete image, or all parts of a concatenation: only together they show whether
            tiles have several focal planes.
        tilings: of these images.

    Raises:
        UnusableSource: they have too many focal planes, or a frame lies between the tiles of the
        grid: leaving it out would show a hole in the tissue.
    """
    located = [_located(image, tiling) for image, tiling in zip(images, tilings, strict=True)]
    keys, frames, paths, z_mm = (np.concatenate(arrays) for arrays in zip(*located, strict=True))
    planes, heights = planes_of_frames(keys, images[0].columns, paths, z_mm)
    ends = np.cumsum([len(part[0]) for part in located])[:-1]
    parts = zip(*(np.split(array, ends) for array in (keys, frames, paths, planes)), strict=True)
    return [
        PlacedFrames(own_keys, own_frames, own_paths, own_planes, heights)
        for own_keys, own_frames, own_paths, own_planes in parts
    ]


def _located(image: SlideImage, tiling: SparseTiling) -> tuple[NDArray[Any], ...]:
    """Key, frame index, path ordinal and height (NaN if unknown) of the frames with a position."""
    positions = tiling.positions[: image.frame_count].astype(np.int64)
    tile, matrix = (image.tile_width, image.tile_height), (image.width, image.height)
    is_placed = ((positions >= 0) & (positions < matrix)).all(axis=1)
    is_between = is_placed & (positions % tile != 0).any(axis=1)
    if is_between.any():
        number = int(is_between.argmax())
        column, row = positions[number]
        raise UnusableSource(
            "FrameOffGrid",
            frame=number,
            column=column,
            row=row,
            tile_width=image.tile_width,
            tile_height=image.tile_height,
        )
    paths = np.zeros(len(positions), dtype=np.int64)
    if tiling.path_ordinals is not None:
        paths = tiling.path_ordinals[: image.frame_count].astype(np.int64)
        is_placed &= (paths >= 0) & (paths < len(image.optical_paths))
    z_mm = np.full(len(positions), np.nan)
    if tiling.z_mm is not None:
        z_mm = tiling.z_mm[: image.frame_count]
    frames = np.flatnonzero(is_placed)
    columns, rows = (positions[frames] // tile).T
    return rows * image.columns + columns, frames, paths[frames], z_mm[frames]
