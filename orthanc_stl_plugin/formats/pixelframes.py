"""Pixels of single frames, decoded one at a time; one-bit frames too, however they are packed."""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicomfile import tolerating
from orthanc_stl_plugin.formats.functionalgroups import frame_count

DEFLATED_IMAGE_FRAME: Final = "1.2.840.10008.1.2.8.1"
RLE_HEADER_BYTES: Final = 64
READABLE_BITS: Final = (1, 8, 16, 32)


class PixelFrames:
    """The frames of an image with one sample per pixel.

    Raises:
        UnusableSource: the image has no pixels, fewer than it says, or more than one sample each.
    """

    def __init__(self, dataset: Dataset) -> None:
        with tolerating("the description of the pixels"):
            self._dataset = dataset
            self._syntax = dataset.file_meta.get("TransferSyntaxUID") or ImplicitVRLittleEndian
            self._shape = (int(dataset.Rows), int(dataset.Columns))
            self._bits = int(dataset.BitsAllocated)
            samples = int(dataset.get("SamplesPerPixel", 1))
            self.count = frame_count(dataset)
            content: bytes = dataset.PixelData
            self._is_encapsulated = self._syntax == DEFLATED_IMAGE_FRAME or bool(
                self._syntax.is_encapsulated
            )
        if samples != 1:
            raise UnusableSource(f"{samples} samples per pixel are a colour image, not a volume")
        if self._bits not in READABLE_BITS:
            raise UnusableSource(f"{self._bits} bits allocated per pixel are not read")
        if self._syntax == DEFLATED_IMAGE_FRAME or (self._is_encapsulated and self._bits == 1):
            with tolerating("the encapsulated pixel data"):
                self._frames = list(generate_frames(content, number_of_frames=self.count))
        else:
            self._frames = []
            if self._is_encapsulated:
                self._check_decoder()
        if not self._is_encapsulated:
            self._check_length(content)
        self._content = content

    def _check_length(self, content: bytes) -> None:
        rows, columns = self._shape
        needed = -(-self.count * rows * columns * self._bits // 8)
        if len(content) < needed:
            raise UnusableSource(
                f"the pixel data are truncated: {len(content)} of {needed} bytes are there"
            )

    def _check_decoder(self) -> None:
        try:
            is_there = get_decoder(self._syntax).is_available
        except NotImplementedError:
            is_there = False
        if not is_there:
            raise UnusableSource(
                f"no decoder for transfer syntax {self._syntax} ({self._syntax.name}) is installed"
            )

    def read(self, index: int) -> NDArray[np.integer]:
        """(rows, columns) integers, unscaled, of the frame at `index`, from 0."""
        rows, columns = self._shape
        if self._bits == 1:
            return self._bit_frame(index).reshape(rows, columns)
        with tolerating(f"frame {index + 1}"):
            if self._frames:
                raw = zlib.decompress(self._frames[index], wbits=-zlib.MAX_WBITS)
                return self._words(raw, 0)
            if not self._is_encapsulated:
                return self._words(self._content, index * rows * columns)
            decoded = get_decoder(self._syntax).as_array(self._dataset, index=index, raw=True)
            return np.asarray(decoded[0])

    def _words(self, content: bytes, first: int) -> NDArray[np.integer]:
        rows, columns = self._shape
        is_signed = int(self._dataset.get("PixelRepresentation", 0)) == 1
        order = ">" if self._syntax == ExplicitVRBigEndian else "<"
        kind = np.dtype(f"{order}{'i' if is_signed else 'u'}{self._bits // 8}")
        words = np.frombuffer(content, kind, rows * columns, first * kind.itemsize)
        unused = self._bits - int(self._dataset.get("BitsStored", self._bits))
        if unused > 0:
            words = np.right_shift(np.left_shift(words, unused), unused)
        return words.reshape(rows, columns)

    def _bit_frame(self, index: int) -> NDArray[np.uint8]:
        """PS3.5 8.1.1: native frames follow each other bit by bit, the lowest bit first."""
        rows, columns = self._shape
        size = rows * columns
        if self._frames:
            with tolerating(f"frame {index + 1}"):
                packed, offset = self._unpacked(self._frames[index]), 0
        elif self._is_encapsulated:
            raise UnusableSource(f"one-bit frames in transfer syntax {self._syntax} are not read")
        else:
            packed, offset = self._content, index * size
        part = np.frombuffer(packed, np.uint8)[offset // 8 : -(-(offset + size) // 8)]
        bits = np.unpackbits(part, bitorder="little")[offset % 8 :][:size]
        if len(bits) < size:
            raise UnusableSource(f"frame {index + 1} ends after {len(bits)} of {size} pixels")
        return bits

    def _unpacked(self, frame: bytes) -> bytes:
        if self._syntax == DEFLATED_IMAGE_FRAME:
            return zlib.decompress(frame, wbits=-zlib.MAX_WBITS)
        if self._syntax == RLELossless:
            return unpacked_runs(frame[RLE_HEADER_BYTES:])
        raise UnusableSource(f"one-bit frames in transfer syntax {self._syntax} are not read")


def unpacked_runs(content: bytes) -> bytes:
    """The bytes of one RLE segment (PS3.5 G.3.2)."""
    unpacked = bytearray()
    at = 0
    while at < len(content):
        control = content[at]
        if control < 128:
            unpacked += content[at + 1 : at + 2 + control]
            at += control + 2
        else:
            if control > 128:
                unpacked += content[at + 1 : at + 2] * (257 - control)
            at += 2 if control > 128 else 1
    return bytes(unpacked)
