"""The operators of a closed surface: means over neighbours, sums over faces, areas and normals.

Points are in voxel indices, where a voxel is the unit of volume whatever its shape. Normals are
perpendicular in mm all the same: the metric of the grid takes part in them.

Vectors are columns: arrays of (3, N) keep each coordinate contiguous, which is fastest by far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

type Floats = NDArray[np.float32]
"""(3, V), (3, F), (V,) or (F,) float32."""

FACES_AT_ONCE: Final = 1 << 14
"""Few enough for intermediate results to stay in the processor's cache."""

ROUNDING: Final = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class Normals:
    """A direction for each vertex.

    Attributes:
        across: (3, V) float32: the product with a displacement is its length along the normal, mm.
        along: (3, V) float32 displacement of 1 mm along the normal.
    """

    across: Floats
    along: Floats

    def height_mm(self, displacements: Floats) -> Floats:
        """(V,) float32 lengths of (3, V) displacements along the normals."""
        return dots(self.across, displacements)


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceOperators:
    """A closed surface of V vertices and F faces without its points.

    Attributes:
        corners: (3, F) intp the vertices of the faces, counter-clockwise from outside where the
            axes of the grid are right-handed.
        mean: (V, V) sparse float32: the mean of the neighbours of a vertex, all weighing the same
            (the umbrella operator is this less the identity).
        around: (V, F) sparse float32: the sum over the faces around a vertex.
        matrix: (3, 3) float64 from voxel indices to mm.
        inverse_metric_per_mm2: (3, 3) float32 inverse of the products of the grid's steps in mm.
    """

    corners: NDArray[np.intp]
    mean: sparse.csr_array
    around: sparse.csr_array
    matrix: NDArray[np.float64]
    inverse_metric_per_mm2: Floats

    def means(self, vectors: Floats) -> Floats:
        """(3, V) float32 mean of the (3, V) vectors of the neighbours."""
        return np.array([self.mean @ row for row in vectors])

    def chebyshev_sum(self, weights: Floats, values: Floats) -> Floats:
        """(V,) float32 sum of Chebyshev polynomials of the mean, with these weights, of values."""
        before: Floats = values
        current: Floats = self.mean @ values
        total: Floats = weights[0] * before + weights[1] * current
        for weight in weights[2:]:
            following = self.mean @ current
            following *= np.float32(2)
            following -= before
            before, current = current, following
            total += weight * current
        return total

    def area_vectors(self, points: Floats) -> Floats:
        """(3, F) float32 outward normals in voxel indices, as long as the areas there."""
        return area_vectors(self.corners, points)

    def vertex_areas(self, area_vectors: Floats) -> Floats:
        """(3, V) float32 sums of the (3, F) area vectors around each vertex.

        A third of it, times a displacement of the vertex, is the volume that it adds.
        """
        return np.array([self.around @ row for row in area_vectors])

    def normals(self, vertex_areas: Floats) -> Normals:
        """The normals of the vertices, smoothed once."""
        total = self.means(vertex_areas)
        total += vertex_areas
        along = transformed(self.inverse_metric_per_mm2, total)
        lengths = np.sqrt(dots(along, total))
        lengths = np.float32(1) / np.maximum(lengths, np.finfo(np.float32).tiny)
        total *= lengths
        along *= lengths
        return Normals(total, along)


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
    return SurfaceOperators(
        corners=np.ascontiguousarray(faces.T, dtype=np.intp),
        mean=sparse.csr_array((weights, neighbours, ends), shape=(count, count)),
        around=sparse.csr_array((ones, by_face.indices, ends), shape=shape),
        matrix=matrix,
        inverse_metric_per_mm2=np.linalg.inv(matrix.T @ matrix).astype(np.float32),
    )


def area_vectors(corners: NDArray[np.int32 | np.intp], points: Floats) -> Floats:
    """(3, F) float32 halves of the cross products of the sides of (3, F) corners."""
    found = np.empty(corners.shape, dtype=np.float32)
    half = np.float32(0.5)
    for start in range(0, corners.shape[1], FACES_AT_ONCE):
        part = corners[:, start : start + FACES_AT_ONCE]
        sides = []
        for row in points:
            first, second, third = row.take(part)
            second -= first
            third -= first
            third *= half
            sides.append((second, third))
        for axis in range(3):
            (one, other), (two, too) = sides[axis - 2], sides[axis - 1]
            np.multiply(one, too, out=found[axis, start : start + FACES_AT_ONCE])
            found[axis, start : start + FACES_AT_ONCE] -= two * other
    return found


def transformed(matrix: NDArray[np.floating], vectors: Floats) -> Floats:
    """(3, N) float32 products of a (3, 3) matrix, often a diagonal one, with (3, N) vectors."""
    found = np.zeros_like(vectors)
    least = ROUNDING * np.abs(matrix).max()
    for row, column in zip(*np.nonzero(np.abs(matrix) > least), strict=True):
        found[row] += np.float32(matrix[row, column]) * vectors[column]
    return found


def dots(first: Floats, second: Floats) -> Floats:
    """(N,) float32 products of (3, N) vectors."""
    total = first[0] * second[0]
    total += first[1] * second[1]
    total += first[2] * second[2]
    return np.asarray(total)


def cross(first: Floats, second: Floats) -> Floats:
    """(3, N) float32 cross products of (3, N) vectors."""
    found = np.empty_like(first)
    for axis in range(3):
        np.multiply(first[axis - 2], second[axis - 1], out=found[axis])
        found[axis] -= first[axis - 1] * second[axis - 2]
    return found
