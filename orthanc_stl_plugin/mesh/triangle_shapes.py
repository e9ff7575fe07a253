"""What all triangles of one shape have in common, as lookup tables.

The triangle `number` of a cell with `code` has the shape `MAX_TRIANGLES * code + number`: it tells
on which edges of the cell the corners slide, and so everything but how far they have slid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.mesh.marching_cubes_tables import MAX_TRIANGLES, cell_tables


@dataclass(frozen=True, slots=True, eq=False)
class ShapeTables:
    """Triangles whose corners lie at the middles of edges, in voxels, by shape.

    Attributes:
        corners: (S, 3, 3) float64 corners from the cell's lowest node, counter-clockwise from
            outside in right-handed axes.
        area_vectors: (S, 3) float64 outward normals, as long as the areas.
        wanting: (8, S) float32 coefficients of 1, a, b, ab, c, ac, bc, abc in the volume that is
            enclosed too little near a triangle, compared with the voxels, when its corners have
            slid by a, b and c.
    """

    corners: NDArray[np.float64]
    area_vectors: NDArray[np.float64]
    wanting: NDArray[np.float32]


@cache
def shape_tables() -> ShapeTables:
    """The tables, computed once in a process."""
    tables = cell_tables()
    edges = tables.triangles.reshape(-1, 3)
    along = np.eye(3)[tables.edge_axis[edges]]
    corners = tables.edge_offset[edges] + along / 2
    wanting = np.zeros((8, len(edges)))
    for slid in range(8):
        slides = np.array([slid & 1, slid >> 1 & 1, slid >> 2])
        wanting[slid] = -_swept(corners, along * slides[:, np.newaxis])
    # Values where each slide is 0 or 1 become coefficients of the products of slides.
    for bit in (1, 2, 4):
        for slid in range(8):
            if slid & bit:
                wanting[slid] -= wanting[slid ^ bit]
    wanting[0] = np.repeat(tables.missing_volume, MAX_TRIANGLES)
    return ShapeTables(corners, _area_vectors(corners), wanting.astype(np.float32))


def _swept(corners: NDArray[np.float64], moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S,) volume that triangles sweep; it is linear in how far each corner slides on its edge.

    It is that of the mean displacement along the mean of the area vectors on the way, which are
    quadratic in time.
    """
    area = _area_vectors(corners) + _area_vectors(corners + moved) - _area_vectors(moved) / 3
    return np.asarray((moved.sum(axis=1) * area).sum(axis=1) / 6)


def _area_vectors(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    first, second, third = corners.transpose(1, 0, 2)
    return np.asarray(np.cross(second - first, third - first) / 2)
