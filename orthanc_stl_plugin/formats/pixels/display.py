"""Samples -> 8 bits for a screen: the grey scale and colour pipelines of DICOM (PS3.4 N.2)."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.dataset import items, tolerating
from orthanc_stl_plugin.formats.dicom.sample_range import StoredType
from orthanc_stl_plugin.formats.pixels.frame_codecs import photometric_after
from orthanc_stl_plugin.formats.pixels.greyscale import GreyScale, Spread
from orthanc_stl_plugin.formats.pixels.palette import palette_table

_LARGEST_TABLE_BITS: Final = 16
_MOST_FLOATS: Final = 1 << 20
_GREY: Final = ("MONOCHROME1", "MONOCHROME2")
_YBR: Final = ("YBR_FULL", "YBR_FULL_422")
_YBR_PARTIAL: Final = ("YBR_PARTIAL_422", "YBR_PARTIAL_420")
_PARTIAL_OFFSET: Final = (16, 128, 128)
_PARTIAL_TO_RGB: Final = (
    (1.1644, 0.0, 1.5960),
    (1.1644, -0.3917, -0.8130),
    (1.1644, 2.0173, 0.0),
)
"""The inverse of the matrix in PS3.3 C.7.6.3.1.2."""


class Display:
    """How the decoded samples of one image, or of one of its frames, look on a screen.

    It is immutable: threads may share it. The same stored value always becomes the same grey,
    whatever else a tile shows. Pixel Padding Value is shown as the value that it is.

    Args:
        header: the image without its pixels.
        frame: the frame's item of the Per-Frame Functional Groups Sequence.
        value_range: the lowest and highest stored value of the image, for one of more than 8 bits
            that has no window: a guess is made without it.

    Raises:
        UnusableSource: its photometric interpretation cannot be shown, or its tables are broken.
    """

    def __init__(
        self,
        header: Dataset,
        frame: Dataset | None = None,
        value_range: tuple[int, int] | None = None,
    ) -> None:
        with tolerating("the description of the pixels"):
            self._stored = StoredType.of(header)
            self._samples = int(header.get("SamplesPerPixel") or 1)
            meta = getattr(header, "file_meta", None) or Dataset()
            self._photometric = photometric_after(
                str(meta.get("TransferSyntaxUID") or ""),
                str(header.get("PhotometricInterpretation") or "MONOCHROME2"),
                self._samples,
            )
            self._check()
            palette = header if self._photometric == "PALETTE COLOR" else _path_palette(header)
            if palette is not header and palette is not None and self._photometric in _GREY:
                self._photometric = "PALETTE COLOR"
            self._scale: GreyScale | None = None
            self._table: NDArray[np.uint8] | None = None
            if palette is not None and self._photometric == "PALETTE COLOR":
                self._table = palette_table(palette, self._stored)
            elif self._photometric in _GREY:
                self._scale = GreyScale.of(header, frame or Dataset(), value_range)
                if self._stored.bits_allocated <= _LARGEST_TABLE_BITS:
                    self._table = self._scale.to_8bit(self._stored.all_values())[:, np.newaxis]
            elif self._stored.bits_stored != 8:
                self._table = self._stored.as_8bit(self._stored.all_values())

    @property
    def samples(self) -> int:
        """How many samples `to_8bit` gives for a pixel: 1, grey, or 3, RGB."""
        return 1 if self._photometric in _GREY else 3

    @property
    def byte_count(self) -> int:
        """What its tables take in memory."""
        table_bytes = 0 if self._table is None else self._table.nbytes
        return table_bytes + (0 if self._scale is None else self._scale.byte_count)

    @property
    def lacks_window(self) -> bool:
        """Whether nothing but a guess says which stored values are black and white."""
        is_guess = self._scale is not None and isinstance(self._scale.voi, Spread)
        return is_guess and self._stored.bits_stored > 8

    @cached_property
    def shows_as_stored(self) -> bool:
        """Whether `to_8bit` leaves 8-bit grey or RGB samples as they are."""
        if self._scale is None or self._table is None:
            return self._table is None and self._photometric == "RGB"
        greys = np.arange(256, dtype=np.uint8)
        return self._stored.bits_stored == 8 and np.array_equal(self._table[:256, 0], greys)

    def _check(self) -> None:
        colours = (*_YBR, *_YBR_PARTIAL, "RGB")
        known = colours if self._samples == 3 else (*_GREY, "PALETTE COLOR")
        if self._photometric not in known:
            raise UnusableSource(
                "PhotometricUnsupported", samples=self._samples, photometric=self._photometric
            )
        is_wide = self._stored.bits_allocated > _LARGEST_TABLE_BITS
        if is_wide and self._photometric not in _GREY:
            raise UnusableSource("ColourBitsUnsupported", bits=self._stored.bits_allocated)

    def to_8bit(self, samples: NDArray[np.integer]) -> NDArray[np.uint8]:
        """(H, W, 1 or 3) uint8 grey or RGB of (H, W, S) decoded samples.

        Raises:
            UnusableSource: the samples are not of the shape or type that the image has.
        """
        if samples.ndim != 3 or samples.shape[2] != self._samples:
            raise UnusableSource("SamplesOfOtherShape", shape=samples.shape)
        if samples.dtype.itemsize * 8 != self._stored.bits_allocated:
            raise UnusableSource(
                "SamplesOfOtherType", type=samples.dtype, bits=self._stored.bits_allocated
            )
        if self._photometric == "PALETTE COLOR":
            return self._looked_up(samples[..., 0])
        if self._photometric in _GREY:
            return self._grey(samples)
        bytes_ = samples.astype(np.uint8, copy=False)
        if self._table is not None:
            bytes_ = self._looked_up(samples)
        if self._photometric in _YBR:
            return _from_ybr(bytes_)
        return _from_partial_ybr(bytes_) if self._photometric in _YBR_PARTIAL else bytes_

    def _grey(self, samples: NDArray[np.integer]) -> NDArray[np.uint8]:
        if self.shows_as_stored:
            return samples.astype(np.uint8, copy=False)
        if self._table is not None:
            return self._looked_up(samples[..., 0])
        assert self._scale is not None  # noqa: S101 -- grey images have one
        greys = np.empty(samples.shape, np.uint8)
        rows = max(1, _MOST_FLOATS // max(1, samples.shape[1]))
        for top in range(0, samples.shape[0], rows):  # floats take eight bytes for each sample
            greys[top : top + rows] = self._scale.to_8bit(samples[top : top + rows])
        return greys

    def _looked_up(self, samples: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Table entries; the table starts with the stored value 0, negative ones are at its end."""
        assert self._table is not None  # noqa: S101 -- the callers have seen it
        indices = np.ascontiguousarray(samples).view(f"u{samples.dtype.itemsize}")
        return np.asarray(self._table[indices])


def _path_palette(header: Dataset) -> Dataset | None:
    """The colours that the only optical path of an image asks for (PS3.3 C.8.12.5)."""
    paths = items(header, "OpticalPathSequence")
    if len(paths) != 1 or header.get("PixelPresentation") != "COLOR":
        return None
    return next(iter(items(paths[0], "PaletteColorLookupTableSequence")), None)


def _from_ybr(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """PS3.3 C.7.6.3.1.2, as JFIF has it; Pillow's way is the fastest."""
    rows, columns, _ = image.shape
    content = np.ascontiguousarray(image).tobytes()
    return np.asarray(Image.frombytes("YCbCr", (columns, rows), content).convert("RGB"))


def _from_partial_ybr(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    centred = image.astype(np.float32) - np.array(_PARTIAL_OFFSET, np.float32)
    rgb = centred @ np.array(_PARTIAL_TO_RGB, np.float32).T
    return np.rint(rgb).clip(0, 255).astype(np.uint8)
