"""A surface as a net: each vertex slides on an edge of the grid."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from orthanc_stl_plugin.mesh.marching_cubes import Crossings
from orthanc_stl_plugin.mesh.sparse_products import Floats, Operator
from orthanc_stl_plugin.mesh.triangle_shapes import shape_tables

FACES_AT_ONCE: Final = 1 << 15
"""So many that what is computed of them stays in the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Net:
    """A closed surface of V vertices and F faces, in mm; a position is a fraction of an edge.

    Attributes:
        lower_mm: (3, V) float32 the lower node of a vertex's edge.
        edge_mm: (3, V) float32 from the lower to the upper node.
        axis: (V,) uint8 the axis of the edge.
        matrix: (3, 3) float64 the three possible edges as columns.
        corners: (3, F) intp the vertices of the faces, counter-clockwise from outside where the
            axes of the grid are right-handed.
        shape: (F,) uint16 shapes of the faces, see `shapes`.
        mean: (V, V) sparse float32 that takes the mean over the neighbours of a vertex, weighted
            with the inverse of their distance (so that thick slices do not count for too much).
        around: (V, F) sparse float32 that takes the sum over the faces around a vertex.
        offset_mm: (3, V) float32 mean of the neighbours' lower nodes, from the vertex's own.
    """

    lower_mm: Floats
    edge_mm: Floats
    axis: NDArray[np.uint8]
    matrix: NDArray[np.float64]
    corners: NDArray[np.intp]
    shape: NDArray[np.uint16]
    mean: Operator
    around: Operator
    offset_mm: Floats

    @property
    def determinant(self) -> float:
        """The volume of a voxel in mm3, negative where the axes of the grid are left-handed."""
        return float(np.linalg.det(self.matrix))


def make_net(surface: Crossings, matrix: NDArray[np.float64], helper: Executor) -> Net:
    """The net of a surface for the (3, 3) `matrix` from voxel indices to mm.

    The thread of `helper` takes a part in its products.
    """
    columns = matrix.astype(np.float32)
    lower = [np.ascontiguousarray(surface.lower[:, axis]) for axis in range(3)]
    lower_mm = np.stack([_weighted_sum(row, lower) for row in columns])
    mean, around = (Operator(one, helper) for one in _neighbourhoods(surface, matrix))
    return Net(
        lower_mm=lower_mm,
        edge_mm=columns.take(surface.axis, axis=1),
        axis=surface.axis,
        matrix=matrix,
        corners=np.ascontiguousarray(surface.faces.T, dtype=np.intp),
        shape=surface.shape,
        mean=mean,
        around=around,
        offset_mm=np.stack([mean @ row for row in lower_mm]) - lower_mm,
    )


def _weighted_sum(weights: Floats, rows: list[NDArray[np.int32]]) -> Floats:
    """(N,) float32 weighted sum of three (N,) arrays."""
    total = np.zeros(rows[0].size, dtype=np.float32)
    for weight, row in zip(weights, rows, strict=True):
        total += weight * row
    return total


def parts_of_faces(net: Net) -> Iterator[slice]:
    """Runs of faces that are best looked at together."""
    for start in range(0, net.shape.size, FACES_AT_ONCE):
        yield slice(start, min(start + FACES_AT_ONCE, net.shape.size))


def area_vectors_mm2(net: Net, positions: Floats) -> Floats:
    """(3, F) float32 outward normals of the faces, as long as their areas."""
    points = net.edge_mm * positions
    points += net.lower_mm
    areas = np.empty((3, net.shape.size), dtype=np.float32)
    half = np.float32(0.5 if net.determinant > 0 else -0.5)
    for part in parts_of_faces(net):
        first, second, third = net.corners[:, part]
        origins = [row.take(first) for row in points]
        ux, uy, uz = (row.take(second) - o for row, o in zip(points, origins, strict=True))
        vx, vy, vz = (row.take(third) - o for row, o in zip(points, origins, strict=True))
        areas[0, part] = (uy * vz - uz * vy) * half
        areas[1, part] = (uz * vx - ux * vz) * half
        areas[2, part] = (ux * vy - uy * vx) * half
    return areas


def smooth_normals(net: Net, positions: Floats, steps: int) -> Floats:
    """(3, V) float32 unit normals, each averaged `steps` times with its neighbours' mean."""
    normals = np.stack([net.around @ row for row in area_vectors_mm2(net, positions)])
    for axis in range(3):
        for _ in range(steps):
            normals[axis] += net.mean @ normals[axis]
    normals /= np.maximum(np.sqrt((normals * normals).sum(axis=0)), np.finfo(np.float32).tiny)
    return normals


def local_mean(net: Net, values: Floats, reach: int) -> Floats:
    """(V,) float32 averages of (V,) values over a wide neighbourhood, in `reach` steps.

    `reach` repeated means would spread over sqrt(reach) edges; the Fejer sum of Chebyshev
    polynomials of the mean spreads over a distance in proportion to `reach`.
    """
    before: Floats = values
    current: Floats = net.mean @ values
    total = np.float32(0.5) * values + np.float32(1 - 1 / reach) * current
    for step in range(2, reach):
        following = net.mean @ current
        following *= np.float32(2)
        following -= before
        before, current = current, following
        total += np.float32(1 - step / reach) * current
    total *= np.float32(2 / reach)
    return total


def _neighbourhoods(
    surface: Crossings, matrix: NDArray[np.float64]
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """In a closed surface every neighbour follows a vertex in exactly one face around it."""
    faces = surface.faces
    following = faces.take([1, 2, 0], axis=1).ravel()
    starts = np.arange(0, faces.size + 1, 3, dtype=np.int32)
    count = surface.axis.size
    shape = (count, len(faces))

    corners = shape_tables().corners @ matrix.T
    with np.errstate(divide="ignore"):  # shapes that do not exist
        closeness = 1 / np.linalg.norm(corners[:, [1, 2, 0]] - corners, axis=2)
    weights = closeness.astype(np.float32).take(surface.shape, axis=0).ravel()

    neighbours = sparse.csc_array((following, faces.ravel(), starts), shape=shape).tocsr()
    around = sparse.csc_array((weights, faces.ravel(), starts), shape=shape).tocsr()
    ends = around.indptr
    totals = around @ np.ones(len(faces), dtype=np.float32)
    around.data *= np.repeat(1 / totals, np.diff(ends))
    mean = sparse.csr_array((around.data, neighbours.data, ends), shape=(count, count))
    ones = np.ones(faces.size, dtype=np.float32)
    return mean, sparse.csr_array((ones, around.indices, ends), shape=shape)
