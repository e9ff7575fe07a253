import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import sparse

from orthanc_stl_plugin.mesh.sparse_products import LEAST_ENTRIES, Operator
from orthanc_stl_plugin.mesh.surface import mask_surface
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import MeshOptions

ROWS = 7


@pytest.mark.parametrize("columns", [5, LEAST_ENTRIES // 4])
def test_a_product_is_that_of_the_whole_matrix(columns: int) -> None:
    values = np.arange(ROWS * columns, dtype=np.float32).reshape(ROWS, columns) % 3
    vector = np.arange(columns, dtype=np.float32) % 5
    with ThreadPoolExecutor(1) as helper:
        product = Operator(sparse.csr_array(values), helper) @ vector
    assert np.array_equal(product, values @ vector)


def test_no_thread_is_left_when_a_large_surface_is_made() -> None:
    before = threading.active_count()
    mask = np.zeros((400, 170, 6), dtype=np.bool_)
    mask[1:-1, 1:-1, 1:-1:2] = True
    mesh = mask_surface(mask, Grid(mask.shape, np.eye(4)), MeshOptions(resolution=512))
    assert 3 * len(mesh.faces) > LEAST_ENTRIES
    assert threading.active_count() == before
