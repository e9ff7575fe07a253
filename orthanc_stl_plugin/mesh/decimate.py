"""Decimation: meshes with fewer triangles that stay closed and keep their volume.

Triangles are reduced by quadric error, made even, and the surface is shifted until it encloses what
it did before: as far as it then does not cross itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import fast_simplification  # type: ignore[import-untyped]  # it has annotations, but no py.typed
import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.mesh.even_triangles import (
    DenseSurface,
    dense_surface,
    evened,
    with_volume,
)
from orthanc_stl_plugin.mesh.measure import is_watertight
from orthanc_stl_plugin.mesh.nonmanifold_edges import without_pinches
from orthanc_stl_plugin.mesh.self_intersections import count_intersections
from orthanc_stl_plugin.mesh.surface_distance import distance_mm
from orthanc_stl_plugin.model.mesh import MIN_TRIANGLES, Mesh

AIMS: Final = (1.0, 0.97, 0.94, 0.9, 0.85, 0.8, 0.75, 0.65)
"""Fractions of the target number of triangles, tried in turn until the mesh is closed."""

CLOSE_ENOUGH: Final = 1.05
"""The ratio of the numbers of triangles that are enough and too few at the end of a search."""

VOLUME_SHARES: Final = (1.0, 0.75, 0.5, 0.25)
"""Shares of the lost volume to give back, tried in turn until the surface does not cross itself."""


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
    before = dense_surface(local, mesh.faces)
    for aim in AIMS:
        points, faces = _decimated(local, mesh.faces, max(int(aim * triangles), 4))
        points, faces = without_pinches(points, faces)
        if len(faces) > triangles or not is_watertight(Mesh(points.astype(np.float32), faces)):
            continue
        for found in _finished(points, faces, before):
            moved = Mesh((found.vertices + middle).astype(np.float32), found.faces)
            if is_watertight(moved):
                return moved
    raise UnusableSource("SurfaceNotReducible", triangles=len(mesh.faces), wanted=triangles)


def simplify_within(mesh: Mesh, max_error_mm: float) -> tuple[Mesh, float]:
    """The mesh with about as few triangles as lie within a distance of it, and that distance.

    For the distance see `distance_mm`; the number of triangles is found to `CLOSE_ENOUGH`, and is
    at least `MIN_TRIANGLES`. A mesh that cannot be reduced is returned unchanged.
    """
    found, error_mm = mesh, 0.0
    too_few, enough = MIN_TRIANGLES - 1, len(mesh.faces)
    while enough > CLOSE_ENOUGH * too_few:
        count = max(round((too_few * enough) ** 0.5), too_few + 1)
        if count >= enough:
            break
        try:
            tried = simplify(mesh, count)
        except UnusableSource:
            too_few = count
            continue
        away_mm = distance_mm(mesh, tried)
        if away_mm <= max_error_mm:
            found, error_mm, enough = tried, away_mm, len(tried.faces)
        else:
            too_few = count
    return found, error_mm


def _finished(
    points: NDArray[np.float64], faces: NDArray[np.int32], before: DenseSurface
) -> Iterator[Mesh]:
    """The surface finished, from best to worst; only the last, untouched, may cross itself."""
    used, corners = np.unique(faces, return_inverse=True)
    plain = Mesh(points[used].astype(np.float32), corners.reshape(-1, 3).astype(np.int32))
    start = np.ascontiguousarray(plain.vertices.T), np.ascontiguousarray(plain.faces.T)
    for rows, sides in (evened(*start, before), start):
        for share in VOLUME_SHARES:
            shifted = with_volume(rows, sides, before.volume, share)
            mesh = Mesh(np.ascontiguousarray(shifted.T), np.ascontiguousarray(sides.T))
            if not count_intersections(mesh.vertices.astype(np.float64), mesh.faces):
                yield mesh
    yield plain


def _decimated(
    points: NDArray[np.float32], faces: NDArray[np.int32], count: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    found = fast_simplification.simplify(points, faces, target_count=count)
    return np.asarray(found[0], dtype=np.float64), np.asarray(found[1], dtype=np.int32)
