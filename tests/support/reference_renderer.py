"""The slow and simple way to an image: decode everything, then let Pillow crop, scale and turn.

Nothing of the plugin is used. Frames are decoded by Pillow (JPEG) or pydicom.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import JPEGBaseline8Bit

type Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Wanted:
    """An image to make: a region in pixels of the full image, and what becomes of it."""

    x: int
    y: int
    width: int
    height: int
    output_width: int
    output_height: int
    mirrored: bool = False
    rotation_degrees: int = 0
    quality: str = "default"

    def request(self, format_: str) -> str:
        """The last four segments of its address, in version 3."""
        region = f"{self.x},{self.y},{self.width},{self.height}"
        upscaled = self.output_width > self.width or self.output_height > self.height
        size = f"{'^' * upscaled}{self.output_width},{self.output_height}"
        rotation = f"{'!' * self.mirrored}{self.rotation_degrees}"
        return f"{region}/{size}/{rotation}/{self.quality}.{format_}"


def reference(levels: Sequence[Pixels], wanted: Wanted) -> Pixels:
    """(height, width) or (height, width, 3) of an image, made of levels with the largest first."""
    full_height, full_width = levels[0].shape[:2]
    level = next(
        level
        for level in reversed(levels)
        if level is levels[0]
        or (
            wanted.width * level.shape[1] >= (wanted.output_width - 0.5) * full_width
            and wanted.height * level.shape[0] >= (wanted.output_height - 0.5) * full_height
        )
    )
    left, right = _span(wanted.x, wanted.width, full_width, level.shape[1])
    upper, lower = _span(wanted.y, wanted.height, full_height, level.shape[0])
    size = wanted.output_width, wanted.output_height
    image = Image.fromarray(level)
    is_aligned = float(left).is_integer() and float(upper).is_integer()
    if is_aligned and right - left == size[0] and lower - upper == size[1]:
        image = image.crop((int(left), int(upper), int(right), int(lower)))
    else:
        image = image.resize(size, Image.Resampling.BICUBIC, box=(left, upper, right, lower))
    if wanted.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if wanted.rotation_degrees:
        image = image.rotate(-wanted.rotation_degrees, expand=True)
    if wanted.quality == "gray":
        image = image.convert("L")
    return np.asarray(image)


def decoded_level(datasets: Sequence[Dataset], path: int = 0) -> Pixels:
    """(height, width) or (height, width, 3) of a level: the parts of one, in their order.

    Tiles lie where the file says, or fill the image row by row (TILED_FULL).
    """
    first = datasets[0]
    tile_height, tile_width = int(first.Rows), int(first.Columns)
    height, width = int(first.TotalPixelMatrixRows), int(first.TotalPixelMatrixColumns)
    columns, rows = -(-width // tile_width), -(-height // tile_height)
    frames = [
        (dataset, index, tile)
        for dataset in datasets
        for index, tile in enumerate(_stored_frames(dataset))
    ]
    shape = (rows * tile_height, columns * tile_width, *frames[0][2].shape[2:])
    whole = np.zeros(shape, frames[0][2].dtype)
    for number, (dataset, index, tile) in enumerate(frames):
        place = _place(dataset, index)
        if place is None and number // (columns * rows) == path:
            row, column = divmod(number % (columns * rows), columns)
            place = column * tile_width, row * tile_height
        if place is not None:
            lower, right = place[1] + tile.shape[0], place[0] + tile.shape[1]
            whole[place[1] : lower, place[0] : right] = tile
    return shown(whole[:height, :width], first)


def decoded_frames(dataset: Dataset) -> Iterator[Pixels]:
    """The frames of an image as they are shown, grey or RGB."""
    yield from (shown(frame, dataset) for frame in _stored_frames(dataset))


def shown(stored: NDArray[np.integer], dataset: Dataset) -> Pixels:
    """Stored values as they are shown."""
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        coloured = apply_color_lut(stored, dataset)
        return np.asarray(coloured >> 8 if coloured.dtype == np.uint16 else coloured, np.uint8)
    if stored.ndim == 3 or dataset.file_meta.TransferSyntaxUID == JPEGBaseline8Bit:
        return stored.astype(np.uint8)
    return shown_grey(stored, dataset)


def _stored_frames(dataset: Dataset) -> Iterator[NDArray[np.integer]]:
    if dataset.file_meta.TransferSyntaxUID == JPEGBaseline8Bit:
        count = int(dataset.get("NumberOfFrames") or 1)
        for content in generate_frames(dataset.PixelData, number_of_frames=count):
            with Image.open(BytesIO(content)) as image:
                yield np.asarray(image)
    else:
        yield from iter_pixels(dataset)


def shown_grey(stored: NDArray[np.integer], dataset: Dataset) -> Pixels:
    """Grey values through modality and VOI transformations, from black to white (PS3.3 C.11)."""
    values = apply_modality_lut(stored, dataset)
    seen = np.asarray(apply_voi_lut(values, dataset, index=0), np.float64)
    if "VOILUTSequence" in dataset:
        bits = dataset.VOILUTSequence[0].LUTDescriptor[2]
        low, high = 0.0, 2.0**bits - 1
    elif "WindowWidth" in dataset:
        low, high = _window_outputs(dataset)
    else:
        low, high = float(values.min()), float(values.max())
    scaled = (seen - low) / (high - low) * 255
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        scaled = 255 - scaled
    return np.asarray(np.rint(scaled).clip(0, 255), np.uint8)


def _window_outputs(dataset: Dataset) -> tuple[float, float]:
    """What pydicom's windows give for values far below and far above them."""
    signed = dataset.PixelRepresentation == 1
    low = -(2.0 ** (dataset.BitsStored - 1)) if signed else 0.0
    high = 2.0 ** (dataset.BitsStored - signed) - 1
    slope = float(dataset.get("RescaleSlope", 1))
    intercept = float(dataset.get("RescaleIntercept", 0))
    return low * slope + intercept, high * slope + intercept


def _span(start: int, region: int, full: int, length: int) -> tuple[float, float]:
    """Where a region lies in a level, along one side: its maker has divided by whole numbers."""
    factor = float(round(full / length))
    if length not in {full // factor, -(-full // factor)}:
        factor = full / length
    end = length if start + region == full else min((start + region) / factor, length)
    return min(start / factor, length - 0.5), end


def _place(dataset: Dataset, index: int) -> tuple[int, int] | None:
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if index >= len(groups) or "PlanePositionSlideSequence" not in groups[index]:
        return None
    (place,) = groups[index].PlanePositionSlideSequence
    column = int(place.ColumnPositionInTotalImagePixelMatrix) - 1
    return column, int(place.RowPositionInTotalImagePixelMatrix) - 1
