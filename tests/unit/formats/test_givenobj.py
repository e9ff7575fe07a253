import pytest

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.meshfile import MeshFormat
from orthanc_stl_plugin.mesh.measure import report
from tests.mesh_samples import given

# A tetrahedron of volume 1, of edges of 1, 2 and 3, and its faces.
VERTICES = "v 0 0 0\nv 1 0 0\nv 0 2 0\nv 0 0 3\n"
FACES = "f 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
FACES_FROM_END = "f -4 -2 -3\nf -4 -3 -1\nf -4 -1 -2\nf -3 -2 -1\n"
MOVED = "v 5 5 5\nv 6 5 5\nv 5 7 5\nv 5 5 8\n"


def volume(content: str | bytes) -> float:
    """The volume of an OBJ file of a closed surface, in cubic millimetres."""
    told = report(
        given(content.encode() if isinstance(content, str) else content, MeshFormat.OBJ).mesh
    )
    assert told.is_watertight
    return told.volume_mm3


def test_negative_indices_count_from_their_face():
    told = report(
        given((VERTICES + FACES_FROM_END + MOVED + FACES_FROM_END).encode(), MeshFormat.OBJ).mesh
    )
    assert told.is_watertight
    assert told.volume_mm3 == pytest.approx(2)
    assert told.bounds_mm == ((0, 0, 0), (6, 7, 8))


def test_negative_indices_of_places_and_normals_count_for_themselves():
    places = "vt 0 0\nvn 0 0 1\n"
    faces = FACES_FROM_END.replace("-2", "-2/-1/-1").replace("-1\n", "-1//-1\n")
    mixed = faces.replace("-4", "1/1/-1").replace("-3", "2//1")
    assert volume(VERTICES + places + mixed + "vt 1 1\n" + MOVED) == pytest.approx(1)


@pytest.mark.parametrize("index", ["-5", "-99", "-0"])
def test_a_negative_index_before_the_first_vertex_is_refused(index: str):
    with pytest.raises(UnusableSource, match=f"names the element {int(index)}: 4 stand before"):
        volume(VERTICES + FACES + f"f 1 2 {index}\n")


@pytest.mark.parametrize("face", ["f 0 1 2", "f 1 2 0", "f 1/1 0/1 2/1", "f 1//1 00//1 2//1"])
def test_the_vertex_0_is_refused(face: str):
    with pytest.raises(UnusableSource, match="names the vertex 0: they count from 1"):
        volume(f"{VERTICES}{FACES}{face}\n")


def test_indices_that_end_with_0_are_read():
    content = "v 9 9 9\n" * 6 + VERTICES + "f 7 9 8\nf 7 8 10\nf 7 10 9\nf 8 9 10\n"
    assert volume(content) == pytest.approx(1)


PLAIN = VERTICES + FACES


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace("f 1 2 4", "  f 1 2 4"),
        PLAIN.replace("f 1 2 4", "f\t1\t2 4"),
        PLAIN.replace("f 2", "\tf\t 2"),
        PLAIN.replace("v 1", "v\t1"),
        PLAIN.replace("v 0", " v 0"),
        PLAIN.replace("f 1 2 4", "f 1 2 4 # not 3"),
        PLAIN.replace("v 1 0 0", "v 1 0 0#7"),
        PLAIN.replace("v 1 0 0", "# C:\\scans\\\nv 1 0 0"),
        PLAIN.replace("f 1 2 4", "f 1 2\\\n 4"),
        PLAIN.replace("f 1 2 4", "f 1 2\\\n\t4 # the last").replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "\ufeff" + PLAIN,
        PLAIN.strip(),
    ],
)
def test_every_spelling_of_a_line_is_read(content: str):
    assert volume(content) == pytest.approx(1)


@pytest.mark.parametrize("index", ["-", "--1", "-x", "-1e3"])
def test_an_index_that_is_no_number_is_refused(index: str):
    with pytest.raises(UnusableSource, match="no OBJ"):
        volume(f"{VERTICES}{FACES}f 1 2 {index}\n")
