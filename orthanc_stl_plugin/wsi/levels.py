"""The level that images of one size form, for each optical path and focal plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.wsi.planes import Heights
from orthanc_stl_plugin.wsi.pyramid import Level, OpticalPath, TileTable
from orthanc_stl_plugin.wsi.slide_image import FullTiling, SlideImage, SparseTiling
from orthanc_stl_plugin.wsi.tiling import PlacedFrames, full_frames, sparse_frames

NO_KEYS: Final = np.zeros(1, dtype=np.int64)
FIRST_FRAME: Final = np.zeros((1, 2), dtype=np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class LevelSet:
    """A level in every optical path and focal plane in which it has frames.

    Attributes:
        planes_z_mm: the heights of the planes of each path, from the glass upwards.
        levels: by path and number of the plane, from 0; a plane without frames has none.
    """

    planes_z_mm: dict[OpticalPath, Heights]
    levels: dict[tuple[OpticalPath, int], Level]


def level_set(images: Sequence[SlideImage]) -> LevelSet:
    """The level that tiled images of one size form: parts of it, or its channels or planes.

    If tile sizes differ, images with the tile size of the most recent image are used.

    Raises:
        UnusableSource: an image has too many focal planes, or its position depends on a part of a
            concatenation that is missing.
    """
    newest = max(images, key=lambda image: image.recency)
    tile = (newest.tile_width, newest.tile_height)
    alike = sorted(
        (image for image in images if (image.tile_width, image.tile_height) == tile),
        key=lambda image: image.recency,
    )
    placed = _placed(alike)
    planes = _planes_of_paths(alike, placed)
    paths = list(planes)
    rows = [
        _rows(ordinal, image, frames, planes)
        for ordinal, (image, frames) in enumerate(zip(alike, placed, strict=True))
    ]
    table = _without_replaced(np.concatenate(rows, axis=1))
    turns = np.flatnonzero(np.diff(table[:2]).any(axis=0)) + 1
    levels = {}
    for part in np.split(table, turns, axis=1):
        if part.shape[1]:
            path, number = paths[int(part[0, 0])], int(part[1, 0])
            levels[path, number] = _level(newest, alike, part[2], part[3:])
    return LevelSet(planes, levels)


def plain_level(image: SlideImage) -> Level:
    """An image outside the pyramids: its first optical path and focal plane."""
    if image.tiling is not None:
        for level in level_set([image]).levels.values():
            return level
    tiles = TileTable(1, 1, (image.instance_id,), NO_KEYS, FIRST_FRAME)
    width, height = image.tile_width, image.tile_height
    return Level(width, height, width, height, image.pixel_spacing_mm, image.absent_rgb, tiles)


def _placed(images: Sequence[SlideImage]) -> list[PlacedFrames]:
    """The frames of each image that have a position."""
    placed: dict[str, PlacedFrames] = {}
    sparse: dict[str, list[tuple[SlideImage, SparseTiling]]] = {}
    for image in images:
        if isinstance(image.tiling, SparseTiling):
            part = image.concatenation
            whole = part.uid if part else image.instance_id
            sparse.setdefault(whole, []).append((image, image.tiling))
        else:
            tiling = image.tiling or FullTiling()
            placed[image.instance_id] = full_frames(image, tiling, _frame_offset(image, images))
    for parts in sparse.values():
        together, tilings = zip(*parts, strict=True)
        for image, frames in zip(together, sparse_frames(together, tilings), strict=True):
            placed[image.instance_id] = frames
    return [placed[image.instance_id] for image in images]


def _frame_offset(image: SlideImage, images: Sequence[SlideImage]) -> int:
    """The number of frames in the earlier parts of its concatenation: as stated, or counted."""
    part = image.concatenation
    if part is None:
        return 0
    if part.frame_offset is not None:
        return part.frame_offset
    counts = {
        other.concatenation.number: other.declared_count
        for other in images
        if other.concatenation is not None and other.concatenation.uid == part.uid
    }
    missing = [number for number in range(1, part.number) if number not in counts]
    if missing:
        raise UnusableSource("ConcatenationPartMissing", missing=missing[0], part=part.number)
    return sum(counts[number] for number in range(1, part.number))


def _planes_of_paths(
    images: Sequence[SlideImage], placed: Sequence[PlacedFrames]
) -> dict[OpticalPath, Heights]:
    known: dict[OpticalPath, set[float]] = {}
    count: dict[OpticalPath, int] = {}
    for image, frames in zip(images, placed, strict=True):
        for path_ordinal, plane_ordinal in _combinations(frames):
            path, z_mm = image.optical_paths[path_ordinal], frames.planes_z_mm[plane_ordinal]
            count[path] = max(count.get(path, 0), plane_ordinal + 1 if z_mm is None else 1)
            known.setdefault(path, set()).update(() if z_mm is None else (z_mm,))
    return {
        path: (*sorted(heights), *(None,) * (count[path] - len(heights)))
        for path, heights in known.items()
    }


def _combinations(frames: PlacedFrames) -> list[tuple[int, int]]:
    planes = len(frames.planes_z_mm)
    mixed = np.unique(frames.path_ordinals * planes + frames.plane_ordinals)
    return [divmod(value, planes) for value in mixed.tolist()]


def _rows(
    ordinal: int,
    image: SlideImage,
    frames: PlacedFrames,
    planes: dict[OpticalPath, Heights],
) -> NDArray[np.int64]:
    """(5, N) path, number of the plane, key of the tile, ordinal of the instance, frame index."""
    paths = list(planes)
    combinations = _combinations(frames)
    meaning = np.empty((2, len(combinations)), dtype=np.int64)
    for at, (path_ordinal, plane_ordinal) in enumerate(combinations):
        path, z_mm = image.optical_paths[path_ordinal], frames.planes_z_mm[plane_ordinal]
        number = plane_ordinal if z_mm is None else planes[path].index(z_mm)
        meaning[:, at] = paths.index(path), number
    mixed = frames.path_ordinals * len(frames.planes_z_mm) + frames.plane_ordinals
    own = np.unique(mixed, return_inverse=True)[1]
    instances = np.full(len(mixed), ordinal, dtype=np.int64)
    return np.vstack([meaning[:, own], frames.keys, instances, frames.frame_indices])


def _without_replaced(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sorted columns, without those that a later column for the same position replaces."""
    table = table[:, np.lexsort((table[2], table[1], table[0]))]  # stable
    is_last = np.ones(table.shape[1], dtype=np.bool_)
    is_last[:-1] = np.diff(table[:3]).any(axis=0)
    return table[:, is_last]


def _level(
    newest: SlideImage,
    images: Sequence[SlideImage],
    keys: NDArray[np.int64],
    places: NDArray[np.int64],
) -> Level:
    used, ordinals = np.unique(places[0], return_inverse=True)
    tiles = TileTable(
        newest.columns,
        newest.rows,
        tuple(images[ordinal].instance_id for ordinal in used.tolist()),
        keys.copy(),
        np.column_stack([ordinals, places[1]]).astype(np.int32),
    )
    return Level(
        newest.width,
        newest.height,
        newest.tile_width,
        newest.tile_height,
        newest.pixel_spacing_mm,
        newest.absent_rgb,
        tiles,
    )
