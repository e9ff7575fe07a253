"""Separating edges that more than two faces share.

Decimation may collapse a part of the surface, so that two sheets meet in an edge with four faces.
Each pair of faces with the inside between them gets its own copy of the edge, moved slightly into
its own part. A pair that is connected to the other at both ends of the edge is bent away from it by
a vertex in the middle.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

NUDGE: Final = 1e-3
"""The displacement of a copy, as a fraction of the way to the middle of its faces."""


def without_pinches(
    points: NDArray[np.float64], faces: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Points (V, 3) and faces (F, 3) of the same surface, with one face in each direction per edge.

    The surface must be closed: each edge with as many faces in one direction as in the other. Faces
    that lie back to back on the same three vertices enclose nothing and are removed.
    """
    faces = _without_hollow_pairs(faces)
    start = faces.ravel().astype(np.int64)
    end = faces[:, [1, 2, 0]].ravel().astype(np.int64)
    count = int(start.max(initial=0)) + 1
    forward, backward = start * count + end, end * count + start
    order, reverse = np.argsort(forward, kind="stable"), np.argsort(backward, kind="stable")
    keys = forward[order]
    if not np.array_equal(keys, backward[reverse]):
        return points, faces
    partner = np.empty(order.size, dtype=np.int64)
    partner[order] = reverse
    is_repeated = keys[1:] == keys[:-1]
    pinched = np.unique(keys[1:][is_repeated])
    if not pinched.size:
        return points, faces
    for key in pinched[pinched // count < pinched % count]:
        _pair_around(points, faces, partner, _run(order, keys, key), _run(reverse, keys, key))
    points, faces = _split(points, faces, partner)
    return _bent_apart(points, faces, partner)


def _run(order: NDArray[np.int64], keys: NDArray[np.int64], key: np.int64) -> NDArray[np.int64]:
    first, stop = np.searchsorted(keys, key), np.searchsorted(keys, key, side="right")
    return order[first:stop]


def _without_hollow_pairs(faces: NDArray[np.int32]) -> NDArray[np.int32]:
    """The faces without pairs on the same vertices with opposite windings."""
    ordered = np.sort(faces, axis=1)
    _, group, size = np.unique(ordered, axis=0, return_inverse=True, return_counts=True)
    if size.max(initial=1) == 1:
        return faces
    lowest = faces.argmin(axis=1)
    rows = np.arange(len(faces))
    following, last = faces[rows, (lowest + 1) % 3], faces[rows, (lowest + 2) % 3]
    sign = np.where(following < last, 1, -1)
    group = group.ravel()
    surplus = np.bincount(group, sign, len(size)).astype(np.int64)
    kept = np.zeros(len(faces), dtype=np.bool_)
    for face in range(len(faces)):
        if surplus[group[face]] * sign[face] > 0:
            kept[face] = True
            surplus[group[face]] -= sign[face]
    return faces[kept]


def _pair_around(
    points: NDArray[np.float64],
    faces: NDArray[np.int32],
    partner: NDArray[np.int64],
    leading: NDArray[np.int64],
    trailing: NDArray[np.int64],
) -> None:
    """Sets the `partner` of half-edges along an edge: the one across the inside of the surface.

    Half-edge 3f + k runs from corner k of face f to the next. Seen from outside along its
    half-edge, a face has its inside to the right. So, turning clockwise around the edge from a
    leading face, the inside comes first, and then the trailing face that closes it.
    """
    start, end = (int(faces.ravel()[_next(leading[:1], k)[0]]) for k in (0, 1))
    along = points[end] - points[start]
    apex = points[faces.ravel()[_next(leading[:1], 2)[0]]] - points[start]
    across = np.cross(along, apex)
    across /= max(float(np.linalg.norm(across)), 1e-30)
    upward = np.cross(across, along)
    upward /= max(float(np.linalg.norm(upward)), 1e-30)

    def angles(half_edges: NDArray[np.int64]) -> NDArray[np.float64]:
        away = points[faces.ravel()[_next(half_edges, 2)]] - points[start]
        return np.asarray(np.arctan2(away @ across, away @ upward))

    free = list(zip(angles(trailing), trailing, strict=True))
    for angle, half_edge in zip(angles(leading), leading, strict=True):
        turns = [(angle - other) % (2 * np.pi) for other, _ in free]
        _, found = free.pop(int(np.argmin(turns)))
        partner[half_edge], partner[found] = found, half_edge


def _next(half_edges: NDArray[np.int64], steps: int) -> NDArray[np.int64]:
    """The half-edges that many steps further in the same faces."""
    return half_edges // 3 * 3 + (half_edges + steps) % 3


def _split(
    points: NDArray[np.float64], faces: NDArray[np.int32], partner: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """One vertex for each fan of faces connected through partners."""
    corners = np.arange(partner.size)
    links = (np.ones(partner.size, dtype=np.uint8), (corners, _next(partner, 1)))
    graph = sparse.coo_array(links, shape=(partner.size, partner.size))
    fans, fan = csgraph.connected_components(graph, directed=False)
    vertex = np.empty(fans, dtype=np.int64)
    vertex[fan] = faces.ravel()
    copies = np.bincount(vertex, minlength=len(points))[vertex]
    middles = points[faces].mean(axis=1)
    size = np.bincount(fan)
    target = np.stack(
        [np.bincount(fan, np.repeat(middles[:, axis], 3)) / size for axis in range(3)], axis=1
    )
    moved = points[vertex]
    moved[copies > 1] += NUDGE * (target - moved)[copies > 1]
    return moved, fan.reshape(-1, 3).astype(np.int32)


def _bent_apart(
    points: NDArray[np.float64], faces: NDArray[np.int32], partner: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    start, end = faces.ravel().astype(np.int64), faces[:, [1, 2, 0]].ravel().astype(np.int64)
    rising = np.flatnonzero(start < end)
    keys = start[rising] * len(points) + end[rising]
    _, first = np.unique(keys, return_index=True)
    again = np.delete(rising, first)
    added: list[NDArray[np.float64]] = []
    more: list[list[int]] = []
    faces, touched = faces.copy(), set[int]()
    for half_edge in again:
        pair = np.array([half_edge, partner[half_edge]])
        if touched & set(pair // 3):
            continue
        touched |= set(pair // 3)
        middle = (points[start[half_edge]] + points[end[half_edge]]) / 2
        apexes = points[start[_next(pair, 2)]]
        added.append(middle + NUDGE * (apexes.mean(axis=0) - middle))
        vertex = len(points) + len(added) - 1
        for side in pair:
            more.append([vertex, int(end[side]), int(start[_next(side, 2)])])
            faces[side // 3, (side + 1) % 3] = vertex
    if not added:
        return points, faces
    return np.vstack([points, *added]), np.vstack([faces, np.array(more, dtype=np.int32)])
