"""Textured models: parts with textures or colours, written as binary glTF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.formats.meshes.glb import (
    FLOAT,
    ROUGHNESS,
    index_accessor,
    linear,
    point_accessor,
)
from orthanc_stl_plugin.formats.meshes.glb_container import (
    ARRAY_BUFFER,
    BinaryChunk,
    Json,
    write_container,
)
from orthanc_stl_plugin.formats.meshes.textures import Texture
from orthanc_stl_plugin.mesh.measure import welded_faces
from orthanc_stl_plugin.model.mesh import Mesh

_UNSIGNED_SHORT: Final = 5123
_WHITE: Final = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class TexturedPart:
    """A part of a surface that has one material.

    Attributes:
        mesh: in the unit of the file.
        uv: (V, 2) float32 texture coordinates, from the lower left corner; None without a texture.
        texture: the texture, or None.
        rgb: sRGB, 0-1 each, where there is no texture.
        colours: (V, 3) uint8 sRGB of each vertex, or None.
    """

    mesh: Mesh
    uv: NDArray[np.float32] | None = None
    texture: Texture | None = None
    rgb: tuple[float, float, float] = _WHITE
    colours: NDArray[np.uint8] | None = None


def has_paint(parts: Sequence[TexturedPart]) -> bool:
    """Whether it has textures or more than one colour."""
    return (
        any(part.texture is not None or part.colours is not None for part in parts)
        or len({part.rgb for part in parts}) > 1
    )


def write_textured_glb(
    parts: Sequence[TexturedPart],
    path: Path,
    rotation: NDArray[np.floating],
    metres_per_unit: float,
) -> None:
    """Writes the parts as one mesh of binary glTF, y up.

    `rotation` (3, 3) turns their axes into those of glTF. Normals are smooth across texture seams.
    """
    binary, accessors = BinaryChunk(), list[Json]()
    primitives = [
        _primitive(part, number, _Turned(rotation, metres_per_unit), (binary, accessors))
        for number, part in enumerate(parts)
    ]
    pictures = list(dict.fromkeys(part.texture for part in parts if part.texture is not None))
    images = [
        {"bufferView": binary.add(np.frombuffer(one.content, "u1")), "mimeType": one.media_type}
        for one in pictures
    ]
    document: Json = {
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": primitives}],
        "materials": [_material(part, pictures) for part in parts],
        "accessors": accessors,
    }
    if images:
        document |= {"images": images, "textures": [{"source": n} for n in range(len(images))]}
    write_container(path, document, binary)


@dataclass(frozen=True, slots=True, eq=False)
class _Turned:
    rotation: NDArray[np.floating]
    metres_per_unit: float

    def positions(self, mesh: Mesh) -> NDArray[np.float64]:
        return (mesh.vertices.astype(np.float64) @ self.rotation.T) * self.metres_per_unit

    def normals(self, mesh: Mesh) -> NDArray[np.float64]:
        return _normals(mesh) @ self.rotation.T


def _primitive(
    part: TexturedPart, number: int, turned: _Turned, target: tuple[BinaryChunk, list[Json]]
) -> Json:
    binary, accessors = target

    def add(accessor: Json) -> int:
        accessors.append(accessor)
        return len(accessors) - 1

    attributes = {
        "POSITION": add(point_accessor(binary, turned.positions(part.mesh).astype(np.float32))),
        "NORMAL": add(point_accessor(binary, turned.normals(part.mesh).astype(np.float32))),
    }
    if part.uv is not None and part.texture is not None:
        # glTF counts from the upper left corner (section 3.8.1).
        flipped = np.ascontiguousarray(part.uv * (1, -1) + (0, 1), dtype="<f4")
        attributes["TEXCOORD_0"] = add(
            {
                "bufferView": binary.add(flipped, ARRAY_BUFFER),
                "componentType": FLOAT,
                "count": len(flipped),
                "type": "VEC2",
            }
        )
    if part.colours is not None:
        attributes["COLOR_0"] = add(_colour_accessor(binary, part.colours))
    faces = add(index_accessor(binary, part.mesh.faces))
    return {"attributes": attributes, "indices": faces, "material": number}


def _colour_accessor(binary: BinaryChunk, colours: NDArray[np.uint8]) -> Json:
    """Linear, in 16 bits: 8 are too few to distinguish dark colours."""
    opaque = np.full((len(colours), 4), 65535, dtype="<u2")
    opaque[:, :3] = np.round(linear(colours / 255) * 65535)
    return {
        "bufferView": binary.add(opaque, ARRAY_BUFFER),
        "componentType": _UNSIGNED_SHORT,
        "normalized": True,
        "count": len(opaque),
        "type": "VEC4",
    }


def _material(part: TexturedPart, pictures: list[Texture]) -> Json:
    shine: Json = {"metallicFactor": 0.0, "roughnessFactor": ROUGHNESS}
    if part.texture is not None:
        shine["baseColorTexture"] = {"index": pictures.index(part.texture)}
    elif part.colours is None:
        shine["baseColorFactor"] = [*linear(np.array(part.rgb)).round(6).tolist(), 1.0]
    return {"pbrMetallicRoughness": shine, "doubleSided": True}


def _normals(mesh: Mesh) -> NDArray[np.float64]:
    """(V, 3) unit normals: the area-weighted mean of the faces around each position."""
    a, b, c = (mesh.vertices[mesh.faces[:, corner]].astype(np.float64) for corner in range(3))
    areas = np.cross(b - a, c - a)
    places = np.zeros(len(mesh.vertices), dtype=np.int64)
    places[mesh.faces] = welded_faces(mesh)
    count = int(places.max(initial=0)) + 1
    corners = places[mesh.faces].ravel()
    sums = [np.bincount(corners, np.repeat(areas[:, axis], 3), count) for axis in range(3)]
    normals = np.stack(sums, axis=1)[places]
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    upward = np.broadcast_to((0.0, 0.0, 1.0), normals.shape).copy()
    np.divide(normals, lengths, out=upward, where=lengths > 0)
    return upward
