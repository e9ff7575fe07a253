"""Constrained smoothing, the default: it keeps volume and position.

A surface from voxels has steps, and slivers where it cuts the corners of cells. Thin plate flow
removes the steps. The volume that this adds or removes in each neighbourhood is restored by a shift
along the normals, so thin parts keep their thickness. In between, each vertex moves towards the
mean of its neighbours within the tangent plane: triangles become even without changing the surface.

No vertex leaves its bounds (after Gibson 1998, Constrained Elastic Surface Nets). At the end edges
are flipped where that takes ridges away, and the triangles are made even once more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.mesh.edge_flips import flipped
from orthanc_stl_plugin.mesh.laplacian_smoothing import plate_flow
from orthanc_stl_plugin.mesh.surface_operators import (
    Floats,
    Normals,
    SurfaceOperators,
    surface_operators,
)
from orthanc_stl_plugin.mesh.vertex_bounds import VertexBounds, untangled
from orthanc_stl_plugin.mesh.volume_balance import lost_volumes, volume_balance

RELAXING: Final = 0.5
ROUNDS: Final = 2
RELAXATIONS: Final = 2
WHOLE_SHIFTS: Final = 2
LAST_RELAXATIONS: Final = 2


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


def evened(
    operators: SurfaceOperators,
    bounds: VertexBounds,
    points: Floats,
    matrix: NDArray[np.float64],
    reach: float | None,
) -> tuple[Floats, NDArray[np.int32]]:
    """(V, 3) float32 points and (F, 3) int32 faces with flipped edges and the same volume.

    The (3, 3) `matrix` leads from voxel indices to mm; for the others see `constrained`.
    """
    before = operators.corners.T.astype(np.int32)
    faces = flipped(before, points @ matrix.T.astype(np.float32))
    after = surface_operators(faces, matrix)
    balance = volume_balance(after, points, np.zeros(len(faces), dtype=np.float32))
    balance = replace(balance, missing=lost_volumes(balance.component, points, before, faces))
    normals = after.normals(after.area_vectors(points))
    moved = points
    for _ in range(LAST_RELAXATIONS):
        moved = bounds.confined(_relaxed(after, moved, normals))
    moved = bounds.confined(balance.shifted(moved))
    if reach is not None:
        moved = bounds.confined(_held(operators, bounds.start, moved, reach))
    return untangled(after, moved, replace(bounds, start=points)), faces


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
