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
    transformed,
)
from orthanc_stl_plugin.mesh.vertex_bounds import VertexBounds, untangled
from orthanc_stl_plugin.mesh.volume_balance import volume_balance

ROUNDS: Final = 2
"""With one, the centre of a thin rib lay 2.5 mm off, though its volume was right."""

RELAXING: Final = 0.5
RELAXATIONS: Final = 2
WHOLE_SHIFTS: Final = 2


def constrained(
    operators: SurfaceOperators,
    opposite: NDArray[np.int32],
    bounds: VertexBounds,
    missing: Floats,
    iterations: int,
    reach: float | None,
) -> tuple[Floats, NDArray[np.int32]]:
    """(3, V) float32 points, in voxel indices, and (F, 3) int32 faces of a smooth surface.

    `missing` tells how much the points at the start enclose too little, in voxels, near each of the
    V vertices. `reach` bounds the move along the normal, as a fraction of the shortest edge of the
    grid; None where there is no such bound. For `opposite` see `Crossings`.
    """
    start = bounds.start
    areas = operators.area_vectors(start)
    balance = volume_balance(operators, start, areas, missing)
    points = bounds.confined(plate_flow(start, operators, iterations))
    for _ in range(ROUNDS):
        points, normals = balance.shifted_locally(operators, points)
        points = bounds.confined(_relaxed(operators, bounds.confined(points), normals))
    if reach is not None:
        points = bounds.confined(_held(operators, start, points, reach))
    points = untangled(operators, points, start, areas)

    matrix = operators.matrix
    frame = np.linalg.cholesky(matrix.T @ matrix).T
    corners = flipped(operators.corners, opposite, transformed(frame, points))
    faces = np.ascontiguousarray(corners.T)
    after = surface_operators(faces, matrix)
    areas = after.area_vectors(points)
    normals = after.normals(after.vertex_areas(areas))
    moved = points
    is_free = None if bounds.shared is None else bounds.shared.is_free
    # What moves across the normals alone stays on the walls.
    bounds = replace(bounds, shared=None)
    for _ in range(RELAXATIONS):
        moved = bounds.confined(_relaxed(after, moved, normals))
    for _ in range(WHOLE_SHIFTS):
        moved = bounds.confined(balance.shifted(after, moved, normals, is_free))
    if reach is not None:
        moved = bounds.confined(_held(operators, start, moved, reach))
    return untangled(after, moved, points, areas), faces


def _held(operators: SurfaceOperators, start: Floats, points: Floats, reach: float) -> Floats:
    """(3, V) float32 points whose move along the normal is bounded."""
    shortest_mm = 1 / np.sqrt(np.diag(operators.inverse_metric_per_mm2).max())
    normals = operators.normals(operators.vertex_areas(operators.area_vectors(start)))
    height_mm = normals.height_mm(points - start)
    bound_mm = np.float32(reach * shortest_mm)
    surplus_mm = height_mm - np.clip(height_mm, -bound_mm, bound_mm)
    return np.asarray(points - normals.along * surplus_mm)


def _relaxed(operators: SurfaceOperators, points: Floats, normals: Normals) -> Floats:
    """(3, V) float32 points moved towards the mean of their neighbours across the normals."""
    moved = operators.means(points)
    moved -= points
    moved -= normals.along * normals.height_mm(moved)
    moved *= np.float32(RELAXING)
    moved += points
    return moved
