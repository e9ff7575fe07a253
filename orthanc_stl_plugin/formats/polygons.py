"""Polygons of more than three corners -> triangles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource

MOST_CORNERS: Final = 10_000
_NEGLIGIBLE: Final = 1e-6

Triangle = tuple[int, int, int]


def folded(
    vertices: NDArray[np.float64], polygons: Sequence[Sequence[int]]
) -> dict[int, list[Triangle]]:
    """The triangles of those polygons that a fan from their first corner would fold: concave ones.

    Args:
        vertices: (V, 3).
        polygons: the numbers of vertices of each, from 0; those that are not there are passed over.

    Returns:
        By the number of the polygon, the positions of its corners, each triangle wound as the
        polygon is. One that crosses itself has triangles too, as little folded as may be.

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
            found[int(there[which])] = _ears(_flat(points[which], normals[which]))
    return found


def _flat(points: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) the corners seen from where the normal points to: they run counter-clockwise."""
    normal = normal / np.linalg.norm(normal)
    across = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    across /= np.linalg.norm(across)
    centred = points - points.mean(axis=0)
    return np.asarray(centred @ np.column_stack([across, np.cross(normal, across)]))


def _ears(points: NDArray[np.float64]) -> list[Triangle]:
    """Cuts off one corner after the other whose triangle holds no other corner (ear clipping)."""
    if len(points) > MOST_CORNERS:
        raise UnusableSource(
            f"a concave polygon has {len(points)} corners, above the limit of {MOST_CORNERS}:"
            " export triangles"
        )
    left = np.arange(len(points))
    triangles: list[Triangle] = []
    while len(left) > 3:
        at = _ear(points[left])
        before, corner, after = left[[at - 1, at, (at + 1) % len(left)]].tolist()
        triangles.append((before, corner, after))
        left = np.delete(left, at)
    first, second, third = left.tolist()
    return [*triangles, (first, second, third)]


def _ear(points: NDArray[np.float64]) -> int:
    """The corner whose triangle is the least thin of those that may be cut off."""
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    areas = _turn(before, points, after)
    longest = np.max(
        [_square(points - before), _square(after - points), _square(after - before)], 0
    )
    fatness = areas / np.maximum(longest, np.finfo(np.float64).tiny)
    order = np.argsort(-fatness)
    notches = points[areas <= 0]
    for at in order[fatness[order] > _NEGLIGIBLE].tolist():
        corners = np.stack([before[at], points[at], after[at]])
        is_corner = (notches[:, np.newaxis] == corners).all(axis=2).any(axis=1)
        turns = [_turn(corners[k - 1], corners[k], notches[~is_corner]) for k in range(3)]
        if not (np.min(turns, axis=0) >= 0).any():
            return int(at)
    return int(order[0])


def _turn(
    start: NDArray[np.float64], middle: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Twice the area of each triangle, positive where it runs counter-clockwise."""
    one, other = middle - start, end - start
    return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0])


def _square(sides: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((sides**2).sum(axis=1))
