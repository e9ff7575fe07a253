import numpy as np
import pytest

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.mesh.decimate import simplify
from orthanc_stl_plugin.mesh.measure import is_watertight, report, unpaired_edges
from orthanc_stl_plugin.mesh.nonmanifold_edges import without_pinches
from orthanc_stl_plugin.mesh.self_intersections import count_intersections
from orthanc_stl_plugin.mesh.surface import mask_surface
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import Mesh, MeshOptions
from tests.support.phantoms import sampled, tilted_grid, torus
from tests.support.triangles import smallest_angles_degrees

CORNERS = np.array([[0, 0, 0], [0, 0, 6], [3, 0, 0], [0, 4, 0]], dtype=np.float64)
OUTWARD = np.array([[0, 3, 2], [0, 1, 3], [0, 2, 1], [2, 3, 1]], dtype=np.int32)


def volume(points: np.ndarray, faces: np.ndarray) -> float:
    return report(Mesh(points.astype(np.float32), faces.astype(np.int32))).volume_mm3


def test_a_mesh_that_is_small_enough_is_returned_as_it_is() -> None:
    mesh = Mesh(CORNERS.astype(np.float32), OUTWARD)
    assert simplify(mesh, 4) is mesh


def test_a_simplified_ring_is_still_a_ring() -> None:
    solid = torus(16, 6, (100, -50, 30))
    grid = tilted_grid((1, 1, 1), 48, is_left_handed=True, centre_mm=(100, -50, 30))
    mesh = simplify(mask_surface(sampled(solid, grid), grid, MeshOptions()), 800)
    found = report(mesh)
    assert 700 <= found.triangles <= 800
    assert found.is_watertight
    assert len(np.unique(mesh.faces)) - found.triangles // 2 == 0
    assert found.volume_mm3 == pytest.approx(solid.volume_mm3, rel=0.02)
    assert found.centroid_mm == pytest.approx(solid.centroid_mm, abs=0.2)


@pytest.mark.parametrize("share", [0.5, 0.2, 0.05])
def test_noise_stays_closed(share: float) -> None:
    mask = np.random.default_rng(5).random((16, 16, 16)) < 0.4
    mesh = mask_surface(mask, Grid(mask.shape, np.eye(4)), MeshOptions())
    simple = simplify(mesh, int(share * len(mesh.faces)))
    assert len(simple.faces) <= share * len(mesh.faces)
    assert is_watertight(simple)


def test_more_parts_than_triangles_are_refused() -> None:
    mask = np.zeros((15, 15, 15), dtype=np.bool_)
    mask[1::2, 1::2, 1::2] = True
    mesh = mask_surface(mask, Grid(mask.shape, np.eye(4)), MeshOptions())
    with pytest.raises(UnusableSource, match="too many parts"):
        simplify(mesh, 100)


def test_the_argument_is_left_as_it_was() -> None:
    mask = np.ones((9, 9, 9), dtype=np.bool_)
    mesh = mask_surface(mask, Grid(mask.shape, np.eye(4)), MeshOptions())
    vertices, faces = mesh.vertices.copy(), mesh.faces.copy()
    simplify(mesh, 200)
    assert np.array_equal(mesh.vertices, vertices)
    assert np.array_equal(mesh.faces, faces)


def test_two_wedges_on_one_edge_are_taken_apart_with_their_insides() -> None:
    points = np.vstack([CORNERS, CORNERS[2:] * [-1, -1, 1]])
    beside = np.array([0, 1, 4, 5], dtype=np.int32)[OUTWARD]
    found, faces = without_pinches(points, np.vstack([OUTWARD, beside]))
    assert not unpaired_edges(faces).size
    assert len(found) == 8
    assert volume(found[faces[:4]].reshape(-1, 3), np.arange(12).reshape(4, 3)) > 0
    assert volume(found, faces) == pytest.approx(2 * 12, rel=1e-2)


def test_faces_back_to_back_are_left_out() -> None:
    hollow = np.array([[1, 2, 3], [3, 2, 1]], dtype=np.int32)
    _, faces = without_pinches(CORNERS, np.vstack([OUTWARD, hollow]))
    assert len(faces) == 4
    assert not unpaired_edges(faces).size


def test_a_surface_without_pinches_is_returned_as_it_is() -> None:
    points, faces = without_pinches(CORNERS, OUTWARD)
    assert np.array_equal(points, CORNERS)
    assert np.array_equal(faces, OUTWARD)


def test_a_surface_with_a_hole_is_returned_as_it_is() -> None:
    _, faces = without_pinches(CORNERS, OUTWARD[:3])
    assert np.array_equal(faces, OUTWARD[:3])


@pytest.mark.parametrize("triangles", [150, 500, 2000])
def test_a_reduced_surface_keeps_its_volume_and_has_even_triangles(triangles: int) -> None:
    grid = tilted_grid((1, 1, 2.5), 60, is_left_handed=False, centre_mm=(9, -4, 30))
    mesh = mask_surface(sampled(torus(18, 6, (9, -4, 30)), grid), grid, MeshOptions())
    simple = simplify(mesh, triangles)
    assert 0.9 * triangles <= len(simple.faces) <= triangles
    assert report(simple).volume_mm3 == pytest.approx(report(mesh).volume_mm3, rel=1e-3)
    assert np.percentile(smallest_angles_degrees(simple), 5) >= 20
    assert count_intersections(simple.vertices.astype(np.float64), simple.faces) == 0


def test_walls_that_would_meet_get_back_as_much_volume_as_fits() -> None:
    mask = np.zeros((60, 60, 12), dtype=np.bool_)
    mask[2:58, 2:58, 2:5] = mask[2:58, 2:58, 6:9] = mask[28:32, 28:32, 2:9] = True
    mesh = mask_surface(mask, Grid(mask.shape, np.diag([1, 1, 0.5, 1.0])), MeshOptions())
    simple = simplify(mesh, 400)
    assert is_watertight(simple)
    assert count_intersections(simple.vertices.astype(np.float64), simple.faces) == 0
