"""Marching cubes: where a surface crosses the edges of the grid, and the triangles between.

Everything in this module is in voxel indices. It is fastest if the last axis is contiguous.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.mesh.marching_cubes_tables import MAX_TRIANGLES, cell_tables

type Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Crossings:
    """A closed surface with one vertex on each edge between an inside and an outside node.

    Attributes:
        lower: (3, V) int32 index of the lower node of a vertex's edge; -1 is the layer of outside
            nodes before the first.
        axis: (V,) uint8 axis 0-2 along which the edge runs.
        is_lower_inside: (V,) bool whether the inside node is the lower one.
        faces: (F, 3) int32 vertices, counter-clockwise from outside in right-handed axes.
        opposite: (3, F) int32 half edge that runs back along the side of a face from each of its
            corners to the next: `F * corner + face`.
        shape: (F,) uint16 `MAX_TRIANGLES * code + number` of the triangle `number` in a cell
            with `code`.
    """

    lower: NDArray[np.int32]
    axis: NDArray[np.uint8]
    is_lower_inside: NDArray[np.bool_]
    faces: NDArray[np.int32]
    opposite: NDArray[np.int32]
    shape: NDArray[np.uint16]


def memory_order(values: NDArray[np.generic]) -> tuple[int, int, int]:
    """The axes of a volume from the longest stride to the shortest."""
    first, second, third = sorted(range(3), key=lambda axis: -abs(values.strides[axis]))
    return first, second, third


def bounding_box(volume: NDArray[np.generic]) -> Box:
    """The smallest box that holds every non-zero voxel of a volume (n0, n1, n2).

    Raises:
        UnusableSource: no voxel differs from zero.
    """
    words = _as_words(volume)
    filled = (index for index, slab in enumerate(words) if slab.max() or slab.min())
    first = next(filled, None)
    if first is None:
        raise UnusableSource("NoVoxelInside")
    last = next(index for index in reversed(range(len(words))) if words[index].any())
    plane = np.bitwise_or.reduce(words[first : last + 1], axis=0)
    rows = _extent(plane.any(axis=1))
    line = np.bitwise_or.reduce(plane, axis=0)
    columns = _extent(line.view(volume.dtype) != 0 if words is not volume else line != 0)
    return slice(first, last + 1), rows, columns


def _as_words(volume: NDArray[np.generic]) -> NDArray[np.generic]:
    """The volume as 64-bit words of several voxels if its memory layout allows, which is faster."""
    row_bytes = volume.shape[2] * volume.itemsize
    is_whole = volume.strides[2] == volume.itemsize and row_bytes % 8 == 0
    if is_whole and volume.dtype.kind in "bui" and volume.itemsize < 8:
        return volume.view(np.uint64)
    return volume if volume.dtype.kind in "bui" else volume != 0


def _extent(filled: NDArray[np.bool_]) -> slice:
    """From the first to the last element that is set; at least one is."""
    return slice(int(filled.argmax()), int(filled.size - filled[::-1].argmax()))


def crossings(inside: NDArray[np.bool_]) -> Crossings:
    """The surface around the inside nodes; nodes beyond the volume (n0, n1, n2) are outside."""
    tables = cell_tables()
    codes = _cell_codes(inside)
    _, rows, columns = codes.shape
    flat = codes.ravel()
    cells = np.flatnonzero((flat - np.uint8(1)) < np.uint8(254))
    cell_codes = flat[cells]

    owner, axis = np.divmod(np.flatnonzero(tables.crossed.take(cell_codes, axis=0)), 3)
    counts = tables.crossed.sum(axis=1, dtype=np.int32).take(cell_codes)
    first_vertex = np.empty(flat.size, dtype=np.int32)
    first_vertex[cells] = np.cumsum(counts) - counts

    face_counts = tables.triangle_count.take(cell_codes)
    first_face = (np.cumsum(face_counts, dtype=np.int64) - face_counts).astype(np.int32)
    first_face_of_cell = np.empty(flat.size, dtype=np.int32)
    first_face_of_cell[cells] = first_face
    number = np.repeat(MAX_TRIANGLES * cell_codes.astype(np.int32) - first_face, face_counts)
    shape = number + np.arange(number.size, dtype=np.int32)
    cell_of_face = np.repeat(cells, face_counts)

    steps = np.array([rows * columns, columns, 1])
    edges, sides = tables.triangles.reshape(-1, 3), tables.opposite_side.reshape(-1, 3)
    edge_steps = (tables.edge_offset @ steps)[edges]
    side_steps = tables.opposite_cell.reshape(-1, 3, 3) @ steps
    side, face = np.arange(3 * MAX_TRIANGLES) % 3, np.arange(3 * MAX_TRIANGLES) // 3
    half_edge = (side * shape.size + face).astype(np.int32)[tables.half_edge].ravel()
    faces = np.empty((shape.size, 3), dtype=np.int32)
    opposite = np.empty((3, shape.size), dtype=np.int32)
    for corner in range(3):
        owners = cell_of_face + edge_steps[:, corner].take(shape)
        ranks = 3 * flat.take(owners).astype(np.int16)
        ranks += tables.edge_axis[edges[:, corner]].take(shape)
        np.add(first_vertex.take(owners), tables.rank.take(ranks), out=faces[:, corner])
        beyond = cell_of_face + side_steps[:, corner].take(shape)
        found = 144 * flat.take(beyond).astype(np.int32) + sides[:, corner].take(shape)
        np.add(first_face_of_cell.take(beyond), half_edge.take(found), out=opposite[corner])

    owner_cells = cells.take(owner)
    lower = np.empty((3, owner.size), dtype=np.int32)
    lower[0], rest = np.divmod(owner_cells, rows * columns)
    lower[1], lower[2] = np.divmod(rest, columns)
    lower -= 1
    return Crossings(
        lower=lower,
        axis=axis.astype(np.uint8),
        is_lower_inside=(cell_codes.take(owner) & 1).astype(np.bool_),
        faces=faces,
        opposite=opposite,
        shape=shape.astype(np.uint16),
    )


def united(surfaces: Sequence[Crossings]) -> Crossings:
    """Several surfaces as one, without shared vertices: all of the first come first."""
    vertices = np.cumsum([0, *(one.axis.size for one in surfaces)])
    faces = np.cumsum([0, *(one.shape.size for one in surfaces)])
    opposite = []
    for one, first in zip(surfaces, faces.tolist(), strict=False):
        count = one.shape.size
        corner = (one.opposite >= count).astype(np.int32) + (one.opposite >= 2 * count)
        opposite.append(one.opposite + corner * np.int32(faces[-1] - count) + np.int32(first))
    return Crossings(
        lower=np.concatenate([one.lower for one in surfaces], axis=1),
        axis=np.concatenate([one.axis for one in surfaces]),
        is_lower_inside=np.concatenate([one.is_lower_inside for one in surfaces]),
        faces=np.concatenate(
            [
                one.faces + np.int32(first)
                for one, first in zip(surfaces, vertices.tolist(), strict=False)
            ]
        ),
        opposite=np.concatenate(opposite, axis=1),
        shape=np.concatenate([one.shape for one in surfaces]),
    )


def _cell_codes(inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(n0 + 1, n1 + 1, n2 + 1) uint8 codes of the cells between the nodes and one layer around."""
    padded = np.zeros([size + 2 for size in inside.shape], dtype=np.uint8)
    padded[1:-1, 1:-1, 1:-1] = inside
    lines = padded[:, :, 1:] << np.uint8(1)
    lines |= padded[:, :, :-1]
    squares = lines[:, 1:] << np.uint8(2)
    squares |= lines[:, :-1]
    codes = squares[1:] << np.uint8(4)
    codes |= squares[:-1]
    return codes
