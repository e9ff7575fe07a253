"""A mesh back on its grid, by counting the faces that rays along the first axis meet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import Mesh

OFF_CENTRE = np.array([1.2e-4, 2.3e-4])
"""How far the rays pass from the voxel centres, in voxels, so as not to meet an edge."""


def winding_numbers(mesh: Mesh, grid: Grid) -> NDArray[np.int64]:
    """(columns, rows, slices) how often the mesh encloses each voxel centre; 1 is inside.

    Faces that look outward in a left-handed grid count like those of a right-handed one.
    """
    corners = grid.to_index(mesh.vertices)[mesh.faces]
    plane = corners[:, :, 1:] - OFF_CENTRE
    lowest = np.ceil(plane.min(axis=1)).astype(int)
    extent = np.maximum(np.floor(plane.max(axis=1)).astype(int) - lowest + 1, 0)
    count = extent.prod(axis=1)
    face = np.repeat(np.arange(len(corners)), count)
    place = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    ray = lowest[face] + np.stack([place // extent[face, 1], place % extent[face, 1]], axis=1)
    away = plane[face] - ray[:, None]
    weights = np.stack([_cross(away[:, (k + 1) % 3], away[:, (k + 2) % 3]) for k in range(3)], 1)
    area = weights.sum(axis=1)
    is_met = ((weights > 0).all(axis=1) | (weights < 0).all(axis=1)) & (
        (ray >= 0) & (ray < grid.shape[1:])
    ).all(axis=1)
    face, ray, weights, area = face[is_met], ray[is_met], weights[is_met], area[is_met]
    at = (weights / area[:, None] * corners[face, :, 0]).sum(axis=1)
    first = np.clip(np.ceil(at).astype(int), 0, grid.shape[0])
    changes = np.zeros((grid.shape[0] + 1, *grid.shape[1:]), dtype=np.int64)
    step = np.where(area > 0, -1, 1) * (-1 if grid.is_mirrored else 1)
    np.add.at(changes, (first, ray[:, 0], ray[:, 1]), step)
    return changes.cumsum(axis=0)[:-1]


def _cross(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
