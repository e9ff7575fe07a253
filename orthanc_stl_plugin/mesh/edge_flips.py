"""Edge flips: the other diagonal of two triangles, for a smoother surface or more even triangles.

Marching cubes cuts its polygons into triangles without regard to their shape, so that edges stand
out as ridges although all vertices lie well. A flip moves no vertex: it replaces the edge between
two triangles by the one between their opposite corners (after Dyn, Levin and Rippa 1990, Data
Dependent Triangulations). Decimation leaves slivers: there a flip makes the smallest angle larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.mesh.surface_operators import Floats, area_vectors, cross, dots

type Indices = NDArray[np.int32 | np.intp]

ROUNDS: Final = 3
EDGES_AT_ONCE: Final = 1 << 16
"""So many, so that intermediate results stay small."""

LEAST_BEND_DEG: Final = 4.0
"""Edges between faces that differ by less are left alone."""

LEAST_GAIN: Final = 1e-3
"""What a flip must take off the sum of squared angles between faces, in square radians."""

SMALLEST_ANGLE_DEG: Final = 22.0
"""The smallest angle of a triangle that a flip may make."""

EVENING_ROUNDS: Final = 6
LEAST_WIDENING_DEG: Final = 0.5
"""What a flip for even triangles must add to the smallest angle of the two."""

MOST_TURN_DEG: Final = 40.0
"""The most by which making triangles even may turn a face."""

LEAST_VALENCE: Final = 4
"""The fewest edges of a vertex that may lose one."""


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """A closed surface of F faces whose edges are flipped in place.

    Half edge F k + f runs from corner k of face f to the next corner.

    Attributes:
        points: (3, V) float32, mm.
        tails: (3 F,) int32 the vertex at which each half edge begins.
        opposite: (3 F,) int32 the half edge that runs back along the same edge.
        normals: (3, F) float32 unit normals of the faces.
        valence: (V,) the number of edges at each vertex.
    """

    points: Floats
    tails: NDArray[np.int32]
    opposite: NDArray[np.int32]
    normals: Floats
    valence: NDArray[np.intp]

    @property
    def face_count(self) -> int:
        return len(self.tails) // 3

    def following(self, half_edges: Indices) -> Indices:
        """The next half edges of the same faces."""
        count = self.face_count
        return np.asarray(half_edges + count - 3 * count * (half_edges >= 2 * count))

    def preceding(self, half_edges: Indices) -> Indices:
        """The half edges before, in the same faces."""
        count = self.face_count
        return np.asarray(half_edges - count + 3 * count * (half_edges < count))

    def faces_of(self, half_edges: Indices) -> Indices:
        count = self.face_count
        beyond = (half_edges >= count).astype(np.int32)
        beyond += half_edges >= 2 * count
        return np.asarray(half_edges - count * beyond)

    def around(self, edges: Indices) -> tuple[Indices, ...]:
        """The faces at edges, given as half edges, and then those beside these two, in turn."""
        opposite = self.opposite.take(edges)
        sides = [
            step(one) for one in (edges, opposite) for step in (self.following, self.preceding)
        ]
        beside = (self.opposite.take(side) for side in sides)
        return tuple(self.faces_of(one) for one in (edges, opposite, *beside))

    def flip(self, edges: Indices) -> None:
        """Flips edges, given as half edges, of which no two touch the same faces.

        A half edge from `tail` to `head` then runs from the third vertex of its face, `here`, to
        that of the opposite face, `there`.
        """
        opposite = self.opposite[edges]
        to_here, to_tail = self.following(edges), self.preceding(edges)
        to_there, to_head = self.following(opposite), self.preceding(opposite)
        tail, head = self.tails[edges], self.tails[opposite]
        here, there = self.tails[to_tail], self.tails[to_head]
        beyond = [self.opposite[one] for one in (to_tail, to_there, to_head, to_here)]
        self.tails[edges], self.tails[to_here], self.tails[to_tail] = here, there, head
        self.tails[opposite], self.tails[to_there], self.tails[to_head] = there, here, tail
        for half_edge, other in zip((to_there, to_head, to_here, to_tail), beyond, strict=True):
            self.opposite[half_edge], self.opposite[other] = other, half_edge
        for vertices, change in ((tail, -1), (head, -1), (here, 1), (there, 1)):
            np.add.at(self.valence, vertices, change)
        changed = self.faces_of(np.concatenate([edges, opposite]))
        corners = self.tails.reshape(3, -1).take(changed, axis=1)
        self.normals[:, changed] = _unit(area_vectors(corners, self.points))


def flipped(corners: Indices, opposite: NDArray[np.int32], points_mm: Floats) -> NDArray[np.int32]:
    """(3, F) int32 corners of the faces of a closed surface after flips.

    Before they are (3, F) too, and `opposite` to them is as in `Crossings`; the points are (3, V)
    float32 mm.
    """
    tails = corners.astype(np.int32).ravel()
    normals, valence = _unit(area_vectors(corners, points_mm)), np.bincount(tails)
    surface = _Surface(points_mm, tails, opposite.flatten(), normals, valence)
    edges: Indices = np.flatnonzero(_is_bent(surface))
    for _ in range(ROUNDS):
        edges, gain = _gainful(surface, edges)
        is_best = _is_best(surface, edges, gain)
        best = edges[is_best]
        is_near = np.zeros(surface.face_count, dtype=np.bool_)
        for faces in surface.around(best):
            is_near[faces] = True
        surface.flip(best)
        again = np.tile(is_near, 3)
        again[edges] = True
        edges = np.flatnonzero(again)
        edges = edges[edges < surface.opposite[edges]]
    return tails.reshape(3, -1)


def evenly_flipped(corners: Indices, points_mm: Floats) -> NDArray[np.int32]:
    """(3, F) int32 corners of the faces of a closed surface after flips that widen angles.

    Each makes the smallest angle of two triangles larger and hardly turns them.
    """
    tails = corners.astype(np.int32).ravel()
    normals, valence = _unit(area_vectors(corners, points_mm)), np.bincount(tails)
    surface = _Surface(points_mm, tails, opposite_half_edges(corners), normals, valence)
    for _ in range(EVENING_ROUNDS):
        edges, gain = _widening(surface)
        best = edges[_is_best(surface, edges, gain)]
        if not best.size:
            break
        surface.flip(best)
    return tails.reshape(3, -1)


def opposite_half_edges(corners: Indices) -> NDArray[np.int32]:
    """(3 F,) int32 the half edge that runs back along the same edge of a closed surface."""
    tails, heads = corners.ravel().astype(np.int64), corners[[1, 2, 0]].ravel().astype(np.int64)
    count = int(tails.max()) + 1
    opposite = np.empty(tails.size, dtype=np.int32)
    opposite[np.argsort(tails * count + heads)] = np.argsort(heads * count + tails)
    return opposite


def _widening(surface: _Surface) -> tuple[Indices, Floats]:
    """The edges whose flip makes triangles more even and is allowed, and what each gains."""
    edges = np.flatnonzero(surface.opposite > np.arange(surface.opposite.size))
    opposite = surface.opposite.take(edges)
    tail, head = surface.tails.take(edges), surface.tails.take(opposite)
    here = surface.tails.take(surface.preceding(edges))
    there = surface.tails.take(surface.preceding(opposite))
    before = [
        _smallest_angles_deg(surface.points, *one)
        for one in ((tail, head, here), (head, tail, there))
    ]
    after = [
        _smallest_angles_deg(surface.points, *one)
        for one in ((here, there, head), (there, here, tail))
    ]
    gain = np.minimum(after[0][0], after[1][0]) - np.minimum(before[0][0], before[1][0])
    allowed = gain > LEAST_WIDENING_DEG
    allowed &= surface.valence.take(tail) >= LEAST_VALENCE
    allowed &= surface.valence.take(head) >= LEAST_VALENCE
    least = np.float32(np.cos(np.radians(MOST_TURN_DEG)))
    normals = [one[1] for one in (*before, *after)]
    for first, second in ((0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
        allowed &= dots(normals[first], normals[second]) > least
    rows = np.flatnonzero(allowed)
    rows = rows[~_is_edge(surface, edges[rows])]
    return edges[rows], gain[rows]


def _smallest_angles_deg(
    points: Floats, first: Indices, second: Indices, third: Indices
) -> tuple[Floats, Floats]:
    """(N,) float32 smallest angles of triangles, and their (3, N) unit normals."""
    one, two, three = (points.take(vertices, axis=1) for vertices in (first, second, third))
    sides = [two - three, three - one, one - two]
    squares = np.sort([dots(side, side) for side in sides], axis=0)
    normal = cross(sides[2], -sides[1])
    length = np.sqrt(dots(normal, normal))
    # The smallest angle lies between the two longer sides.
    longer = np.sqrt(np.maximum(squares[1] * squares[2], np.finfo(np.float32).tiny))
    angles = np.degrees(np.arcsin(np.minimum(length / longer, 1)))
    return angles, _unit(normal)


def _is_bent(surface: _Surface) -> NDArray[np.bool_]:
    """(3 F,) whether the faces at an edge differ in direction; of its half edges for one only."""
    least = np.float32(np.cos(np.radians(LEAST_BEND_DEG)))
    count = surface.face_count
    found = np.empty(3 * count, dtype=np.bool_)
    for first in range(0, 3 * count, count):
        opposite = surface.opposite[first : first + count]
        beyond = surface.normals.take(surface.faces_of(opposite), axis=1)
        is_bent = dots(surface.normals, beyond) < least
        is_bent &= opposite > np.arange(first, first + count, dtype=np.int32)
        found[first : first + count] = is_bent
    return found


def _gainful(surface: _Surface, edges: Indices) -> tuple[Indices, Floats]:
    """The edges whose flip makes the surface smoother and is allowed, and what each gains."""
    parts = [
        _gainful_part(surface, edges[start : start + EDGES_AT_ONCE])
        for start in range(0, edges.size, EDGES_AT_ONCE)
    ]
    if not parts:
        return edges, np.empty(0, dtype=np.float32)
    found, gain = zip(*parts, strict=True)
    return np.concatenate(found), np.concatenate(gain)


def _gainful_part(surface: _Surface, edges: Indices) -> tuple[Indices, Floats]:
    opposite = surface.opposite.take(edges)
    tail, head = surface.tails.take(edges), surface.tails.take(opposite)
    here = surface.tails.take(surface.preceding(edges))
    there = surface.tails.take(surface.preceding(opposite))
    allowed = surface.valence.take(tail) >= LEAST_VALENCE
    allowed &= surface.valence.take(head) >= LEAST_VALENCE
    new = _new_normals(surface.points, (tail, head, here, there), allowed)
    kept = np.flatnonzero(allowed)
    edges = edges.take(kept)
    gain = _gain(surface, edges, new[0].take(kept, axis=1), new[1].take(kept, axis=1))
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
    width = dots(across, across)
    found = []
    for along, third in ((head - here, head - there), (tail - there, tail - here)):
        normal = cross(across, along)
        square = dots(normal, normal)
        sides = [width, dots(along, along), dots(third, third)]
        longest = np.maximum(np.maximum(sides[0], sides[1]), sides[2])
        shortest = np.minimum(np.minimum(sides[0], sides[1]), sides[2])
        middle = sides[0] + sides[1] + sides[2] - longest - shortest
        # The smallest angle lies between the two longer sides.
        middle *= longest
        middle *= np.float32(np.sin(np.radians(SMALLEST_ANGLE_DEG)) ** 2)
        allowed &= square > middle
        normal /= np.sqrt(np.maximum(square, np.finfo(np.float32).tiny))
        found.append(normal)
    return found[0], -found[1]


def _gain(surface: _Surface, edges: Indices, here: Floats, there: Floats) -> Floats:
    """(N,) what the sum of squared angles at the five edges around loses, in square radians.

    `here` and `there` are the (3, N) normals of the two faces after the flip.
    """
    first, second, *beside = (surface.normals.take(one, axis=1) for one in surface.around(edges))
    gain = _bend(first, second)
    gain -= _bend(here, there)
    before, after = (first, first, second, second), (here, there, there, here)
    for old, new, other in zip(before, after, beside, strict=True):
        gain += _bend(old, other)
        gain -= _bend(new, other)
    return gain


def _is_edge(surface: _Surface, edges: Indices) -> NDArray[np.bool_]:
    """(N,) whether what an edge would be flipped to is an edge already."""
    found = np.zeros(edges.size, dtype=np.bool_)
    start = surface.preceding(edges)
    there = surface.tails[surface.preceding(surface.opposite[edges])]
    half_edge, rows = start, np.arange(edges.size)
    while rows.size:
        found[rows] |= surface.tails[surface.following(half_edge)] == there[rows]
        half_edge = surface.opposite[surface.preceding(half_edge)]
        unfinished = half_edge != start[rows]
        half_edge, rows = half_edge[unfinished], rows[unfinished]
    return found


def _is_best(surface: _Surface, edges: Indices, gain: Floats) -> NDArray[np.bool_]:
    """(N,) whether a flip is the best of all that touch the same faces or make the same edge."""
    rank = np.empty(edges.size, dtype=np.int32)
    rank[np.argsort(gain, kind="stable")] = np.arange(1, edges.size + 1, dtype=np.int32)
    around = surface.around(edges)
    best = np.zeros(surface.face_count, dtype=np.int32)
    for faces in around:
        np.maximum.at(best, faces, rank)
    rows = np.flatnonzero(np.all([best[faces] == rank for faces in around], axis=0))
    ends = [
        surface.tails[surface.preceding(one)]
        for one in (edges[rows], surface.opposite[edges[rows]])
    ]
    lower, higher = np.minimum(*ends).astype(np.int64), np.maximum(*ends)
    _, first = np.unique(lower << 32 | higher, return_index=True)
    is_best = np.zeros(edges.size, dtype=np.bool_)
    is_best[rows[first]] = True
    return is_best


def _unit(vectors: Floats) -> Floats:
    lengths = np.sqrt(dots(vectors, vectors))
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny))


def _bend(normals: Floats, others: Floats) -> Floats:
    """(N,) float32 squared angles between (3, N) unit normals, in square radians."""
    cosines = dots(normals, others)
    angles = np.arccos(np.clip(cosines, -1, 1, out=cosines), out=cosines)
    return np.multiply(angles, angles, out=angles)
