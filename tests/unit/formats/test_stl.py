from pathlib import Path

import numpy as np
import trimesh

from orthanc_stl_plugin.formats.stl import is_binary, write_stl
from orthanc_stl_plugin.model.mesh import Mesh

TETRAHEDRON = Mesh(
    np.array([[0, 0, 0], [3, 0, 0], [0, 5, 0], [0, 0, 7]], dtype=np.float32),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], dtype=np.int32),
)


def test_another_reader_finds_the_same_solid(tmp_path: Path):
    write_stl(TETRAHEDRON, tmp_path / "a.stl")
    read = trimesh.load_mesh(tmp_path / "a.stl")
    assert read.is_watertight
    assert np.isclose(read.volume, 3 * 5 * 7 / 6)
    assert np.allclose(read.bounds, [[0, 0, 0], [3, 5, 7]])


def test_the_normals_in_the_file_look_outward(tmp_path: Path):
    write_stl(TETRAHEDRON, tmp_path / "a.stl")
    stored = np.frombuffer((tmp_path / "a.stl").read_bytes()[84:96], dtype="<f4")
    assert stored.tolist() == [0, 0, -1]


def test_the_header_does_not_look_like_an_ascii_file(tmp_path: Path):
    write_stl(TETRAHEDRON, tmp_path / "a.stl")
    assert not (tmp_path / "a.stl").read_bytes().startswith(b"solid")


def test_a_binary_file_is_told_by_its_length(tmp_path: Path):
    write_stl(TETRAHEDRON, tmp_path / "a.stl")
    content = (tmp_path / "a.stl").read_bytes()
    assert is_binary(content)
    assert not is_binary(content[:-1])
    assert not is_binary(b"solid x\nendsolid x\n")
