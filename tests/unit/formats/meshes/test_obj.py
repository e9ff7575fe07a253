from pathlib import Path

import numpy as np
import pytest
import trimesh

from orthanc_stl_plugin.formats.meshes.obj import write_obj
from orthanc_stl_plugin.model.mesh import Mesh

TETRAHEDRON = Mesh(
    np.array([[0.1, 0, 0], [3, 1e-7, 0], [0, -5, 1e6], [1 / 3, 0, 7]], dtype=np.float32),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], dtype=np.int32),
)


def lines(path: Path, name: str = "Rib") -> list[str]:
    write_obj(TETRAHEDRON, path / "a.obj", name)
    return (path / "a.obj").read_text(encoding="utf-8").splitlines()


def test_another_reader_finds_the_same_triangles(tmp_path: Path):
    lines(tmp_path)
    read = trimesh.load_mesh(tmp_path / "a.obj", process=False, maintain_order=True)
    assert np.array_equal(read.faces, TETRAHEDRON.faces)
    assert np.allclose(read.vertices, TETRAHEDRON.vertices, rtol=1e-9)


def test_coordinates_are_kept_to_the_last_bit(tmp_path: Path):
    points = [line.split()[1:] for line in lines(tmp_path) if line.startswith("v ")]
    assert np.array_equal(np.array(points).astype(np.float32), TETRAHEDRON.vertices)


def test_a_comment_tells_axes_and_unit(tmp_path: Path):
    comments = [line for line in lines(tmp_path) if line.startswith("#")]
    assert "(LPS), millimetres" in " ".join(comments)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Left rib", "o Left rib"),
        ("a\nv 1 2 3", "o a v 1 2 3"),
        ("a\x00\x1bb", "o ab"),
        ("\u9aa8", "o \u9aa8"),
        ("", "o model"),
    ],
)
def test_the_name_is_one_line_whatever_it_holds(tmp_path: Path, name: str, line: str):
    written = lines(tmp_path, name)
    assert written[2] == line
    assert len(written) == 3 + 4 + 4
