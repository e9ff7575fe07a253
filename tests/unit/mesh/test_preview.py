import numpy as np
import pytest

from orthanc_stl_plugin.mesh.preview import shaded
from orthanc_stl_plugin.mesh.surface import mask_surface
from orthanc_stl_plugin.model.mesh import Mesh, MeshOptions
from tests.support.phantoms import letter_f, sampled, tilted_grid


@pytest.fixture(scope="module")
def f_mesh() -> Mesh:
    """An F with its stem on the patient's right, and arms to the left that stand to the front."""
    solid = letter_f((-15, -6, -22))
    grid = tilted_grid((1.5, 1.5, 1.5), 66)
    return mask_surface(sampled(solid, grid), grid, MeshOptions())


def filled(picture: np.ndarray) -> np.ndarray:
    return picture[:, :, 3] > 127


def test_a_picture_is_square_rgba_with_a_transparent_ground(f_mesh: Mesh) -> None:
    picture = shaded(f_mesh, size_px=64)
    assert picture.shape == (64, 64, 4)
    assert picture.dtype == np.uint8
    assert picture[0, 0].tolist() == [0, 0, 0, 0]
    assert picture[..., 3].max() == 255


def test_the_front_view_shows_the_patients_right_on_the_left(f_mesh: Mesh) -> None:
    is_filled = filled(shaded(f_mesh, size_px=88))
    stem, beside = is_filled[:, 15], is_filled[:, 40]
    assert stem.sum() > 70
    assert is_filled[10, 60]
    assert not is_filled[75, 60]
    assert beside.sum() < 50


def test_the_back_view_is_the_other_way_round(f_mesh: Mesh) -> None:
    front = filled(shaded(f_mesh, size_px=88))
    back = filled(shaded(f_mesh, size_px=88, turn_degrees=180))
    assert np.mean(front[:, ::-1] != back) < 0.02


def test_turning_to_the_patients_left_sees_the_front_on_the_left(f_mesh: Mesh) -> None:
    deep_at_the_stem = filled(shaded(f_mesh, size_px=88, turn_degrees=90))
    columns = np.flatnonzero(deep_at_the_stem.any(axis=0))
    assert np.ptp(columns) == pytest.approx(88 * 0.92 * 12 / 44, abs=3)
    arm_row = np.flatnonzero(deep_at_the_stem[10])
    assert arm_row.min() == pytest.approx(columns.min(), abs=2)


def test_a_picture_from_above_shows_the_length_of_the_arm(f_mesh: Mesh) -> None:
    is_filled = filled(shaded(f_mesh, size_px=68, tilt_degrees=90))
    rows, columns = np.flatnonzero(is_filled.any(axis=1)), np.flatnonzero(is_filled.any(axis=0))
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(34 / 12, rel=0.1)


def test_the_nearer_of_two_surfaces_is_seen() -> None:
    square = np.array([[0, 0, 0], [10, 0, 0], [10, 0, 10], [0, 0, 10]], dtype=np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    tilted = square.copy()
    tilted[:, 1] = 5 + 0.8 * square[:, 2]
    alone = shaded(Mesh(square, faces), size_px=16)
    both = shaded(Mesh(np.vstack([tilted, square]), np.vstack([faces, faces + 4])), size_px=16)
    assert np.array_equal(both, alone)


def test_the_colour_asked_for_is_used(f_mesh: Mesh) -> None:
    red, green, blue, _ = shaded(f_mesh, size_px=32, rgb=(200, 40, 40)).max(axis=(0, 1))
    assert red > 1.5 * max(green, blue)


def test_a_picture_without_pixels_is_a_mistake(f_mesh: Mesh) -> None:
    with pytest.raises(ValueError, match="0 pixels"):
        shaded(f_mesh, size_px=0)
