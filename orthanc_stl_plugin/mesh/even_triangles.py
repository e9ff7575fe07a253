"""Even triangles for a decimated surface.

Decimation leaves slivers. Edges are flipped where that widens angles, and each vertex moves towards
the mean of its neighbours, within the surface before decimation: it keeps its height above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from orthanc_stl_plugin.mesh.edge_flips import MOST_TURN_DEG, evenly_flipped
from orthanc_stl_plugin.mesh.surface_operators import (
    Floats,
    SurfaceOperators,
    dots,
    surface_operators,
)

ROUNDS: Final = 3
RELAXATIONS: Final = 2
RELAXING: Final = 0.5
NEAR: Final = 6
"""The vertices among which the nearest on the same side of a thin part is looked for."""

ATTEMPTS: Final = 4
_LEAST_COSINE: Final = np.float32(np.cos(np.radians(MOST_TURN_DEG)))

SHIFTS: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class DenseSurface:
    """The surface before decimation: (3, V) float32 points, their normals, and a tree of them."""

    points: Floats
    normals: Floats
    volume: float
    tree: cKDTree

    def heights(self, points: Floats, normals: Floats) -> tuple[Floats, Floats]:
        """(N,) float32 heights of points above the surface, NaN if unknown, and its normals there.

        `normals` are those of the points: the two sides of a thin part differ in theirs.
        """
        _, near = self.tree.query(points.T, k=np.arange(1, min(NEAR, self.points.shape[1]) + 1))
        is_same_side = np.einsum("cik,ci->ik", self.normals[:, near], normals) > 0.5
        nearest = near[np.arange(len(near)), is_same_side.argmax(axis=1)]
        there = self.normals.take(nearest, axis=1)
        heights = dots(there, points - self.points.take(nearest, axis=1))
        heights[~is_same_side.any(axis=1)] = np.nan
        return heights, there


def dense_surface(points: NDArray[np.float32], faces: NDArray[np.int32]) -> DenseSurface:
    """Of (V, 3) points, each of which has a face, and closed (F, 3) faces."""
    rows = np.ascontiguousarray(points.T)
    operators = surface_operators(faces, np.eye(3))
    normals = _vertex_normals(operators, operators.area_vectors(rows))
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    return DenseSurface(rows, normals, volume(rows, operators.corners), tree)


def evened(
    points: Floats, corners: NDArray[np.int32], before: DenseSurface
) -> tuple[Floats, NDArray[np.int32]]:
    """(3, V) float32 points and (3, F) int32 corners of a closed surface with even triangles."""
    for _ in range(ROUNDS):
        corners = evenly_flipped(corners, points)
        operators = surface_operators(np.ascontiguousarray(corners.T), np.eye(3))
        for _ in range(RELAXATIONS):
            points = _relaxed(operators, points, before)
    return points, corners


def with_volume(points: Floats, corners: NDArray[np.int32], wanted: float, share: float) -> Floats:
    """The (3, V) float32 points shifted along their normals by a share of what gives the volume."""
    operators = surface_operators(np.ascontiguousarray(corners.T), np.eye(3))
    aim = (1 - share) * volume(points, operators.corners) + share * wanted
    for _ in range(SHIFTS):
        areas = operators.vertex_areas(operators.area_vectors(points))
        normals = _unit(areas)
        gain = float(dots(normals, areas).sum(dtype=np.float64)) / 3
        shift = np.float32((aim - volume(points, operators.corners)) / gain)
        points = np.asarray(points + normals * shift)
    return points


def volume(points: Floats, corners: NDArray[np.int32 | np.intp]) -> float:
    """The volume within a closed surface of (3, V) points and (3, F) corners."""
    first, second, third = (points.take(one, axis=1).astype(np.float64) for one in corners)
    return float((first * np.cross(second, third, axis=0)).sum()) / 6


def _relaxed(operators: SurfaceOperators, points: Floats, before: DenseSurface) -> Floats:
    """The points moved towards the means of their neighbours, but where faces would turn."""
    areas = operators.area_vectors(points)
    normals = _vertex_normals(operators, areas)
    way = operators.means(points) - points
    way -= normals * dots(normals, way)
    moved = np.asarray(points + np.float32(RELAXING) * way)
    height, _ = before.heights(points, normals)
    found, there = before.heights(moved, normals)
    moved -= there * np.nan_to_num(found - height)
    for _ in range(ATTEMPTS):
        is_turned = dots(_unit(operators.area_vectors(moved)), _unit(areas)) < _LEAST_COSINE
        if not is_turned.any():
            return moved
        vertices = np.unique(operators.corners[:, is_turned])
        moved[:, vertices] = points[:, vertices]
    return points


def _vertex_normals(operators: SurfaceOperators, areas: Floats) -> Floats:
    return _unit(operators.vertex_areas(areas))


def _unit(vectors: Floats) -> Floats:
    lengths = np.sqrt(dots(vectors, vectors))
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny))
