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

from orthanc_stl_plugin.mesh.surface_operators import Floats, area_vectors, cross, dots

type Indices = NDArray[np.integer]

ROUNDS: Final = 4
LEAST_BEND_DEG: Final = 3.0
"""Edges between faces that differ by less are left alone."""

LEAST_GAIN: Final = 1e-3
"""What a flip must take off the sum of squared angles between faces, in square radians."""

SMALLEST_ANGLE_DEG: Final = 22.0
"""The smallest angle of a triangle that a flip may make."""

LEAST_VALENCE: Final = 4
"""The fewest edges of a vertex that may lose one."""


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """A closed surface whose edges are flipped in place.

    Half edge 3 f + k runs from corner k of face f to the next corner.

    Attributes:
        points: (3, V) float32, mm.
        tails: (3 F,) int32 the vertex at which each half edge begins.
        partner: (3 F,) int32 the half edge that runs back along the same edge.
        normals: (3, F) float32 unit normals of the faces.
        valence: (V,) the number of edges at each vertex.
    """

    points: Floats
    tails: NDArray[np.int32]
    partner: NDArray[np.int32]
    normals: Floats
    valence: NDArray[np.intp]

    def cosines(self, edges: Indices) -> Floats:
        """(N,) float32 cosines of the angles between the two faces at each edge."""
        first, second = edges // 3, self.partner.take(edges) // 3
        return dots(self.normals.take(first, axis=1), self.normals.take(second, axis=1))

    def flip(self, edges: Indices) -> None:
        """Flips edges, given as half edges, of which no two touch the same faces.

        A half edge from `tail` to `head` then runs from the third vertex of its face, `here`, to
        that of its partner's, `there`.
        """
        partners = self.partner[edges]
        to_here, to_tail = _following(edges, 1), _following(edges, 2)
        to_there, to_head = _following(partners, 1), _following(partners, 2)
        tail, head = self.tails[edges], self.tails[partners]
        here, there = self.tails[to_tail], self.tails[to_head]
        beyond = [self.partner[one] for one in (to_tail, to_there, to_head, to_here)]
        self.tails[edges], self.tails[to_here], self.tails[to_tail] = here, there, head
        self.tails[partners], self.tails[to_there], self.tails[to_head] = there, here, tail
        for half_edge, other in zip((to_there, to_head, to_here, to_tail), beyond, strict=True):
            self.partner[half_edge], self.partner[other] = other, half_edge
        for vertices, change in ((tail, -1), (head, -1), (here, 1), (there, 1)):
            np.add.at(self.valence, vertices, change)
        changed = np.concatenate([edges, partners]) // 3
        corners = self.tails.reshape(-1, 3)[changed].T.astype(np.intp)
        self.normals[:, changed] = _unit(area_vectors(corners, self.points))


def flipped(faces: NDArray[np.int32], points_mm: Floats) -> NDArray[np.int32]:
    """(F, 3) int32 faces of a closed surface after flips; its points are (3, V) float32 mm."""
    tails, corners = faces.flatten(), np.ascontiguousarray(faces.T, dtype=np.intp)
    normals, valence = _unit(area_vectors(corners, points_mm)), np.bincount(tails)
    surface = _Surface(points_mm, tails, _partners(faces), normals, valence)
    numbers = np.arange(tails.size, dtype=np.int32)
    edges = numbers.compress(numbers < surface.partner)
    for _ in range(ROUNDS):
        edges, gain = _gainful(surface, edges)
        is_best = _is_best(surface, edges, gain)
        best = edges[is_best]
        around = np.unique(_around(surface, best))
        surface.flip(best)
        near = (3 * around + np.arange(3)[:, np.newaxis]).ravel()
        near = np.minimum(near, surface.partner[near])
        edges = np.unique(np.concatenate([edges[~is_best], near]))
    return tails.reshape(-1, 3)


def _partners(faces: NDArray[np.int32]) -> NDArray[np.int32]:
    """(3 F,) the partner of each half edge. Sparse arrays sort by counting, which is fastest."""
    count = int(faces.max()) + 1
    tails, heads = faces.ravel(), faces.take([1, 2, 0], axis=1).ravel()
    numbers = np.arange(faces.size, dtype=np.int32)
    by_head = sparse.coo_array((numbers, (tails, heads)), shape=(count, count)).tocsr().tocsc()
    partner = np.empty_like(numbers)
    partner[by_head.tocsr().data] = by_head.data
    return partner


def _gainful(surface: _Surface, edges: Indices) -> tuple[Indices, Floats]:
    """The edges whose flip makes the surface smoother and is allowed, and what each gains."""
    bent = surface.cosines(edges) < np.cos(np.radians(LEAST_BEND_DEG))
    edges = edges.compress(bent)
    partners = surface.partner.take(edges)
    tail, head = surface.tails.take(edges), surface.tails.take(partners)
    free = surface.valence.take(tail) >= LEAST_VALENCE
    free &= surface.valence.take(head) >= LEAST_VALENCE
    here = surface.tails.take(_following(edges, 2))
    there = surface.tails.take(_following(partners, 2))
    new = _new_normals(surface.points, (tail, head, here, there), free)
    kept = np.flatnonzero(free)
    edges, new = edges.take(kept), (new[0].take(kept, axis=1), new[1].take(kept, axis=1))
    gain = _gain(surface, edges, new)
    rows = np.flatnonzero(gain > LEAST_GAIN)
    rows = rows[~_is_edge(surface, edges[rows])]
    return edges[rows], gain[rows]


def _new_normals(
    points: Floats, vertices: tuple[Indices, ...], allowed: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """(3, N) float32 unit normals of the two faces after flips.

    Clears `allowed` where one would be a sliver.
    """
    tail, head, here, there = (points.take(one, axis=1) for one in vertices)
    across = there - here
    found = []
    for along, third in ((head - here, head - there), (tail - there, tail - here)):
        normal = cross(across, along)
        square = dots(normal, normal)
        sides = [dots(one, one) for one in (across, along, third)]
        longest = np.maximum(np.maximum(sides[0], sides[1]), sides[2])
        shortest = np.minimum(np.minimum(sides[0], sides[1]), sides[2])
        middle = sides[0] + sides[1] + sides[2] - longest - shortest
        # The smallest angle lies between the two longer sides.
        allowed &= square > np.sin(np.radians(SMALLEST_ANGLE_DEG)) ** 2 * longest * middle
        normal /= np.sqrt(np.maximum(square, np.finfo(np.float32).tiny))
        found.append(normal)
    return found[0], -found[1]


def _gain(surface: _Surface, edges: Indices, new: tuple[Floats, Floats]) -> Floats:
    """(N,) what the sum of squared angles at the five edges around loses, in square radians."""
    first, second, *beside = (
        surface.normals.take(face, axis=1) for face in _around(surface, edges)
    )
    head_here, here_tail, tail_there, there_head = beside
    gain = _bend(first, second)
    gain -= _bend(new[0], new[1])
    for old, following, other in (
        (first, new[0], head_here),
        (first, new[1], here_tail),
        (second, new[1], tail_there),
        (second, new[0], there_head),
    ):
        gain += _bend(old, other)
        gain -= _bend(following, other)
    return gain


def _is_edge(surface: _Surface, edges: Indices) -> NDArray[np.bool_]:
    """(N,) whether what an edge would be flipped to is an edge already."""
    found = np.zeros(edges.size, dtype=np.bool_)
    start = _following(edges, 2)
    there = surface.tails[_following(surface.partner[edges], 2)]
    half_edge, rows = start, np.arange(edges.size)
    while rows.size:
        found[rows] |= surface.tails[_following(half_edge, 1)] == there[rows]
        half_edge = surface.partner[_following(half_edge, 2)]
        unfinished = half_edge != start[rows]
        half_edge, rows = half_edge[unfinished], rows[unfinished]
    return found


def _is_best(surface: _Surface, edges: Indices, gain: Floats) -> NDArray[np.bool_]:
    """(N,) whether a flip is the best of all that touch the same faces or make the same edge."""
    rank = np.empty(edges.size, dtype=np.int64)
    rank[np.argsort(gain, kind="stable")] = np.arange(1, edges.size + 1)
    around = _around(surface, edges)
    best = np.zeros(surface.tails.size // 3, dtype=np.int64)
    for faces in around:
        np.maximum.at(best, faces, rank)
    rows = np.flatnonzero(np.all(best[around] == rank, axis=0))
    partners = surface.partner[edges[rows]]
    ends = [surface.tails[_following(one, 2)] for one in (edges[rows], partners)]
    lower, higher = np.minimum(*ends).astype(np.int64), np.maximum(*ends)
    _, first = np.unique(lower << 32 | higher, return_index=True)
    is_best = np.zeros(edges.size, dtype=np.bool_)
    is_best[rows[first]] = True
    return is_best


def _around(surface: _Surface, edges: Indices) -> NDArray[np.int32]:
    """(6, N) faces at edges, given as half edges, and then beside these two, in turn."""
    partners = surface.partner.take(edges)
    sides = [_following(one, steps) for one in (edges, partners) for steps in (1, 2)]
    return np.stack([edges, partners, *(surface.partner.take(side) for side in sides)]) // 3


def _following(half_edges: Indices, steps: int) -> Indices:
    """The half edges of the same faces, so many steps on."""
    place = half_edges % 3
    return np.asarray(half_edges + steps - 3 * (place + steps > 2))


def _unit(vectors: Floats) -> Floats:
    lengths = np.sqrt(dots(vectors, vectors))
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny))


def _bend(normals: Floats, others: Floats) -> Floats:
    """(N,) float32 squared angles between (3, N) unit normals, in square radians."""
    cosines = dots(normals, others)
    angles = np.arccos(np.clip(cosines, -1, 1, out=cosines), out=cosines)
    return np.multiply(angles, angles, out=angles)
