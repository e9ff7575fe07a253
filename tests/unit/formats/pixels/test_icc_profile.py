"""ICC profiles: found in images, applied, and ignored when they are broken."""

import io
import logging

import numpy as np
import pytest
from PIL import Image, ImageCms
from pydicom.dataset import Dataset

from orthanc_stl_plugin.formats.pixels.icc_profile import profile_of, to_srgb

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
COLOURS = np.random.default_rng(3).integers(0, 256, (9, 7, 3), dtype=np.uint8)


def dimmed() -> bytes:
    """sRGB, but its curves end at half of the light: the reader must see the colours change."""
    at = SRGB.index(b"para")
    content = bytearray(SRGB)
    content[at + 12 : at + 16] = (1 << 16).to_bytes(4)  # gamma 1
    return bytes(content)


def with_profile(profile: bytes) -> Dataset:
    path, header = Dataset(), Dataset()
    path.ICCProfile = profile
    header.OpticalPathSequence = [path]
    return header


def test_the_profile_of_the_first_optical_path_is_found() -> None:
    assert profile_of(with_profile(SRGB)) == SRGB


def test_the_profile_of_the_image_is_found() -> None:
    header = Dataset()
    header.ICCProfile = SRGB
    assert profile_of(header) == SRGB


def test_an_image_without_a_profile_has_none() -> None:
    assert profile_of(Dataset()) is None
    assert profile_of(with_profile(b"")) is None


@pytest.mark.parametrize("profile", [SRGB[:200], b"rubbish", SRGB[:40] + b"\xff" * 500, LAB])
def test_a_broken_profile_is_ignored_and_logged(
    profile: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    unique = profile + str(id(caplog)).encode()  # what was seen before is not logged again
    with caplog.at_level(logging.WARNING):
        assert profile_of(with_profile(unique)) is None
    assert "ICC profile" in caplog.text
    np.testing.assert_array_equal(to_srgb(COLOURS, unique), COLOURS)


def test_srgb_stays_as_it_is() -> None:
    assert np.abs(to_srgb(COLOURS, SRGB).astype(int) - COLOURS).max() <= 1


def test_another_space_becomes_srgb() -> None:
    profile = dimmed()
    source = ImageCms.getOpenProfile(io.BytesIO(profile))
    expected = ImageCms.profileToProfile(
        Image.fromarray(COLOURS),
        source,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert expected is not None
    np.testing.assert_array_equal(to_srgb(COLOURS, profile), np.asarray(expected))
    assert np.abs(to_srgb(COLOURS, profile).astype(int) - COLOURS).max() > 10


def test_grey_is_left_alone() -> None:
    grey = COLOURS[..., :1]
    np.testing.assert_array_equal(to_srgb(grey, SRGB), grey)
