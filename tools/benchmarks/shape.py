"""How well a surface is shaped, and how true it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.model.mesh import Mesh


@dataclass(frozen=True, slots=True)
class Shape:
    """What was measured.

    Attributes:
        triangles: their number.
        volume_error_percent: of the volume of the voxels.
        angle_deg: 5th percentile of the smallest angles of the triangles.
        roughness_deg: 95th percentile of the angles between neighbouring faces.
    """

    triangles: int
    volume_error_percent: float
    angle_deg: float
    roughness_deg: float


def shape(mesh: Mesh, volume_mm3: float) -> Shape:
    """The figures of a mesh of voxels with this volume; it need not be closed."""
    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    sides = [corners[:, (k + 1) % 3] - corners[:, k] for k in range(3)]
    normals = np.cross(sides[0], sides[1])
    areas = np.linalg.norm(normals, axis=1)
    lengths = np.sort([np.linalg.norm(side, axis=1) for side in sides], axis=0)
    # The smallest angle lies between the two longer sides.
    sines = areas / np.maximum(lengths[1] * lengths[2], np.finfo(np.float64).tiny)
    angles = np.degrees(np.arcsin(np.minimum(sines, 1)))
    bends = _bends_deg(mesh.faces, normals / np.maximum(areas, 1e-300)[:, np.newaxis])
    return Shape(
        len(mesh.faces),
        100 * (abs(report(mesh).volume_mm3) / volume_mm3 - 1),
        float(np.percentile(angles, 5)),
        float(np.percentile(bends, 95)),
    )


def _bends_deg(faces: NDArray[np.int32], normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles between the normals of faces with a common edge, of edges with two faces."""
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    keys = ends[:, 0].astype(np.int64) << 32 | ends[:, 1]
    order = np.argsort(keys, kind="stable")
    first = np.flatnonzero(np.diff(keys[order]) == 0)
    one, other = (order[place] % len(faces) for place in (first, first + 1))
    cosines = np.einsum("ni,ni->n", normals[one], normals[other])
    return np.asarray(np.degrees(np.arccos(np.clip(cosines, -1, 1))))
