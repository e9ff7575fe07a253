"""Polygons of more than three corners -> triangles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.ears import Triangle, triangles_of

MOST_CORNERS: Final = 10_000
_NEGLIGIBLE: Final = 1e-6
_CANCELLED: Final = 1e-9
# The least part of the square of a polygon's extent that may not be turned round.
_VISIBLE: Final = 1e-3


def folded(
    vertices: NDArray[np.float64], polygons: Sequence[Sequence[int]]
) -> dict[int, list[Triangle]]:
    """The triangles of those polygons that a fan from their first corner would fold: concave ones.

    Args:
        vertices: (V, 3).
        polygons: the numbers of vertices of each, from 0; those that are not there are passed over.

    Returns:
        By the number of the polygon, the positions of its corners, each triangle wound as the
        polygon is.

    Raises:
        UnusableSource: such a polygon has more than `MOST_CORNERS`, or crosses itself so far that
            a visible part of it has no right side.
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
        total = np.linalg.norm(areas, axis=2).sum(axis=1)
        visible = _VISIBLE * (np.ptp(points, axis=1) ** 2).sum(axis=1)
        if ((total > visible) & (np.linalg.norm(normals, axis=1) < _CANCELLED * total)).any():
            raise _crosses_itself(corners.shape[1])  # its two sides are as large as each other
        facing = np.einsum("ijk,ik->ij", areas, normals)
        is_folded = facing.min(axis=1) < -_NEGLIGIBLE * (normals**2).sum(axis=1)
        there = np.array(numbers)[is_there]
        for which in np.flatnonzero(is_folded):
            found[int(there[which])] = _cut(
                _flat(points[which], normals[which]), float(visible[which])
            )
    return found


def _flat(points: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) the corners seen from where the normal points to: they run counter-clockwise."""
    normal = normal / np.linalg.norm(normal)
    across = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    across /= np.linalg.norm(across)
    centred = points - points.mean(axis=0)
    return np.asarray(centred @ np.column_stack([across, np.cross(normal, across)]))


def _cut(points: NDArray[np.float64], visible: float) -> list[Triangle]:
    if len(points) > MOST_CORNERS:
        raise UnusableSource(
            f"a concave polygon has {len(points)} corners, above the limit of {MOST_CORNERS}:"
            " export triangles"
        )
    triangles = triangles_of(points)
    corners = points[np.array(triangles)]
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]
    if -areas[areas < 0].sum() > visible:
        raise _crosses_itself(len(points))
    return triangles


def _crosses_itself(corners: int) -> UnusableSource:
    return UnusableSource(f"a polygon of {corners} corners crosses itself: export triangles")
