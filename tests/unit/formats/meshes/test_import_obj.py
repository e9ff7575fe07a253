import re

import numpy as np
import pytest

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.meshes.read import MeshFormat
from orthanc_stl_plugin.mesh.measure import report
from tests.support.dicom_samples import F_AREA_MM2, F_OUTLINE
from tests.support.mesh_samples import given

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


def f_prism(*starts: int, corner: str = "{0}") -> str:
    """An F of 796 mm2, 5 mm thick, its two ends polygons that begin at these of their corners."""
    count = len(F_OUTLINE)
    lines = [f"v {x} {y} {z}" for z in (0, 5) for x, y in F_OUTLINE]
    ends = (range(count)[::-1], range(count, 2 * count))
    rings = [np.roll(end, -start).tolist() for end, start in zip(ends, starts, strict=True)]
    sides = [(at, (at + 1) % count, (at + 1) % count + count, at + count) for at in range(count)]
    lines += ["f " + " ".join(corner.format(at + 1) for at in face) for face in [*rings, *sides]]
    return "\n".join(lines) + "\n"


OUTLINE_MM = float(np.linalg.norm(F_OUTLINE - np.roll(F_OUTLINE, 1, axis=0), axis=1).sum())


@pytest.mark.parametrize("corner", ["{0}", "{0}/1", "{0}//1", "{0}/1/1"])
@pytest.mark.parametrize("start", [0, 1, 3, 5, 7])
def test_concave_polygons_are_not_folded(start: int, corner: str):
    content = "vt 0 0\nvn 0 0 1\n" + f_prism(start, start + 2, corner=corner)
    told = report(given(content.encode(), MeshFormat.OBJ).mesh)
    assert told.is_watertight
    assert told.volume_mm3 == pytest.approx(F_AREA_MM2 * 5)
    assert told.area_mm2 == pytest.approx(2 * F_AREA_MM2 + 5 * OUTLINE_MM)


def test_vertices_with_colours_are_those_of_concave_polygons_too():
    content = re.sub(r"(?m)^(v .*)$", r"\1 1 0 0", f_prism(1, 1))
    told = report(given(content.encode(), MeshFormat.OBJ).mesh)
    assert told.area_mm2 == pytest.approx(2 * F_AREA_MM2 + 5 * OUTLINE_MM)
