from itertools import combinations

import numpy as np

from orthanc_stl_plugin.mesh.marching_cubes_tables import cell_tables


def triangles_of(code: int) -> list[list[int]]:
    tables = cell_tables()
    return [list(map(int, t)) for t in tables.triangles[code, : tables.triangle_count[code]]]


def is_inside(code: int, node: np.ndarray) -> bool:
    return bool(code >> int(4 * node[0] + 2 * node[1] + node[2]) & 1)


def ends_of(edge: int) -> tuple[np.ndarray, np.ndarray]:
    tables = cell_tables()
    lower = tables.edge_offset[edge]
    upper = lower.copy()
    upper[tables.edge_axis[edge]] += 1
    return lower, upper


def test_an_empty_and_a_full_cell_have_no_triangles() -> None:
    assert triangles_of(0) == []
    assert triangles_of(255) == []


def test_triangles_stand_on_every_crossed_edge_and_on_no_other() -> None:
    for code in range(256):
        used = {edge for triangle in triangles_of(code) for edge in triangle}
        crossed = {
            edge
            for edge in range(12)
            if is_inside(code, ends_of(edge)[0]) != is_inside(code, ends_of(edge)[1])
        }
        assert used == crossed


def test_no_side_within_a_cell_runs_along_a_face_that_another_cell_shares() -> None:
    tables = cell_tables()
    for code in range(256):
        sides = [frozenset(pair) for t in triangles_of(code) for pair in combinations(t, 2)]
        for side in sides:
            first, second = (ends_of(edge) for edge in side)
            is_on_a_face = any(
                len({int(end[axis]) for end in (*first, *second)}) == 1 for axis in range(3)
            )
            assert sides.count(side) == (1 if is_on_a_face else 2)
    assert tables.triangle_count.max() == 5


def test_one_inside_node_is_cut_off_by_a_triangle_that_looks_away_from_it() -> None:
    tables = cell_tables()
    (triangle,) = triangles_of(1)
    a, b, c = (np.mean(ends_of(edge), axis=0) for edge in triangle)
    assert np.cross(b - a, c - a) @ np.ones(3) > 0
    assert tables.missing_volume[1] == np.float32(1 / 8 - 1 / 48)


def test_inside_nodes_at_opposite_corners_of_a_face_are_joined() -> None:
    opposite_on_a_face = 0b00001001
    assert len(triangles_of(opposite_on_a_face)) == 4
    opposite_in_the_cell = 0b10000001
    assert len(triangles_of(opposite_in_the_cell)) == 2


def test_a_flat_surface_misses_no_volume() -> None:
    assert cell_tables().missing_volume[0b00001111] == 0
