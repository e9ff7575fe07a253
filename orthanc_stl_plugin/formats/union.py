"""Several structures as one: what any of them fills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.labels import Segment, Structure

_NAME_SEPARATOR: Final = " + "
_LONGEST_NAME: Final = 64
_MARGIN: Final = 1
_LARGEST_TILT: Final = 1e-4


def united_segment(segments: Sequence[Segment]) -> Segment:
    """The identity of several structures as one: all names, the colour where all share it."""
    if len(segments) == 1:
        return segments[0]
    name = _NAME_SEPARATOR.join(segment.name for segment in segments)
    if len(name) > _LONGEST_NAME:
        name = f"{segments[0].name[:40]} and {len(segments) - 1} more"
    colours = {segment.rgb for segment in segments}
    return Segment(segments[0].number, name, colours.pop() if len(colours) == 1 else None)


def united_masks(parts: Sequence[Structure]) -> Structure:
    """The voxels of structures that lie on one lattice, as those of one segmentation do."""
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
    return Structure(united_segment([part.segment for part in parts]), mask, grid)


def united_occupancy(
    parts: Sequence[tuple[NDArray[np.float32], Grid]], resolution: int
) -> tuple[NDArray[np.float32], Grid]:
    """The greatest share at each voxel, on a grid around all, and that grid.

    The voxels are as fine as the finest part's along each axis, or as `resolution`, the most
    voxels along an axis, demands. Values between voxel centres are interpolated linearly.

    Raises:
        UnusableSource: the axes of the parts are not parallel.
    """
    if len(parts) == 1:
        return parts[0]
    grid = _common_grid([grid for _, grid in parts], resolution)
    values = np.zeros(grid.shape, dtype=np.float32)
    for part, part_grid in parts:
        matrix = np.linalg.solve(part_grid.affine, grid.affine)
        moved = ndimage.affine_transform(
            part, matrix[:3, :3], matrix[:3, 3], output_shape=grid.shape, order=1
        )
        np.maximum(values, moved, out=values)
    return values, grid


def _common_grid(grids: Sequence[Grid], resolution: int) -> Grid:
    axes = _directions(grids[0])
    if any(np.abs(_directions(grid) - axes).max() > _LARGEST_TILT for grid in grids):
        raise UnusableSource("the structures lie on planes that are not parallel")
    corners = np.concatenate(
        [grid.to_world(np.array([(0, 0, 0), grid.shape]) - 0.5) for grid in grids]
    )
    along = np.linalg.solve(axes, corners.T).T
    low, high = along.min(axis=0), along.max(axis=0)
    finest = np.min([grid.voxel_size_mm for grid in grids], axis=0)
    sizes = np.maximum(finest, (high - low) / (resolution - 2 * _MARGIN))
    columns, rows, slices = (
        np.ceil((high - low) / sizes - 1e-6).astype(int) + 2 * _MARGIN
    ).tolist()
    affine = np.eye(4)
    affine[:3, :3] = axes * sizes
    affine[:3, 3] = axes @ (low + sizes * (0.5 - _MARGIN))
    return Grid((columns, rows, slices), affine, grids[0].frame_of_reference_uid)


def _directions(grid: Grid) -> NDArray[np.float64]:
    return grid.affine[:3, :3] / grid.voxel_size_mm


def _start(grid: Grid, lattice: Grid) -> NDArray[np.int64]:
    """The index in `lattice` of the first voxel of `grid`."""
    return np.asarray(np.rint(lattice.to_index(grid.affine[np.newaxis, :3, 3])[0]), dtype=np.int64)
