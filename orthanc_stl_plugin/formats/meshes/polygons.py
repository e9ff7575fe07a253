"""Polygons of more than three corners -> triangles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.meshes.ears import Triangle, triangles_of

MOST_CORNERS: Final = 10_000
_NEGLIGIBLE: Final = 1e-6


def folded(
    vertices: NDArray[np.float64], polygons: Sequence[Sequence[int]]
) -> dict[int, list[Triangle]]:
    """The triangles of concave polygons, which a fan from their first corner would fold.

    Args:
        vertices: (V, 3).
        polygons: the vertex indices of each, from 0; polygons with an invalid index are skipped.

    Returns:
        By the number of the polygon, the positions of its corners; each triangle is wound as its
        polygon. A polygon that crosses itself is triangulated with as little folding as possible.

    Raises:
        UnusableSource: such a polygon has more than `MOST_CORNERS`.
    """
    of_length: dict[int, list[int]] = defaultdict(list)
    for number, polygon in enumerate(polygons):
        if len(polygon) > 3:
            of_length[len(polygon)].append(number)
    found = {}
    for numbers in of_length.values():
        corners = np.array([polygons[number] for number in numbers])
        is_there = ((corners >= 0) & (corners < len(vertices))).all(axis=1)
        points = vertices[corners[is_there]]
        sides = points[:, 1:] - points[:, :1]
        areas = np.cross(sides[:, :-1], sides[:, 1:])
        normals = areas.sum(axis=1)
        facing = np.einsum("ijk,ik->ij", areas, normals)
        is_folded = facing.min(axis=1) < -_NEGLIGIBLE * (normals**2).sum(axis=1)
        there = np.array(numbers)[is_there]
        for which in np.flatnonzero(is_folded):
            found[int(there[which])] = _cut(_flat(points[which], normals[which]))
    return found


def _flat(points: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) corners as seen from the side of the normal, counter-clockwise."""
    normal = normal / np.linalg.norm(normal)
    across = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    across /= np.linalg.norm(across)
    centred = points - points.mean(axis=0)
    return np.asarray(centred @ np.column_stack([across, np.cross(normal, across)]))


def _cut(points: NDArray[np.float64]) -> list[Triangle]:
    if len(points) > MOST_CORNERS:
        raise UnusableSource(
            f"a concave polygon has {len(points)} corners, above the limit of {MOST_CORNERS}:"
            " export triangles"
        )
    return triangles_of(points)
