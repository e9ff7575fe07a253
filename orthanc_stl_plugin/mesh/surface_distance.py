"""The distance between two surfaces, measured from each to the other."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from orthanc_stl_plugin.model.mesh import Mesh

NEAR: Final = 8
"""The samples whose triangles are looked at: the nearest ones."""

POINTS_AT_ONCE: Final = 1 << 14
MOST_STEPS: Final = 64
"""The most parts of an edge between samples of a triangle."""

type Points = NDArray[np.float64]


def distance_mm(first: Mesh, second: Mesh) -> float:
    """The greatest distance from either mesh to the other, in mm, of points all over each.

    The points are the vertices, and samples of the triangles about as far apart as the vertices of
    the finer mesh are. What is found for a point is the distance to a triangle that is near, so
    never less than to the nearest.
    """
    spacing = min(_mean_edge_mm(first), _mean_edge_mm(second))
    one, other = _samples(first, spacing), _samples(second, spacing)
    return max(
        _farthest(np.concatenate([mesh.vertices, points]), there, beyond)
        for mesh, points, there, beyond in (
            (first, one[0], other, second),
            (second, other[0], one, first),
        )
    )


def _mean_edge_mm(mesh: Mesh) -> float:
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    return float(np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1).mean())


def _samples(mesh: Mesh, spacing_mm: float) -> tuple[Points, NDArray[np.intp]]:
    """(N, 3) points at about this spacing within the triangles, and their triangles."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    steps = np.clip(np.ceil(longest / spacing_mm - 0.5), 1, MOST_STEPS).astype(int)
    points, triangles = [], []
    for count in np.unique(steps):
        chosen = np.flatnonzero(steps == count)
        places = [(i, j) for i in range(1, count + 1) for j in range(1, count + 2 - i)]
        weights = np.array([(i, j, count + 2 - i - j) for i, j in places])
        found = np.einsum("wc,ncx->nwx", weights / (count + 2), corners[chosen])
        points.append(found.reshape(-1, 3))
        triangles.append(np.repeat(chosen, len(weights)))
    return np.concatenate(points), np.concatenate(triangles)


def _farthest(points: Points, samples: tuple[Points, NDArray[np.intp]], mesh: Mesh) -> float:
    """The greatest distance of (N, 3) points to the nearest of the triangles with near samples."""
    places, triangles = samples
    tree = cKDTree(places, balanced_tree=False, compact_nodes=False)
    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    greatest = 0.0
    for start in range(0, len(points), POINTS_AT_ONCE):
        part = points[start : start + POINTS_AT_ONCE]
        _, near = tree.query(part, k=np.arange(1, min(NEAR, len(places)) + 1))
        away = [_to_triangles(part, corners[triangles[column]]) for column in near.T]
        greatest = max(greatest, float(np.min(away, axis=0).max()))
    return greatest


def _to_triangles(points: Points, corners: Points) -> Points:
    """(N,) distances of (N, 3) points to (N, 3, 3) triangles."""
    sides = np.roll(corners, -1, axis=1) - corners
    normals = np.cross(sides[:, 0], sides[:, 1])
    away = points[:, np.newaxis] - corners
    inward = np.cross(normals[:, np.newaxis], sides)
    is_above = (np.einsum("nkx,nkx->nk", inward, away) >= 0).all(axis=1)
    lengths = np.maximum(np.linalg.norm(normals, axis=1), np.finfo(np.float64).tiny)
    height = np.abs(np.einsum("nx,nx->n", normals, away[:, 0])) / lengths
    squares = np.maximum(np.einsum("nkx,nkx->nk", sides, sides), np.finfo(np.float64).tiny)
    along = np.clip(np.einsum("nkx,nkx->nk", away, sides) / squares, 0, 1)
    to_sides = np.linalg.norm(away - along[:, :, np.newaxis] * sides, axis=2).min(axis=1)
    return np.asarray(np.where(is_above, np.minimum(height, to_sides), to_sides))
