"""Frames of every codec, depth and colour are decoded to their samples; damaged ones refused."""

import random
import tracemalloc
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from orthanc_stl_plugin.errors import PluginError, TooLarge, UnusableSource
from orthanc_stl_plugin.formats.pixels.display import Display
from orthanc_stl_plugin.formats.pixels.frame_decoder import FrameDecoder
from tests.support.frame_encoders import (
    ENCODERS,
    EXPLICIT,
    JPEG,
    FrameEncoder,
    full_ybr,
    jpeg_ls,
    jpeg_rgb_with_adobe,
    jpeg_ybr,
    native,
    native_big_endian,
    run_lengths,
)

ROWS, COLUMNS = 45, 58
Y, X = np.mgrid[:ROWS, :COLUMNS]
KINDS = {1: np.uint8, 8: np.uint8, 12: np.uint16, 16: np.uint16, 32: np.uint32}
JPEG_LS = "1.2.840.10008.1.2.4.80"
RLE = "1.2.840.10008.1.2.5"
CASES = [
    pytest.param(encoder, depth, is_colour, id=f"{encoder}-{depth}-{kind}")
    for encoder in ENCODERS
    for depth in encoder.depths
    for kind, is_colour in (("grey", False), ("colour", True))
    if encoder.colours in (kind, "both")
]


def picture(depth: int, is_colour: bool) -> np.ndarray:
    """Smooth, so that lossy codecs keep it, and asymmetric."""
    bits = min(depth, 30)
    grey = ((3 * X + 2 * Y) * ((1 << bits) - 1) // 270).astype(KINDS[depth])
    if depth == 1:
        grey = (grey + X // 7 % 2).astype(np.uint8) % 2
    return np.stack((grey, grey[::-1], grey[:, ::-1]), axis=-1) if is_colour else grey


def header(syntax: str = EXPLICIT, samples: np.ndarray | None = None, **attributes: Any) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    samples = picture(8, is_colour=False) if samples is None else samples
    dataset.Rows, dataset.Columns = samples.shape[:2]
    dataset.SamplesPerPixel = 3 if samples.ndim == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if samples.ndim == 3 else "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = samples.dtype.itemsize * 8
    dataset.PixelRepresentation = int(samples.dtype.kind == "i")
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def encoded(encoder: FrameEncoder, depth: int, is_colour: bool) -> tuple[Dataset, np.ndarray]:
    samples = picture(depth, is_colour)
    described = header(encoder.transfer_syntax, samples, BitsStored=depth)
    if depth == 1:
        described.BitsAllocated = 1
    if is_colour:
        described.PhotometricInterpretation = encoder.photometric
        described.PlanarConfiguration = encoder.planar_configuration
    return described, samples


@pytest.mark.parametrize(("encoder", "depth", "is_colour"), CASES)
def test_a_frame_is_decoded_to_what_was_encoded(
    encoder: FrameEncoder, depth: int, is_colour: bool
) -> None:
    described, samples = encoded(encoder, depth, is_colour)
    decoded = FrameDecoder(described).decode(encoder.encode(samples), 0)
    assert decoded.shape == (ROWS, COLUMNS, 3 if is_colour else 1)
    assert decoded.dtype == samples.dtype
    expected = samples.reshape(decoded.shape)
    if depth <= 16:
        shown = Display(described).to_8bit(decoded)
        expected = Display(header(samples=samples, BitsStored=depth)).to_8bit(expected)
        decoded = shown
    difference = np.abs(decoded.astype(np.int64) - expected.astype(np.int64))
    assert difference.max() <= encoder.largest_error
    assert difference.mean() <= min(encoder.largest_error, 3)


@pytest.mark.parametrize("reduce_by", [2, 4, 8, 16])
@pytest.mark.parametrize(("encoder", "depth", "is_colour"), CASES)
def test_a_reduced_frame_has_its_size_rounded_up_and_its_means(
    encoder: FrameEncoder, depth: int, is_colour: bool, reduce_by: int
) -> None:
    described, samples = encoded(encoder, depth, is_colour)
    decoder = FrameDecoder(described)
    reduced = decoder.decode(encoder.encode(samples), 0, reduce_by)
    whole = decoder.decode(encoder.encode(samples), 0)
    rows, columns = ROWS // reduce_by, COLUMNS // reduce_by
    assert reduced.shape == (-(-ROWS // reduce_by), -(-COLUMNS // reduce_by), whole.shape[2])
    inner = whole[: rows * reduce_by, : columns * reduce_by].astype(np.float64)
    means = inner.reshape(rows, reduce_by, columns, reduce_by, -1).mean(axis=(1, 3))
    range_ = float((1 << min(depth, 30)) - 1)
    assert np.abs(reduced[:rows, :columns] - means).mean() <= max(0.02 * range_, 0.5)


@pytest.mark.parametrize(("encoder", "depth", "is_colour"), CASES)
def test_a_damaged_frame_is_decoded_or_refused(
    encoder: FrameEncoder, depth: int, is_colour: bool
) -> None:
    described, samples = encoded(encoder, depth, is_colour)
    decoder = FrameDecoder(described)
    frame = encoder.encode(samples)
    chance = random.Random(f"{encoder}{depth}{is_colour}")  # noqa: S311 -- no secret
    refused = 0
    for _ in range(150):
        damaged = bytearray(
            frame[: chance.randrange(len(frame))] if chance.random() < 0.3 else frame
        )
        for _ in range(chance.choice((0, 1, 2, 8)) if damaged else 0):
            at = chance.randrange(min(len(damaged), chance.choice((40, 200, 1 << 30))))
            damaged[at] ^= 1 << chance.randrange(8)
        try:
            decoded = decoder.decode(bytes(damaged), 0, chance.choice((1, 2, 4)))
        except PluginError:
            refused += 1
        else:
            assert decoded.shape[2] == (3 if is_colour else 1)
    assert refused > 0


@pytest.mark.parametrize(("encoder", "depth", "is_colour"), CASES)
def test_a_frame_of_another_size_is_refused_before_it_is_decoded(
    encoder: FrameEncoder, depth: int, is_colour: bool
) -> None:
    described, samples = encoded(encoder, depth, is_colour)
    described.Rows, described.Columns = 12_000, 12_000
    frame = encoder.encode(samples)
    decoder = FrameDecoder(described)
    tracemalloc.start()
    try:
        with pytest.raises(UnusableSource):
            decoder.decode(frame, 0)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_frame_that_says_it_is_huge_is_refused() -> None:
    frame = bytearray(jpeg_ybr(picture(8, is_colour=False)))
    at = frame.index(b"\xff\xc0") + 5
    frame[at : at + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(UnusableSource, match="65535 x 65535 pixels, the image 58 x 45"):
        FrameDecoder(header(JPEG)).decode(bytes(frame), 0)


def test_an_image_whose_frames_are_too_large_is_refused() -> None:
    with pytest.raises(TooLarge, match="900000000 bytes when decoded, the limit is 1000000"):
        FrameDecoder(header(Rows=30_000, Columns=30_000), max_bytes=1_000_000)


@pytest.mark.parametrize("stored", [12, 16])
@pytest.mark.parametrize(
    ("syntax", "encode"), [(EXPLICIT, native), (RLE, run_lengths), (JPEG_LS, jpeg_ls)]
)
def test_negative_values_stay_negative(syntax: str, encode: Any, stored: int) -> None:
    samples = (16 * X - 20 * Y).astype(np.int16)
    unsigned = samples.view(np.uint16) & ((1 << stored) - 1)
    described = header(syntax, samples, BitsStored=stored)
    decoded = FrameDecoder(described).decode(encode(unsigned), 0)
    assert decoded.dtype == np.int16
    np.testing.assert_array_equal(decoded[..., 0], samples)


@pytest.mark.parametrize("encode", [imagecodecs.jpeg2k_encode, imagecodecs.htj2k_encode])
def test_signed_codestreams_of_jpeg_2000_are_read(encode: Any) -> None:
    samples = (16 * X - 20 * Y).astype(np.int16)
    is_fast = encode is imagecodecs.htj2k_encode
    described = header(f"1.2.840.10008.1.2.4.{201 if is_fast else 90}", samples)
    decoded = FrameDecoder(described).decode(encode(samples, reversible=True), 0)
    np.testing.assert_array_equal(decoded[..., 0], samples)


def test_bits_above_those_stored_are_ignored() -> None:
    samples = np.array([[0xF123, 0x0456]], np.uint16)
    decoder = FrameDecoder(header(EXPLICIT, samples, BitsStored=12))
    assert decoder.decode(native(samples), 0)[..., 0].tolist() == [[0x123, 0x456]]


@pytest.mark.parametrize(
    ("stored", "high_bit", "is_signed", "expected"),
    [
        (12, 15, False, [0xF12, 0x045]),
        (12, 13, False, [0xC48, 0x115]),
        (12, 15, True, [0xF12 - 0x1000, 0x045]),
        (12, 13, True, [0xC48 - 0x1000, 0x115]),
        (12, 11, False, [0x123, 0x456]),
        (16, 15, False, [0xF123, 0x0456]),
        (12, 16, False, [0x123, 0x456]),
        (12, 7, False, [0x123, 0x456]),
        (12, None, False, [0x123, 0x456]),
    ],
)
@pytest.mark.parametrize(
    ("syntax", "encode"), [(EXPLICIT, native), ("1.2.840.10008.1.2.2", native_big_endian)]
)
def test_native_values_end_at_the_high_bit_if_there_is_such_a_bit(
    syntax: str,
    encode: Any,
    stored: int,
    high_bit: int | None,
    is_signed: bool,
    expected: list[int],
) -> None:
    samples = np.array([[0xF123, 0x0456]], np.uint16)
    described = header(
        syntax, samples, BitsStored=stored, HighBit=high_bit, PixelRepresentation=int(is_signed)
    )
    decoded = FrameDecoder(described).decode(encode(samples), 0)
    assert decoded[..., 0].tolist() == [expected]


def test_one_bit_frames_that_start_within_a_byte_are_read() -> None:
    bits = np.array([1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1], np.uint8)  # 5 frames of 3
    packed = np.packbits(bits, bitorder="little").tobytes()
    decoder = FrameDecoder(header(Rows=1, Columns=3, BitsAllocated=1, BitsStored=1))
    for index in range(5):
        start = 3 * index // 8
        part = packed[start : -(-3 * (index + 1) // 8)]
        assert decoder.decode(part, index)[0, :, 0].tolist() == bits[3 * index :][:3].tolist()


def test_palette_indices_are_not_averaged() -> None:
    samples = picture(8, is_colour=False)
    described = header(samples=samples, PhotometricInterpretation="PALETTE COLOR")
    reduced = FrameDecoder(described).decode(native(samples), 0, 4)
    np.testing.assert_array_equal(reduced[..., 0], samples[::4, ::4])


def test_ybr_that_is_not_subsampled_though_it_should_be_is_read() -> None:
    samples = picture(8, is_colour=True)
    described = header(EXPLICIT, samples, PhotometricInterpretation="YBR_FULL_422")
    decoded = FrameDecoder(described).decode(native(full_ybr(samples)), 0)
    np.testing.assert_array_equal(decoded, full_ybr(samples))


def test_big_endian_words_are_read() -> None:
    samples = picture(16, is_colour=False)
    described = header("1.2.840.10008.1.2.2", samples)
    decoded = FrameDecoder(described).decode(native_big_endian(samples), 0)
    assert decoded.dtype.isnative
    np.testing.assert_array_equal(decoded[..., 0], samples)


def test_the_photometric_interpretation_tells_of_converted_colours() -> None:
    samples = picture(8, is_colour=True)
    said = {"PhotometricInterpretation": "YBR_FULL_422"}
    assert FrameDecoder(header(JPEG, samples, **said)).photometric == "RGB"
    assert FrameDecoder(header(EXPLICIT, samples, **said)).photometric == "YBR_FULL_422"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"Rows": 0}, "an image of 58 x 0 has no pixels"),
        ({"SamplesPerPixel": 4}, "4 samples per pixel"),
        ({"BitsAllocated": 24}, "24 bits allocated"),
        ({"BitsStored": 12}, "12 bits stored do not fit into 8"),
        ({"Rows": None}, "the description of the pixels is malformed"),
    ],
)
def test_an_image_that_makes_no_sense_is_refused(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(UnusableSource, match=message):
        FrameDecoder(header(**attributes))


def test_a_transfer_syntax_without_a_decoder_is_refused_by_name() -> None:
    with pytest.raises(UnusableSource, match=r"1\.2\.840\.10008\.1\.2\.4\.100 \(MPEG2"):
        FrameDecoder(header("1.2.840.10008.1.2.4.100"))


def test_colour_in_the_frame_of_a_grey_image_is_refused() -> None:
    frame = jpeg_rgb_with_adobe(picture(8, is_colour=True))
    with pytest.raises(UnusableSource, match="3 samples per pixel, the image 1"):
        FrameDecoder(header(JPEG)).decode(frame, 0)
