import numpy as np
import pytest
from numpy.typing import NDArray

from orthanc_stl_plugin.mesh.block_means import block_factors, block_means, block_occupancy


def test_only_an_axis_above_the_resolution_is_reduced() -> None:
    assert block_factors((512, 513, 20), 256) == (2, 3, 1)


def test_the_occupancy_of_a_block_is_the_share_of_its_voxels() -> None:
    inside = np.zeros((4, 2, 2), dtype=np.bool_)
    inside[0] = inside[2, 0, 0] = True
    assert block_occupancy(inside, (2, 2, 2)).ravel().tolist() == [0.5, 0.125]


def test_beyond_the_volume_a_block_is_empty() -> None:
    inside = np.ones((3, 1, 1), dtype=np.bool_)
    assert block_occupancy(inside, (2, 1, 1)).ravel().tolist() == [1.0, 0.5]


def test_many_voxels_in_a_block_do_not_overflow() -> None:
    inside = np.ones((20, 20, 2), dtype=np.bool_)
    assert block_occupancy(inside, (20, 20, 1)).ravel().tolist() == [1.0, 1.0]


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_the_last_block_is_the_mean_of_the_voxels_there_are(dtype: type) -> None:
    values: NDArray[np.floating] = np.array([[[1]], [[3]], [[8]]], dtype=dtype)
    assert block_means(values, (2, 1, 1)).ravel().tolist() == [2.0, 8.0]


def test_what_is_not_a_number_does_not_count() -> None:
    values = np.array([np.nan, 3, np.nan, np.nan]).reshape(4, 1, 1)
    found = block_means(values, (2, 1, 1)).ravel()
    assert found[0] == 3
    assert np.isnan(found[1])
