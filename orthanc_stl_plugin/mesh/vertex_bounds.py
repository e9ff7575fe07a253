"""The bounds within which smoothing may move each vertex, and the repair of folded faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from orthanc_stl_plugin.mesh.marching_cubes import Crossings
from orthanc_stl_plugin.mesh.surface_operators import Floats, SurfaceOperators

MARGIN: Final = 0.03
"""The closest that a vertex may come to a voxel centre, as a fraction of its edge."""

PLACES: Final = 1024
"""Points in the same place of so many along the edge of a voxel coincide."""

HALVINGS: Final = 3
FLATTEST: Final = 1e-3
"""Area of a face, in voxel faces, below which rounding to float32 may close it."""


@dataclass(frozen=True, slots=True, eq=False)
class VertexBounds:
    """A box around each of V vertices, in voxel indices: less than half a voxel to each side.

    Along its own edge of the grid a vertex stays between the two voxel centres.

    Attributes:
        start: (V, 3) float32 where marching cubes put the vertices.
        lowest: (V, 3) float32 lower bounds.
        highest: (V, 3) float32 upper bounds.
    """

    start: Floats
    lowest: Floats
    highest: Floats

    def confined(self, points: Floats) -> Floats:
        """The same array, with each point moved into its box."""
        np.maximum(points, self.lowest, out=points)
        return np.minimum(points, self.highest, out=points)


def vertex_bounds(surface: Crossings, positions: Floats) -> VertexBounds:
    """The bounds of the vertices of a surface, which lie at these (V,) fractions of their edges."""
    rows = np.arange(positions.size)
    edge = surface.lower.astype(np.float32)
    start = edge.copy()
    start[rows, surface.axis] += positions
    half = np.float32(0.5 - MARGIN)
    lowest, highest = start - half, start + half
    beside = edge[rows, surface.axis]
    for bound, limit, choose in (
        (lowest, beside + np.float32(MARGIN), np.maximum),
        (highest, beside + np.float32(1 - MARGIN), np.minimum),
    ):
        bound[rows, surface.axis] = choose(bound[rows, surface.axis], limit)
    return VertexBounds(start, lowest, highest)


def untangled(operators: SurfaceOperators, points: Floats, bounds: VertexBounds) -> Floats:
    """(V, 3) float32 points, moved back towards their start where faces folded or vanished."""
    before = operators.area_vectors(bounds.start) @ operators.inverse_metric_per_mm2
    moved = points - bounds.start
    share = np.ones(len(points), dtype=np.float32)
    for attempt in range(HALVINGS + 2):
        now = operators.area_vectors(points)
        is_turned = np.einsum("fi,fi->f", now, before) <= 0
        is_flat = np.einsum("fi,fi->f", now, now) < FLATTEST**2
        bad = np.flatnonzero(is_turned | is_flat)
        if not bad.size:
            break
        share[np.unique(operators.corners[:, bad])] *= np.float32(attempt < HALVINGS) / 2
        points = bounds.start + moved * share[:, np.newaxis]
    return points


def parted(points: Floats, bounds: VertexBounds) -> Floats:
    """(V, 3) float32 points of which no two coincide, moved back towards their start if they did.

    The vertices of an STL are known by their coordinates alone: parts that lay beside each other
    would share an edge.
    """
    moved = points - bounds.start
    for attempt in range(HALVINGS + 1):
        place = np.rint(points * np.float32(PLACES)).astype(np.int64)
        key = (place[:, 0] << 42) + (place[:, 1] << 21) + place[:, 2]
        order = np.argsort(key, kind="stable")
        again = order[1:][np.diff(key[order]) == 0]
        if not again.size:
            break
        points = points.copy()
        left = np.float32(0.5 ** (attempt + 1) if attempt < HALVINGS else 0)
        points[again] = bounds.start[again] + moved[again] * left
    return points
