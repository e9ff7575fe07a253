import numpy as np
import pytest

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.mesh.measure import is_watertight, report, unpaired_edges, welded_faces
from orthanc_stl_plugin.model.mesh import Mesh

CORNERS = np.array([[0, 0, 0], [3, 0, 0], [0, 4, 0], [0, 0, 6]], dtype=np.float32)
OUTWARD = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], dtype=np.int32)
TETRAHEDRON = Mesh(CORNERS, OUTWARD)


def test_volume_area_and_centre_of_a_tetrahedron() -> None:
    found = report(TETRAHEDRON)
    slanted = np.sqrt(12**2 + 18**2 + 24**2) / 2
    assert found.triangles == 4
    assert found.volume_mm3 == pytest.approx(3 * 4 * 6 / 6)
    assert found.area_mm2 == pytest.approx(6 + 9 + 12 + slanted)
    assert found.centroid_mm == pytest.approx((0.75, 1.0, 1.5))
    assert found.is_watertight
    assert found.bounds_mm == ((0, 0, 0), (3, 4, 6))


def test_faces_that_look_inward_enclose_a_negative_volume() -> None:
    inward = Mesh(CORNERS, OUTWARD[:, ::-1].copy())
    assert report(inward).volume_mm3 == pytest.approx(-12)
    assert report(inward).centroid_mm == pytest.approx((0.75, 1.0, 1.5))


def test_the_centre_is_precise_far_from_the_origin() -> None:
    far = Mesh(CORNERS + np.float32(2**20), OUTWARD)
    assert report(far).volume_mm3 == pytest.approx(12, rel=1e-9)
    assert report(far).centroid_mm == pytest.approx((2**20 + 0.75, 2**20 + 1, 2**20 + 1.5))


def test_vertices_of_equal_coordinates_are_one() -> None:
    soup = Mesh(CORNERS[OUTWARD].reshape(-1, 3), np.arange(12, dtype=np.int32).reshape(4, 3))
    assert len(np.unique(welded_faces(soup))) == 4
    assert is_watertight(soup)


def test_minus_zero_is_zero() -> None:
    vertices = np.array([[0.0, 1, 2], [-0.0, 1, 2], [5, 5, 5]], dtype=np.float32)
    faces = welded_faces(Mesh(vertices, np.array([[0, 1, 2]], dtype=np.int32)))
    assert faces[0, 0] == faces[0, 1] != faces[0, 2]


def test_a_missing_face_leaks() -> None:
    assert not is_watertight(Mesh(CORNERS, OUTWARD[:3]))
    assert unpaired_edges(OUTWARD[:3]).tolist() == [[1, 2], [1, 3], [2, 3]]


def test_a_face_turned_round_is_not_sound() -> None:
    faces = OUTWARD.copy()
    faces[0] = faces[0, ::-1]
    assert not is_watertight(Mesh(CORNERS, faces))


def test_an_edge_in_four_faces_is_not_sound() -> None:
    vertices = np.vstack([CORNERS, CORNERS * np.array([-1, -1, 1], dtype=np.float32)])
    beside = OUTWARD + 4
    assert not is_watertight(Mesh(vertices, np.vstack([OUTWARD, beside])))


def test_parts_that_touch_in_one_point_are_sound() -> None:
    vertices = np.vstack([CORNERS, -CORNERS])
    beside = OUTWARD[:, ::-1] + 4
    assert is_watertight(Mesh(vertices, np.vstack([OUTWARD, beside]).astype(np.int32)))


def test_a_face_with_two_corners_in_one_point_is_not_sound() -> None:
    faces = np.vstack([OUTWARD, [[1, 1, 2], [2, 1, 1]]]).astype(np.int32)
    assert not is_watertight(Mesh(CORNERS, faces))


def test_a_mesh_without_triangles_has_nothing_to_report() -> None:
    with pytest.raises(UnusableSource, match="no triangle"):
        report(Mesh(CORNERS, OUTWARD[:0]))
