"""Polygons of more than three corners -> triangles, by ear clipping."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import mapbox_earcut
import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource

type Triangle = tuple[int, int, int]

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
        polygon. A polygon that crosses itself has triangles too, which may overlap.

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
        raise UnusableSource("PolygonTooManyCorners", corners=len(points), limit=MOST_CORNERS)
    found = mapbox_earcut.triangulate_float64(points, np.array([len(points)], dtype=np.uint32))
    triangles: list[Triangle] = [(a, b, c) for a, b, c in found.reshape(-1, 3).tolist()]
    if len(triangles) != len(points) - 2:
        triangles = _with_every_corner(triangles, len(points))
    if not _is_bounded_by_polygon(triangles, len(points)):  # it crosses itself
        return [(0, corner, corner + 1) for corner in range(1, len(points) - 1)]
    return triangles


def _with_every_corner(triangles: list[Triangle], count: int) -> list[Triangle]:
    """With the corners that earcut leaves out: they lie on the straight side of a triangle."""
    is_used = np.zeros(count, dtype=np.bool_)
    is_used[np.array(triangles, dtype=np.intp).ravel()] = True
    following = dict(itertools.pairwise([*np.flatnonzero(is_used).tolist()] * 2))
    complete: list[Triangle] = []
    waiting = list(triangles)
    while waiting:
        first, second, third = waiting.pop()
        for start, stop, apex in (
            (first, second, third), (second, third, first), (third, first, second)
        ):  # fmt: skip
            if following.get(start) == stop and (start + 1) % count != stop:
                del following[start]
                chain = [start, *((start + 1 + n) % count for n in range((stop - start) % count))]
                waiting += [(one, other, apex) for one, other in itertools.pairwise(chain)]
                break
        else:
            complete.append((first, second, third))
    return complete


def _is_bounded_by_polygon(triangles: list[Triangle], count: int) -> bool:
    """Whether the sides of the triangles cancel out, but for those of the polygon."""
    corners = np.array(triangles, dtype=np.int64).reshape(-1, 3)
    starts, stops = corners.ravel(), np.roll(corners, -1, axis=1).ravel()
    low, high = np.minimum(starts, stops), np.maximum(starts, stops)
    sides, side_of = np.unique(low * count + high, return_inverse=True)
    balance = np.bincount(side_of, np.where(starts < stops, 1, -1), len(sides))
    ring = np.arange(count)
    bound = np.append(ring[:-1] * count + ring[1:], count - 1)  # the last one runs back to 0
    way = np.append(np.ones(count - 1), -1)
    is_open = balance != 0
    order = np.argsort(bound)
    return np.array_equal(sides[is_open], bound[order]) and np.array_equal(
        balance[is_open], way[order]
    )
