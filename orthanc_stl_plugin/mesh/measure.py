"""What can be said of a mesh by looking at its triangles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.model.mesh import Mesh, MeshReport


def report(mesh: Mesh) -> MeshReport:
    """Size, volume, centre and soundness of a mesh, as a reader of its STL file would find them.

    Volume and centroid follow from the divergence theorem, in float64 about the middle of the mesh.

    Raises:
        UnusableSource: the mesh has no triangle.
    """
    if not len(mesh.faces):
        raise UnusableSource("the mesh has no triangle")
    used = mesh.vertices[mesh.faces.ravel()]
    lowest = used.min(axis=0).astype(np.float64)
    highest = used.max(axis=0).astype(np.float64)
    middle = (lowest + highest) / 2

    local = mesh.vertices - middle
    first, second, third = (local[mesh.faces[:, corner]] for corner in range(3))
    areas = np.cross(second - first, third - first) / 2
    volumes = np.einsum("fi,fi->f", first, areas) / 3
    volume = float(volumes.sum())
    moment = volumes @ (first + second + third) / 4
    centroid = middle + moment / volume if volume else middle
    return MeshReport(
        triangles=len(mesh.faces),
        volume_mm3=volume,
        area_mm2=float(np.linalg.norm(areas, axis=1).sum()),
        bounds_mm=(_as_point(lowest), _as_point(highest)),
        centroid_mm=_as_point(centroid),
        is_watertight=is_watertight(mesh),
    )


def is_watertight(mesh: Mesh) -> bool:
    """Whether, after welding, each edge lies in two faces that run through it in opposite ways."""
    return len(mesh.faces) > 0 and not unpaired_edges(welded_faces(mesh)).size


def welded_faces(mesh: Mesh) -> NDArray[np.int32]:
    """(F, 3) int32 faces in which vertices of equal coordinates have one number."""
    bits = (mesh.vertices + np.float32(0)).view(np.uint32).astype(np.uint64)
    keys = bits[:, 0] * np.uint64(0x9E3779B97F4A7C15)
    keys ^= (bits[:, 1] * np.uint64(0xC2B2AE3D27D4EB4F)) << np.uint64(1)
    keys += bits[:, 2] * np.uint64(0x165667B19E3779F9)
    order = np.argsort(keys, kind="stable")
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
    forward = np.sort((start * count + end).ravel())
    backward = np.sort((end * count + start).ravel())
    is_sound = np.array_equal(forward, backward) and (forward[1:] != forward[:-1]).all()
    if is_sound and not (start == end).any():
        return np.empty((0, 2), dtype=np.int64)
    lowest = np.minimum(start, end) * count + np.maximum(start, end)
    edges, position = np.unique(lowest.ravel(), return_inverse=True)
    rising = np.bincount(position, (start < end).ravel(), len(edges))
    falling = np.bincount(position, (start > end).ravel(), len(edges))
    bad = edges[(rising != 1) | (falling != 1)]
    return np.stack(np.divmod(bad, count), axis=1)


def _as_point(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
