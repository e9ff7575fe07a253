import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from orthanc_stl_plugin.formats.meshes.glb import LPS_TO_GLTF, Material, write_glb
from orthanc_stl_plugin.model.mesh import Mesh

GREY = Material((128, 128, 128))
# 3 to the patient's left, 5 to the back, 7 to the head: each axis has its own length.
TETRAHEDRON = Mesh(
    np.array([[0, 0, 0], [3, 0, 0], [0, 5, 0], [0, 0, 7]], dtype=np.float32),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], dtype=np.int32),
)


def read(path: Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The scene of a file, and its positions, normals and indices."""
    content = path.read_bytes()
    magic, version, length, scene_length, scene_kind = struct.unpack_from("<4sII I4s", content)
    assert (magic, version, length, scene_kind) == (b"glTF", 2, len(content), b"JSON")
    scene = json.loads(content[20 : 20 + scene_length])
    binary_length, binary_kind = struct.unpack_from("<I4s", content, 20 + scene_length)
    binary = content[28 + scene_length :]
    assert (binary_length, binary_kind) == (len(binary), b"BIN\0")
    assert scene["buffers"] == [{"byteLength": len(binary)}]
    views = [binary[view["byteOffset"] :][: view["byteLength"]] for view in scene["bufferViews"]]
    points = [np.frombuffer(view, "<f4").reshape(-1, 3) for view in views[:2]]
    return scene, [*points, np.frombuffer(views[2], "<u4").reshape(-1, 3)]


def written(path: Path, mesh: Mesh = TETRAHEDRON, name: str = "Rib", look: Material = GREY):
    write_glb(mesh, path / "a.glb", name, look)
    return path / "a.glb"


def as_mesh(solid: trimesh.Trimesh) -> Mesh:
    return Mesh(solid.vertices.astype(np.float32), solid.faces.astype(np.int32))


def test_the_axes_turn_and_are_not_mirrored():
    assert np.linalg.det(LPS_TO_GLTF) == pytest.approx(1)
    assert np.array_equal(LPS_TO_GLTF @ LPS_TO_GLTF.T, np.eye(3))


@pytest.mark.parametrize(
    ("lps", "gltf"),
    [((1, 0, 0), (1, 0, 0)), ((0, 0, 1), (0, 1, 0)), ((0, -1, 0), (0, 0, 1))],
    ids=["left is x", "head is y", "front is z"],
)
def test_each_direction_of_the_patient_has_its_axis(lps: tuple[int], gltf: tuple[int]):
    assert (LPS_TO_GLTF @ lps == gltf).all()


def test_another_reader_finds_the_solid_in_metres(tmp_path: Path):
    scene = trimesh.load_scene(written(tmp_path))
    assert np.allclose(scene.bounds, [[0, 0, -0.005], [0.003, 0.007, 0]], atol=1e-9)
    solid = scene.to_geometry()
    assert isinstance(solid, trimesh.Trimesh)
    solid.merge_vertices(merge_norm=True)
    assert solid.is_watertight
    assert solid.volume == pytest.approx(3 * 5 * 7 / 6 * 1e-9)


def test_a_large_mesh_is_written_whole_in_several_pieces(tmp_path: Path):
    sphere = trimesh.creation.icosphere(subdivisions=6, radius=50.0)
    _, (points, normals, faces) = read(written(tmp_path, as_mesh(sphere)))
    found = trimesh.Trimesh(points * 1000, faces, process=False)
    assert found.is_watertight
    assert found.volume == pytest.approx(sphere.volume, rel=1e-5)
    assert np.allclose(np.linalg.norm(found.vertices, axis=1), 50, atol=1e-3)
    assert np.allclose(normals, found.vertices / 50, atol=0.02)


def test_node_and_mesh_have_the_name_of_the_structure(tmp_path: Path):
    scene, _ = read(written(tmp_path, name='Foie "gauche" \u9aa8'))
    assert scene["nodes"][0]["name"] == scene["meshes"][0]["name"] == 'Foie "gauche" \u9aa8'


def test_the_bounds_are_those_of_the_positions_to_the_last_bit(tmp_path: Path):
    scene, (positions, _, _) = read(written(tmp_path))
    accessor = scene["accessors"][0]
    assert np.array_equal(np.float32(accessor["min"]), positions.min(axis=0))
    assert np.array_equal(np.float32(accessor["max"]), positions.max(axis=0))


def test_the_colour_becomes_linear(tmp_path: Path):
    scene, _ = read(written(tmp_path, look=Material((255, 188, 10), 1)))
    colour = scene["materials"][0]["pbrMetallicRoughness"]["baseColorFactor"]
    assert colour == pytest.approx([1, 0.502886, 0.003035, 1], abs=1e-6)
    assert scene["materials"][0]["alphaMode"] == "OPAQUE"


def test_an_opacity_below_1_blends(tmp_path: Path):
    scene, _ = read(written(tmp_path, look=Material((9, 9, 9), 0.25)))
    assert scene["materials"][0]["pbrMetallicRoughness"]["baseColorFactor"][3] == 0.25
    assert scene["materials"][0]["alphaMode"] == "BLEND"


def test_a_smooth_surface_keeps_its_vertices_and_its_normals_look_outward(tmp_path: Path):
    sphere = as_mesh(trimesh.creation.icosphere(3, radius=40))
    _, (positions, normals, _) = read(written(tmp_path, sphere))
    assert len(positions) == len(sphere.vertices)
    outward = positions / np.linalg.norm(positions, axis=1, keepdims=True)
    assert (normals * outward).sum(axis=1).min() > 0.999


def test_each_side_of_a_crease_has_its_own_normals(tmp_path: Path):
    box = as_mesh(trimesh.creation.box((3, 5, 7)))
    _, (positions, normals, _) = read(written(tmp_path, box))
    assert len(positions) == 8 * 3
    assert np.array_equal(np.sort(np.abs(normals), axis=1), [[0, 0, 1]] * 24)


def test_a_round_side_stays_smooth_beside_the_crease_of_its_cap(tmp_path: Path):
    cylinder = as_mesh(trimesh.creation.cylinder(10, 30, sections=24))
    _, (positions, _, _) = read(written(tmp_path, cylinder))
    assert len(positions) == 2 * 24 + 2 * (24 + 1)


def test_a_turned_face_does_not_cancel_the_normals_of_its_neighbours(tmp_path: Path):
    faces = TETRAHEDRON.faces.copy()
    faces[0] = faces[0, ::-1]
    _, (_, normals, _) = read(written(tmp_path, Mesh(TETRAHEDRON.vertices, faces)))
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-38, 1e12])
def test_normals_have_length_1_whatever_the_size(tmp_path: Path, scale: float):
    scaled = Mesh(TETRAHEDRON.vertices * np.float32(scale), TETRAHEDRON.faces)
    _, (_, normals, _) = read(written(tmp_path, scaled))
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)


def test_a_face_without_area_has_a_normal_all_the_same(tmp_path: Path):
    line = Mesh(
        np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]], dtype=np.float32),
        np.array([[0, 1, 2]], dtype=np.int32),
    )
    _, (_, normals, _) = read(written(tmp_path, line))
    assert np.allclose(np.linalg.norm(normals, axis=1), 1)
