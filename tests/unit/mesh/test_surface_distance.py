import numpy as np
import pytest

from orthanc_stl_plugin.mesh.decimate import simplify_within
from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.mesh.surface import mask_surface
from orthanc_stl_plugin.mesh.surface_distance import distance_mm
from orthanc_stl_plugin.model.mesh import MIN_TRIANGLES, Mesh, MeshOptions
from tests.support.phantoms import sampled, tilted_grid, torus

CORNERS = np.array(list(np.ndindex(2, 2, 2)), dtype=np.float32)
FACES = np.array(
    [
        (0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1),
        (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3),
    ],
    dtype=np.int32,
)  # fmt: skip
BOX = Mesh(CORNERS * np.float32(10), FACES)


def test_the_distance_is_the_greatest_in_either_direction() -> None:
    longer = Mesh(BOX.vertices * np.array([1.3, 1, 1], dtype=np.float32), FACES)
    assert distance_mm(BOX, BOX) == pytest.approx(0, abs=1e-6)
    assert distance_mm(BOX, longer) == pytest.approx(3, abs=1e-5)
    assert distance_mm(longer, BOX) == pytest.approx(3, abs=1e-5)


def test_a_bulge_between_vertices_is_found() -> None:
    tip = np.array([[10, 5, 5], [14, 5, 5]], dtype=np.float32)
    around = np.array([(4, 6, 8), (6, 7, 8), (7, 5, 8), (5, 4, 8)], dtype=np.int32)
    rest = np.delete(FACES, [2, 3], axis=0)
    flat, bulged = (
        Mesh(np.vstack([BOX.vertices, point]), np.vstack([rest, around])) for point in tip
    )
    assert distance_mm(flat, BOX) == pytest.approx(0, abs=1e-6)
    assert distance_mm(BOX, bulged) == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("max_error_mm", [0.2, 1.0])
def test_few_triangles_stay_within_the_distance_asked_for(max_error_mm: float) -> None:
    grid = tilted_grid((1, 1, 1.5), 60, is_left_handed=True, centre_mm=(9, -4, 30))
    mesh = mask_surface(sampled(torus(18, 6, (9, -4, 30)), grid), grid, MeshOptions())
    simple, error_mm = simplify_within(mesh, max_error_mm)
    assert error_mm == distance_mm(mesh, simple)
    assert 0.6 * max_error_mm < error_mm <= max_error_mm
    assert len(simple.faces) < len(mesh.faces) / 2
    assert report(simple).is_watertight


def test_what_cannot_be_reduced_is_returned_as_it_is() -> None:
    assert simplify_within(BOX, 5.0) == (BOX, 0)


def test_no_fewer_triangles_are_tried_than_may_be_asked_for() -> None:
    grid = tilted_grid((1, 1, 1), 30, is_left_handed=False, centre_mm=(0, 0, 0))
    mesh = mask_surface(sampled(torus(8, 4), grid), grid, MeshOptions())
    simple, _ = simplify_within(mesh, 100.0)
    assert 0.9 * MIN_TRIANGLES <= len(simple.faces) <= 1.05 * MIN_TRIANGLES
