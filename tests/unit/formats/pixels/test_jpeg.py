"""JPEG: colours as they are meant, crops without loss, profiles, damaged files."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import generate_frames

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.pixels import jpeg
from orthanc_stl_plugin.formats.pixels.jpeg_markers import read_header
from tests.support.frame_encoders import (
    jpeg_12,
    jpeg_lossless,
    jpeg_progressive,
    jpeg_rgb_unmarked,
    jpeg_rgb_with_adobe,
    jpeg_ybr,
    jpeg_ybr_422,
)

SLIDES = Path(__file__).parents[5] / "shared" / "data" / "wsi"
real_slides = pytest.mark.skipif(not SLIDES.is_dir(), reason="needs ../shared/data/wsi")

ROWS, COLUMNS = 90, 70
Y, X = np.mgrid[:ROWS, :COLUMNS]
PICTURE = np.stack((90 + X, 200 - Y, 40 + X + Y // 2), axis=-1).astype(np.uint8)
GREY = PICTURE[..., 0].copy()
WAYS = {
    "JFIF": (jpeg_ybr, "YBR_FULL_422"),
    "4:2:2": (jpeg_ybr_422, "YBR_FULL_422"),
    "JFIF that is said to be RGB": (jpeg_ybr, "RGB"),
    "progressive": (jpeg_progressive, "YBR_FULL_422"),
    "RGB with APP14": (jpeg_rgb_with_adobe, "RGB"),
    "RGB with APP14 that is said to be YBR": (jpeg_rgb_with_adobe, "YBR_FULL_422"),
    "RGB without a sign": (jpeg_rgb_unmarked, "RGB"),
}


def in_a_browser(content: bytes) -> np.ndarray:
    """Pillow's libjpeg, as a browser's, knows nothing but the file."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def adobe(content: bytes, transform: int) -> bytes:
    return content[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\0\0\0\0" + bytes([transform]) + content[2:]


@pytest.mark.parametrize("way", WAYS)
def test_the_colours_are_those_that_were_encoded(way: str) -> None:
    encode, photometric = WAYS[way]
    assert apart(jpeg.decode(encode(PICTURE), photometric), PICTURE) < 2


@pytest.mark.parametrize("way", WAYS)
def test_a_browser_shows_the_colours_that_are_decoded(way: str) -> None:
    encode, photometric = WAYS[way]
    stored = encode(PICTURE)
    shown = in_a_browser(jpeg.displayable(stored, photometric))
    assert apart(shown, jpeg.decode(stored, photometric)) < 0.2


@pytest.mark.parametrize("way", WAYS)
def test_what_is_made_displayable_stays_so_whatever_is_said_of_it(way: str) -> None:
    encode, photometric = WAYS[way]
    shown = jpeg.displayable(encode(PICTURE), photometric)
    for said in ("RGB", "YBR_FULL_422", ""):
        assert jpeg.displayable(shown, said) == shown


def test_what_every_browser_shows_right_is_left_as_it_is() -> None:
    for encode, photometric in ((jpeg_ybr, "YBR_FULL_422"), (jpeg_rgb_with_adobe, "RGB")):
        stored = encode(PICTURE)
        assert jpeg.displayable(stored, photometric) == stored


def test_unmarked_rgb_gets_an_app14_marker_and_nothing_else() -> None:
    stored = jpeg_rgb_unmarked(PICTURE)
    shown = jpeg.displayable(stored, "RGB")
    assert shown[:2] == stored[:2]
    assert shown[18:] == stored[2:]
    assert read_header(shown).adobe_transform == 0


def test_ybr_with_an_app14_marker_of_rgb_is_taken_for_ybr_where_it_is_subsampled() -> None:
    bare = jpeg_ybr(PICTURE)
    stored = adobe(bare[:2] + bare[20:], 0)  # without JFIF
    assert apart(jpeg.decode(stored, "YBR_FULL_422"), PICTURE) < 2
    assert apart(in_a_browser(jpeg.displayable(stored, "YBR_FULL_422")), PICTURE) < 2


def test_rgb_with_a_jfif_marker_too_loses_it() -> None:
    rgb = jpeg_rgb_with_adobe(PICTURE)
    jfif = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
    shown = jpeg.displayable(rgb[:2] + jfif + rgb[2:], "RGB")
    assert shown == rgb


def test_grey_stays_grey() -> None:
    stored = jpeg_ybr(GREY)
    assert jpeg.displayable(stored, "MONOCHROME2") == stored
    assert jpeg.decode(stored, "MONOCHROME2").shape == (ROWS, COLUMNS, 1)
    assert apart(jpeg.decode(stored, "MONOCHROME2")[..., 0], GREY) < 1


@pytest.mark.parametrize("reduce_by", [2, 4, 8])
def test_a_smaller_image_has_the_means_of_the_larger(reduce_by: int) -> None:
    small = jpeg.decode(jpeg_ybr(PICTURE), "YBR_FULL_422", reduce_by)
    assert small.shape == (-(-ROWS // reduce_by), -(-COLUMNS // reduce_by), 3)
    rows, columns = ROWS // reduce_by, COLUMNS // reduce_by
    whole = PICTURE[: rows * reduce_by, : columns * reduce_by]
    means = whole.reshape(rows, reduce_by, columns, reduce_by, 3).mean(axis=(1, 3))
    assert apart(small[:rows, :columns], means) < 2


@pytest.mark.parametrize(("width", "height"), [(1, 1), (16, 16), (17, 33), (69, 90), (70, 90)])
@pytest.mark.parametrize("way", WAYS)
def test_a_crop_has_the_same_pixels(way: str, width: int, height: int) -> None:
    encode, photometric = WAYS[way]
    stored = jpeg.displayable(encode(PICTURE), photometric)
    cropped = jpeg.decode(jpeg.crop(stored, width, height), photometric)
    assert cropped.shape == (height, width, 3)
    inner = (slice(max(height - 2, 0)), slice(max(width - 2, 0)))  # chroma is smoothed at the edge
    np.testing.assert_array_equal(cropped[inner], jpeg.decode(stored, photometric)[inner])


def test_no_corner_is_cut_that_is_larger_than_the_image() -> None:
    with pytest.raises(UnusableSource, match="no 71 x 10 corner can be cut from 70 x 90 pixels"):
        jpeg.crop(jpeg_ybr(PICTURE), 71, 10)


def test_what_is_encoded_comes_back() -> None:
    assert apart(jpeg.decode(jpeg.encode(PICTURE)), PICTURE) < 2
    grey = GREY[..., np.newaxis]
    assert apart(jpeg.decode(jpeg.encode(grey)), grey) < 1


def test_a_view_with_strides_is_encoded_as_it_looks() -> None:
    view = PICTURE[::-1, ::2]
    assert jpeg.encode(view) == jpeg.encode(view.copy())


def test_a_lower_quality_takes_fewer_bytes() -> None:
    assert len(jpeg.encode(PICTURE, 50)) < len(jpeg.encode(PICTURE, 95))


@pytest.mark.parametrize("size", [10, 65519, 65520, 200_000])
def test_a_profile_of_any_size_is_embedded_and_found(size: int) -> None:
    profile = np.random.default_rng(size).bytes(size)
    shown = jpeg.displayable(jpeg_ybr(PICTURE), "YBR_FULL_422", profile)
    assert Image.open(io.BytesIO(shown)).info["icc_profile"] == profile
    assert apart(in_a_browser(shown), PICTURE) < 2


def test_a_profile_that_is_there_already_makes_room() -> None:
    plain = jpeg.encode(PICTURE)
    for size in (5, 200_000):
        first = jpeg.encode(PICTURE, icc_profile=bytes(size))
        assert jpeg.displayable(first, "YBR_FULL_422") == plain
        both = jpeg.displayable(first, "YBR_FULL_422", b"second")
        assert both == jpeg.encode(PICTURE, icc_profile=b"second")


@pytest.mark.parametrize("size", [1, 65519, 65520, 200_000])
def test_an_embedded_profile_is_read_back(size: int) -> None:
    profile = np.random.default_rng(size).bytes(size)
    assert jpeg.embedded_profile(jpeg.encode(PICTURE, icc_profile=profile)) == profile
    assert jpeg.embedded_profile(jpeg.encode(PICTURE)) is None


@pytest.mark.parametrize(
    ("content", "is_shown"),
    [
        (jpeg_ybr(PICTURE), True),
        (jpeg_progressive(PICTURE), True),
        (jpeg_ybr(GREY), True),
        (jpeg_12(GREY.astype(np.uint16)), False),
        (jpeg_lossless(GREY), False),
        (b"\xff\xd8\xff", False),
        (b"", False),
    ],
)
def test_browsers_show_8_bits_by_dct(content: bytes, is_shown: bool) -> None:
    assert jpeg.is_baseline_8bit(content) is is_shown


@pytest.mark.parametrize("profile", [None, b"profile"])
@pytest.mark.parametrize("way", WAYS)
def test_what_browsers_get_is_what_is_displayable(way: str, profile: bytes | None) -> None:
    encode, photometric = WAYS[way]
    for picture in (PICTURE, PICTURE[::-1]):
        stored = encode(picture)
        shown = jpeg.browser_jpeg(stored, photometric, profile)
        assert shown == jpeg.displayable(stored, photometric, profile)


def test_a_thumbnail_in_the_header_is_not_taken_for_the_scan() -> None:
    thumbnail = b"\xff\xe1\x00\x0aExif\xff\xda\0\2"
    stored = adobe(jpeg_rgb_unmarked(PICTURE), 0)
    stored = stored[:2] + thumbnail + stored[2:]
    shown = jpeg.browser_jpeg(stored, "RGB")
    assert shown == jpeg.displayable(stored, "RGB")
    assert apart(in_a_browser(shown or b""), PICTURE) < 2


@pytest.mark.parametrize("profile", [None, b"a profile"])
def test_browsers_are_not_told_to_turn_a_picture_nor_where_it_was_taken(
    profile: bytes | None,
) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    stored = io.BytesIO()
    Image.fromarray(PICTURE).save(stored, "JPEG", exif=turned, quality=95)
    shown = jpeg.browser_jpeg(stored.getvalue(), "YBR_FULL_422", profile) or b""
    with Image.open(io.BytesIO(shown)) as image:
        assert dict(image.getexif()) == {}
        assert image.info.get("icc_profile") == profile
        assert np.array_equal(np.asarray(image), in_a_browser(stored.getvalue()))


@pytest.mark.parametrize("marker", [0xE0, 0xE2, 0xE3, 0xED, 0xEE, 0xEF, 0xFE])
def test_browsers_get_no_remarks_of_cameras_and_editors(marker: int) -> None:
    remark = b"Photoshop 3.0\0by Jane Doe, in Ghent"
    stored = jpeg_ybr(PICTURE)
    told = bytes((0xFF, marker)) + (len(remark) + 2).to_bytes(2) + remark
    shown = jpeg.browser_jpeg(stored[:20] + told + stored[20:], "YBR_FULL_422")
    assert shown == stored


@pytest.mark.parametrize(
    "content", [jpeg_12(GREY.astype(np.uint16)), jpeg_lossless(GREY), b"\xff\xd8\xff", b""]
)
def test_browsers_get_nothing_else(content: bytes) -> None:
    assert jpeg.browser_jpeg(content, "MONOCHROME2") is None


def test_browsers_get_no_header_without_a_scan() -> None:
    stored = jpeg_ybr(PICTURE)
    scan = stored.index(b"\xff\xda")
    for end in (scan - 1, scan, scan + 1):
        assert jpeg.browser_jpeg(stored[:end], "YBR_FULL_422") is None


@pytest.mark.parametrize("length", [0, 1, 2, 3, 10, 100, 600])
def test_a_truncated_jpeg_is_refused(length: int) -> None:
    with pytest.raises(UnusableSource):
        jpeg.decode(jpeg_ybr(PICTURE)[:length], "RGB")
    with pytest.raises(UnusableSource):
        jpeg.crop(jpeg_ybr(PICTURE)[:length], 1, 1)


def test_twelve_bits_are_refused_by_name() -> None:
    with pytest.raises(UnusableSource, match="process 1, 12 bits, 1 components"):
        jpeg.decode(jpeg_12(GREY.astype(np.uint16)), "MONOCHROME2")


def test_an_extraneous_byte_between_segments_of_the_scan_is_tolerated() -> None:
    stored = jpeg_ybr(PICTURE).rstrip(b"\0")
    assert apart(jpeg.decode(stored[:-2] + b"\x12\xff\xd9", "YBR_FULL_422"), PICTURE) < 2


@real_slides
@pytest.mark.parametrize(
    "name",
    [
        "cmu1_pyramid_wsi2dcm/level-1-frames-0-9.dcm",
        "google_wsi2dcm/jpeg.dcm",
        "orthancwsi_cmu1_GENERATED/wsi-000000.dcm",
        "orthancwsi_cmu1_GENERATED/wsi-000002.dcm",
        "pixelmed_boxes/boxes_0.dcm",
        "3dhistech_BPAEC/2_LABEL",
        "3dhistech_BPAEC/8_0",
    ],
)
def test_real_tiles_look_the_same_stored_and_decoded(name: str) -> None:
    dataset = dcmread(SLIDES / name)
    count = int(dataset.get("NumberOfFrames") or 1)
    frame = list(generate_frames(dataset.PixelData, number_of_frames=count))[count // 2]
    photometric = dataset.PhotometricInterpretation
    shown = in_a_browser(jpeg.displayable(frame, photometric))
    assert apart(shown, np.broadcast_to(jpeg.decode(frame, photometric), shown.shape)) < 0.5


@real_slides
def test_real_rgb_tiles_agree_with_the_ybr_tiles_of_the_next_level() -> None:
    """The largest level keeps the RGB of its source, and says YBR_FULL_422; the others are YBR."""
    means = []
    for level in ("0", "1"):
        dataset = dcmread(SLIDES / f"orthancwsi_cmu1_GENERATED/wsi-00000{level}.dcm")
        frames = generate_frames(dataset.PixelData, number_of_frames=int(dataset.NumberOfFrames))
        tiles = [jpeg.decode(frame, dataset.PhotometricInterpretation) for frame in frames]
        means.append(np.mean([tile.mean(axis=(0, 1)) for tile in tiles], axis=0))
    np.testing.assert_allclose(means[0], means[1], atol=6)  # the padding differs
