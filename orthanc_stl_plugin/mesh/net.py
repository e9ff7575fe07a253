"""A surface as a net: each vertex slides on an edge of the grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from orthanc_stl_plugin.mesh.extract import Crossings

type Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Net:
    """A closed surface of V vertices and F faces, in mm; a position is a fraction of an edge.

    Attributes:
        lower_mm: (3, V) float32 the lower node of a vertex's edge.
        edge_mm: (3, V) float32 from the lower to the upper node.
        axis: (V,) uint8 the axis of the edge.
        matrix: (3, 3) float32 the three possible edges as columns.
        corners: three (F,) intp arrays, the vertices of the faces, counter-clockwise from outside.
        mean: (V, V) sparse float32 that takes the mean over the neighbours of a vertex, weighted
            with the inverse of their distance (so that thick slices do not count for too much).
        around: (V, F) sparse float32 that takes the sum over the faces around a vertex.
        missing_mm3: (F,) float32 the volume wanting near a face when all vertices are at 0.5.
    """

    lower_mm: Floats
    edge_mm: Floats
    axis: NDArray[np.uint8]
    matrix: Floats
    corners: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]
    mean: sparse.csr_array
    around: sparse.csr_array
    missing_mm3: Floats


def make_net(surface: Crossings, matrix: NDArray[np.float64]) -> Net:
    """The net of a surface for the (3, 3) `matrix` from voxel indices to mm."""
    columns = matrix.astype(np.float32)
    determinant = float(np.linalg.det(matrix))
    first, second, third = (
        np.ascontiguousarray(surface.faces[:, corner]).astype(np.intp) for corner in range(3)
    )
    corners = (first, second, third) if determinant > 0 else (first, third, second)
    lower = [np.ascontiguousarray(surface.lower[:, axis]) for axis in range(3)]
    lower_mm = np.stack([_weighted_sum(row, lower) for row in columns])
    edge_mm = columns[:, surface.axis]
    mean, around = _neighbourhoods(corners, lower_mm + np.float32(0.5) * edge_mm)
    return Net(
        lower_mm=lower_mm,
        edge_mm=edge_mm,
        axis=surface.axis,
        matrix=columns,
        corners=corners,
        mean=mean,
        around=around,
        missing_mm3=surface.missing_volume * np.float32(abs(determinant)),
    )


def _weighted_sum(weights: Floats, rows: list[NDArray[np.int32]]) -> Floats:
    """(N,) float32 weighted sum of three (N,) arrays."""
    total = np.zeros(rows[0].size, dtype=np.float32)
    for weight, row in zip(weights, rows, strict=True):
        total += weight * row
    return total


def points_mm(net: Net, positions: Floats) -> Floats:
    """(3, V) float32 vertices at the (V,) positions along their edges."""
    points = net.edge_mm * positions
    points += net.lower_mm
    return points


def area_vectors_mm2(net: Net, points: Floats) -> Floats:
    """(3, F) float32 normals of the faces, as long as their areas, for (3, V) vertices."""
    first, second, third = net.corners
    areas = np.empty((3, first.size), dtype=np.float32)
    origins = [row.take(first) for row in points]
    ux, uy, uz = (row.take(second) - origin for row, origin in zip(points, origins, strict=True))
    vx, vy, vz = (row.take(third) - origin for row, origin in zip(points, origins, strict=True))
    areas[0] = uy * vz - uz * vy
    areas[1] = uz * vx - ux * vz
    areas[2] = ux * vy - uy * vx
    areas *= np.float32(0.5)
    return areas


def smooth_normals(net: Net, positions: Floats, steps: int) -> Floats:
    """(3, V) float32 unit normals, each averaged `steps` times with its neighbours' mean."""
    areas = area_vectors_mm2(net, points_mm(net, positions))
    normals = np.stack([net.around @ row for row in areas], axis=1)
    for _ in range(steps):
        normals += net.mean @ normals
    rows = np.ascontiguousarray(normals.T)
    rows /= np.maximum(np.sqrt((rows * rows).sum(axis=0)), np.finfo(np.float32).tiny)
    return rows


def local_mean(net: Net, values: Floats, reach: int) -> Floats:
    """(V,) float32 averages of (V,) values over a wide neighbourhood, in `reach` steps.

    `reach` repeated means would spread over sqrt(reach) edges; the Fejer sum of Chebyshev
    polynomials of the mean spreads over a distance in proportion to `reach`.
    """
    before: Floats = values
    current: Floats = net.mean @ values
    total = np.float32(0.5) * values + np.float32(1 - 1 / reach) * current
    for step in range(2, reach):
        before, current = current, np.float32(2) * (net.mean @ current) - before
        total += np.float32(1 - step / reach) * current
    total *= np.float32(2 / reach)
    return total


def _neighbourhoods(
    corners: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]], middles_mm: Floats
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """In a closed surface every neighbour follows a vertex in exactly one face around it."""
    first, second, third = (corner.astype(np.int32) for corner in corners)
    vertices = np.stack([first, second, third], axis=1).ravel()
    following = np.stack([second, third, first], axis=1).ravel()
    starts = np.arange(0, vertices.size + 1, 3, dtype=np.int32)
    count = middles_mm.shape[1]
    shape = (count, first.size)
    by_vertex = sparse.csc_array((following, vertices, starts), shape=shape).tocsr()
    neighbours, degree = by_vertex.data, np.diff(by_vertex.indptr)
    squared = np.zeros(neighbours.size, dtype=np.float32)
    for row in middles_mm:
        squared += (np.repeat(row, degree) - row.take(neighbours)) ** 2
    weights = 1 / np.sqrt(squared)
    weights /= np.repeat(np.add.reduceat(weights, by_vertex.indptr[:-1]), degree)
    ones = np.ones(vertices.size, dtype=np.float32)
    return (
        sparse.csr_array((weights, neighbours, by_vertex.indptr), shape=(count, count)),
        sparse.csr_array((ones, by_vertex.indices, by_vertex.indptr), shape=shape),
    )
