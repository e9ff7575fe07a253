"""Restoring the volume of a surface by shifting it along its normals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from orthanc_stl_plugin.mesh.surface_operators import (
    Floats,
    Normals,
    SurfaceOperators,
    swept_volumes,
)

REACH: Final = 8
"""The width of the neighbourhoods that keep their volume, in edges."""


@dataclass(frozen=True, slots=True, eq=False)
class VolumeBalance:
    """Compares the volume within a surface with its target, locally.

    Attributes:
        operators: of the surface.
        start: (V, 3) float32 points that enclose too little by
        missing: (F,) float32 volumes near each face, in voxels.
        component: (V,) int32 number of the connected surface that a vertex belongs to.
    """

    operators: SurfaceOperators
    start: Floats
    missing: Floats
    component: NDArray[np.int32]

    def shifted_locally(self, points: Floats) -> tuple[Floats, Normals]:
        """(V, 3) float32 points with the volume of each neighbourhood, and their normals."""
        wanting_mm3, areas_mm2, normals = self._state(points)
        mean = self.operators.mean
        area_mm2 = np.maximum(_local_mean(mean, areas_mm2), areas_mm2 / np.float32(4))
        shift_mm: Floats = _local_mean(mean, wanting_mm3) / area_mm2
        points = np.asarray(points + normals.along * shift_mm[:, np.newaxis])
        return points, normals

    def shifted(self, points: Floats) -> Floats:
        """(V, 3) float32 points with the volume of each connected surface as a whole."""
        wanting_mm3, areas_mm2, normals = self._state(points)
        wanting = np.bincount(self.component, wanting_mm3)
        shift_mm = wanting / np.maximum(np.bincount(self.component, areas_mm2), 1e-30)
        of_vertex = shift_mm.astype(np.float32).take(self.component)
        return points + normals.along * of_vertex[:, np.newaxis]

    def _state(self, points: Floats) -> tuple[Floats, Floats, Normals]:
        """What is missing and the area, a third of a face's for each corner, and the normals."""
        operators = self.operators
        area_vectors = operators.area_vectors(points)
        wanting = self.missing - swept_volumes(operators, self.start, points)
        wanting *= np.float32(operators.voxel_mm3 / 3)
        areas_mm2 = operators.areas_mm2(area_vectors) / np.float32(3)
        around = operators.around
        return around @ wanting, around @ areas_mm2, operators.normals(area_vectors)


def volume_balance(operators: SurfaceOperators, start: Floats, missing: Floats) -> VolumeBalance:
    """The balance of a surface; see there for the arguments."""
    # Neighbours are mutual; looking for strong components is faster than for undirected ones.
    _, component = csgraph.connected_components(operators.mean, connection="strong")
    return VolumeBalance(operators, start, missing, component)


def lost_volumes(
    component: NDArray[np.int32],
    points: Floats,
    before: NDArray[np.int32],
    after: NDArray[np.int32],
) -> Floats:
    """(F,) float32 volume, in voxels, that each connected surface has lost by other faces.

    It is shared evenly among its faces. `component` is the surface of each of the (V, 3) points;
    `before` and `after` are (F, 3) faces.
    """
    lost = _volumes(component, points, before) - _volumes(component, points, after)
    of_face = component[after[:, 0]]
    return (lost / np.bincount(of_face))[of_face].astype(np.float32)


def _volumes(
    component: NDArray[np.int32], points: Floats, faces: NDArray[np.int32]
) -> NDArray[np.float64]:
    """(C,) float64 volumes within the connected surfaces, in voxels."""
    middle = points.mean(axis=0, dtype=np.float64)
    first, second, third = (points[corner] - middle for corner in faces.T)
    volumes = np.einsum("fi,fi->f", first, np.cross(second, third)) / 6
    return np.bincount(component[faces[:, 0]], volumes)


def _local_mean(mean: sparse.csr_array, values: Floats) -> Floats:
    """(V,) float32 averages of (V,) values over a wide neighbourhood.

    Repeated means would spread over the square root of their number of edges; the Fejer sum of
    Chebyshev polynomials of the mean spreads over a distance in proportion to it.
    """
    before: Floats = values
    current: Floats = mean @ values
    total = np.float32(0.5) * values + np.float32(1 - 1 / REACH) * current
    for step in range(2, REACH):
        following = mean @ current
        following *= np.float32(2)
        following -= before
        before, current = current, following
        total += np.float32(1 - step / REACH) * current
    total *= np.float32(2 / REACH)
    return np.asarray(total)
