"""The stored bytes of one frame -> its samples, whatever the transfer syntax."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from orthanc_stl_plugin.errors import TooLarge, UnusableSource
from orthanc_stl_plugin.formats.dicom.dataset import tolerating
from orthanc_stl_plugin.formats.pixels.frame_codecs import (
    COSTLY_SYNTAXES,
    Decoded,
    PixelLayout,
    codec_of,
    decode,
    photometric_after,
)

READABLE_BITS: Final = (1, 8, 16, 32)
NATIVE: Final = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
_HALF_CHROMA: Final = ("YBR_FULL_422", "YBR_PARTIAL_422")


def can_be_decoded(transfer_syntax_uid: str) -> bool:
    """Whether there is a decoder for frames in that transfer syntax: none for video."""
    return codec_of(transfer_syntax_uid) is not None or transfer_syntax_uid in NATIVE


class FrameDecoder:
    """Decodes the frames of one image, given everything but its pixels.

    It is immutable: threads may share it.

    Attributes:
        photometric: the Photometric Interpretation of what `decode` returns. It is not that of the
            image where the codec converts: YBR in JPEG and JPEG 2000 becomes RGB.

    Raises:
        UnusableSource: the image has no size, an unreadable number of bits, or no codec.
        TooLarge: one frame has more than `max_bytes` when it is decoded.
    """

    def __init__(self, header: Dataset, *, max_bytes: int = 2 << 30) -> None:
        with tolerating("the description of the pixels"):
            meta = getattr(header, "file_meta", None) or Dataset()
            self._syntax = UID(meta.get("TransferSyntaxUID") or ImplicitVRLittleEndian)
            bits = int(header.BitsAllocated)
            self._layout = PixelLayout(
                rows=int(header.Rows),
                columns=int(header.Columns),
                samples=int(header.get("SamplesPerPixel") or 1),
                bits_allocated=bits,
                bits_stored=int(header.get("BitsStored") or bits),
                is_signed=int(header.get("PixelRepresentation") or 0) == 1,
                photometric=str(header.get("PhotometricInterpretation") or "MONOCHROME2"),
                is_costly=self._syntax in COSTLY_SYNTAXES,
            )
            self._low_bit = _low_bit(header, self._layout)
            self._is_planar = int(header.get("PlanarConfiguration") or 0) == 1
        self._check_layout(max_bytes)
        self._codec = codec_of(self._syntax)
        if not can_be_decoded(self._syntax):
            raise UnusableSource(
                "TransferSyntaxUnsupported", uid=self._syntax, name=self._syntax.name
            )
        self.photometric = photometric_after(
            self._syntax, self._layout.photometric, self._layout.samples
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, samples of a frame."""
        return self._layout.rows, self._layout.columns, self._layout.samples

    @property
    def working_bytes(self) -> int:
        """The memory that decoding and showing one frame takes, roughly."""
        return self._layout.working_bytes

    @property
    def is_native(self) -> bool:
        """The frames are not encapsulated: they follow each other without a gap."""
        return self._codec is None

    def _check_layout(self, max_bytes: int) -> None:
        layout = self._layout
        if layout.rows < 1 or layout.columns < 1:
            raise UnusableSource("ImageWithoutPixels", columns=layout.columns, rows=layout.rows)
        if layout.samples not in (1, 3):
            raise UnusableSource("SamplesPerPixelUnsupported", samples=layout.samples)
        if layout.bits_allocated not in READABLE_BITS:
            raise UnusableSource("BitsAllocatedUnsupported", bits=layout.bits_allocated)
        if not 1 <= layout.bits_stored <= layout.bits_allocated:
            raise UnusableSource(
                "BitsStoredTooMany",
                bits_stored=layout.bits_stored,
                bits_allocated=layout.bits_allocated,
            )
        size = layout.byte_count
        if size > max_bytes:
            raise TooLarge("FrameTooLarge", bytes=size, limit_bytes=max_bytes)

    def decode(
        self,
        frame: bytes,
        frame_index: int,
        reduce_by: int = 1,
        seen: tuple[int, int] | None = None,
    ) -> NDArray[np.integer]:
        """(ceil(rows / reduce_by), ceil(columns / reduce_by), samples) integers of native order.

        The type is that of Bits Allocated and Pixel Representation; values are unscaled, and
        sign-extended from Bits Stored. JPEG and JPEG 2000 decode a smaller image in less time;
        others are averaged, but for palette indices, of which the top left one is taken.

        Args:
            frame: its stored bytes. Native frames of one bit need not start at a whole byte (PS3.5
                8.1.1): theirs start with the byte that has the first pixel.
            frame_index: from 0.
            reduce_by: 1, 2, 4, ...; a power of two.
            seen: rows and columns that are shown. A compressed frame that has just these is taken
                too: then they, not those of the image, are returned.

        Raises:
            UnusableSource: the frame is truncated, damaged, or of another size than the image.
            TooLarge: it takes far more memory to decode than its stored bytes justify.
        """
        if self._codec is None:
            samples = self._native(frame, frame_index)
            done = 1
        else:
            layout = replace(self._layout, seen=seen) if seen else self._layout
            decoded = decode(self._codec, frame, layout, self._codec_reduction(reduce_by))
            samples = self._conformed(decoded)
            done = decoded.reduce_by
        if reduce_by > done:
            samples = self._reduced(samples, reduce_by // done)
        return np.ascontiguousarray(samples)

    def _codec_reduction(self, reduce_by: int) -> int:
        return 1 if self._layout.photometric == "PALETTE COLOR" else reduce_by

    def _native(self, frame: bytes, frame_index: int) -> NDArray[np.integer]:
        layout = self._layout
        rows, columns, count = layout.rows, layout.columns, layout.samples
        size = rows * columns * count
        if layout.bits_allocated == 1:
            bits = np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little")
            bits = bits[frame_index * size % 8 :][:size]
            return self._checked(bits, size).reshape(rows, columns, count)
        order = ">" if self._syntax == ExplicitVRBigEndian else "<"
        kind = np.dtype(f"{order}u{layout.bits_allocated // 8}")
        words = np.frombuffer(frame, kind, len(frame) // kind.itemsize)
        if layout.photometric in _HALF_CHROMA and count == 3 and words.size < size:
            return self._with_whole_chroma(words)
        words = self._checked(words, size)
        if self._is_planar:
            shaped = words.reshape(count, rows, columns).transpose(1, 2, 0)
        else:
            shaped = words.reshape(rows, columns, count)
        return self._of_type(shaped, layout.bits_stored, self._low_bit)

    def _with_whole_chroma(self, words: NDArray[np.integer]) -> NDArray[np.integer]:
        """PS3.3 C.7.6.3.1.2: two luminances, then the chrominances they share."""
        rows, columns = self._layout.rows, self._layout.columns
        pairs = -(-columns // 2)
        quads = self._checked(words, rows * pairs * 4).reshape(rows, pairs, 4)
        image = np.empty((rows, pairs, 2, 3), quads.dtype)
        image[..., 0] = quads[..., :2]
        image[..., 1:] = quads[..., np.newaxis, 2:]
        shaped = image.reshape(rows, pairs * 2, 3)[:, :columns]
        return self._of_type(shaped, self._layout.bits_stored, self._low_bit)

    def _checked(self, samples: NDArray[np.integer], needed: int) -> NDArray[np.integer]:
        if samples.size < needed:
            raise UnusableSource("FrameSamplesMissing", samples=samples.size, needed=needed)
        return samples[:needed]

    def _conformed(self, decoded: Decoded) -> NDArray[np.integer]:
        samples = decoded.samples
        reduced = (
            -(-decoded.codestream.rows // decoded.reduce_by),
            -(-decoded.codestream.columns // decoded.reduce_by),
            self._layout.samples,
        )
        if samples.shape != reduced or samples.dtype.kind not in "iu":
            raise UnusableSource(
                "FrameOfOtherShape", type=samples.dtype, shape=samples.shape, needed=reduced
            )
        precision = decoded.codestream.precision_bits or self._layout.bits_stored
        if decoded.codestream.is_signed == self._layout.is_signed and samples.dtype.kind == (
            "i" if self._layout.is_signed else "u"
        ):
            return samples.astype(self._type(samples.dtype.itemsize), copy=False)
        return self._of_type(samples, min(precision, self._layout.bits_stored))

    def _of_type(
        self, samples: NDArray[np.integer], bits: int, low_bit: int = 0
    ) -> NDArray[np.integer]:
        """Their `bits` from `low_bit` on, sign-extended when the image is signed (PS3.5 8.1.1)."""
        kind = self._type(samples.dtype.itemsize)
        words = samples.astype(kind, casting="unsafe", copy=False)
        unused = kind.itemsize * 8 - bits
        if unused <= 0:
            return words
        return np.right_shift(np.left_shift(words, unused - low_bit), unused)

    def _type(self, itemsize: int) -> np.dtype[np.integer]:
        size = max(itemsize, self._layout.bits_allocated // 8, 1)
        return np.dtype(f"{'i' if self._layout.is_signed else 'u'}{size}")

    def _reduced(self, samples: NDArray[np.integer], factor: int) -> NDArray[np.integer]:
        if self._layout.photometric == "PALETTE COLOR":
            return samples[::factor, ::factor]
        rows, columns, count = samples.shape
        padding = ((0, -rows % factor), (0, -columns % factor), (0, 0))
        padded = np.pad(samples, padding, mode="edge")
        blocks = padded.reshape(-(-rows // factor), factor, -(-columns // factor), factor, count)
        lines: NDArray[np.int64] = blocks[:, 0].astype(np.int64)
        for row in range(1, factor):
            lines += blocks[:, row]
        sums = lines[:, :, 0].copy()
        for column in range(1, factor):
            sums += lines[:, :, column]
        return np.rint(sums / (factor * factor)).astype(samples.dtype)


def _low_bit(header: Dataset, layout: PixelLayout) -> int:
    """The lowest bit of native samples, from 0, which is not 0 in old files.

    A High Bit that leaves no room for Bits Stored, or is none of Bits Allocated, says nothing.
    """
    high_bit = header.get("HighBit")
    if high_bit is None:
        return 0
    low_bit = int(high_bit) + 1 - layout.bits_stored
    return low_bit if 0 <= low_bit <= layout.bits_allocated - layout.bits_stored else 0
