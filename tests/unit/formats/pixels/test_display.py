"""Stored values become the greys and colours that the standard says."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.processing import (
    apply_color_lut,
    apply_modality_lut,
    apply_voi_lut,
    convert_color_space,
)
from pydicom.uid import UID

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.pixels.display import Display
from orthanc_stl_plugin.formats.pixels.frame_decoder import FrameDecoder
from tests.support.dicom_samples import item
from tests.support.frame_encoders import full_ybr, partial_ybr

REAL = Path(__file__).parents[5] / "shared" / "data"
IMAGES = sorted(REAL.glob("image/*/*.dcm"))


def header(bits: int = 16, stored: int | None = None, **attributes: Any) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = bits
    dataset.BitsStored = stored or bits
    dataset.PixelRepresentation = 0
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def window(center: float, width: float, function: str = "LINEAR", **more: Any) -> Dataset:
    said: dict[str, Any] = {
        "WindowCenter": center,
        "WindowWidth": width,
        "VOILUTFunction": function,
    }
    return header(stored=12, **said, **more)


def greys(described: Dataset, values: list[int], **options: Any) -> list[int]:
    kind = np.dtype(
        f"{'i' if described.PixelRepresentation else 'u'}{described.BitsAllocated // 8}"
    )
    samples = np.array(values, kind).reshape(1, -1, 1)
    shown = Display(described, **options).to_8bit(samples)
    assert shown.dtype == np.uint8
    return [int(value) for value in shown[0, :, 0]]


def table(first: int, entries: list[int], bits: int) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries), first, bits])
    item.add_new("LUTData", "US", entries)
    return item


@pytest.mark.parametrize(
    ("described", "values", "expected"),
    [
        (window(2048, 4096), [0, 1, 2047, 2048, 4095], [0, 0, 127, 128, 255]),
        (window(2048, 1), [2047, 2048], [0, 255]),
        (window(100, 51), [74, 75, 100, 124, 125, 200], [0, 3, 130, 252, 255, 255]),
        (window(2048, 4096, "LINEAR_EXACT"), [0, 1024, 2048, 4095], [0, 64, 128, 255]),
        (window(100, 0.5, "LINEAR_EXACT"), [99, 100, 101], [0, 128, 255]),
        (window(100, 40, "SIGMOID"), [0, 89, 100, 111, 200], [0, 64, 128, 191, 255]),
    ],
)
def test_windows_are_those_of_the_standard(
    described: Dataset, values: list[int], expected: list[int]
) -> None:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3; 127.5 is rounded to the even neighbour."""
    assert greys(described, values) == expected


def test_the_first_of_several_windows_is_used() -> None:
    several = header(stored=12, WindowCenter=[100, 1000], WindowWidth=[51, 2000])
    assert greys(several, [74, 100, 126]) == [0, 130, 255]


@pytest.mark.parametrize("width", [0, -5, 0.5])
def test_a_window_without_width_is_ignored(width: float) -> None:
    assert greys(window(100, width), [0, 4095]) == [0, 255]


def test_rescaling_comes_before_the_window() -> None:
    described = window(0, 101, RescaleSlope=2, RescaleIntercept=-1000)
    assert greys(described, [474, 500, 525]) == [0, 129, 255]


def test_windows_and_rescaling_of_functional_groups_are_used() -> None:
    voi, scaling, frame = Dataset(), Dataset(), Dataset()
    voi.WindowCenter, voi.WindowWidth = 0, 101
    scaling.RescaleSlope, scaling.RescaleIntercept = 2, -1000
    frame.FrameVOILUTSequence = [voi]
    frame.PixelValueTransformationSequence = [scaling]
    assert greys(header(stored=12), [474, 500, 525], frame=frame) == [0, 129, 255]
    shared = header(stored=12, SharedFunctionalGroupsSequence=[frame])
    assert greys(shared, [474, 500, 525]) == [0, 129, 255]


def test_without_a_window_8_bits_stay_as_they_are() -> None:
    assert greys(header(8), list(range(256))) == list(range(256))
    described = header(8, RescaleSlope=2, RescaleIntercept=-100)
    assert greys(described, list(range(256))) == list(range(256))


@pytest.mark.parametrize(
    ("described", "values", "expected"),
    [
        (header(stored=12), [0, 2048, 4095], [0, 128, 255]),
        (header(stored=12, PixelRepresentation=1), [-2048, 0, 2047], [0, 128, 255]),
        (header(8, 5), [0, 31], [0, 255]),
        (header(SmallestImagePixelValue=100, LargestImagePixelValue=302), [100, 302], [0, 255]),
        (header(SmallestImagePixelValue=5, LargestImagePixelValue=5), [0, 65535], [0, 255]),
        (header(RescaleSlope=-1, RescaleIntercept=0), [0, 65535], [255, 0]),
    ],
)
def test_without_a_window_the_range_that_can_be_stored_is_shown(
    described: Dataset, values: list[int], expected: list[int]
) -> None:
    assert greys(described, values) == expected


def test_without_a_window_a_sampled_range_is_shown() -> None:
    described = header(RescaleSlope=2, RescaleIntercept=-1000)
    assert greys(described, [90, 100, 151, 202, 300], value_range=(100, 202)) == [
        0,
        0,
        128,
        255,
        255,
    ]
    assert greys(window(2048, 4096), [0, 4095], value_range=(100, 202)) == [0, 255]


def test_one_bit_is_black_or_white() -> None:
    one_bit = header(8)
    one_bit.BitsAllocated = one_bit.BitsStored = 1
    shown = Display(one_bit).to_8bit(np.array([[[0], [1]]], np.uint8))
    assert shown.ravel().tolist() == [0, 255]


@pytest.mark.parametrize(
    "said",
    [
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
    ],
)
def test_an_inverse_image_is_inverted_once(said: dict[str, Any]) -> None:
    assert greys(header(8, **said), [0, 10, 255]) == [255, 245, 0]


def test_a_modality_table_replaces_values() -> None:
    described = header(
        8, ModalityLUTSequence=[table(10, [0, 500, 1000], 16)], WindowCenter=500, WindowWidth=1001
    )
    assert greys(described, [0, 10, 11, 12, 200]) == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("entries", [[100, 500, 1100], [1100, 500, 100]])
def test_without_a_window_the_entries_of_a_modality_table_go_from_black_to_white(
    entries: list[int],
) -> None:
    described = header(16, 12, ModalityLUTSequence=[table(0, entries, 16)])
    shown = greys(described, [0, 1, 2])
    assert shown == ([0, 102, 255] if entries[0] == 100 else [255, 102, 0])


def test_a_voi_table_that_overstates_its_bits_goes_from_black_to_white() -> None:
    entries = [0, 1000, 4095]
    described = header(16, 12, VOILUTSequence=[table(0, entries, 16)])
    assert greys(described, [0, 1, 2]) == [0, 62, 255]
    needed = header(16, 12, VOILUTSequence=[table(0, entries, 12)])
    assert greys(needed, [0, 1, 2]) == [0, 62, 255]


def test_a_voi_table_that_needs_its_bits_is_as_bright_as_it_says() -> None:
    described = header(16, 12, VOILUTSequence=[table(0, [0, 1000, 3000], 12)])
    assert greys(described, [0, 1, 2]) == [0, 62, 187]


def path_of(red: list[int], green: list[int], blue: list[int]) -> Dataset:
    palette = Dataset()
    for name, entries in (("Red", red), ("Green", green), ("Blue", blue)):
        setattr(palette, f"{name}PaletteColorLookupTableDescriptor", [len(entries), 0, 8])
        setattr(palette, f"{name}PaletteColorLookupTableData", bytes(entries))
    return item(OpticalPathIdentifier="1", PaletteColorLookupTableSequence=[palette])


def test_the_palette_of_an_optical_path_gives_its_colours() -> None:
    nothing, ramp = [0] * 256, list(range(256))
    paths = [path_of(nothing, ramp, nothing)]
    shown = Display(header(8, OpticalPathSequence=paths, PixelPresentation="COLOR"))
    assert shown.samples == 3
    samples = np.array([0, 9, 255], np.uint8).reshape(1, 3, 1)
    assert shown.to_8bit(samples)[0].tolist() == [[0, 0, 0], [0, 9, 0], [0, 255, 0]]
    assert Display(header(8, OpticalPathSequence=paths)).samples == 1  # MONOCHROME


def test_a_voi_table_is_used_rather_than_the_window() -> None:
    described = window(7, 3, VOILUTSequence=[table(-1, [0, 51, 102, 255], 8)])
    described.PixelRepresentation = 1
    assert greys(described, [-9, -1, 0, 1, 2, 9]) == [0, 0, 51, 102, 255, 255]


def test_32_bits_are_shown_without_a_table() -> None:
    described = header(32, WindowCenter=100_000.5, WindowWidth=100_001)
    assert greys(described, [50_000, 100_000, 150_000]) == [0, 128, 255]


def coloured(photometric: str, samples: np.ndarray, **attributes: Any) -> np.ndarray:
    bits = samples.dtype.itemsize * 8
    described = header(bits, SamplesPerPixel=3, PhotometricInterpretation=photometric, **attributes)
    return Display(described).to_8bit(samples)


COLOURS = np.random.default_rng(5).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_rgb_is_shown_as_it_is() -> None:
    np.testing.assert_array_equal(coloured("RGB", COLOURS), COLOURS)


def test_16_bits_of_rgb_are_shown_with_8() -> None:
    np.testing.assert_array_equal(coloured("RGB", COLOURS.astype(np.uint16) * 257), COLOURS)


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
def test_full_ybr_becomes_rgb(photometric: str) -> None:
    ybr = full_ybr(COLOURS).astype(np.uint8)
    shown = coloured(photometric, ybr).astype(int)
    assert np.abs(shown - COLOURS).max() <= 2
    assert np.abs(shown - convert_color_space(ybr, "YBR_FULL", "RGB")).max() <= 1


def test_partial_ybr_becomes_rgb() -> None:
    shown = coloured("YBR_PARTIAL_422", partial_ybr(COLOURS).astype(np.uint8)).astype(int)
    assert np.abs(shown - COLOURS).max() <= 3
    ends = np.array([[[16, 128, 128], [235, 128, 128]]], np.uint8)
    assert coloured("YBR_PARTIAL_422", ends).tolist() == [[[0, 0, 0], [255, 255, 255]]]


def palette(bits: int, entries: np.ndarray, first: int = 0, **attributes: Any) -> Dataset:
    described = header(8, PhotometricInterpretation="PALETTE COLOR", **attributes)
    for name, column in zip(("Red", "Green", "Blue"), entries.T, strict=True):
        keyword = f"{name}PaletteColorLookupTable"
        described.add_new(f"{keyword}Descriptor", "US", [len(column), first, bits])
        content = column.astype("<u2" if bits == 16 else "u1").tobytes()
        described.add_new(f"{keyword}Data", "OW", content)
    return described


@pytest.mark.parametrize("bits", [8, 16])
def test_palettes_give_their_colours(bits: int) -> None:
    entries = np.array([[0, 10, 20], [200, 100, 50], [255, 254, 1], [7, 8, 9]], np.uint16)
    described = palette(bits, entries * (257 if bits == 16 else 1), first=3)
    samples = np.array([[[0], [3], [4], [5], [6], [255]]], np.uint8)
    shown = Display(described).to_8bit(samples)[0]
    np.testing.assert_array_equal(shown, entries[[0, 0, 1, 2, 3, 3]])
    assert Display(described).samples == 3


def test_segmented_palettes_are_read() -> None:
    described = header(8, PhotometricInterpretation="PALETTE COLOR")
    for name in ("Red", "Green", "Blue"):
        described.add_new(f"{name}PaletteColorLookupTableDescriptor", "US", [5, 0, 16])
        runs = np.array([0, 1, 0, 1, 4, 0x8080], "<u2").tobytes()  # one 0, then 4 up to 0x8080
        described.add_new(f"Segmented{name}PaletteColorLookupTableData", "OW", runs)
    shown = Display(described).to_8bit(np.array([[[0], [2], [4]]], np.uint8))
    assert shown[0, :, 0].tolist() == [0, 0x40, 0x80]


@pytest.mark.parametrize("photometric", ["HSV", "ARGB", "CMYK", "XYZ", "YBR_PARTIAL_444"])
def test_what_cannot_be_shown_is_refused_by_name(photometric: str) -> None:
    with pytest.raises(UnusableSource, match=f"interpretation {photometric}"):
        coloured(photometric, COLOURS)


def test_a_palette_without_its_tables_is_refused() -> None:
    with pytest.raises(UnusableSource, match="malformed"):
        Display(header(8, PhotometricInterpretation="PALETTE COLOR"))


def test_samples_of_another_image_are_refused() -> None:
    with pytest.raises(UnusableSource, match=r"shape \(20, 30, 3\)"):
        Display(header(8)).to_8bit(COLOURS)
    with pytest.raises(UnusableSource, match="uint16"):
        Display(header(8)).to_8bit(COLOURS[..., :1].astype(np.uint16))


def reference(dataset: Dataset, stored: np.ndarray) -> np.ndarray | None:
    """What pydicom makes of it, as far as it goes: 0 to 255, unrounded."""
    photometric = dataset.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        colours = apply_color_lut(stored[..., 0], dataset)
        return colours >> 8 if colours.dtype.itemsize == 2 else colours
    if photometric == "RGB" or photometric.startswith("YBR"):
        return stored
    if "WindowCenter" not in dataset:
        return None
    low = -(1 << (dataset.BitsStored - 1)) if dataset.PixelRepresentation else 0
    ends = np.array([low, low + (1 << dataset.BitsStored) - 1])
    lowest, highest = (float(end) for end in apply_modality_lut(ends, dataset))
    seen = apply_voi_lut(apply_modality_lut(stored, dataset), dataset)
    return np.asarray((seen - lowest) / (highest - lowest) * 255)


@pytest.mark.skipif(not IMAGES, reason="needs ../shared/data/image")
@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.stem)
def test_real_images_look_as_pydicom_shows_them(path: Path) -> None:
    dataset = dcmread(path)
    count = int(dataset.get("NumberOfFrames") or 1)
    with warnings.catch_warnings(action="ignore"):
        expected = dataset.pixel_array
    if count == 1:
        expected = expected[np.newaxis]
    content = dataset.PixelData
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        frames = list(generate_frames(content, number_of_frames=count))
    else:
        size = len(content) // count
        frames = [content[size * index : size * (index + 1)] for index in range(count)]
    described = dcmread(path, stop_before_pixels=True)
    decoder, display = FrameDecoder(described), Display(described)
    for index in range(count):
        stored = decoder.decode(frames[index], index)
        np.testing.assert_array_equal(stored.squeeze(), expected[index])
        shown = display.to_8bit(stored).astype(np.float64)
        wanted = reference(dataset, stored)
        if wanted is not None:
            assert np.abs(shown - wanted).max() <= 0.5
        else:
            assert shown.std() > 1


def test_the_bytes_of_a_display_are_those_of_its_tables() -> None:
    assert Display(header(8)).byte_count == 256
    assert Display(header(16)).byte_count == 65536
    assert Display(header(8, SamplesPerPixel=3, PhotometricInterpretation="RGB")).byte_count == 0
    lut = item(LUTDescriptor=[256, 0, 8], LUTData=list(range(256)))
    with_table = Display(header(16, VOILUTSequence=[lut]))
    assert with_table.byte_count == 65536 + 256 * 8
