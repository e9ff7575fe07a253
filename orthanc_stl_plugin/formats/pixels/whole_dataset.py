"""The frames of a complete data set, one at a time; one-bit frames too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.dataset import tolerating
from orthanc_stl_plugin.formats.dicom.functional_groups import frame_count
from orthanc_stl_plugin.formats.pixels.frame_decoder import FrameDecoder


class PixelFrames:
    """The frames of an image with one sample per pixel.

    Raises:
        UnusableSource: the image has no pixels, fewer than stated, or several samples per pixel.
        TooLarge: a frame has more than 2 GiB.
    """

    def __init__(self, dataset: Dataset) -> None:
        with tolerating("the description of the pixels"):
            samples = int(dataset.get("SamplesPerPixel") or 1)
            self._frame_bits = int(dataset.Rows) * int(dataset.Columns) * int(dataset.BitsAllocated)
            self.count = frame_count(dataset)
            content: bytes = dataset.PixelData
        if samples != 1:
            raise UnusableSource("ColourNotVolume", samples=samples)
        self._decoder = FrameDecoder(dataset)
        self._content = content
        self._frames: list[bytes] = []
        if self._decoder.is_native:
            self._check_length()
        else:
            with tolerating("the encapsulated pixel data"):
                self._frames = _fragments(dataset, content, self.count)

    def _check_length(self) -> None:
        needed = -(-self.count * self._frame_bits // 8)
        if len(self._content) < needed:
            raise UnusableSource(
                "PixelDataTruncated", bytes=len(self._content), needed_bytes=needed
            )

    def read(self, index: int) -> NDArray[np.integer]:
        """(rows, columns) integers, unscaled, of the frame at `index`, from 0.

        Raises:
            UnusableSource: it is missing, truncated or damaged.
        """
        return self._decoder.decode(self._stored(index), index)[..., 0]

    def _stored(self, index: int) -> bytes:
        if self._decoder.is_native:
            start = index * self._frame_bits
            return self._content[start // 8 : -(-(start + self._frame_bits) // 8)]
        if index >= len(self._frames):
            raise UnusableSource("FramesIncomplete", there=len(self._frames), frames=self.count)
        return self._frames[index]


def _fragments(dataset: Dataset, content: bytes, count: int) -> list[bytes]:
    """The bytes of every frame, joined from their fragments."""
    offsets, lengths = (
        dataset.get(keyword) for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
    )
    extended = (offsets, lengths) if offsets and lengths else None
    return list(generate_frames(content, number_of_frames=count, extended_offsets=extended))
