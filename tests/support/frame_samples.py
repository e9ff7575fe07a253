"""Photographs, radiographs and the like: DICOM files of single frames whose pixels are known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian

from tests.support.dicom_samples import ROOT, composite, file_bytes

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

type Pixels = NDArray[np.integer]


def frame_file(
    pixels: Pixels,
    number: int = 1,
    *,
    transfer_syntax_uid: str = ExplicitVRLittleEndian,
    encoded: bytes | None = None,
    series: int = 1,
    **attributes: Any,
) -> bytes:
    """A Secondary Capture image of one frame.

    Args:
        pixels: (rows, columns) or (rows, columns, 3), uint8 or uint16.
        number: tells its instance from others.
        transfer_syntax_uid: of the file.
        encoded: the frame in that syntax; None for a native one.
        series: tells its series, and study, from others.
        attributes: further ones, or others, by keyword.
    """
    dataset = composite(SECONDARY_CAPTURE, number, "XC")
    dataset.SOPInstanceUID = f"{ROOT}.30.{series}.{number}"
    dataset.SeriesInstanceUID = f"{ROOT}.31.{series}"
    dataset.StudyInstanceUID = f"{ROOT}.32.{series}"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 0
    if encoded is None:
        content = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
        dataset.PixelData = content + b"\0" * (len(content) % 2)
    else:
        dataset.PixelData = encapsulate([encoded])
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
    dataset["PixelData"].is_undefined_length = encoded is not None
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return file_bytes(dataset, UID(transfer_syntax_uid))


def photograph(width: int, height: int) -> NDArray[np.uint8]:
    """(height, width, 3): smooth waves of colour that no mirror or shift leaves as they are."""
    x = np.arange(width, dtype=np.float32) / width
    y = np.arange(height, dtype=np.float32)[:, np.newaxis] / height
    picture = np.empty((height, width, 3), np.uint8)
    for band, phase in enumerate((0.0, 1.1, 2.3)):
        picture[..., band] = 127.5 + 127.5 * np.cos(5 * x + 3 * y + 2 * x * y * (band + 1) + phase)
    return picture
