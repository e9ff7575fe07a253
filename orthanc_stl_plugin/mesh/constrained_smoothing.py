"""Constrained smoothing, the default: it keeps volume and position.

A surface from voxels has steps, and slivers where it cuts the corners of cells. Thin plate flow
removes the steps. The volume that this adds or removes in each neighbourhood is restored by a shift
along the normals, so thin parts keep their thickness. In between, each vertex moves towards the
mean of its neighbours within the tangent plane: triangles become even without changing the surface.

No vertex leaves its bounds (after Gibson 1998, Constrained Elastic Surface Nets).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from orthanc_stl_plugin.mesh.laplacian_smoothing import plate_flow
from orthanc_stl_plugin.mesh.surface_operators import Floats, Normals, SurfaceOperators
from orthanc_stl_plugin.mesh.vertex_bounds import VertexBounds
from orthanc_stl_plugin.mesh.volume_balance import volume_balance

RELAXING: Final = 0.5
ROUNDS: Final = 2
RELAXATIONS: Final = 2
WHOLE_SHIFTS: Final = 2


def constrained(
    operators: SurfaceOperators,
    bounds: VertexBounds,
    missing: Floats,
    iterations: int,
    reach: float | None,
) -> Floats:
    """(V, 3) float32 points, in voxel indices, of a smooth surface of even triangles.

    `missing` tells how much the points at the start enclose too little, in voxels, near each of the
    F faces. `reach` bounds the move along the normal, as a fraction of the shortest edge of the
    grid; None where there is no such bound.
    """
    start = bounds.start
    balance = volume_balance(operators, start, missing)
    points = bounds.confined(plate_flow(start, operators.mean, iterations))
    for _ in range(ROUNDS):
        points, normals = balance.shifted_locally(points)
        points = bounds.confined(points)
        for _ in range(RELAXATIONS):
            points = bounds.confined(_relaxed(operators, points, normals))
    for _ in range(WHOLE_SHIFTS):
        points = bounds.confined(balance.shifted(points))
    if reach is not None:
        points = bounds.confined(_held(operators, start, points, reach))
    return points


def _held(operators: SurfaceOperators, start: Floats, points: Floats, reach: float) -> Floats:
    """(V, 3) float32 points whose move along the normal is bounded."""
    shortest_mm = 1 / np.sqrt(np.diag(operators.inverse_metric_per_mm2).max())
    normals = operators.normals(operators.area_vectors(start))
    height_mm = np.einsum("vi,vi->v", normals.across, points - start)
    bound_mm = np.float32(reach * shortest_mm)
    surplus_mm = height_mm - np.clip(height_mm, -bound_mm, bound_mm)
    return np.asarray(points - normals.along * surplus_mm[:, np.newaxis])


def _relaxed(operators: SurfaceOperators, points: Floats, normals: Normals) -> Floats:
    """(V, 3) float32 points moved towards the mean of their neighbours across the normals."""
    moved = operators.mean @ points
    moved -= points
    height_mm = np.einsum("vi,vi->v", normals.across, moved)
    moved -= normals.along * height_mm[:, np.newaxis]
    moved *= np.float32(RELAXING)
    moved += points
    return np.asarray(moved)
