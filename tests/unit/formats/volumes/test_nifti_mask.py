"""What of a NIfTI volume is the mask, and which volumes are none."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.volumes.nifti import NiftiVolume, read_nifti
from orthanc_stl_plugin.formats.volumes.nifti_labels import label_map, label_numbers
from orthanc_stl_plugin.formats.volumes.nifti_mask import mask_of

LIMIT = 1 << 24
AFFINE = np.array([[0, -2, 0, 10], [1.5, 0, 0, -20], [0, 0, 4, 30], [0, 0, 0, 1]], dtype=float)
SHAPE = (30, 26, 22)
DISTANCE = np.sqrt(
    sum(
        np.square(axis - centre)
        for axis, centre in zip(np.indices(SHAPE), (14, 12, 9), strict=True)
    )
)


def volume_of(values: NDArray[np.generic]) -> NiftiVolume:
    return read_nifti(nib.Nifti1Image(values, AFFINE, dtype=values.dtype).to_bytes(), LIMIT)


def test_of_a_probability_map_one_half_and_more_is_inside() -> None:
    probability = (1 / (1 + np.exp(DISTANCE - 7))).clip(1e-4, 1).astype(np.float32)
    mask, [note] = mask_of(volume_of(probability))
    np.testing.assert_array_equal(mask, DISTANCE <= 7)
    assert "one half and more is inside" in note


def test_a_probability_map_that_stays_below_one_half_is_refused() -> None:
    with pytest.raises(UnusableSource, match=r"reaches 0\.4 at most"):
        mask_of(volume_of((0.4 * np.exp(-DISTANCE / 5)).astype(np.float32)))


def test_a_mask_of_one_fraction_is_a_mask() -> None:
    mask, notes = mask_of(volume_of(np.where(DISTANCE < 7, 0.25, 0).astype(np.float32)))
    np.testing.assert_array_equal(mask, DISTANCE < 7)
    assert notes == ()


@pytest.mark.parametrize("off", [1e-7, 4e-4, -4e-4])
def test_values_a_thousandth_off_whole_numbers_are_labels(off: float) -> None:
    labels = np.where(DISTANCE < 4, 2, np.where(DISTANCE < 8, 1, 0))
    volume = volume_of(np.where(labels, labels + off, 0).astype(np.float64))
    np.testing.assert_array_equal(label_numbers(volume), labels)
    mask, notes = mask_of(volume)
    np.testing.assert_array_equal(mask, labels > 0)
    assert notes == ()


def test_a_mask_of_255_times_one_255th_is_a_mask() -> None:
    image = nib.Nifti1Image(np.where(DISTANCE < 7, 255, 0).astype(np.uint8), AFFINE)
    image.header.set_slope_inter(1 / 255, 0)
    volume = read_nifti(image.to_bytes(), LIMIT)
    assert set(label_numbers(volume).ravel().tolist()) == {0, 1}
    mask, notes = mask_of(volume)
    np.testing.assert_array_equal(mask, DISTANCE < 7)
    assert notes == ()


def test_a_value_farther_off_is_no_label_and_the_route_for_grey_values_is_named() -> None:
    with pytest.raises(UnusableSource, match=r"1\.01 is no label number.*encode-series"):
        label_numbers(volume_of(np.where(DISTANCE < 7, 1.01, 0)))


def ct(dtype: type[np.generic], lowest: int) -> NDArray[np.generic]:
    noise = np.random.default_rng(5).normal(0, 20, SHAPE)
    return (np.where(DISTANCE < 7, 400, 60) + noise + lowest).astype(dtype)


@pytest.mark.parametrize(
    "values",
    [ct(np.int16, -300), ct(np.int16, 100), ct(np.uint16, 100), ct(np.float32, -300)],
    ids=["HU", "int16", "uint16", "float"],
)
def test_a_grey_image_is_no_mask_and_has_no_labels(values: NDArray[np.generic]) -> None:
    volume = volume_of(values)
    with pytest.raises(UnusableSource, match="is no mask.*/stl/encode-series"):
        mask_of(volume)
    with pytest.raises(UnusableSource, match="/stl/encode-series"):
        label_map(volume)


def test_fractions_that_are_no_probabilities_are_no_mask() -> None:
    with pytest.raises(UnusableSource, match="its values are many, and not whole"):
        mask_of(volume_of((50 * np.exp(-DISTANCE / 5)).astype(np.float32)))


def test_hundreds_of_labels_are_a_mask() -> None:
    columns, rows, slices = np.indices(SHAPE)
    parcels = 1 + columns // 4 + 8 * (rows // 4) + 64 * (slices // 4)
    labels = np.where(DISTANCE < 12, parcels, 0).astype(np.int32)
    assert len(np.unique(labels)) > 150
    mask, notes = mask_of(volume_of(labels))
    np.testing.assert_array_equal(mask, DISTANCE < 12)
    assert notes == ()
    assert len(label_map(volume_of(labels)).boxes) > 150


def test_a_mask_of_minus_one_is_a_mask() -> None:
    mask, _ = mask_of(volume_of(np.where(DISTANCE < 7, -1, 0).astype(np.int8)))
    np.testing.assert_array_equal(mask, DISTANCE < 7)


def coded(sform: int, qform: int, shift_mm: float = 0.0) -> tuple[str, ...]:
    image = nib.Nifti1Image((DISTANCE < 7).astype(np.uint8), AFFINE)
    moved = AFFINE.copy()
    moved[0, 3] += shift_mm
    image.set_qform(moved, code=qform)
    image.set_sform(AFFINE, code=sform)
    return read_nifti(image.to_bytes(), LIMIT).notes


def test_voxels_that_the_header_does_not_place_are_told() -> None:
    [note] = coded(0, 0)
    assert "left and right are a guess" in note


@pytest.mark.parametrize(("sform", "qform"), [(1, 0), (0, 1), (2, 1)])
def test_nothing_is_told_of_voxels_that_the_header_places(sform: int, qform: int) -> None:
    assert coded(sform, qform) == ()


def test_two_places_more_than_half_a_voxel_apart_are_told() -> None:
    assert coded(1, 1, shift_mm=0.7) == ()
    [note] = coded(1, 1, shift_mm=0.9)
    assert "up to 0.9 mm apart: the sform is followed" in note
