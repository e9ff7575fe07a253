import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
import trimesh

from orthanc_stl_plugin.errors import TooLarge, UnusableSource
from orthanc_stl_plugin.formats.meshes.stl import is_binary, read_stl, write_stl
from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.model.mesh import Mesh

STL2DCM = (
    Path(__file__).parents[5]
    / "shared/data/encapsulated/dcmtk_stl2dcm_featuretype_defaultUnits_um.dcm"
)

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


Corners = list[tuple[float, float, float]]
ONE: Corners = [(0, 0, 0), (3, 0, 0), (0, 5, 0)]


def binary(*triangles: Corners) -> bytes:
    records = [struct.pack("<12fH", 0, 0, 0, *np.ravel(corners), 0) for corners in triangles]
    return bytes(80) + struct.pack("<I", len(records)) + b"".join(records)


def ascii_stl(*triangles: Corners) -> str:
    lines = ["solid vertex of a facet"]
    for corners in triangles:
        lines += ["  facet normal 0 0 1", "    outer loop"]
        lines += [f"      vertex {x!r} {y!r} {z!r}" for x, y, z in corners]
        lines += ["    endloop", "  endfacet"]
    return "\n".join([*lines, "endsolid vertex of a facet", ""])


def solid(mesh: Mesh) -> list[Corners]:
    return [[tuple(corner) for corner in face] for face in mesh.vertices[mesh.faces].tolist()]


def test_what_was_written_is_read_again(tmp_path: Path):
    write_stl(TETRAHEDRON, tmp_path / "a.stl")
    assert solid(read_stl((tmp_path / "a.stl").read_bytes())) == solid(TETRAHEDRON)


def test_a_large_mesh_is_written_whole_in_several_pieces(tmp_path: Path):
    sphere = trimesh.creation.icosphere(subdivisions=6, radius=50.0)
    mesh = Mesh(sphere.vertices.astype(np.float32), sphere.faces.astype(np.int32))
    write_stl(mesh, tmp_path / "a.stl")
    assert solid(read_stl((tmp_path / "a.stl").read_bytes())) == solid(mesh)


def test_ascii_and_binary_give_the_same_mesh():
    text = ascii_stl(*solid(TETRAHEDRON)).encode()
    assert solid(read_stl(text)) == solid(TETRAHEDRON)


def test_corners_of_equal_coordinates_become_one_vertex():
    mesh = read_stl(binary(*solid(TETRAHEDRON)))
    assert len(mesh.vertices) == 4
    assert report(mesh).is_watertight


def test_zero_and_minus_zero_are_one_coordinate():
    mesh = read_stl(binary(ONE, [(-0.0, 0, 0), (0, 5, 0), (-2, 0, 0)]))
    assert len(mesh.vertices) == 4


def test_coordinates_that_differ_by_the_last_bit_stay_apart():
    mesh = read_stl(binary(ONE, [(0, 0, float(np.float32(1e-45))), (0, 5, 0), (-2, 0, 0)]))
    assert len(mesh.vertices) == 5


def test_vertices_come_in_the_order_of_the_file():
    assert read_stl(binary(ONE)).vertices.tolist() == [list(corner) for corner in ONE]


def test_a_triangle_with_two_equal_corners_is_dropped_with_its_vertices():
    mesh = read_stl(binary([(9, 9, 9), (9, 9, 9), (8, 8, 8)], ONE))
    assert solid(mesh) == [ONE]
    assert len(mesh.vertices) == 3


@pytest.mark.parametrize(
    "variant",
    [
        str.upper,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "\ufeff \n" + text,
        lambda text: text.replace("  ", "\t"),
        lambda text: text.replace("vertex 3 0 0", "vertex +3.0E+00 .0 -0."),
        lambda text: text.replace("endsolid vertex of a facet", "endsolid"),
    ],
    ids=["upper case", "CR LF", "CR", "byte order mark", "tabs", "exponents", "no name at the end"],
)
def test_ascii_is_read_as_anyone_writes_it(variant):
    assert solid(read_stl(variant(ascii_stl(ONE)).encode())) == [ONE]


def test_several_solids_in_one_text_are_one_mesh():
    other: Corners = [(0, 0, 1), (3, 0, 1), (0, 5, 1)]
    assert solid(read_stl((ascii_stl(ONE) + ascii_stl(other)).encode())) == [ONE, other]


def test_a_binary_file_whose_header_says_solid_is_binary():
    content = b"solid made by a CAD".ljust(80) + binary(ONE)[80:]
    assert solid(read_stl(content)) == [ONE]


TEXT = ascii_stl(ONE, ONE)
BROKEN = {
    "empty": (b"", "0 bytes is no STL"),
    "garbage": (b"garbage" * 50, "is no STL, or is truncated"),
    "truncated binary": (binary(ONE, ONE)[:-7], "177 bytes .* the 2 triangles .* take 184"),
    "truncated binary that says solid": (b"solid" + binary(ONE)[5:-7], "triangles of its header"),
    "more than its count": (binary(ONE) + b"more", "the 1 triangles of its header take 134"),
    "no triangles": (binary(), "no triangle that encloses an area: 0 in all"),
    "degenerate triangles only": (binary([(1, 2, 3)] * 3), "encloses an area: 1 in all"),
    "not a number": (binary(ONE, [(0, 0, np.nan), (1, 0, 0), (0, 1, 0)]), "1 of the 2 triangles"),
    "infinite": (binary([(0, 0, np.inf), (1, 0, 0), (0, 1, 0)]), "no finite numbers"),
    "far away": (binary([(0, 0, 2e9), (1, 0, 0), (0, 1, 0)]), "2e.09, above the limit of 1e.09"),
    "empty solid": (b"solid x\nendsolid x\n", "no triangle"),
    "solid garbage": (b"solid garbage", "truncated"),
    "truncated text": (TEXT[: TEXT.rindex("endsolid")].encode(), 'no "endsolid" follows its 2'),
    "text cut in a facet": (TEXT[: TEXT.rindex("endloop")].encode(), 'no "endsolid" follows its 1'),
    "truncated second solid": (
        (TEXT + TEXT[: TEXT.rindex("endsolid")]).encode(), 'no "endsolid" follows its 4',
    ),
    "a square": (TEXT.replace("endloop", "vertex 1 1 1\nendloop", 1).encode(), "1 of the 2 facets"),
    "a word for a number": (TEXT.replace("vertex 3", "vertex three", 1).encode(), "is no number"),
    "nan in a text": (TEXT.replace("vertex 3", "vertex nan", 1).encode(), "1 of the 2 triangles"),
    "1e99 in a text": (TEXT.replace("vertex 3", "vertex 1e99", 1).encode(), "no finite numbers"),
    "a very long number": (TEXT.replace("vertex 3", "vertex " + "3" * 99, 1).encode(), "1 of the"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_document_is_refused_with_what_is_wrong(name: str):
    content, sentence = BROKEN[name]
    with pytest.raises(UnusableSource, match=sentence):
        read_stl(content)


@pytest.mark.parametrize("content", [binary(ONE, ONE, ONE), ascii_stl(ONE, ONE, ONE).encode()])
def test_more_triangles_than_allowed_are_refused(content: bytes):
    with pytest.raises(TooLarge, match="3 triangles or more, above MaxTriangles = 2"):
        read_stl(content, max_triangles=2)


def test_a_header_that_claims_billions_of_triangles_allocates_nothing():
    with pytest.raises(UnusableSource, match="4294967295 triangles"):
        read_stl(bytes(80) + b"\xff\xff\xff\xff" + bytes(100))


@pytest.mark.skipif(not STL2DCM.exists(), reason="the shared data are absent")
def test_a_document_of_stl2dcm_is_read_as_trimesh_reads_it(tmp_path: Path):
    dataset = pydicom.dcmread(STL2DCM)
    content = dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength]
    (tmp_path / "a.stl").write_bytes(content)
    mesh, peer = read_stl(content), trimesh.load_mesh(tmp_path / "a.stl")
    assert len(mesh.faces) == len(peer.faces) == 3476
    assert np.isclose(report(mesh).volume_mm3, peer.volume, rtol=1e-5)
