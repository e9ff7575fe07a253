"""Measurements of a mesh: size, volume, area, centroid, watertightness."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.model.mesh import Mesh, MeshReport

FACES_AT_ONCE: Final = 1 << 15
"""Few enough for intermediate results to stay in the processor's cache."""


def report(mesh: Mesh) -> MeshReport:
    """The measurements of a mesh, as a reader of its STL file would find them.

    Volume and centroid follow from the divergence theorem, in float64 about the middle of the mesh.

    Raises:
        UnusableSource: the mesh has no triangle.
    """
    if not len(mesh.faces):
        raise UnusableSource("MeshEmpty")
    rows = np.ascontiguousarray(mesh.vertices.T)
    is_used = np.zeros(len(mesh.vertices), dtype=np.bool_)
    is_used[mesh.faces.ravel()] = True
    used = rows if is_used.all() else rows[:, is_used]
    lowest, highest = (ends.astype(np.float64) for ends in (used.min(axis=1), used.max(axis=1)))
    middle = (lowest + highest) / 2

    local = rows - middle[:, np.newaxis]
    area, volume, moment = 0.0, 0.0, np.zeros(3)
    for start in range(0, len(mesh.faces), FACES_AT_ONCE):
        corners = mesh.faces[start : start + FACES_AT_ONCE].T.astype(np.intp)
        first, second, third = (local.take(corner, axis=1) for corner in corners)
        normals = _cross(second - first, third - first)
        volumes = (first * normals).sum(axis=0)
        area += float(np.sqrt((normals * normals).sum(axis=0)).sum()) / 2
        volume += float(volumes.sum()) / 6
        moment += (first + second + third) @ volumes / 24
    centroid = middle + moment / volume if volume else middle
    return MeshReport(
        triangles=len(mesh.faces),
        volume_mm3=volume,
        area_mm2=area,
        bounds_mm=(_as_point(lowest), _as_point(highest)),
        centroid_mm=_as_point(centroid),
        is_watertight=is_watertight(mesh),
    )


def _cross(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, N) cross products of two (3, N) arrays, much faster than np.cross."""
    (ax, ay, az), (bx, by, bz) = first, second
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def is_watertight(mesh: Mesh) -> bool:
    """Whether, after welding, each edge has two faces that run along it in opposite directions."""
    return len(mesh.faces) > 0 and not unpaired_edges(welded_faces(mesh)).size


def welded_faces(mesh: Mesh) -> NDArray[np.int32]:
    """(F, 3) int32 faces in which vertices with equal coordinates share a number."""
    bits = (mesh.vertices + np.float32(0)).view(np.uint32).astype(np.uint64)
    keys = bits[:, 0] * np.uint64(0x9E3779B97F4A7C15)
    keys ^= (bits[:, 1] * np.uint64(0xC2B2AE3D27D4EB4F)) << np.uint64(1)
    keys += bits[:, 2] * np.uint64(0x165667B19E3779F9)
    ordered = np.sort(keys)
    if (ordered[1:] != ordered[:-1]).all():
        return mesh.faces
    order = np.argsort(keys)
    is_new = np.ones(len(order), dtype=np.bool_)
    is_new[1:] = (mesh.vertices[order[1:]] != mesh.vertices[order[:-1]]).any(axis=1)
    is_clash = is_new[1:] & (keys[order[1:]] == keys[order[:-1]])
    if is_clash.any():
        numbers = np.unique(mesh.vertices, axis=0, return_inverse=True)[1].ravel()
    else:
        numbers = np.empty(len(order), dtype=np.int64)
        numbers[order] = np.cumsum(is_new) - 1
    return numbers.astype(np.int32)[mesh.faces]


def unpaired_edges(faces: NDArray[np.int32]) -> NDArray[np.int64]:
    """(N, 2) int64 vertices of the edges without exactly one face in either direction."""
    count = int(faces.max(initial=0)) + 1
    start = faces.astype(np.int64)
    end = start[:, [1, 2, 0]]
    is_rising = start < end
    edges = np.where(is_rising, start * count + end, end * count + start)
    directed = np.sort((2 * edges + is_rising).ravel())
    falling, rising = directed[::2], directed[1::2]
    if (
        falling.size == rising.size
        and not (falling & 1).any()
        and np.array_equal(falling + 1, rising)
        and (falling[1:] > rising[:-1]).all()
        and not (start == end).any()
    ):
        return np.empty((0, 2), dtype=np.int64)
    found, position = np.unique(edges.ravel(), return_inverse=True)
    forward = np.bincount(position, is_rising.ravel(), len(found))
    backward = np.bincount(position, (start > end).ravel(), len(found))
    bad = found[(forward != 1) | (backward != 1)]
    return np.stack(np.divmod(bad, count), axis=1)


def _as_point(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
