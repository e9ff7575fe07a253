"""Binary glTF 2.0: one mesh with normals and a colour, in metres, y up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from orthanc_stl_plugin.formats.meshes.glb_container import (
    ARRAY_BUFFER,
    ELEMENT_ARRAY_BUFFER,
    BinaryChunk,
    Json,
    write_container,
)
from orthanc_stl_plugin.model.mesh import Mesh

MEDIA_TYPE: Final = "model/gltf-binary"
CREASE_DEGREES: Final = 60.0
"""Faces that meet at a larger angle form a visible edge: each side has its own normals."""

LPS_TO_GLTF: Final = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
"""LPS to glTF: x to the patient's left, y to the head, z to the front."""

METRES_PER_MM: Final = 0.001
ROUGHNESS: Final = 0.6
FLOAT: Final = 5126  # glTF 2.0 section 3.6.2.2
_UNSIGNED_INT: Final = 5125


@dataclass(frozen=True, slots=True)
class Material:
    """The material of a model.

    Attributes:
        rgb: sRGB, 0-255 each.
        opacity: 0 (invisible) to 1.
    """

    rgb: tuple[int, int, int]
    opacity: float = 1.0


def write_glb(mesh: Mesh, path: Path, name: str, material: Material) -> None:
    """Writes `mesh` to `path` as one node called `name`.

    Each vertex of the mesh becomes one in the file, or one for each side of a crease.
    """
    shading = _shading(mesh)
    rotation = LPS_TO_GLTF.T.astype(np.float32)
    positions = (mesh.vertices[shading.vertex] @ rotation) * np.float32(METRES_PER_MM)
    binary = BinaryChunk()
    accessors = [
        point_accessor(binary, positions),
        point_accessor(binary, shading.normals @ rotation),
        index_accessor(binary, shading.faces),
    ]
    primitive = {"attributes": {"POSITION": 0, "NORMAL": 1}, "indices": 2, "material": 0}
    document = {
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": name, "mesh": 0}],
        "meshes": [{"name": name, "primitives": [primitive]}],
        "materials": [_material(name, material)],
        "accessors": accessors,
    }
    write_container(path, document, binary)


def point_accessor(binary: BinaryChunk, points: NDArray[np.floating]) -> Json:
    """Appends (N, 3) points or vectors, with the bounds that glTF requires of positions."""
    view = binary.add(np.ascontiguousarray(points, dtype="<f4"), ARRAY_BUFFER)
    bounds = {"min": points.min(axis=0).tolist(), "max": points.max(axis=0).tolist()}
    kind = {"componentType": FLOAT, "count": len(points), "type": "VEC3"}
    return {"bufferView": view, **kind, **bounds}


def index_accessor(binary: BinaryChunk, faces: NDArray[np.integer]) -> Json:
    """Appends (F, 3) indices."""
    view = binary.add(np.ascontiguousarray(faces, dtype="<u4"), ELEMENT_ARRAY_BUFFER)
    return {
        "bufferView": view,
        "componentType": _UNSIGNED_INT,
        "count": faces.size,
        "type": "SCALAR",
    }


def linear(srgb: NDArray[np.floating]) -> NDArray[np.float64]:
    """Values of sRGB, 0-1, as glTF stores them: linear (IEC 61966-2-1)."""
    companded = srgb.astype(np.float64)
    return np.where(companded <= 0.04045, companded / 12.92, ((companded + 0.055) / 1.055) ** 2.4)


def _material(name: str, material: Material) -> dict[str, object]:
    rgb = linear(np.array(material.rgb) / 255).round(6).tolist()
    return {
        "name": name,
        "pbrMetallicRoughness": {
            "baseColorFactor": [*rgb, material.opacity],
            "metallicFactor": 0.0,
            "roughnessFactor": ROUGHNESS,
        },
        "alphaMode": "OPAQUE" if material.opacity == 1 else "BLEND",
        # Surfaces of other software may be open.
        "doubleSided": True,
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Shading:
    """Vertices as a renderer needs them: each has one position and one normal.

    Attributes:
        vertex: (N,) vertices of the mesh.
        normals: (N, 3) float32, of length 1.
        faces: (F, 3) indices into both.
    """

    vertex: NDArray[np.int32]
    normals: NDArray[np.float32]
    faces: NDArray[np.int32]


def _shading(mesh: Mesh) -> _Shading:
    """Corners around a vertex share one area-weighted normal where smooth edges connect them."""
    # Products of the coordinates of tiny models underflow in float32.
    a, b, c = (mesh.vertices[mesh.faces[:, corner]].astype(np.float64) for corner in range(3))
    areas = np.cross(b - a, c - a)
    ones, others = _smooth_links(mesh, _unit(areas))
    corners = mesh.faces.size
    graph = coo_array(
        (np.ones(len(ones), dtype=np.int32), (ones, others)), shape=(corners, corners)
    )
    count, number = connected_components(graph, directed=False)
    vertex = np.empty(count, dtype=np.int32)
    vertex[number] = mesh.faces.ravel()
    sums = [np.bincount(number, np.repeat(areas[:, axis], 3), count) for axis in range(3)]
    normals = _unit(np.stack(sums, axis=1))
    normals[~normals.any(axis=1)] = (0, 0, 1)
    faces = number.astype(np.int32).reshape(-1, 3)
    return _Shading(vertex, normals.astype(np.float32), faces)


def _smooth_links(
    mesh: Mesh, normals: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of corners (face * 3 + corner), at both ends of each edge between smooth faces."""
    start = mesh.faces.ravel().astype(np.int64)
    end = mesh.faces[:, [1, 2, 0]].ravel().astype(np.int64)
    edge = np.minimum(start, end) * len(mesh.vertices) + np.maximum(start, end)
    order = np.argsort(edge, kind="stable")
    is_shared = edge[order[1:]] == edge[order[:-1]]
    one, other = order[:-1][is_shared], order[1:][is_shared]
    cosines = np.einsum("ei,ei->e", normals[one // 3], normals[other // 3])
    is_smooth = cosines >= np.cos(np.radians(CREASE_DEGREES))
    one, other = one[is_smooth], other[is_smooth]
    following = np.arange(len(start)) + np.tile([1, 1, -2], len(mesh.faces))
    is_rising = start < end
    lower = np.where(is_rising, np.arange(len(start)), following)
    upper = np.where(is_rising, following, np.arange(len(start)))
    return (
        np.concatenate([lower[one], upper[one]]),
        np.concatenate([lower[other], upper[other]]),
    )


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) vectors of length 1; zero vectors stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
