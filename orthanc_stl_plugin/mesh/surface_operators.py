"""The operators of a closed surface: means over neighbours, sums over faces, areas and normals.

Points are in voxel indices, where a voxel is the unit of volume whatever its shape. Normals are
perpendicular in mm all the same: the metric of the grid takes part in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

type Floats = NDArray[np.float32]
"""(V, 3), (F, 3) or (V,) float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Normals:
    """A direction for each vertex.

    Attributes:
        across: (V, 3) float32: the product with a displacement is its length along the normal, mm.
        along: (V, 3) float32 displacement of 1 mm along the normal.
    """

    across: Floats
    along: Floats


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceOperators:
    """A closed surface of V vertices and F faces without its points.

    Attributes:
        corners: (3, F) intp the vertices of the faces, counter-clockwise from outside where the
            axes of the grid are right-handed.
        mean: (V, V) sparse float32: the mean of the neighbours of a vertex, all weighing the same
            (the umbrella operator is this less the identity).
        around: (V, F) sparse float32: the sum over the faces around a vertex.
        inverse_metric_per_mm2: (3, 3) float32 inverse of the products of the grid's steps in mm.
        voxel_mm3: the volume of a voxel.
    """

    corners: NDArray[np.intp]
    mean: sparse.csr_array
    around: sparse.csr_array
    inverse_metric_per_mm2: Floats
    voxel_mm3: float

    def area_vectors(self, points: Floats) -> Floats:
        """(F, 3) float32 outward normals in voxel indices, as long as the areas there."""
        first, second, third = (points.take(corner, axis=0) for corner in self.corners)
        second -= first
        third -= first
        return _half_cross(second, third)

    def areas_mm2(self, area_vectors: Floats) -> Floats:
        """(N,) float32 areas of what has these (N, 3) area vectors."""
        squares = np.einsum("ni,ni->n", area_vectors @ self.inverse_metric_per_mm2, area_vectors)
        return np.asarray(np.sqrt(squares) * np.float32(self.voxel_mm3))

    def normals(self, area_vectors: Floats) -> Normals:
        """The normals of the vertices, smoothed once, from the (F, 3) area vectors of the faces."""
        total = self.around @ area_vectors
        total += self.mean @ total
        along = total @ self.inverse_metric_per_mm2
        lengths = np.sqrt(np.einsum("vi,vi->v", along, total))
        lengths = np.maximum(lengths, np.finfo(np.float32).tiny)[:, np.newaxis]
        return Normals(total / lengths, along / lengths)


def surface_operators(faces: NDArray[np.int32], matrix: NDArray[np.float64]) -> SurfaceOperators:
    """The operators of closed (F, 3) faces for the (3, 3) `matrix` from voxel indices to mm."""
    # In a closed surface every neighbour follows a vertex in exactly one face around it.
    count = int(faces.max()) + 1
    following = faces.take([1, 2, 0], axis=1).ravel()
    starts = np.arange(0, faces.size + 1, 3, dtype=np.int32)
    shape = (count, len(faces))
    by_face = sparse.csc_array((following, faces.ravel(), starts), shape=shape).tocsr()
    ends, neighbours = by_face.indptr, by_face.data
    valence = np.diff(ends)
    weights = np.repeat((1 / valence).astype(np.float32), valence)
    ones = np.ones(faces.size, dtype=np.float32)
    metric = matrix.T @ matrix
    return SurfaceOperators(
        corners=np.ascontiguousarray(faces.T, dtype=np.intp),
        mean=sparse.csr_array((weights, neighbours, ends), shape=(count, count)),
        around=sparse.csr_array((ones, by_face.indices, ends), shape=shape),
        inverse_metric_per_mm2=np.linalg.inv(metric).astype(np.float32),
        voxel_mm3=float(abs(np.linalg.det(matrix))),
    )


def swept_volumes(operators: SurfaceOperators, before: Floats, after: Floats) -> Floats:
    """(F,) float32 volume, in voxels, between where each face was and where it is."""
    moved = after - before
    area = operators.area_vectors(before)
    area += operators.area_vectors(after)
    area -= operators.area_vectors(moved) / np.float32(3)
    total = np.sum([moved.take(corner, axis=0) for corner in operators.corners], axis=0)
    return np.asarray(np.einsum("fi,fi->f", total, area) / np.float32(6))


def enclosed_volume(operators: SurfaceOperators, points: Floats) -> float:
    """The volume within the surface, in voxels."""
    middle = points.mean(axis=0, dtype=np.float64).astype(np.float32)
    corner = points.take(operators.corners[0], axis=0) - middle
    volumes = np.einsum("fi,fi->f", corner, operators.area_vectors(points))
    return float(volumes.sum(dtype=np.float64) / 3)


def _half_cross(first: Floats, second: Floats) -> Floats:
    """(N, 3) half of the cross products, much faster than np.cross."""
    found = np.empty_like(first)
    (ax, ay, az), (bx, by, bz) = first.T, second.T
    found[:, 0] = ay * bz - az * by
    found[:, 1] = az * bx - ax * bz
    found[:, 2] = ax * by - ay * bx
    found *= np.float32(0.5)
    return found
