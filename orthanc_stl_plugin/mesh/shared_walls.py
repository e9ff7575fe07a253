"""The walls that structures of a label map share: neighbours fit, without gap or overlap.

Two structures that touch have a vertex each on the same edge of the grid. Both move alike: those of
surfaces that are smoothed at once by the mean of what each wants, those of surfaces that follow to
where their neighbours' are. The rim of a wall is free: three surfaces meet there, and none could be
smooth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.mesh.marching_cubes import Crossings
from orthanc_stl_plugin.mesh.surface_operators import Floats
from orthanc_stl_plugin.mesh.vertex_bounds import SharedVertices
from orthanc_stl_plugin.model.geometry import Grid

PLACES: Final = 20
"""Bits for the index of a voxel along each axis."""


class SharedWalls:
    """The vertices of all surfaces of a label map so far, for those that follow.

    They start in the middle of the edges of one lattice, that of the first surface.
    """

    def __init__(self) -> None:
        self._lattice: Grid | None = None
        self._keys = np.empty(0, dtype=np.int64)
        self._moves: Floats = np.empty((3, 0), dtype=np.float32)

    def edges(self, surfaces: Sequence[tuple[Crossings, Grid]]) -> NDArray[np.int64] | None:
        """(V,) numbers of the edges of the lattice on which the vertices of the surfaces lie.

        None if a grid has other steps than the lattice.
        """
        lattice = self._lattice = self._lattice or surfaces[0][1]
        steps = lattice.affine[:, :3]
        if not all(np.array_equal(grid.affine[:, :3], steps) for _, grid in surfaces):
            return None
        return np.concatenate([_edges(surface, grid, lattice) for surface, grid in surfaces])

    def shared(
        self, edges: NDArray[np.int64], faces: NDArray[np.int32], start: Floats
    ) -> SharedVertices:
        """The vertices on these (V,) edges that others have too, here or before.

        Args:
            edges: see `edges`.
            faces: (F, 3) of the surfaces.
            start: (3, V) where marching cubes put the vertices.
        """
        found = self._found(edges)
        _, group, counts = np.unique(edges, return_inverse=True, return_counts=True)
        is_inner = (found >= 0) | (counts[group] > 1)
        is_rim = np.zeros(edges.size, dtype=np.bool_)
        is_rim[faces[~is_inner[faces].all(axis=1)]] = True
        is_inner &= (np.bincount(group, is_rim) == 0)[group]
        order = np.argsort(group, kind="stable")
        members = order[((counts[group] > 1) & is_inner)[order]]
        sizes = np.bincount(group[members])
        held = np.flatnonzero((found >= 0) & is_inner)
        places = start[:, held] + self._moves[:, found[held]]
        return SharedVertices(members, sizes[sizes > 0], held, places, ~is_inner)

    def keep(self, edges: NDArray[np.int64], start: Floats, points: Floats) -> None:
        """Remembers where the vertices on these edges have gone, for the surfaces that follow."""
        new, first = np.unique(edges, return_index=True)
        is_new = self._found(new) < 0
        new, first = new[is_new], first[is_new]
        places = np.searchsorted(self._keys, new)
        self._keys = np.insert(self._keys, places, new)
        moves = points[:, first] - start[:, first]
        self._moves = np.insert(self._moves, places, moves, axis=1)

    def _found(self, edges: NDArray[np.int64]) -> NDArray[np.intp]:
        """(V,) the index among all vertices so far, or -1."""
        if not self._keys.size:
            return np.full(edges.size, -1, dtype=np.intp)
        index = np.minimum(np.searchsorted(self._keys, edges), self._keys.size - 1)
        return np.where(self._keys[index] == edges, index, -1)


def _edges(surface: Crossings, grid: Grid, lattice: Grid) -> NDArray[np.int64]:
    corner = lattice.to_index(grid.affine[np.newaxis, :3, 3])[0]
    offset = np.rint(corner).astype(np.int64) + (1 << (PLACES - 1))
    number = surface.axis.astype(np.int64)
    for axis in range(3):
        number += (surface.lower[axis] + offset[axis]) << (2 + PLACES * axis)
    return number
