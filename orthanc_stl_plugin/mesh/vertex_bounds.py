"""The bounds within which smoothing may move each vertex, and the repair of folded faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.mesh.marching_cubes import Crossings
from orthanc_stl_plugin.mesh.surface_operators import Floats, SurfaceOperators, dots, transformed

MARGIN: Final = 0.03
"""The closest that a vertex may come to a voxel centre, as a fraction of its edge."""

PLACES: Final = 1024
"""Points in the same place of so many along the edge of a voxel coincide."""

HALVINGS: Final = 3
FLATTEST: Final = 1e-3
"""Area of a face, in voxel faces, below which rounding to float32 may close it."""


@dataclass(frozen=True, slots=True, eq=False)
class SharedVertices:
    """The vertices that several structures have in common.

    Attributes:
        members: (M,) vertices in groups of those that start in the same place.
        counts: (G,) how many each group has.
        held: (H,) vertices whose place another surface has decided.
        places: (3, H) float32 these places.
        is_free: (V,) bool whether a vertex belongs to one structure only.
    """

    members: NDArray[np.intp]
    counts: NDArray[np.intp]
    held: NDArray[np.intp]
    places: Floats
    is_free: NDArray[np.bool_]

    def together(self, points: Floats, start: Floats) -> Floats:
        """The same (3, V) points: held ones in their places, each group moved by its mean."""
        if self.members.size:
            moves = points[:, self.members] - start[:, self.members]
            firsts = np.cumsum(self.counts) - self.counts
            means = np.add.reduceat(moves, firsts, axis=1) / self.counts.astype(np.float32)
            points[:, self.members] = start[:, self.members] + np.repeat(means, self.counts, axis=1)
        points[:, self.held] = self.places
        return points


@dataclass(frozen=True, slots=True, eq=False)
class VertexBounds:
    """A box around each of V vertices, in voxel indices: less than half a voxel to each side.

    Along its own edge of the grid a vertex stays between the two voxel centres.

    Attributes:
        start: (3, V) float32 where marching cubes put the vertices.
        lowest: (3, V) float32 lower bounds.
        highest: (3, V) float32 upper bounds.
        shared: which vertices move together; None if each moves alone.
    """

    start: Floats
    lowest: Floats
    highest: Floats
    shared: SharedVertices | None = None

    def confined(self, points: Floats) -> Floats:
        """The same array, with each point moved into its box, and shared ones together."""
        np.maximum(points, self.lowest, out=points)
        np.minimum(points, self.highest, out=points)
        return points if self.shared is None else self.shared.together(points, self.start)


def vertex_bounds(surface: Crossings, positions: Floats) -> VertexBounds:
    """The bounds of the vertices of a surface, which lie at these (V,) fractions of their edges."""
    start = surface.lower.astype(np.float32)
    lowest, highest = start.copy(), start.copy()
    half = np.float32(0.5 - MARGIN)
    least = np.maximum(positions - half, np.float32(MARGIN))
    most = np.minimum(positions + half, np.float32(1 - MARGIN))
    for axis in range(3):
        is_own = surface.axis == axis
        start[axis] += np.where(is_own, positions, np.float32(0))
        lowest[axis] += np.where(is_own, least, -half)
        highest[axis] += np.where(is_own, most, half)
    return VertexBounds(start, lowest, highest)


def untangled(
    operators: SurfaceOperators, points: Floats, start: Floats, start_areas: Floats
) -> Floats:
    """(3, V) float32 points, moved back towards their start where faces folded or vanished.

    `start_areas` are the (3, F) area vectors of the faces at the start.
    """
    before = transformed(operators.inverse_metric_per_mm2, start_areas)
    moved = points - start
    share = np.ones(points.shape[1], dtype=np.float32)
    for attempt in range(HALVINGS + 2):
        now = operators.area_vectors(points)
        bad = np.flatnonzero((dots(now, before) <= 0) | (dots(now, now) < FLATTEST**2))
        if not bad.size:
            break
        share[np.unique(operators.corners[:, bad])] *= np.float32(attempt < HALVINGS) / 2
        points = start + moved * share
    return points


def parted(points: Floats, start: Floats) -> Floats:
    """(3, V) float32 points of which no two coincide, moved back towards their start if they did.

    The vertices of an STL are known by their coordinates alone: parts that lay beside each other
    would share an edge.
    """
    moved = points - start
    for attempt in range(HALVINGS + 1):
        again = _repeated(points)
        if not again.size:
            break
        points = points.copy()
        left = np.float32(0.5 ** (attempt + 1) if attempt < HALVINGS else 0)
        points[:, again] = start[:, again] + moved[:, again] * left
    return points


def _repeated(points: Floats) -> NDArray[np.intp]:
    """The points in the same place as one before."""
    first, second, third = np.rint(points * np.float32(PLACES)).astype(np.int64)
    key = (first << 42) + (second << 21) + third
    ordered = np.sort(key)  # far faster than argsort
    if (ordered[1:] != ordered[:-1]).all():
        return np.empty(0, dtype=np.intp)
    order = np.argsort(key, kind="stable")
    return np.asarray(order[1:][np.diff(key[order]) == 0])
