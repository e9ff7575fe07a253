"""Edge flips: the other diagonal of two triangles where that makes a closed surface smoother.

Marching cubes cuts its polygons into triangles without regard to their shape, so that edges stand
out as ridges although all vertices lie well. A flip moves no vertex: it replaces the edge between
two triangles by the one between their opposite corners (after Dyn, Levin and Rippa 1990, Data
Dependent Triangulations).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from orthanc_stl_plugin.mesh.surface_operators import Floats

type Indices = NDArray[np.integer]

ROUNDS: Final = 3
LEAST_BEND_DEG: Final = 3.0
"""Edges between faces that differ by less are left alone."""

LEAST_GAIN: Final = 1e-3
"""What a flip must take off the sum of squared angles between faces, in square radians."""

SMALLEST_ANGLE_DEG: Final = 22.0
"""The smallest angle of a triangle that a flip may make."""

LEAST_VALENCE: Final = 4
"""The fewest edges of a vertex that may lose one."""


@dataclass(frozen=True, slots=True, eq=False)
class _Flips:
    """N edges that run from `tail` to `head` in the face `first`, and back in the face `second`.

    Attributes:
        first, second: (N,) numbers of the two faces.
        tail, head: (N,) vertices of the edge.
        apexes: the third vertex of `first`, (N,), and of `second`.
        beside: the faces beyond head-apex and apex-tail of `first`, then beyond tail-apex and
            apex-head of `second`, (N,) each.
    """

    first: Indices
    second: Indices
    tail: Indices
    head: Indices
    apexes: tuple[Indices, Indices]
    beside: tuple[Indices, Indices, Indices, Indices]

    @property
    def new_faces(self) -> tuple[tuple[Indices, Indices, Indices], ...]:
        """The corners of the two faces after the flip."""
        here, there = self.apexes
        return (here, there, self.head), (there, here, self.tail)


def flipped(faces: NDArray[np.int32], points_mm: Floats) -> NDArray[np.int32]:
    """(F, 3) int32 faces of a closed surface after flips; its points are (V, 3) float32 mm."""
    for _ in range(ROUNDS):
        flips = _chosen(faces, points_mm)
        faces = faces.copy()
        for replaced, corners in zip((flips.first, flips.second), flips.new_faces, strict=True):
            faces[replaced] = np.stack(corners, axis=1)
    return faces


def _chosen(faces: NDArray[np.int32], points_mm: Floats) -> _Flips:
    """Flips that do not touch each other, each the best of its neighbourhood."""
    partner, keys = _half_edges(faces)
    normals = _normals(points_mm, (faces[:, 0], faces[:, 1], faces[:, 2]))
    flips = _flips(faces, partner, _bent(partner, normals))
    gain = _gain(flips, normals, points_mm)
    gain[~_is_allowed(flips, faces, keys, points_mm)] = 0
    rows = np.flatnonzero(gain > LEAST_GAIN)
    rank = np.zeros(gain.size, dtype=np.int64)
    rank[rows[np.argsort(gain[rows], kind="stable")]] = np.arange(1, rows.size + 1)
    around = flips.first, flips.second, *flips.beside
    best = np.zeros(len(faces), dtype=np.int64)
    for touched in around:
        np.maximum.at(best, touched, rank)
    is_best = np.all([best[touched] == rank for touched in around], axis=0)
    return _first_of_each_edge(_taken(flips, np.flatnonzero(is_best & (rank > 0))))


def _half_edges(faces: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(3 F,) the opposite of each half edge, and the sorted keys of all.

    Half edge 3 f + k runs from corner k of face f to the next corner. Its key is its first vertex
    times V plus its last. Sparse arrays sort them by counting, which is fastest.
    """
    count = int(faces.max()) + 1
    tails, heads = faces.ravel(), faces.take([1, 2, 0], axis=1).ravel()
    numbers = np.arange(faces.size, dtype=np.int32)
    by_head = sparse.coo_array((numbers, (tails, heads)), shape=(count, count)).tocsr().tocsc()
    by_tail = by_head.tocsr()
    partner = np.empty_like(numbers)
    partner[by_tail.data] = by_head.data
    keys = tails[by_tail.data].astype(np.int64) * count + heads[by_tail.data]
    return partner, keys


def _bent(partner: NDArray[np.int32], normals: Floats) -> NDArray[np.int32]:
    """(N,) half edges, one of each pair, between faces that differ in direction."""
    numbers = np.arange(partner.size, dtype=np.int32)
    edges = numbers[numbers < partner]
    cosines = _dots(normals[edges // 3], normals[partner[edges] // 3])
    return np.asarray(edges[cosines < np.cos(np.radians(LEAST_BEND_DEG))])


def _flips(faces: NDArray[np.int32], partner: NDArray[np.int32], edges: Indices) -> _Flips:
    corners, other = faces.ravel(), partner[edges]
    return _Flips(
        edges // 3,
        other // 3,
        corners[edges],
        corners[other],
        (corners[_following(edges, 2)], corners[_following(other, 2)]),
        (
            partner[_following(edges, 1)] // 3,
            partner[_following(edges, 2)] // 3,
            partner[_following(other, 1)] // 3,
            partner[_following(other, 2)] // 3,
        ),
    )


def _taken(flips: _Flips, rows: NDArray[np.intp]) -> _Flips:
    here, there = flips.apexes
    one, two, three, four = flips.beside
    return _Flips(
        flips.first[rows],
        flips.second[rows],
        flips.tail[rows],
        flips.head[rows],
        (here[rows], there[rows]),
        (one[rows], two[rows], three[rows], four[rows]),
    )


def _gain(flips: _Flips, normals: Floats, points_mm: Floats) -> Floats:
    """(N,) what the sum of squared angles at the five edges around loses, in square radians."""
    head_here, here_tail, tail_there, there_head = (normals[face] for face in flips.beside)
    old = normals[flips.first], normals[flips.second]
    new = [_normals(points_mm, corners) for corners in flips.new_faces]
    before = (
        _bend(old[0], old[1])
        + _bend(old[0], head_here)
        + _bend(old[0], here_tail)
        + _bend(old[1], tail_there)
        + _bend(old[1], there_head)
    )
    after = (
        _bend(new[0], new[1])
        + _bend(new[0], head_here)
        + _bend(new[0], there_head)
        + _bend(new[1], here_tail)
        + _bend(new[1], tail_there)
    )
    return np.asarray(before - after)


def _is_allowed(
    flips: _Flips, faces: NDArray[np.int32], keys: NDArray[np.int64], points_mm: Floats
) -> NDArray[np.bool_]:
    """(N,) whether a flip makes no sliver, no edge that exists already, no vertex of two edges."""
    valence = np.bincount(faces.ravel())
    count = valence.size
    allowed = (valence[flips.tail] >= LEAST_VALENCE) & (valence[flips.head] >= LEAST_VALENCE)
    here, there = flips.apexes
    new_key = here.astype(np.int64) * count + there
    place = np.minimum(np.searchsorted(keys, new_key), keys.size - 1)
    allowed &= keys[place] != new_key
    for corners in flips.new_faces:
        allowed &= _largest_cosine(points_mm, corners) < np.cos(np.radians(SMALLEST_ANGLE_DEG))
    return np.asarray(allowed)


def _first_of_each_edge(flips: _Flips) -> _Flips:
    """Without flips that would make the same edge as another."""
    ends = np.sort(np.stack(flips.apexes, axis=1), axis=1).astype(np.int64)
    _, rows = np.unique(ends[:, 0] << 32 | ends[:, 1], return_index=True)
    return _taken(flips, np.sort(rows))


def _following(half_edges: Indices, steps: int) -> Indices:
    """The half edges of the same faces, so many steps on."""
    return np.asarray(half_edges - half_edges % 3 + (half_edges + steps) % 3)


def _normals(points_mm: Floats, corners: tuple[Indices, Indices, Indices]) -> Floats:
    """(N, 3) float32 unit normals of the faces with these corners."""
    first, second, third = (points_mm.take(corner, axis=0) for corner in corners)
    (ax, ay, az), (bx, by, bz) = (second - first).T, (third - first).T
    found = np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=1)
    lengths = np.sqrt(_dots(found, found))
    found /= np.maximum(lengths, np.finfo(np.float32).tiny)[:, np.newaxis]
    return np.asarray(found)


def _largest_cosine(points_mm: Floats, corners: tuple[Indices, Indices, Indices]) -> Floats:
    """(N,) the cosine of the smallest angle of the triangles with these corners."""
    first, second, third = (points_mm.take(corner, axis=0) for corner in corners)
    sides = [third - second, first - third, second - first]
    lengths = [np.maximum(np.sqrt(_dots(side, side)), np.finfo(np.float32).tiny) for side in sides]
    cosines = [
        -_dots(sides[at], sides[at - 1]) / (lengths[at] * lengths[at - 1]) for at in range(3)
    ]
    return np.asarray(np.max(cosines, axis=0))


def _bend(normals: Floats, others: Floats) -> Floats:
    """(N,) the squared angle between unit normals, in square radians."""
    return np.asarray(np.arccos(np.clip(_dots(normals, others), -1, 1)) ** 2)


def _dots(first: Floats, second: Floats) -> Floats:
    return np.asarray(np.einsum("ni,ni->n", first, second))
