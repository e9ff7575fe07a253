"""Restoring the volume of a surface by shifting it along its normals.

The volume that a small displacement of a vertex adds is its product with a third of the area
vectors around the vertex. So the volume between two surfaces is known vertex by vertex, and the one
within a closed surface is a third of what its points add when they are seen as displacements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph

from orthanc_stl_plugin.mesh.surface_operators import (
    Floats,
    Normals,
    SurfaceOperators,
    dots,
)

REACH: Final = 7
"""The width of the neighbourhoods that keep their volume, in edges."""

LEAST_FREE: Final = 0.1
"""The share of a surface that must be free to take all of its missing volume."""


@dataclass(frozen=True, slots=True, eq=False)
class VolumeBalance:
    """Compares the volume within a surface with its target, locally.

    Attributes:
        start: (3, V) float32 points with
        start_areas: (3, V) float32 area vectors around them, that enclose too little by
        missing: (V,) float32 volumes near each vertex, in voxels.
        component: (V,) int32 number of the connected surface that a vertex belongs to.
        volumes: (C,) float64 what the connected surfaces should enclose, in voxels.
    """

    start: Floats
    start_areas: Floats
    missing: Floats
    component: NDArray[np.int32]
    volumes: NDArray[np.float64]

    def shifted_locally(
        self, operators: SurfaceOperators, points: Floats
    ) -> tuple[Floats, Normals]:
        """(3, V) float32 points with the volume of each neighbourhood, and their normals."""
        areas = operators.vertex_areas(operators.area_vectors(points))
        normals = operators.normals(areas)
        gain = _gain_per_mm(normals, areas)
        areas += self.start_areas
        swept = dots(points - self.start, areas)
        swept *= np.float32(1 / 6)
        wanting = self.missing - swept
        gain = np.maximum(_local_mean(operators, gain), gain * np.float32(0.25))
        shift_mm: Floats = _local_mean(operators, wanting) / gain
        return points + normals.along * shift_mm, normals

    def shifted(
        self,
        operators: SurfaceOperators,
        points: Floats,
        normals: Normals,
        is_free: NDArray[np.bool_] | None = None,
    ) -> Floats:
        """(3, V) float32 points with the volume of each connected surface as a whole.

        Only vertices that are free move, if there are enough of them.
        """
        areas = operators.vertex_areas(operators.area_vectors(points))
        wanting = self.volumes - _volumes(self.component, points, areas)
        gain = _gain_per_mm(normals, areas)
        total = np.bincount(self.component, gain)
        if is_free is not None:
            free = np.bincount(self.component, gain * is_free)
            total = np.maximum(free, LEAST_FREE * total)
        shift_mm = (wanting / np.maximum(total, 1e-30)).astype(np.float32).take(self.component)
        if is_free is not None:
            shift_mm *= is_free
        return points + normals.along * shift_mm


def volume_balance(
    operators: SurfaceOperators, start: Floats, start_areas: Floats, missing: Floats
) -> VolumeBalance:
    """The balance of a surface; see there. `start_areas` are (3, F), those of its faces."""
    # Neighbours are mutual; looking for strong components is faster than for undirected ones.
    _, component = csgraph.connected_components(operators.mean, connection="strong")
    areas = operators.vertex_areas(start_areas)
    volumes = _volumes(component, start, areas) + np.bincount(component, missing)
    return VolumeBalance(start, areas, missing, component, volumes)


def enclosed_volume(operators: SurfaceOperators, points: Floats) -> float:
    """The volume within the surface, in voxels."""
    areas = operators.vertex_areas(operators.area_vectors(points))
    everywhere = np.zeros(points.shape[1], dtype=np.int32)
    return float(_volumes(everywhere, points, areas).sum())


def _volumes(component: NDArray[np.int32], points: Floats, areas: Floats) -> NDArray[np.float64]:
    """(C,) float64 volumes within the connected surfaces, in voxels."""
    middle = points.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    return np.bincount(component, dots(points - middle, areas)) / 9


def _gain_per_mm(normals: Normals, areas: Floats) -> Floats:
    """(V,) float32 volume, in voxels, that a shift along the normals adds for each mm."""
    return dots(normals.along, areas) * np.float32(1 / 3)


def _local_mean(operators: SurfaceOperators, values: Floats) -> Floats:
    """(V,) float32 averages of (V,) values over a wide neighbourhood.

    Repeated means would spread over the square root of their number of edges; the Fejer sum of
    Chebyshev polynomials of the mean spreads over a distance in proportion to it.
    """
    weights = 2 / REACH * (1 - np.arange(REACH) / REACH)
    weights[0] /= 2
    return operators.chebyshev_sum(weights.astype(np.float32), values)
