import resource

import numpy as np
import pytest

from orthanc_stl_plugin.errors import TooLarge, UnusableSource
from orthanc_stl_plugin.model.geometry import Grid

TILTED = np.array([[0, -2, 0, 10], [1.5, 0, 0, -20], [0, 0, 4, 30], [0, 0, 0, 1]], dtype=float)


def test_a_voxel_index_is_placed_at_the_centre_of_its_voxel():
    point = Grid((5, 6, 7), TILTED).to_world(np.array([[1, 2, 3]]))
    assert point.tolist() == [[6.0, -18.5, 42.0]]


def test_a_point_in_the_patient_goes_back_to_its_index():
    index = Grid((5, 6, 7), TILTED).to_index(np.array([[6.0, -18.5, 42.0]]))
    assert np.allclose(index, [[1, 2, 3]])


def test_voxel_sizes_are_the_lengths_of_the_axes():
    assert Grid((5, 6, 7), TILTED).voxel_size_mm == (1.5, 2.0, 4.0)


def test_the_volume_of_a_voxel_is_positive_also_when_mirrored():
    mirrored = TILTED @ np.diag([-1.0, 1, 1, 1])
    assert Grid((5, 6, 7), mirrored).voxel_volume_mm3 == pytest.approx(12)


def test_a_left_handed_affine_is_mirrored():
    assert not Grid((5, 6, 7), TILTED).is_mirrored
    assert Grid((5, 6, 7), TILTED @ np.diag([-1.0, 1, 1, 1])).is_mirrored


def test_a_window_keeps_every_voxel_where_it_was():
    whole = Grid((5, 6, 7), TILTED, "1.2.3")
    window = whole.window((-1, 2, 3), (3, 3, 3))
    inside = window.to_world(np.array([[2, 0, 0]]))
    assert np.allclose(inside, whole.to_world(np.array([[1, 2, 3]])))
    assert (window.shape, window.frame_of_reference_uid) == ((3, 3, 3), "1.2.3")


def test_a_reduced_voxel_lies_in_the_middle_of_its_block():
    reduced = Grid((5, 6, 7), TILTED).reduced((2, 1, 3))
    assert reduced.shape == (3, 6, 3)
    centre = Grid((5, 6, 7), TILTED).to_world(np.array([[0.5, 0, 1]]))
    assert np.allclose(reduced.to_world(np.array([[0, 0, 0]])), centre)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (np.diag([np.nan, 1, 1, 1]), "not finite"),
        (np.diag([np.inf, 1, 1, 1]), "not finite"),
        (np.diag([0.0, 1, 1, 1]), "no extent"),
        (np.diag([1e9, 1, 1, 1]), "above the limit of 1e\\+07 mm"),
    ],
)
def test_an_affine_that_places_nothing_is_refused(change: np.ndarray, sentence: str):
    with pytest.raises(UnusableSource, match=sentence):
        Grid((5, 6, 7), change)


def test_parallel_axes_are_refused():
    affine = np.eye(4)
    affine[:3, 1] = affine[:3, 0]
    with pytest.raises(UnusableSource, match="singular"):
        Grid((5, 6, 7), affine)


def test_a_grid_without_voxels_is_refused():
    with pytest.raises(UnusableSource, match="no inside"):
        Grid((5, 0, 7), np.eye(4))


def test_the_affine_cannot_be_changed_afterwards():
    affine = np.eye(4)
    grid = Grid((5, 6, 7), affine)
    affine[0, 0] = 9
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 9
    assert grid.affine[0, 0] == 1


def test_work_that_does_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (4 << 30, 4 << 30))
    Grid((800, 1000, 1024), np.eye(4)).require_memory(5)
    with pytest.raises(TooLarge, match="800 x 1000 x 1200 voxels takes 4577 MiB .* the 4096 MiB"):
        Grid((800, 1000, 1200), np.eye(4)).require_memory(5)
