"""Decimation: meshes with fewer triangles that stay closed."""

from __future__ import annotations

from typing import Final

import fast_simplification  # type: ignore[import-untyped]  # it has annotations, but no py.typed
import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.mesh.measure import is_watertight
from orthanc_stl_plugin.mesh.nonmanifold_edges import without_pinches
from orthanc_stl_plugin.model.mesh import Mesh

AIMS: Final = (1.0, 0.97, 0.94, 0.9, 0.85, 0.8, 0.75, 0.65)
"""Fractions of the target number of triangles, tried in turn until the mesh is closed."""


def simplify(mesh: Mesh, triangles: int) -> Mesh:
    """The mesh with at most this number of triangles, watertight and with the same winding.

    A mesh that is small enough is returned unchanged.

    Raises:
        UnusableSource: so few triangles cannot represent all parts of the mesh.
    """
    if len(mesh.faces) <= triangles:
        return mesh
    middle = mesh.vertices.mean(axis=0, dtype=np.float64)
    local = (mesh.vertices - middle).astype(np.float32)
    for aim in AIMS:
        points, faces = _decimated(local, mesh.faces, max(int(aim * triangles), 4))
        points, faces = without_pinches(points, faces)
        found = Mesh((points + middle).astype(np.float32), faces)
        if len(faces) <= triangles and is_watertight(found):
            return found
    raise UnusableSource("SurfaceNotReducible", triangles=len(mesh.faces), wanted=triangles)


def _decimated(
    points: NDArray[np.float32], faces: NDArray[np.int32], count: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    found = fast_simplification.simplify(points, faces, target_count=count)
    return np.asarray(found[0], dtype=np.float64), np.asarray(found[1], dtype=np.int32)
