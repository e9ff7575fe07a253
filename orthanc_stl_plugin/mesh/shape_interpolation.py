"""Shape-based interpolation between thick slices (Raya and Udupa 1990).

Each slice becomes a map of distances to its outline, positive inside. Between the centres of two
slices these are interpolated by cubics that are smooth across slices (Catmull and Rom 1974). So
outlines that move or grow from slice to slice do so evenly, where repeated slices would make steps.

Beyond the last slice of a part lies a dome: low if the part shrinks towards its end, and no higher
than a circle through both slices. All domes are scaled together to give the whole the volume of
the slices.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from orthanc_stl_plugin.model.geometry import Grid

type Maps = NDArray[np.float32]
"""(A, B) or (N, A, B) float32 distances in mm."""

THICK: Final = 2.5
"""Ratio of the thickness of a slice to the larger side of its pixels from which it is thick."""

ROUNDED: Final = 2.0
"""How far from its rim the end of a wide part is rounded, in slices; it is flat further within."""

LOWEST_DOME: Final = 0.1
HIGHEST_DOME: Final = 0.9
"""Heights of domes above the centre of the last slice, in slices; the next centre is outside."""

TALLEST_CIRCLE: Final = 1.5
HALVINGS: Final = 12
MARGIN: Final = 2
FACES_AND_EDGES: Final = ndimage.generate_binary_structure(3, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Dome:
    """What lies beyond the last slice of a part.

    Attributes:
        distance: (A, B) mm to the outline of the last slice, at most `depth`.
        depth: (A, B) mm from its outline to where its end is flat.
        height: (A, B) above the slice, in slices, before it is scaled.
    """

    distance: Maps
    depth: Maps
    height: Maps

    def at(self, heights: NDArray[np.floating], scale: float, highest: float) -> Maps:
        """(M, A, B) distances at M heights above the slice, in slices: a half ellipse."""
        top = np.clip(self.height * np.float32(scale), LOWEST_DOME, highest)
        share = heights.astype(np.float32)[:, np.newaxis, np.newaxis] / top
        within = 1 - np.sqrt(np.maximum(1 - share * share, 0))
        lost = np.where(share < 1, within, 3 * share - 2)
        return np.asarray(self.distance - self.depth * lost, dtype=np.float32)


def interpolated_slices(inside: NDArray[np.bool_], grid: Grid) -> tuple[Maps, Grid] | None:
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
    margins = np.where(np.arange(3) == axis, 1, MARGIN)
    padded = np.pad(inside, np.column_stack([margins, margins]))
    slices = np.moveaxis(padded, axis, 0)
    distances = _slice_distances_mm(slices, (float(across[0]), float(across[1])))
    target = count * int(np.count_nonzero(inside))
    parts = _parts(inside)
    for is_smooth in (True, False):
        finer = _finer(distances, count, float(sizes[axis]), target, is_smooth=is_smooth)
        outside = finer.size - target
        level = float(np.partition(finer, outside, axis=None)[outside])
        finer -= np.float32(level)
        if abs(level) <= 0.75 * across.min() and _parts(finer >= 0) == parts:
            start = -int(margins[0]), -int(margins[1]), -int(margins[2])
            wide = grid.window(start, (padded.shape[0], padded.shape[1], padded.shape[2]))
            thin = np.ascontiguousarray(np.moveaxis(finer, 0, axis))
            return thin, _finer_grid(wide, axis, count)
    return None


def between(
    lower: tuple[Maps, Maps], upper: tuple[Maps, Maps], shares: NDArray[np.floating]
) -> Maps:
    """(M, A, B) distances at M shares, 0-1, of the way between two slices.

    Each slice comes as its (A, B) distances and how much they grow from slice to slice.
    """
    u = shares.astype(np.float32)[:, np.newaxis, np.newaxis]
    (first, first_growth), (last, last_growth) = lower, upper
    rest = 1 - u
    found = first * (rest * rest * (1 + 2 * u)) + last * (u * u * (3 - 2 * u))
    found += first_growth * (u * rest * rest) - last_growth * (u * u * rest)
    return np.asarray(found)


def growth(other: Maps | None, step: Maps, slice_mm: float) -> Maps:
    """(A, B) how much distances grow from slice to slice at one, from the steps to both sides.

    Where it changes abruptly, as at the end of a branch, it is bounded: outlines would overshoot.
    """
    if other is None:
        return step
    bound = np.maximum(2 * np.minimum(np.abs(other), np.abs(step)), np.float32(slice_mm / 2))
    return np.asarray(np.clip((other + step) / 2, -bound, bound))


def dome(last: Maps, before: Maps | None, slice_mm: float) -> Dome:
    """The dome beyond a slice, whose neighbour on the other side is `before`, if there is any."""
    parts, count = ndimage.label(last > 0, np.ones((3, 3)))
    numbers = np.arange(1, count + 1)
    limit = ROUNDED * slice_mm
    depth = np.minimum(ndimage.maximum(last, parts, numbers), limit)
    slope = np.zeros(count)
    if before is not None:
        slope = (depth - np.minimum(ndimage.maximum(before, parts, numbers), limit)) / slice_mm
    # A circle that is `depth` wide here and grows by `slope` ends so far above.
    height = depth * (np.sqrt(1 + slope * slope) + slope) / slice_mm
    # A thin part that hardly shrinks ends anywhere up to the next slice, half of it on average.
    height = np.maximum(height, np.minimum(0.75, depth / np.maximum(-4 * slope * slice_mm, 1e-6)))
    nearest = ndimage.distance_transform_edt(
        parts == 0, return_distances=False, return_indices=True
    )
    of_pixel = parts[tuple(nearest)] - 1
    depths = depth.astype(np.float32)[of_pixel]
    heights = np.minimum(height, TALLEST_CIRCLE).astype(np.float32)[of_pixel]
    return Dome(np.minimum(last, depths), depths, heights)


def scale_of_domes(filled: Callable[[float], float], wanted: float, largest: float) -> float:
    """The scale of all domes, 0 to `largest`, at which `filled` is nearest to what is wanted."""
    low, high = 0.0, largest
    for _ in range(HALVINGS):
        scale = (low + high) / 2
        low, high = (scale, high) if filled(scale) < wanted else (low, scale)
    return (low + high) / 2


def _slice_distances_mm(
    slices: NDArray[np.bool_], spacing_mm: tuple[float, float]
) -> list[Maps | None]:
    """(A, B) distances to the outline of each slice; None for an empty one."""
    half = min(spacing_mm) / 2
    found: list[Maps | None] = []
    for one in slices:
        if not one.any():
            found.append(None)
            continue
        within = ndimage.distance_transform_edt(one, spacing_mm)
        beyond = ndimage.distance_transform_edt(~one, spacing_mm)
        found.append(np.where(one, within - half, half - beyond).astype(np.float32))
    return found


def _finer(
    slices: Sequence[Maps | None], count: int, slice_mm: float, target: int, *, is_smooth: bool
) -> Maps:
    """(N * count, A, B) of N slices, the first and last of them empty, `count` for each.

    At least zero are, if domes can do it, `target` of them. Without `is_smooth`, the distances
    between slices are linear, and no dome reaches farther than its slice.
    """
    shape = next(one.shape for one in slices if one is not None)
    finer = np.full((len(slices) * count, *shape), -slice_mm, dtype=np.float32)
    centres = (np.arange(len(finer)) + 0.5) / count - 0.5
    for number, (lower, upper) in enumerate(itertools.pairwise(slices)):
        if lower is not None and upper is not None:
            which = (centres >= number) & (centres < number + 1)
            before, after = (_step(slices, other) for other in (number - 1, number + 1))
            step = upper - lower
            first = growth(before if is_smooth else None, step, slice_mm)
            last = growth(after if is_smooth else None, step, slice_mm)
            finer[which] = between((lower, first), (upper, last), centres[which] - number)
    ends = list(_ends(slices))
    domes = [dome(*_end(slices, *one), slice_mm) for one in ends]
    for number, _ in ends:  # a slice whose centre is one of the thin slices' and which is the last
        finer[centres == number] = slices[number]
    heights = centres[(centres > 0) & (centres < 1)]
    highest = HIGHEST_DOME if is_smooth else 0.5

    def filled(scale: float) -> float:
        return sum(float((one.at(heights, scale, highest) >= 0).sum()) for one in domes)

    wanted = target - int(np.count_nonzero(finer >= 0))
    scale = scale_of_domes(filled, wanted, 1.0)
    for (number, side), one in zip(ends, domes, strict=True):
        which = (centres * side > number * side) & (centres * side < number * side + 1)
        finer[which] = one.at(np.abs(centres[which] - number), scale, highest)
    return finer


def _step(slices: Sequence[Maps | None], number: int) -> Maps | None:
    """How much the distances grow from a slice to the next; None if one is empty."""
    here, following = slices[number], slices[number + 1]
    return None if here is None or following is None else following - here


def _ends(slices: Sequence[Maps | None]) -> Iterator[tuple[int, int]]:
    """Each slice beside an empty one, and the step, 1 or -1, towards that one."""
    for number, one in enumerate(slices):
        if one is not None:
            yield from ((number, step) for step in (-1, 1) if slices[number + step] is None)


def _end(slices: Sequence[Maps | None], number: int, step: int) -> tuple[Maps, Maps | None]:
    return np.asarray(slices[number]), slices[number - step]


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
