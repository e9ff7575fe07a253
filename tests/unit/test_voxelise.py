import numpy as np
import pytest
from numpy.typing import NDArray

from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import Mesh
from tests.support.phantoms import letter_f, sphere, tilted_grid, voxel_centres_mm
from tests.support.voxelise import inside

CORNERS = np.array(list(np.ndindex(2, 2, 2)), dtype=np.float64)
BOX_FACES = np.array(
    [
        (0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1),
        (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3),
    ],
    dtype=np.int32,
)  # fmt: skip


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Mesh:
    vertices = np.array(low) + CORNERS * (np.array(high) - np.array(low))
    return Mesh(vertices.astype(np.float32), BOX_FACES)


def joined(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=True)]).astype(np.int32),
    )


def unit_grid(columns: int, rows: int, slices: int) -> Grid:
    return Grid((columns, rows, slices), np.eye(4))


def block(grid: Grid, columns: slice, rows: slice, slices: slice) -> NDArray[np.bool_]:
    mask = np.zeros(grid.shape, dtype=np.bool_)
    mask[columns, rows, slices] = True
    return mask


def ball(radius_mm: float, centre_mm: tuple[float, float, float]) -> Mesh:
    """An octahedron, divided until its faces are within 0.2 % of a sphere's radius."""
    points = np.array(
        [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)], dtype=np.float64
    )
    triangles = points[
        [(0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4), (2, 0, 5), (1, 2, 5), (3, 1, 5), (0, 3, 5)]
    ]
    for _ in range(5):
        a, b, c = np.moveaxis(triangles, 1, 0)
        ab, bc, ca = ((one + other) / 2 for one, other in ((a, b), (b, c), (c, a)))
        parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        triangles = np.concatenate([np.stack(part, axis=1) for part in parts])
    corners = triangles.reshape(-1, 3)
    corners = corners / np.linalg.norm(corners, axis=1, keepdims=True)
    corners, place = np.unique(corners.round(9), axis=0, return_inverse=True)
    vertices = (corners * radius_mm + np.array(centre_mm)).astype(np.float32)
    return Mesh(vertices, place.reshape(-1, 3).astype(np.int32))


def test_a_box_between_voxel_centres_holds_the_centres_between_its_sides() -> None:
    grid = unit_grid(7, 8, 9)
    found = inside(box((0.5, 1.4, 2.6), (3.5, 4.6, 7.2)), grid)
    assert np.array_equal(found, block(grid, slice(1, 4), slice(2, 5), slice(3, 8)))


def test_rays_along_edges_and_through_corners_are_counted_once() -> None:
    grid = unit_grid(6, 7, 8)
    found = inside(box((1, 2, 2.5), (4, 5, 6.5)), grid)
    inner = block(grid, slice(2, 4), slice(3, 5), slice(3, 7))
    outer = block(grid, slice(1, 5), slice(2, 6), slice(3, 7))
    assert (found >= inner).all()
    assert (found <= outer).all()
    assert found.sum() == 3 * 3 * 4


def test_nothing_leaks_out_of_a_mesh_whose_vertices_lie_on_the_rays() -> None:
    """Octahedra whose six corners are at voxel centres: every ray within touches an edge."""
    grid = unit_grid(21, 21, 21)
    for radius in range(1, 9):
        corners = np.concatenate([np.eye(3), -np.eye(3)]) * (radius + 0.25) + 10
        corners[:, :2] = corners[:, :2].round()
        faces = [(0, 1, 2), (1, 3, 2), (3, 4, 2), (4, 0, 2)]
        faces += [(1, 0, 5), (3, 1, 5), (4, 3, 5), (0, 4, 5)]
        found = inside(Mesh(corners.astype(np.float32), np.array(faces, np.int32)), grid)
        distance = np.abs(np.moveaxis(np.indices(grid.shape), 0, -1) - 10).sum(axis=-1)
        assert found[distance < radius - 0.01].all()
        assert not found[distance > radius + 0.3].any()


def test_a_cavity_is_outside() -> None:
    grid = unit_grid(9, 9, 9)
    found = inside(joined(box((0.5, 0.5, 0.5), (7.5, 7.5, 7.5)), box((2.5,) * 3, (4.5,) * 3)), grid)
    assert found.sum() == 7**3 - 2**3
    assert not found[3, 4, 3]


def test_the_part_of_a_mesh_that_lies_beyond_the_grid_is_left_out() -> None:
    grid = unit_grid(4, 4, 4)
    assert inside(box((-5.5, -5.5, -5.5), (20.5, 1.5, 2.5)), grid).sum() == 4 * 2 * 3
    assert not inside(box((10.5, 0.5, 0.5), (12.5, 2.5, 2.5)), grid).any()


@pytest.mark.parametrize("is_left_handed", [False, True])
def test_a_sphere_on_a_tilted_anisotropic_grid_is_the_voxels_within_it(
    is_left_handed: bool,
) -> None:
    centre = (31.0, -17.0, 55.0)
    grid = tilted_grid((0.9, 1.3, 2.7), 40, is_left_handed=is_left_handed, centre_mm=centre)
    found = inside(ball(15, centre), grid)
    distance = sphere(15, centre).distance_mm(voxel_centres_mm(grid))
    is_clear = np.abs(distance) > 0.03  # the mesh's sides lie that far below the sphere
    assert np.array_equal(found[is_clear], distance[is_clear] < 0)


def test_a_letter_of_overlapping_rooms_keeps_its_hand() -> None:
    solid = letter_f((5.0, -3.0, 2.0))
    grid = tilted_grid((1.1, 0.8, 1.7), 60, centre_mm=(20.0, 2.0, 24.0))
    rooms = [((5, -3, 2), (14, 9, 46)), ((14, -3, 36), (39, 5, 46)), ((14, -3, 18), (27, 9, 27))]
    found = np.zeros(grid.shape, dtype=np.bool_)
    for low, high in rooms:
        found |= inside(box(low, high), grid)
    distance = solid.distance_mm(voxel_centres_mm(grid))
    is_clear = np.abs(distance) > 1e-4
    assert np.array_equal(found[is_clear], distance[is_clear] < 0)


def test_layers_between_slices_are_looked_at_where_they_are() -> None:
    grid = unit_grid(4, 4, 4)
    layers = np.array([0.2, 0.9, 1.6, 3.25, 7.0])
    found = inside(box((0.5, 0.5, 0.8), (2.5, 2.5, 3.3)), grid, layers)
    assert found.shape == (4, 4, 5)
    assert found[1, 1].tolist() == [False, True, True, True, False]
