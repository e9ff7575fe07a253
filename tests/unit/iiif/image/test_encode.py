"""Files that others can read, with the colour profile where the format has a place for it."""

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from orthanc_stl_plugin.iiif.image.encode import encode
from orthanc_stl_plugin.iiif.image.request import Format

type Pixels = NDArray[np.uint8]

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAY_PROFILE = SRGB[:16] + b"GRAY" + SRGB[20:]


def jpeg(pixels: Pixels, /, *, icc_profile: bytes | None) -> bytes:
    assert pixels.flags.c_contiguous
    assert pixels.shape[2] in (1, 3)
    file = BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(
        file, "JPEG", icc_profile=icc_profile
    )
    return file.getvalue()


def opened(encoded: bytes) -> Image.Image:
    image = Image.open(BytesIO(encoded))
    image.load()
    return image


def picture(channels: int) -> Pixels:
    """Few colours, 40 x 30, its left half opaque where there is alpha."""
    pixels = np.zeros((30, 40, channels), np.uint8)
    pixels[:, 20:, 0] = 200
    if channels > 1:
        pixels[15:, :, 1] = 90
    if channels == 4:
        pixels[:, :20, 3] = 255
    return pixels


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    ("format_", "name", "media_type"),
    [
        (Format.JPG, "JPEG", "image/jpeg"),
        (Format.PNG, "PNG", "image/png"),
        (Format.WEBP, "WEBP", "image/webp"),
        (Format.GIF, "GIF", "image/gif"),
        (Format.TIF, "TIFF", "image/tiff"),
    ],
)
def test_every_format_is_written_for_any_number_of_channels(
    format_: Format, name: str, media_type: str, channels: int
) -> None:
    encoded, told = encode(picture(channels)[:, ::-1], format_, jpeg)
    image = opened(encoded)
    assert (image.format, told, image.size) == (name, media_type, (40, 30))


@pytest.mark.parametrize("format_", Format)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("width", "height"), [(1, 30), (30, 1), (1, 1)])
def test_an_image_of_one_pixel_across_is_written_from_any_view(
    format_: Format, channels: int, width: int, height: int
) -> None:
    whole = picture(channels)
    for view in (whole[:height, :width], whole[::-1, ::-1][:height, :width]):
        for turns in range(4):
            turned = np.rot90(view, turns)
            image = opened(encode(turned, format_, jpeg)[0])
            assert image.size == (turned.shape[1], turned.shape[0])


@pytest.mark.parametrize("format_", [Format.PNG, Format.TIF])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_and_tiff_lose_nothing(format_: Format, channels: int) -> None:
    decoded = np.asarray(opened(encode(picture(channels), format_, jpeg)[0]))
    assert np.array_equal(decoded.reshape(30, 40, channels), picture(channels))


def test_few_colours_survive_gif() -> None:
    decoded = opened(encode(picture(3), Format.GIF, jpeg)[0]).convert("RGB")
    assert np.array_equal(np.asarray(decoded), picture(3))


@pytest.mark.parametrize("format_", [Format.PNG, Format.WEBP, Format.GIF, Format.TIF])
def test_transparency_is_kept(format_: Format) -> None:
    decoded = np.asarray(opened(encode(picture(4), format_, jpeg)[0]).convert("RGBA"))
    assert (decoded[:, :20, 3] == 255).all()
    assert (decoded[:, 20:, 3] == 0).all()


@pytest.mark.parametrize("format_", [Format.JPG, Format.PNG, Format.WEBP, Format.TIF])
def test_a_profile_is_embedded(format_: Format) -> None:
    assert opened(encode(picture(3), format_, jpeg, SRGB)[0]).info["icc_profile"] == SRGB


@pytest.mark.parametrize("format_", Format)
def test_a_profile_of_other_channels_is_left_out(format_: Format) -> None:
    assert "icc_profile" not in opened(encode(picture(1), format_, jpeg, SRGB)[0]).info
    assert "icc_profile" not in opened(encode(picture(3), format_, jpeg, GRAY_PROFILE)[0]).info
    assert "icc_profile" not in opened(encode(picture(3), format_, jpeg, b"short")[0]).info


def test_a_gray_profile_goes_with_gray_pixels() -> None:
    image = opened(encode(picture(1), Format.PNG, jpeg, GRAY_PROFILE)[0])
    assert image.info["icc_profile"] == GRAY_PROFILE
