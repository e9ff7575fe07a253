"""The union of several structures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.contours.rtstruct import INSIDE, Occupancy
from orthanc_stl_plugin.mesh.block_means import block_means
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.labels import Segment, Structure

type Region = tuple[slice, slice, slice]

_NAME_SEPARATOR: Final = " + "
_LONGEST_NAME: Final = 64
_MARGIN: Final = 1
_LARGEST_CHANGE: Final = 0.5
_LARGEST_TILT: Final = 1e-4
_FILLED_TOGETHER: Final = 0.7


def united_segment(segments: Sequence[Segment]) -> Segment:
    """The identity of a union: all names, and the colour if all share it."""
    if len(segments) == 1:
        return segments[0]
    name = _NAME_SEPARATOR.join(segment.name for segment in segments)
    if len(name) > _LONGEST_NAME:
        name = f"{segments[0].name[:40]} and {len(segments) - 1} more"
    colours = {segment.rgb for segment in segments}
    return Segment(segments[0].number, name, colours.pop() if len(colours) == 1 else None)


def united_masks(parts: Sequence[Structure]) -> Structure:
    """The union of structures on the same lattice, such as those of one segmentation."""
    first = parts[0]
    if len(parts) == 1:
        return first
    starts = [_start(part.grid, first.grid) for part in parts]
    low = np.min(starts, axis=0)
    high = np.max([start + part.mask.shape for start, part in zip(starts, parts, strict=True)], 0)
    columns, rows, slices = (high - low).tolist()
    mask = np.zeros((columns, rows, slices), dtype=bool)
    for start, part in zip(starts, parts, strict=True):
        box = tuple(
            slice(at, at + size) for at, size in zip(start - low, part.mask.shape, strict=True)
        )
        mask[box] |= part.mask
    column, row, level = low.tolist()
    grid = first.grid.window((column, row, level), (columns, rows, slices))
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return Structure(united_segment([part.segment for part in parts]), mask, grid, notes)


def united_occupancies(parts: Sequence[Occupancy], resolution: int) -> Iterator[Occupancy]:
    """The union of the parts: at each voxel the largest share; distant parts stay separate.

    Parts that are close are put on a common grid. Its voxels are as fine as those of the finest
    part along each axis, or as coarse as `resolution`, the maximum number along an axis, requires.
    Values between voxel centres are interpolated linearly.

    Raises:
        UnusableSource: the parts have several frames of reference, their axes are not parallel, or
            a segment would lose or gain half of its volume on such grids.
    """
    _check_common([part.grid for part in parts])
    blurred: list[Occupancy] = []
    for group in _groups([part.grid for part in parts], resolution):
        united, some = _united([parts[number] for number in group], resolution)
        blurred += some
        yield united
    for segment in dict.fromkeys(part.segment for part in blurred):
        whole, lost = (
            sum(_volume_mm3(part.values, part.grid) for part in some if part.segment == segment)
            for some in (parts, blurred)
        )
        if lost >= _LARGEST_CHANGE * whole:
            raise UnusableSource(
                "RoiTooSmallToCombine",
                number=segment.number,
                name=segment.name,
                resolution=resolution,
            )


def _volume_mm3(values: NDArray[np.float32], grid: Grid) -> float:
    return np.count_nonzero(values >= INSIDE) * grid.voxel_volume_mm3


def _check_common(grids: Sequence[Grid]) -> None:
    frames = list(dict.fromkeys(filter(None, (grid.frame_of_reference_uid for grid in grids))))
    if len(frames) > 1:
        raise UnusableSource(
            "FramesOfReferenceDiffer", count=len(frames), uids=", ".join(frames[:4])
        )
    axes = _directions(grids[0])
    if any(np.abs(_directions(grid) - axes).max() > _LARGEST_TILT for grid in grids):
        raise UnusableSource("PlanesNotParallel")


def _groups(grids: Sequence[Grid], resolution: int) -> list[list[int]]:
    """Groups of grid numbers whose common grids do not overlap."""
    axes = _directions(grids[0])
    groups = [[number] for number in range(len(grids))]
    while True:
        common = [_common_grid([grids[n] for n in group], resolution) for group in groups]
        boxes = np.array([_bounds_mm([grid], axes) for grid in common])
        low, high = boxes[:, 0], boxes[:, 1]
        meets = ((low[:, np.newaxis] <= high) & (high[:, np.newaxis] >= low)).all(axis=2)
        count, group_of = connected_components(meets, directed=False)
        if count == len(groups):
            return groups
        merged: list[list[int]] = [[] for _ in range(count)]
        for number, group in zip(group_of, groups, strict=True):
            merged[number] += group
        groups = merged


def _united(parts: Sequence[Occupancy], resolution: int) -> tuple[Occupancy, list[Occupancy]]:
    """The union, and the parts whose volume it changes much unless others cover them."""
    if len(parts) == 1:
        return parts[0], []
    grid = _common_grid([part.grid for part in parts], resolution)
    values, totals = (np.zeros(grid.shape, dtype=np.float32) for _ in range(2))
    changed = []
    for part in parts:
        region, moved = _resampled(part, grid)
        if _keeps_volume(part, moved, grid):
            np.maximum(values[region], moved, out=values[region])
            totals[region] += moved
        else:
            changed.append(part)
    blurred = [part for part in changed if not _is_covered(part, values, grid)]
    for part in blurred:
        region, moved = _resampled(part, grid)
        np.maximum(values[region], moved, out=values[region])
        totals[region] += moved
    _close_walls(values, totals)
    segments = dict.fromkeys(part.segment for part in parts)
    return Occupancy(united_segment(list(segments)), values, grid), blurred


def _close_walls(values: NDArray[np.float32], totals: NDArray[np.float32]) -> None:
    """Sets voxels that touching parts fill together, between two that are inside.

    Each part may end a tenth of a voxel short, which would leave pin-holes between them.
    """
    missed = np.argwhere((values < INSIDE) & (totals >= _FILLED_TOGETHER))
    last = np.array(values.shape) - 1
    is_between = np.ones(len(missed), dtype=np.bool_)
    while is_between.any():
        is_between = np.zeros(len(missed), dtype=np.bool_)
        for step in np.eye(3, dtype=np.intp):
            sides = [values[tuple(np.clip(missed + way, 0, last).T)] for way in (-step, step)]
            is_between |= np.minimum(*sides) >= INSIDE
        values[tuple(missed[is_between].T)] = INSIDE
        missed = missed[~is_between]


def _resampled(part: Occupancy, grid: Grid) -> tuple[Region, NDArray[np.float32]]:
    """The part's shares on another grid, averaged first if its voxels are larger.

    Only the region with shares above zero is returned. Since the axes are parallel, values are
    interpolated along one axis after the other.
    """
    ratios = np.array(grid.voxel_size_mm) / part.grid.voxel_size_mm
    first, second, third = np.maximum(1, np.floor(ratios + 1e-6).astype(int)).tolist()
    factors = (first, second, third)
    # Beyond the last voxels there is nothing: blocks that extend there are padded, not smaller.
    beyond = [(0, -size % by) for size, by in zip(part.values.shape, factors, strict=True)]
    shares, own = block_means(np.pad(part.values, beyond), factors), part.grid.reduced(factors)
    matrix = np.linalg.solve(own.affine, grid.affine)
    region = []
    for axis, size in enumerate(own.shape):
        places = matrix[axis, axis] * np.arange(grid.shape[axis]) + matrix[axis, 3]
        start, stop = np.searchsorted(places, -1, "right"), np.searchsorted(places, size)
        region.append(slice(int(start), int(stop)))
        shares = _interpolated(shares, places[start:stop], axis)
    return (region[0], region[1], region[2]), shares


def _interpolated(
    values: NDArray[np.float32], places: NDArray[np.float64], axis: int
) -> NDArray[np.float32]:
    """The values at these indices along an axis, above -1 and below its size; zero beyond."""
    below = np.floor(places).astype(np.intp)
    beyond = [(1, 1) if number == axis else (0, 0) for number in range(values.ndim)]
    padded = np.pad(values, beyond)
    low, high = (padded.take(below + one, axis=axis) for one in (1, 2))
    high -= low
    high *= (
        (places - below)
        .astype(np.float32)
        .reshape([-1 if number == axis else 1 for number in range(values.ndim)])
    )
    low += high
    return low


def _keeps_volume(part: Occupancy, moved: NDArray[np.float32], grid: Grid) -> bool:
    own, kept = _volume_mm3(part.values, part.grid), _volume_mm3(moved, grid)
    return own > 0 and abs(kept - own) <= _LARGEST_CHANGE * own


def _is_covered(part: Occupancy, values: NDArray[np.float32], grid: Grid) -> bool:
    filled = np.argwhere(part.values > 0).astype(np.float64)
    nearest = np.rint(grid.to_index(part.grid.to_world(filled))).astype(np.intp)
    return bool((values[tuple(nearest.T)] >= INSIDE).all())


def _common_grid(grids: Sequence[Grid], resolution: int) -> Grid:
    axes = _directions(grids[0])
    low, high = _bounds_mm(grids, axes)
    finest = np.min([grid.voxel_size_mm for grid in grids], axis=0)
    sizes = np.maximum(finest, (high - low) / (resolution - 2 * _MARGIN))
    columns, rows, slices = (
        np.ceil((high - low) / sizes - 1e-6).astype(int) + 2 * _MARGIN
    ).tolist()
    affine = np.eye(4)
    affine[:3, :3] = axes * sizes
    affine[:3, 3] = axes @ (low + sizes * (0.5 - _MARGIN))
    return Grid((columns, rows, slices), affine, grids[0].frame_of_reference_uid)


def _bounds_mm(grids: Sequence[Grid], axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 3) float64: the bounds of the voxels along the axes."""
    corners = np.concatenate(
        [grid.to_world(np.array([(0, 0, 0), grid.shape]) - 0.5) for grid in grids]
    )
    along = np.linalg.solve(axes, corners.T).T
    return np.array([along.min(axis=0), along.max(axis=0)])


def _directions(grid: Grid) -> NDArray[np.float64]:
    return grid.affine[:3, :3] / grid.voxel_size_mm


def _start(grid: Grid, lattice: Grid) -> NDArray[np.int64]:
    """The index in `lattice` of the first voxel of `grid`."""
    return np.asarray(np.rint(lattice.to_index(grid.affine[np.newaxis, :3, 3])[0]), dtype=np.int64)
