"""A mesh back on a grid of voxels, by the parity of the faces that rays along the slices meet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import Mesh

TRIANGLES_AT_ONCE = 200_000


def inside(mesh: Mesh, grid: Grid, layers: NDArray[np.floating] | None = None) -> NDArray[np.bool_]:
    """(columns, rows, slices) whether the centre of each voxel lies within a closed mesh.

    With `layers`, ascending slice indices that need not be whole, the third axis is these instead.

    A triangle meets the plane of a column in a segment, and this one a ray in a point. Both ends of
    an edge are compared with the plane in one order, whichever triangle asks, and an interval holds
    its upper end only: so neighbours agree to the last bit, and where a ray touches an edge or a
    vertex nothing is counted twice or lost.
    """
    columns, rows, slices = grid.shape
    heights = np.arange(slices, dtype=np.float64) if layers is None else np.asarray(layers)
    vertices = grid.to_index(mesh.vertices)
    toggles = np.zeros((columns, rows, len(heights) + 1), dtype=np.uint8)
    for first in range(0, len(mesh.faces), TRIANGLES_AT_ONCE):
        faces = mesh.faces[first : first + TRIANGLES_AT_ONCE]
        column, row, height = _met(vertices, faces, columns, rows)
        layer = np.searchsorted(heights, height)
        np.add.at(toggles, (column, row, layer), np.uint8(1))
    parity = np.bitwise_xor.accumulate(toggles[:, :, :-1] & np.uint8(1), axis=2)
    return parity.astype(np.bool_)


def _met(
    vertices: NDArray[np.float64], faces: NDArray[np.int32], columns: int, rows: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Column, row and height of each point in which a ray meets a triangle."""
    across = vertices[faces, 0]
    face, column = _whole_between(across.min(axis=1), across.max(axis=1), columns)
    ends = _cut(vertices, faces[face], column)
    order = np.argsort(ends[:, :, 0], axis=1, kind="stable")[:, :, np.newaxis]
    low, high = np.moveaxis(np.take_along_axis(ends, order, axis=1), 1, 0)
    segment, row = _whole_between(low[:, 0], high[:, 0], rows)
    low, high = low[segment], high[segment]
    part = (row - low[:, 0]) / (high[:, 0] - low[:, 0])
    return column[segment], row, low[:, 1] + part * (high[:, 1] - low[:, 1])


def _whole_between(
    low: NDArray[np.float64], high: NDArray[np.float64], count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Interval and number of each whole number with low < number <= high, from 0 to count - 1."""
    first = np.clip(np.floor(low) + 1, 0, count).astype(np.intp)
    last = np.clip(np.floor(high), -1, count - 1).astype(np.intp)
    counts = np.maximum(last - first + 1, 0)
    interval = np.repeat(np.arange(len(low)), counts)
    place = np.arange(len(interval)) - np.repeat(np.cumsum(counts) - counts, counts)
    return interval, first[interval] + place


def _cut(
    vertices: NDArray[np.float64], faces: NDArray[np.int32], column: NDArray[np.intp]
) -> NDArray[np.float64]:
    """(T, 2, 2) row and slice index of the ends of the segments that planes cut out of faces."""
    starts, stops = faces, faces[:, [1, 2, 0]]
    is_crossed = (vertices[starts, 0] < column[:, np.newaxis]) != (
        vertices[stops, 0] < column[:, np.newaxis]
    )
    chosen = np.nonzero(is_crossed)  # two of each face's three edges
    lower = np.minimum(starts, stops)[chosen]
    upper = np.maximum(starts, stops)[chosen]
    start, stop = vertices[lower], vertices[upper]
    part = (column[chosen[0]] - start[:, 0]) / (stop[:, 0] - start[:, 0])
    points = start[:, 1:] + part[:, np.newaxis] * (stop[:, 1:] - start[:, 1:])
    return points.reshape(-1, 2, 2)
