import numpy as np
import pytest

from orthanc_stl_plugin.mesh.marching_cubes_tables import MAX_TRIANGLES
from orthanc_stl_plugin.mesh.triangle_shapes import shape_tables

CORNER = MAX_TRIANGLES * 1
"""The triangle that cuts off the lowest node of a cell."""


def test_the_triangle_around_one_inside_node_looks_away_from_it() -> None:
    assert np.abs(shape_tables().area_vectors[CORNER]) == pytest.approx([1 / 8] * 3)
    assert (shape_tables().area_vectors[CORNER] > 0).all()


def test_what_is_missing_falls_by_the_volume_that_the_corners_sweep() -> None:
    wanting = shape_tables().wanting[:, CORNER].astype(float)
    for a, b, c in [(0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (-0.2, 0.3, 0.4)]:
        enclosed = (0.5 + a) * (0.5 + b) * (0.5 + c) / 6
        products = [1, a, b, a * b, c, a * c, b * c, a * b * c]
        assert wanting @ products == pytest.approx(1 / 8 - enclosed, abs=1e-7)
