"""Shape-based interpolation between thick slices (Raya and Udupa 1990).

Each slice becomes a map of distances to its outline, positive inside, which is interpolated
linearly between the centres of two slices. So outlines that move or grow from slice to slice do so
evenly, where repeated slices would make steps.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from orthanc_stl_plugin.model.geometry import Grid

THICK: Final = 2.5
"""Ratio of the thickness of a slice to the larger side of its pixels from which it is thick."""

CAP: Final = 0.6
"""Depth of an empty slice beside a filled one, as a fraction of that one's: caps are domes."""

FACES_AND_EDGES: Final = ndimage.generate_binary_structure(3, 2)


def interpolated_slices(
    inside: NDArray[np.bool_], grid: Grid
) -> tuple[NDArray[np.float32], Grid] | None:
    """Distances in mm to the surface, positive inside, on thinner slices, and their grid.

    Those of at least zero are inside: as much as the mask.

    None where the slices of the mask are not thick, where there is only one, where outlines would
    have to move to keep the volume, or where parts would be lost, parted, joined or pierced.
    """
    sizes = np.array(grid.voxel_size_mm)
    axis = int(sizes.argmax())
    across = np.delete(sizes, axis)
    count = round(sizes[axis] / across.max())
    if sizes[axis] < THICK * across.max() or inside.shape[axis] < 2:
        return None
    slices = np.moveaxis(inside, axis, 0)
    distances = _slice_distances_mm(slices, (float(across[0]), float(across[1])))
    finer = np.moveaxis(_between(distances, count), 0, axis)
    outside = finer.size - count * int(np.count_nonzero(inside))
    level = float(np.partition(finer, outside, axis=None)[outside])
    if abs(level) > 0.75 * across.min():
        return None
    finer -= np.float32(level)
    if _parts(finer >= 0) != _parts(inside):
        return None
    return np.ascontiguousarray(finer), _finer_grid(grid, axis, count)


def _slice_distances_mm(
    slices: NDArray[np.bool_], spacing_mm: tuple[float, float]
) -> NDArray[np.float32]:
    """(N + 2, A, B) distances to the outline, with an empty slice before and after."""
    _, rows, columns = slices.shape
    distances = np.zeros((len(slices) + 2, rows + 2, columns + 2), dtype=np.float32)
    half = min(spacing_mm) / 2
    for number, one in enumerate(slices, start=1):
        padded = np.pad(one, 1)
        if not one.any():
            continue
        within = ndimage.distance_transform_edt(padded, spacing_mm)
        beyond = ndimage.distance_transform_edt(~padded, spacing_mm)
        distances[number] = np.where(padded, within - half, half - beyond)
    filled = [0, *(int(one.any()) for one in slices), 0]
    for number in range(len(distances)):
        if filled[number]:
            continue
        sides = [
            distances[k] for k in (number - 1, number + 1) if 0 <= k < len(filled) and filled[k]
        ]
        deepest = max((float(side.max()) for side in sides), default=1.0)
        distances[number] = np.minimum(-CAP * deepest, np.max(sides, axis=0) if sides else -deepest)
    return distances[:, 1:-1, 1:-1]


def _between(distances: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """(N * count, A, B) of the N slices within, `count` for each, over all of its thickness."""
    positions = 0.5 + (np.arange((len(distances) - 2) * count) + 0.5) / count
    lower = np.floor(positions).astype(int)
    share = (positions - lower).astype(np.float32)[:, np.newaxis, np.newaxis]
    return np.asarray(distances[lower] * (1 - share) + distances[lower + 1] * share)


def _parts(inside: NDArray[np.bool_]) -> tuple[int, int]:
    """How many parts there are, as marching cubes joins them, and how many of the outside."""
    _, parts = ndimage.label(inside, FACES_AND_EDGES)
    _, outside = ndimage.label(np.pad(~inside, 1, constant_values=True))
    return parts, outside


def _finer_grid(grid: Grid, axis: int, count: int) -> Grid:
    affine = grid.affine.copy()
    step = affine[:3, axis] / count
    affine[:3, axis] = step
    affine[:3, 3] -= step * (count - 1) / 2
    first, second, third = (size * (count if k == axis else 1) for k, size in enumerate(grid.shape))
    return Grid((first, second, third), affine, grid.frame_of_reference_uid)
