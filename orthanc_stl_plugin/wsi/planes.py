"""The focal plane of each frame of a TILED_SPARSE image, from the heights that it states."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource

MOST_PLANES: Final = 256
Z_DECIMALS: Final = 6  # a nanometre: planes that are equal agree to this

type Heights = tuple[float | None, ...]


def planes_of_frames(
    keys: NDArray[np.int64], columns: int, paths: NDArray[np.int64], z_mm: NDArray[np.float64]
) -> tuple[NDArray[np.int64], Heights]:
    """(N,) int64 plane of each frame, and the heights of the planes as in PlacedFrames.

    Args:
        keys: (N,) row * columns + column of the tile.
        columns: tiles across.
        paths: (N,) ordinals of the optical paths.
        z_mm: (N,) NaN where unknown.

    Raises:
        UnusableSource: there are too many focal planes.
    """
    order = np.argsort(paths, kind="stable")
    turns = np.flatnonzero(np.diff(paths[order])) + 1
    by_path = [
        (own, *_planes_of_path(keys[own], columns, z_mm[own])) for own in np.split(order, turns)
    ]
    known = sorted({z for _, _, heights in by_path for z in heights if z is not None})
    unknown = max((len(heights) for _, _, heights in by_path if None in heights), default=0)
    planes = np.empty(len(keys), dtype=np.int64)
    for own, own_planes, heights in by_path:
        if None in heights:
            planes[own] = own_planes
        else:
            ordinals = np.searchsorted(known, np.array(heights)) + unknown
            planes[own] = ordinals[own_planes]
    return planes, (None,) * unknown + tuple(known)


def _planes_of_path(
    keys: NDArray[np.int64], columns: int, z_mm: NDArray[np.float64]
) -> tuple[NDArray[np.int64], Heights]:
    """Each height is a plane, unless there are more heights than any tile has frames.

    Scanners that focus on every tile state many heights for one plane. There are then as many
    planes as most tiles have frames.
    """
    if np.isnan(z_mm).any() or not len(keys):
        return np.zeros(len(keys), dtype=np.int64), (None,)
    heights, planes = np.unique(z_mm.round(Z_DECIMALS), return_inverse=True)
    depths = np.unique(keys, return_counts=True)[1]
    if len(heights) > depths.max():
        count = checked_planes(int(np.sort(depths)[len(depths) // 2]))
        return _ranks(_along_a_snake(keys, columns), z_mm, count), (None,) * count
    checked_planes(len(heights))
    return planes.astype(np.int64), tuple(heights.tolist())


def _along_a_snake(keys: NDArray[np.int64], columns: int) -> NDArray[np.int64]:
    """Keys in an order in which each tile is next to the one before: odd rows are reversed."""
    rows, own_columns = np.divmod(keys, columns)
    return np.where(rows % 2 == 1, keys + columns - 1 - 2 * own_columns, keys)


def _ranks(keys: NDArray[np.int64], z_mm: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """(N,) plane of each frame, from 0, where most tiles have `count` frames.

    Tiles with fewer or more frames are compared with the heights of a nearby tile that has `count`.
    With fewer, each frame has a plane of its own; with more, several frames share a plane.
    """
    order = np.lexsort((z_mm, keys))
    heights = z_mm[order]
    depths = np.unique(keys, return_counts=True)[1]
    begins = np.cumsum(depths) - depths
    tiles = np.repeat(np.arange(len(depths)), depths)
    whole = np.flatnonzero(depths == count)
    near = whole[np.maximum(np.searchsorted(whole, tiles, side="right") - 1, 0)]
    planes = np.zeros(len(order), dtype=np.int64)
    for upper in range(1, count):
        at = begins[near] + upper
        planes += heights > (heights[at - 1] + heights[at]) / 2
    is_single = depths[tiles] <= count
    tiles, steps = tiles[is_single], (np.arange(len(order)) - begins[tiles])[is_single]
    apart = tiles * 2 * count - steps  # the planes of each tile ascend
    ascending = np.maximum.accumulate(planes[is_single] + apart) - apart
    planes[is_single] = np.minimum(ascending, count - depths[tiles] + steps)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = planes
    return ranks


def checked_planes(count: int) -> int:
    """The number of focal planes, checked.

    Raises:
        UnusableSource: it is not 1 to `MOST_PLANES`.
    """
    if not 1 <= count <= MOST_PLANES:
        raise UnusableSource("TooManyFocalPlanes", count=count, limit=MOST_PLANES)
    return count
