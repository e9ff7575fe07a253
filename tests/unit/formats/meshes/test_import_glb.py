import json
import struct
from typing import Any

import numpy as np
import pytest

from orthanc_stl_plugin.errors import TooLarge, UnusableSource
from orthanc_stl_plugin.formats.meshes.read import MeshFormat
from tests.support.mesh_samples import given

# A tetrahedron of edges of 1, 2 and 3, and how far each vertex moves when it is morphed.
VERTICES = np.array([(0, 0, 0), (1, 0, 0), (0, 2, 0), (0, 0, 3)], dtype="<f4")
FACES = np.array([(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)], dtype="<u2")
MOVES = np.array([(0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 4)], dtype="<f4")
MATRIX = np.eye(4, dtype="<f4")
SPARSE = {
    "count": 1,
    "indices": {"bufferView": 1, "componentType": 5123},
    "values": {"bufferView": 2},
}


def document() -> dict[str, Any]:
    """The tetrahedron as glTF 2.0, written by hand; the other accessors are not in use."""
    parts = [VERTICES, FACES, MOVES, MATRIX]
    starts = np.cumsum([0, *(part.nbytes for part in parts)]).tolist()
    float_, short = 5126, 5123
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": float_, "count": 4, "type": "VEC3"},
            {"bufferView": 1, "componentType": short, "count": 12, "type": "SCALAR"},
            {"bufferView": 2, "componentType": float_, "count": 4, "type": "VEC3"},
            {"bufferView": 3, "componentType": float_, "count": 1, "type": "MAT4"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": start, "byteLength": part.nbytes}
            for start, part in zip(starts, parts, strict=False)
        ],
        "buffers": [{"byteLength": starts[-1]}],
    }


def glb(told: dict[str, Any]) -> bytes:
    head = json.dumps(told).encode()
    head += b" " * (-len(head) % 4)
    rest = b"".join(part.tobytes() for part in (VERTICES, FACES, MOVES, MATRIX))
    return (
        struct.pack("<4sIIII", b"glTF", 2, 28 + len(head) + len(rest), len(head), 0x4E4F534A)
        + head
        + struct.pack("<II", len(rest), 0x004E4942)
        + rest
    )


def primitive(told: dict[str, Any]) -> dict[str, Any]:
    [one] = told["meshes"][0]["primitives"]
    assert isinstance(one, dict)
    return one


def refused(told: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnusableSource, match=f"GLB document has {reason}: export it as plain"):
        given(glb(told), MeshFormat.GLB)


def test_a_plain_file_is_read():
    assert len(given(glb(document()), MeshFormat.GLB).mesh.faces) == 4


@pytest.mark.parametrize("accessor", [0, 1])
def test_sparse_accessors_of_a_shape_are_refused(accessor: int):
    told = document()
    told["accessors"][accessor]["sparse"] = SPARSE
    refused(told, "sparse accessors")


def test_fans_of_triangles_are_refused():
    told = document()
    told["meshes"][0]["primitives"].append({"attributes": {"POSITION": 0}, "mode": 6})
    refused(told, "fans of triangles")


def test_a_skin_is_refused():
    told = document() | {"skins": [{"joints": [1], "inverseBindMatrices": 3}]}
    told["nodes"] = [{"mesh": 0, "skin": 0}, {"translation": [10, 0, 0]}]
    refused(told, "a skin on a skeleton")


@pytest.mark.parametrize("place", ["meshes", "nodes"])
def test_a_shape_that_is_morphed_is_refused(place: str):
    told = document()
    primitive(told)["targets"] = [{"POSITION": 2}]
    told[place][0]["weights"] = [0.5]
    refused(told, "a shape that is morphed")


def test_a_shape_that_could_be_morphed_is_read():
    told = document()
    primitive(told)["targets"] = [{"POSITION": 2}]
    told["meshes"][0]["weights"] = [0.0]
    told["accessors"][2]["sparse"] = SPARSE
    assert len(given(glb(told), MeshFormat.GLB).mesh.faces) == 4


def test_instances_are_refused_also_where_they_are_not_required():
    name = "EXT_mesh_gpu_instancing"
    told = document() | {"extensionsUsed": [name]}
    told["nodes"][0]["extensions"] = {name: {"attributes": {"TRANSLATION": 2}}}
    refused(told, "instances of a mesh")


@pytest.mark.parametrize(
    "change",
    [{"nodes": 3}, {"nodes": [3]}, {"meshes": [{"primitives": [{}]}]}, {"accessors": []}],
)
def test_a_document_that_is_malformed_is_refused(change: dict[str, Any]):
    with pytest.raises(UnusableSource, match="no GLB"):
        given(glb(document() | change), MeshFormat.GLB)


def test_zeros_that_no_bytes_stand_for_are_bounded():
    told = document()
    told["accessors"].append({"componentType": 5126, "count": 301, "type": "VEC3"})
    with pytest.raises(TooLarge, match="301 zeros in all, above 3 for each of MaxTriangles = 100"):
        given(glb(told), MeshFormat.GLB)
    told["accessors"][-1]["count"] = 300
    assert len(given(glb(told), MeshFormat.GLB).mesh.faces) == 4
