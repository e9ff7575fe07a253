"""Slice positions -> a regular lattice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.volumes.slice_lattice import Lattice, fit_lattice
from tests.support.dicom_samples import rotation

AXIAL = np.array([1.0, 0, 0, 0, 1, 0])


def at_heights(heights: list[float]) -> NDArray[np.float64]:
    return np.array([[10.0, -20.0, height] for height in heights])


def fit(heights: list[float], spacing_mm: float | None = None, is_sparse: bool = True) -> Lattice:
    return fit_lattice(at_heights(heights), AXIAL, spacing_mm, 0.1, is_sparse=is_sparse)


def test_slices_are_numbered_upwards_along_the_normal() -> None:
    lattice = fit([4.0, -1.0, 1.5, 4.0])
    assert lattice.indices.tolist() == [2, 0, 1, 2]
    assert lattice.count == 3
    np.testing.assert_allclose(lattice.origin_mm, [10, -20, -1], atol=1e-9)
    np.testing.assert_allclose(lattice.step_mm, [0, 0, 2.5], atol=1e-9)


def test_positions_rounded_to_a_tenth_of_a_millimetre_do_not_drift() -> None:
    heights = [round(0.625 * index, 1) for index in range(200)]
    lattice = fit(heights, is_sparse=False)
    assert lattice.indices.tolist() == list(range(200))
    assert lattice.step_mm[2] == pytest.approx(0.625, abs=1e-4)


def test_a_stated_spacing_is_used_only_where_the_positions_need_it() -> None:
    assert fit([0.0, 2.0, 4.0], spacing_mm=1.0).count == 3
    assert fit([0.0, 2.0, 5.0], spacing_mm=1.0).count == 6
    assert fit([0.0, 2.0, 5.0]).indices.tolist() == [0, 2, 5]


@pytest.mark.parametrize("jitter", [1e-5, 1e-3, 0.05, 0.1])
def test_frames_that_tell_the_place_of_a_slice_unevenly_are_on_one_slice(jitter: float) -> None:
    heights = [slice_mm + jitter * part for slice_mm in (0.0, 3, 6, 12) for part in (0, 0.3, 1)]
    lattice = fit_lattice(at_heights(heights), AXIAL, None, 0.25, is_sparse=True)
    assert lattice.indices.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 4, 4, 4]
    assert lattice.step_mm[2] == pytest.approx(3, abs=1e-6)


def test_uneven_frames_of_a_single_slice_are_as_thick_as_the_file_says() -> None:
    lattice = fit([5.0, 5.01], spacing_mm=3)
    assert lattice.count == 1
    assert lattice.step_mm[2] == pytest.approx(3)


def test_slices_nearer_than_their_pixels_are_wide_stay_apart() -> None:
    assert fit([0.0, 0.01, 0.02, 0.03], spacing_mm=0.01).count == 4


def between(heights: list[float], between_slices_mm: float) -> Lattice:
    return fit_lattice(
        at_heights(heights), AXIAL, None, 0.1, is_sparse=True, between_slices_mm=between_slices_mm
    )


def test_gaps_of_three_stated_spacings_or_more_are_absent_slices() -> None:
    assert between([0.0, 90.0], 3.0).indices.tolist() == [0, 30]
    assert between([0.0, 9.0, 18.0], 3.0).indices.tolist() == [0, 3, 6]
    np.testing.assert_allclose(between([0.0, 90.0], 3.0).step_mm, [0, 0, 3], atol=1e-9)


def test_a_stated_spacing_that_leaves_part_of_a_gap_over_is_not_followed() -> None:
    assert between([0.0, 10.0, 20.0], 3.0).count == 3


def test_a_stated_spacing_of_half_a_gap_is_not_followed() -> None:
    assert between([0.0, 2.0, 4.0], 1.0).count == 3


def test_a_dense_stack_does_not_split_its_smallest_gap() -> None:
    with pytest.raises(UnusableSource, match="irregular: from 2 to 3 mm"):
        fit([0.0, 2.0, 5.0], spacing_mm=1.0, is_sparse=False)


def test_positions_that_no_spacing_explains_are_refused() -> None:
    with pytest.raises(UnusableSource, match="of the 4 slices is irregular"):
        fit([0.0, 1.0, 2.37, 3.9], spacing_mm=0.9)


def test_positions_that_wander_in_the_plane_are_refused() -> None:
    positions = at_heights([0.0, 1.0, 2.0, 3.0])
    positions[2, 0] += 5
    with pytest.raises(UnusableSource, match="irregular"):
        fit_lattice(positions, AXIAL, None, 0.1)


@given(
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.lists(st.integers(0, 30), min_size=2, max_size=12, unique=True),
    st.floats(0.05, 8),
    st.floats(-0.6, 0.6),
)
def test_a_sheared_oblique_lattice_is_found_from_any_of_its_slices(
    angles: tuple[float, float, float], slices: list[int], spacing: float, shear: float
) -> None:
    turn = rotation(*angles)
    orientation = np.concatenate([turn[:, 0], turn[:, 1]])
    step = turn @ [0, shear * spacing, spacing]
    slices = [*slices, 31, 32]
    positions = np.array([[5.0, -60, 7] + index * step for index in slices])
    lattice = fit_lattice(positions, orientation, None, 0.01, is_sparse=True)
    np.testing.assert_allclose(lattice.step_mm, step, atol=1e-6)
    assert (lattice.indices + min(slices)).tolist() == slices
