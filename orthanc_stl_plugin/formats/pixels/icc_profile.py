"""ICC profiles of images (PS3.3 C.11.15, C.8.12.5): kept with the pixels, or applied to them."""

from __future__ import annotations

import io
import logging
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from pydicom.dataset import Dataset

from orthanc_stl_plugin.formats.dicom.dataset import items, tolerating

_LOG: Final = logging.getLogger(__name__)
_SIGNATURE: Final = slice(36, 40)
_COLOUR_SPACE: Final = slice(16, 20)


def profile_of(header: Dataset) -> bytes | None:
    """The RGB profile of the image or of its first optical path; None if missing or invalid."""
    with tolerating("the ICC profile"):
        holders = [header, *items(header, "OpticalPathSequence")[:1]]
        profiles = [bytes(one.ICCProfile) for one in holders if one.get("ICCProfile")]
    return next(filter(is_sound, profiles), None)


def is_sound(profile: bytes) -> bool:
    """Whether it is an RGB profile from which colours can be converted."""
    return _transform(profile) is not None


def to_srgb(image: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 sRGB from RGB in the profile's space; unchanged if the profile is broken."""
    transform = _transform(profile)
    if transform is None or image.shape[2] != 3:
        return image
    rows, columns, _ = image.shape
    picture = Image.frombytes("RGB", (columns, rows), np.ascontiguousarray(image).tobytes())
    return np.asarray(transform.apply(picture))


@lru_cache(maxsize=16)
def _transform(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    if profile[_SIGNATURE] != b"acsp" or profile[_COLOUR_SPACE] != b"RGB ":
        _LOG.warning("ignored an ICC profile of %d bytes that is none of RGB", len(profile))
        return None
    try:
        source = ImageCms.getOpenProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            "RGB",
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
    except (ImageCms.PyCMSError, OSError) as error:
        _LOG.warning("ignored a broken ICC profile of %d bytes: %s", len(profile), error)
        return None
