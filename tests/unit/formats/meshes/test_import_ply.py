import struct

import numpy as np
import pytest

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.meshes.read import MeshFormat
from orthanc_stl_plugin.mesh.measure import report
from tests.support.dicom_samples import F_AREA_MM2, F_OUTLINE
from tests.support.mesh_samples import given

CORNERS = [(0, 0, 0), (1, 0, 0), (1, 2, 0), (0, 2, 0)]


def header(kind: str, lists: str, faces: int = 2) -> bytes:
    """The header of a PLY file of four vertices and some faces."""
    return (
        f"ply\nformat {kind} 1.0\nelement vertex 4\nproperty float x\nproperty float y\n"
        f"property float z\nelement face {faces}\n"
        + "".join(f"property list {one}\n" for one in lists.split(", "))
        + "end_header\n"
    ).encode()


def text(faces: str, lists: str = "uchar int vertex_indices") -> bytes:
    corners = "".join("{} {} {}\n".format(*corner) for corner in CORNERS)
    return header("ascii", lists) + (corners + faces).encode()


def binary(*faces: tuple[int, int, int]) -> bytes:
    return (
        header("binary_little_endian", "uchar int vertex_index")
        + np.array(CORNERS, dtype="<f4").tobytes()
        + b"".join(struct.pack("<B3i", 3, *face) for face in faces)
    )


@pytest.mark.parametrize("wrong", [4, 99, -1, -9])
def test_a_face_of_a_vertex_that_is_not_there_is_refused(wrong: int):
    for content in (text(f"3 0 1 2\n3 0 2 {wrong}\n"), binary((0, 1, 2), (0, 2, wrong))):
        with pytest.raises(UnusableSource, match=f"names the vertex {wrong}, .*: there are 4"):
            given(content, MeshFormat.PLY)


def test_a_polygon_of_a_vertex_that_is_not_there_is_refused():
    with pytest.raises(UnusableSource, match="names the vertex -1"):
        given(text("3 0 1 2\n4 0 1 2 -1\n"), MeshFormat.PLY)


def test_a_negative_index_is_refused_where_corners_have_places_in_a_picture():
    lists = "uchar int vertex_indices, uchar float texcoord"
    content = text("3 0 1 2 6 0 0 1 0 1 1\n3 0 2 -1 6 0 0 1 0 1 1\n", lists)
    with pytest.raises(UnusableSource, match="names the vertex -1"):
        given(content, MeshFormat.PLY)


def test_faces_that_name_no_vertices_are_refused():
    lists = "uchar int neighbours, uchar int groups"
    with pytest.raises(UnusableSource, match="no PLY"):
        given(text("3 0 1 2 1 0\n3 0 2 3 1 0\n", lists), MeshFormat.PLY)


@pytest.mark.parametrize(
    "faces",
    ["", "3 0 1 2\n", "3 0 1 2\n3", "3 0 1 2\n3 0", "3 0 1 2\n3 0 2 ", "3 0 1 2\n4 0 1 2"],
)
def test_a_text_that_is_cut_within_its_faces_is_refused(faces: str):
    number = faces.count("\n") + 1
    with pytest.raises(UnusableSource, match=f"truncated: number {number} of the 2 face rows"):
        given(text(faces), MeshFormat.PLY)


def test_a_text_that_is_cut_within_its_vertices_is_refused():
    with pytest.raises(UnusableSource, match="truncated: number 4 of the 4 vertex rows"):
        given(text("")[:-3], MeshFormat.PLY)


def test_the_last_face_needs_its_places_in_a_picture():
    lists = "uchar int vertex_indices, uchar float texcoord"
    faces = "3 0 1 2 6 0 0 1 0 1 1\n3 0 2 3 6 0 0 1 0 1 1\n"
    assert len(given(text(faces, lists), MeshFormat.PLY).mesh.faces) == 2
    with pytest.raises(UnusableSource, match="number 2 of the 2 face rows"):
        given(text(faces[:-3], lists), MeshFormat.PLY)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\n", " \n"])
def test_triangles_and_quadrilaterals_of_a_whole_text_are_read(ending: str):
    content = text("3 0 1 2\n4 0 1 2 3").replace(b"\n", ending.strip("\n").encode() + b"\n")
    assert len(given(content + ending.encode(), MeshFormat.PLY).mesh.faces) == 3


# The F of 796 mm2, 5 mm thick: its ends are concave polygons, its sides quadrilaterals.
COUNT = len(F_OUTLINE)
F_VERTICES = np.array([(x, y, z) for z in (0, 5) for x, y in F_OUTLINE])
F_FACES = [
    np.roll(range(COUNT)[::-1], -1).tolist(),
    np.roll(range(COUNT, 2 * COUNT), 2).tolist(),
    *((at, (at + 1) % COUNT, (at + 1) % COUNT + COUNT, at + COUNT) for at in range(COUNT)),
]
OUTLINE_MM = float(np.linalg.norm(F_OUTLINE - np.roll(F_OUTLINE, 1, axis=0), axis=1).sum())


def f_prism(kind: str) -> bytes:
    """With a number before the corners of each face, and its colour behind them."""
    told = (
        f"ply\nformat {kind} 1.0\ncomment an F\nelement vertex {2 * COUNT}\nproperty uchar marked\n"
        "property double x\nproperty float y\nproperty float z\n"
        f"element face {len(F_FACES)}\nproperty short part\n"
        "property list uchar uint vertex_indices\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n"
    ).encode()
    if kind == "ascii":
        rows = ["1 {} {} {}".format(*vertex) for vertex in F_VERTICES]
        rows += [f"7 {len(face)} {' '.join(map(str, face))} 200 0 9" for face in F_FACES]
        return told + "\n".join(rows).encode()
    order = "<" if "little" in kind else ">"
    vertices = [struct.pack(f"{order}Bdff", 1, *vertex) for vertex in F_VERTICES]
    faces = [
        struct.pack(f"{order}hB{len(face)}I3B", 7, len(face), *face, 200, 0, 9) for face in F_FACES
    ]
    return told + b"".join([*vertices, *faces])


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_concave_polygons_are_not_folded(kind: str):
    told = report(given(f_prism(kind), MeshFormat.PLY).mesh)
    assert told.is_watertight
    assert told.volume_mm3 == pytest.approx(F_AREA_MM2 * 5)
    assert told.area_mm2 == pytest.approx(2 * F_AREA_MM2 + 5 * OUTLINE_MM)


def test_a_binary_file_of_triangles_and_quadrilaterals_is_read():
    content = (
        header("binary_little_endian", "uchar int vertex_index")
        + np.array(CORNERS, dtype="<f4").tobytes()
        + struct.pack("<B3iB4i", 3, 0, 1, 2, 4, 0, 2, 1, 3)
    )
    assert len(given(content, MeshFormat.PLY).mesh.faces) == 3


@pytest.mark.parametrize("cut", [1, 4, 9, 100])
def test_a_binary_file_of_polygons_that_is_cut_is_refused(cut: int):
    with pytest.raises(UnusableSource, match="no PLY, or is truncated"):
        given(f_prism("binary_little_endian")[:-cut], MeshFormat.PLY)


@pytest.mark.parametrize("lists", ["int char vertex_index", "char int vertex_index"])
def test_a_face_of_fewer_than_no_corners_is_refused(lists: str):
    rows = np.array(CORNERS, dtype="<f4").tobytes() + b"\xff" * 256
    with pytest.raises(UnusableSource, match="has -1 corners"):
        given(header("binary_little_endian", lists) + rows, MeshFormat.PLY)
