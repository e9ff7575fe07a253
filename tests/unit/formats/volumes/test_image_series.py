"""Image series: the value and the place of every voxel, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import JPEGLSLossless, RLELossless

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.volumes.image_series import ImageVolume, read_series
from tests.support.dicom_samples import (
    FRAME_OF_REFERENCE,
    ROOT,
    ct_datasets,
    enhanced_ct_dataset,
    file_bytes,
    geometry_items,
    image_dataset,
    item,
    oblique_affine,
)
from tests.support.frame_encoders import jpeg_ls, run_lengths
from tests.support.slide_samples import FrameEncoder

REAL = Path(__file__).parents[5] / "shared" / "data"
needs_real_files = pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here")
AFFINE = oblique_affine()
STORED = np.random.default_rng(7).integers(0, 3000, (9, 7, 5)).astype(np.int16)


def slices(stored: NDArray[np.integer] = STORED, **options: float) -> list[Dataset]:
    return ct_datasets(stored, AFFINE, **options)


def read(datasets: list[Dataset]) -> ImageVolume:
    return read_series([file_bytes(dataset) for dataset in datasets])


def test_every_voxel_has_its_value_and_its_place() -> None:
    volume = read(slices())
    assert volume.values.dtype == np.int16
    np.testing.assert_array_equal(volume.values, STORED - 1024)
    np.testing.assert_allclose(volume.grid.affine, AFFINE, atol=1e-6)
    assert volume.grid.shape == (9, 7, 5)


def test_a_volume_knows_where_it_comes_from() -> None:
    volume = read(slices()[::-1])
    assert volume.grid.frame_of_reference_uid == FRAME_OF_REFERENCE
    assert (volume.unit, volume.modality) == ("HU", "CT")
    assert volume.sop_class_uid == "1.2.840.10008.5.1.4.1.1.2"
    assert volume.source_instance_uids == tuple(f"{ROOT}.4.{i}" for i in range(1, 6))
    assert volume.notes == ()


def test_slices_are_sorted_by_position_whatever_their_numbers() -> None:
    datasets = slices()
    for dataset, number in zip(datasets, (3, 3, 1, 9, 2), strict=True):
        dataset.InstanceNumber = number
    volume = read([datasets[i] for i in (3, 0, 4, 1, 2)])
    np.testing.assert_array_equal(volume.values, STORED - 1024)


def test_paths_are_read_like_bytes(tmp_path: Path) -> None:
    paths = []
    for index, dataset in enumerate(slices()):
        paths.append(tmp_path / f"{9 - index}.dcm")
        paths[-1].write_bytes(file_bytes(dataset))
    np.testing.assert_array_equal(read_series(paths).values, STORED - 1024)


def test_a_tilted_gantry_keeps_its_shear() -> None:
    sheared = AFFINE.copy()
    sheared[:3, 2] += 0.35 * AFFINE[:3, 1]
    datasets = slices()
    for index, dataset in enumerate(datasets):
        place = (sheared @ [0, 0, index, 1])[:3]
        dataset.ImagePositionPatient = [round(part, 6) for part in place.tolist()]
    volume = read(datasets)
    np.testing.assert_allclose(volume.grid.affine, sheared, atol=1e-5)
    np.testing.assert_array_equal(volume.values, STORED - 1024)


def test_an_enhanced_image_is_read_frame_by_frame() -> None:
    volume = read([enhanced_ct_dataset(STORED, AFFINE, [4, 1, 0, 3, 2])])
    np.testing.assert_array_equal(volume.values, STORED - 1024)
    np.testing.assert_allclose(volume.grid.affine, AFFINE, atol=1e-6)
    assert volume.unit == "HU"
    assert volume.source_instance_uids == (f"{ROOT}.4.1",)


def test_several_multi_frame_images_make_one_volume() -> None:
    parts = [enhanced_ct_dataset(STORED, AFFINE, order) for order in ([4, 3, 2], [0, 1])]
    np.testing.assert_array_equal(read(parts).values, STORED - 1024)


def test_a_fractional_slope_gives_floats() -> None:
    volume = read(slices(slope=0.25, intercept=-3.5))
    assert volume.values.dtype == np.float32
    np.testing.assert_allclose(volume.values, STORED * 0.25 - 3.5)


def test_whole_numbers_beyond_16_bits_become_floats_and_stay_exact() -> None:
    stored = STORED.astype(np.uint16)
    stored[3, 3, 2] = 65000
    volume = read(slices(stored))
    assert volume.values.dtype == np.float32
    np.testing.assert_array_equal(volume.values, stored.astype(np.int64) - 1024)


def test_a_slope_that_differs_between_slices_is_applied_to_each() -> None:
    datasets = slices()
    datasets[3].RescaleSlope = 2
    volume = read(datasets)
    expected = STORED.astype(int) - 1024
    expected[:, :, 3] += STORED[:, :, 3]
    np.testing.assert_array_equal(volume.values, expected)


def test_unused_high_bits_are_ignored() -> None:
    stored = STORED.copy()
    datasets = slices(stored | np.int16(0x5000))
    for dataset in datasets:
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
    np.testing.assert_array_equal(read(datasets).values, (stored & 0xFFF) - 1024)


def test_a_modality_lut_is_looked_up() -> None:
    datasets = slices(np.minimum(STORED, 3))
    for dataset in datasets:
        lut = item(LUTDescriptor=[4, 0, 16], ModalityLUTType="OD", LUTData=[5, 50, 500, 5000])
        dataset.ModalityLUTSequence = Sequence([lut])
        dataset.ModalityLUTSequence[0]["LUTDescriptor"].VR = "US"
        dataset.ModalityLUTSequence[0]["LUTData"].VR = "US"
        del dataset.RescaleSlope, dataset.RescaleIntercept
    expected = np.array([5, 50, 500, 5000])[np.minimum(STORED, 3)]
    np.testing.assert_array_equal(read(datasets).values, expected)


def test_padding_takes_the_lowest_other_value_of_its_image() -> None:
    stored = np.maximum(STORED, 5)
    stored[0, :, :] = -2000
    stored[4, 4, :] = 2
    datasets = slices(stored)
    for dataset in datasets:
        dataset.add_new(0x00280120, "SS", -2000)
    expected = stored - 1024
    expected[0] = 2 - 1024
    volume = read(datasets)
    np.testing.assert_array_equal(volume.values, expected)
    np.testing.assert_array_equal(volume.padding, stored == -2000)


def test_an_image_of_padding_alone_takes_the_lowest_value_of_the_volume() -> None:
    stored = np.maximum(STORED, 5)
    stored[:, :, 0] = -2000
    stored[4, 4, 2] = 2
    datasets = slices(stored)
    for dataset in datasets:
        dataset.add_new(0x00280120, "SS", -2000)
    volume = read(datasets)
    assert (volume.values[:, :, 0] == 2 - 1024).all()
    np.testing.assert_array_equal(volume.values[:, :, 1:], stored[:, :, 1:] - 1024)
    np.testing.assert_array_equal(volume.padding, stored == -2000)


def test_padding_may_be_a_range_of_values() -> None:
    datasets = slices(np.maximum(STORED, 5))
    for dataset in datasets:
        dataset.add_new(0x00280120, "SS", 1200)
        dataset.add_new(0x00280121, "SS", 1000)
    is_padded = (STORED >= 1000) & (STORED <= 1200)
    np.testing.assert_array_equal(read(datasets).padding, is_padded)


def test_an_empty_limit_of_padding_is_none() -> None:
    stored = np.maximum(STORED, 5)
    stored[0, :, :] = -2000
    datasets = slices(stored)
    for dataset in datasets:
        dataset.add_new(0x00280120, "SS", -2000)
        dataset.add_new(0x00280121, "SS", None)
    np.testing.assert_array_equal(read(datasets).padding, stored == -2000)


@pytest.mark.parametrize("padding", [-2000, 0])
def test_a_volume_without_padding_or_of_nothing_else_is_as_stored(padding: int) -> None:
    datasets = slices(STORED * 0)
    for dataset in datasets:
        dataset.add_new(0x00280120, "SS", padding)
    volume = read(datasets)
    assert volume.padding is None
    assert (volume.values == -1024).all()


@pytest.mark.parametrize(
    ("syntax", "encode"), [(RLELossless, run_lengths), (JPEGLSLossless, jpeg_ls)]
)
def test_compressed_slices_are_read(syntax: str, encode: FrameEncoder) -> None:
    sources = []
    stored = STORED.astype(np.uint16)
    for index, dataset in enumerate(slices(stored)):
        dataset.PixelData = encapsulate([encode(np.ascontiguousarray(stored[:, :, index].T))])
        dataset["PixelData"].is_undefined_length = True
        sources.append(file_bytes(dataset, syntax))
    np.testing.assert_array_equal(read_series(sources).values, STORED - 1024)


def test_a_transfer_syntax_without_decoder_is_refused_by_name() -> None:
    dataset = slices()[0]
    dataset.PixelData = encapsulate([b"\0\0"])
    dataset["PixelData"].is_undefined_length = True
    with pytest.raises(UnusableSource, match=r"1\.2\.840\.10008\.1\.2\.4\.100 \(MPEG2"):
        read_series([file_bytes(dataset, "1.2.840.10008.1.2.4.100")])


def test_a_localizer_is_left_out_with_a_note() -> None:
    localizer = image_dataset(np.zeros((7, 9), np.int16), 99)
    localizer.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    for group in geometry_items(AFFINE[:, [2, 1, 0, 3]], 0):
        localizer.update(group)
    volume = read([localizer, *slices()])
    np.testing.assert_array_equal(volume.values, STORED - 1024)
    assert volume.notes == ("localizers left out: 1",)


def test_a_lone_image_of_another_size_is_left_out_with_a_note() -> None:
    stranger = image_dataset(np.zeros((32, 16), np.int16), 99)
    volume = read([*slices(), stranger])
    np.testing.assert_array_equal(volume.values, STORED - 1024)
    assert volume.notes == ("images of another size, spacing or orientation left out: 1",)


def test_mixed_orientations_are_refused() -> None:
    turned = ct_datasets(STORED, AFFINE[:, [2, 1, 0, 3]])
    with pytest.raises(UnusableSource, match="the 10 images are of 2 different sizes or orient"):
        read([*slices(), *turned])


def test_two_images_in_one_place_are_refused() -> None:
    again = slices()[2]
    with pytest.raises(UnusableSource, match="1 of 5 slices have more than one image"):
        read([*slices(), again])


def test_a_missing_slice_is_refused() -> None:
    datasets = slices()
    del datasets[2]
    with pytest.raises(UnusableSource, match="1 of 5 slices are missing, the first one between"):
        read(datasets)


def test_an_irregular_spacing_is_refused() -> None:
    datasets = slices()
    place = (AFFINE @ [0, 0, 4.4, 1])[:3]
    datasets[4].ImagePositionPatient = [round(part, 6) for part in place.tolist()]
    with pytest.raises(UnusableSource, match=r"irregular: from 2\.5 to 3\.5 mm"):
        read(datasets)


def test_two_frames_of_reference_are_refused() -> None:
    datasets = slices()
    datasets[1].FrameOfReferenceUID = f"{ROOT}.77"
    with pytest.raises(UnusableSource, match="2 frames of reference"):
        read(datasets)


def test_images_without_position_are_refused() -> None:
    with pytest.raises(UnusableSource, match="no position, orientation or pixel spacing"):
        read([image_dataset(STORED[:, :, index].T, index) for index in range(4)])


def test_colour_images_are_refused() -> None:
    dataset = slices()[0]
    dataset.SamplesPerPixel = 3
    with pytest.raises(UnusableSource, match="3 samples per pixel"):
        read([dataset])


def test_truncated_pixels_are_refused() -> None:
    datasets = slices()
    datasets[2].PixelData = datasets[2].PixelData[:60]
    with pytest.raises(UnusableSource, match="60 of 126 bytes"):
        read(datasets)


def test_what_is_not_an_image_is_refused() -> None:
    with pytest.raises(UnusableSource, match="not DICOM"):
        read_series([b"no"])
    with pytest.raises(UnusableSource, match="no image"):
        read_series([])
    dataset = slices()[0]
    del dataset.Rows
    with pytest.raises(UnusableSource, match=f"instance {ROOT}.4.1 is not an image"):
        read([dataset])


@needs_real_files
@pytest.mark.parametrize(
    ("folder", "shape"),
    [
        ("rtstruct/mim6_STS_002_MR_T1/images", None),
        ("rtstruct/mim6_STS_025_PET/images", None),
        ("rtstruct/oncentra_phantom/ct", None),
        ("rtstruct/rtutils_phantom/ct", None),
        ("rtstruct/varian_aria_headphantom/ct", None),
        ("seg/dcmqi_liver/ct", (512, 512, 3)),
        ("seg/dcmqi_23x38x3/images", (23, 38, 3)),
    ],
)
def test_a_real_series_is_read(folder: str, shape: tuple[int, int, int] | None) -> None:
    volume = read_series(sorted((REAL / folder).iterdir()))
    assert volume.values.shape == volume.grid.shape
    assert shape is None or volume.grid.shape == shape


@needs_real_files
def test_a_real_series_with_a_slice_far_away_is_refused() -> None:
    folder = REAL / "seg" / "highdicom" / "ct_77654033_CT2"
    with pytest.raises(UnusableSource, match="161 of 165 slices are missing"):
        read_series(sorted(folder.iterdir()))
    assert read_series(sorted(folder.iterdir())[1:]).grid.shape == (16, 16, 3)


@needs_real_files
@pytest.mark.parametrize(
    ("name", "unit"),
    [("CT_small", "HU"), ("MR_small", ""), ("MR_small_jpeg_ls_lossless", ""), ("693_J2KI", "HU")],
)
def test_a_real_image_is_read_whatever_its_compression(name: str, unit: str) -> None:
    volume = read_series([REAL / "image" / "pydicom" / f"{name}.dcm"])
    assert volume.unit == unit
    assert volume.values.min() < volume.values.max()


@needs_real_files
def test_a_compressed_real_image_has_the_values_of_the_uncompressed_one() -> None:
    folder = REAL / "image" / "pydicom"
    plain, packed = (
        read_series([folder / name]) for name in ("MR_small.dcm", "MR_small_jpeg_ls_lossless.dcm")
    )
    np.testing.assert_array_equal(plain.values, packed.values)


@needs_real_files
def test_a_mim_series_lies_on_the_grid_of_its_reference_mask() -> None:
    nibabel = pytest.importorskip("nibabel")
    folder = REAL / "rtstruct" / "mim6_STS_002_MR_T1"
    volume = read_series(sorted((folder / "images").iterdir()))
    mask = nibabel.load(folder / "reference_mask.nii.gz")
    affine = np.diag([-1, -1, 1, 1]) @ mask.affine
    index = volume.grid.to_index((affine @ [0, 0, 0, 1])[np.newaxis, :3])[0]
    assert np.abs(index - index.round()).max() < 0.02
    np.testing.assert_allclose(volume.grid.affine[:3, :3], affine[:3, :3], atol=1e-3)


def test_a_mosaic_of_slices_is_refused_by_its_name() -> None:
    datasets = ct_datasets(np.zeros((8, 8, 4), np.int16), np.eye(4))
    for dataset in datasets:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    with pytest.raises(UnusableSource, match="is a Siemens MOSAIC, whose slices lie side by side"):
        read_series([file_bytes(dataset) for dataset in datasets])


def at_heights(heights_mm: list[float], shear: float = 0.0) -> list[Dataset]:
    """Tilted slices whose values are those of a plane in space: 40 a mm up, 3 and 7 a pixel."""
    columns, rows = np.meshgrid(np.arange(9), np.arange(7), indexing="ij")
    stored = np.stack([40 * height + 3 * columns + 7 * rows for height in heights_mm], axis=2)
    datasets = ct_datasets(np.rint(stored).astype(np.int16), AFFINE, intercept=0)
    sizes = np.linalg.norm(AFFINE[:3, :3], axis=0)
    down, up = AFFINE[:3, 1] / sizes[1], AFFINE[:3, 2] / sizes[2]
    for dataset, height in zip(datasets, heights_mm, strict=True):
        place = AFFINE[:3, 3] + height * (up + shear * down)
        dataset.ImagePositionPatient = [float(f"{part:.9g}") for part in place]
    return datasets


@pytest.mark.parametrize("shear", [0.0, 0.3])
@pytest.mark.parametrize(
    "heights",
    [
        [*np.arange(0, 6, 1.5), *np.arange(6, 15, 2.0)],
        [*np.arange(0, 10, 2.5), *np.arange(10, 16, 1.0)],
        [*np.arange(0, 15, 3.0), *np.arange(15, 20, 1.0), *np.arange(20, 36, 5.0)],
    ],
)
def test_a_spacing_that_changes_is_resampled_to_the_finer_one(
    heights: list[float], shear: float
) -> None:
    volume = read(at_heights(heights, shear)[::-1])
    finest = float(np.diff(heights).min())
    up = AFFINE[:3, 2] / np.linalg.norm(AFFINE[:3, 2])
    step = float(volume.grid.affine[:3, 2] @ up)
    assert step == pytest.approx(finest, rel=0.1)
    columns, rows, numbers = np.indices(volume.values.shape)
    expected = 40 * step * numbers + 3 * columns + 7 * rows
    assert volume.values.dtype == np.int16
    np.testing.assert_allclose(volume.values, expected, atol=1.01)
    last = volume.grid.affine[:3, 3] + (len(volume.values[0, 0]) - 1) * volume.grid.affine[:3, 2]
    assert float((last - AFFINE[:3, 3]) @ up) == pytest.approx(heights[-1], abs=1e-4)
    [note] = volume.notes
    assert note.startswith(f"the spacing of the slices changes from {finest:g} to ")
    assert len(volume.source_instance_uids) == len(heights)


@pytest.mark.parametrize("heights", [[0.0, 1, 2, 4, 5, 6], [0.0, 1, 2, 4.5, 5.5, 6.5]])
def test_a_single_wider_gap_is_missing_slices(heights: list[float]) -> None:
    with pytest.raises(UnusableSource, match="missing|irregular"):
        read(at_heights(heights))
