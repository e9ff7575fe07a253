"""Slides to serve, written once: tissue-like JPEG tiles in a form that both plugins accept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import JPEGBaseline8Bit

from orthanc_stl_plugin.formats.pixels import jpeg
from tests.support.dicom_samples import ROOT
from tests.support.slide_samples import Codec, LevelSample, written_level
from tools.benchmarks.inputs import CACHE

_DIFFERENT_TILES: Final = 48
_QUALITY: Final = 77
_INSTANCE_BYTES: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class SlideSample:
    """A slide of JPEG tiles, each level half of the one above.

    Attributes:
        number: of the slide, from 1.
        width: pixels.
        height: pixels.
        tile_px: sides of a tile.
    """

    number: int
    width: int
    height: int
    tile_px: int

    @property
    def levels(self) -> list[tuple[int, int, int]]:
        """(factor, width, height), the largest first, down to the last with integer sides."""
        found = [(1, self.width, self.height)]
        while max(found[-1][1:]) > self.tile_px and not (found[-1][1] | found[-1][2]) % 2:
            factor, width, height = found[-1]
            found.append((2 * factor, width // 2, height // 2))
        return found

    @property
    def frame_count(self) -> int:
        """Tiles of all levels."""
        return sum(
            -(-width // self.tile_px) * -(-height // self.tile_px)
            for _, width, height in self.levels
        )

    def files(self) -> list[Path]:
        """Its DICOM files of about 10 MB each, written at the first call."""
        folder = CACHE / "slides" / f"{self.number}-{self.width}-{self.height}-{self.tile_px}"
        if not folder.exists():
            unfinished = folder.with_suffix(".part")
            unfinished.mkdir(parents=True, exist_ok=True)
            for name, content in _written(self):
                (unfinished / f"{name}.dcm").write_bytes(content)
            unfinished.replace(folder)
        return sorted(folder.iterdir())


LARGE: Final = tuple(SlideSample(number, 20_000, 16_000, 512) for number in range(1, 6))
MANY_FRAMES: Final = SlideSample(6, 36_000, 28_000, 256)


def _written(slide: SlideSample) -> Iterator[tuple[str, bytes]]:
    """(name, content) of its files; each frame states its position, as from OrthancWSIDicomizer."""
    different = [_tile(seed, slide.tile_px) for seed in range(_DIFFERENT_TILES)]
    most_frames = _INSTANCE_BYTES * _DIFFERENT_TILES // sum(map(len, different))
    tiles = cycle(different)
    codec = Codec(JPEGBaseline8Bit, lambda _: next(tiles), "YBR_FULL_422")
    for factor, width, height in slide.levels:
        sample = LevelSample(
            width,
            height,
            slide.tile_px,
            slide.tile_px,
            is_full=False,
            attributes={
                "StudyInstanceUID": f"{ROOT}.20.{slide.number}",
                "SeriesInstanceUID": f"{ROOT}.21.{slide.number}",
                "PatientID": f"benchmark {slide.number}",
            },
        )
        count = len(sample.tiles())
        if count > most_frames:
            whole, rest = divmod(count, most_frames)
            sample = replace(sample, part_sizes=(most_frames,) * whole + (rest,) * bool(rest))
        blank = np.broadcast_to(np.uint8(0), (1, 1, height, width, 3))
        number = 10_000 * slide.number + factor
        for file in written_level(sample, number, codec=codec, pixels=blank).files:
            yield file.instance_id, file.content


def _tile(seed: int, side: int) -> bytes:
    """Stained tissue: two colours in clouds of many sizes, and the grain of a camera."""
    random = np.random.default_rng(seed)
    stain = _clouds(random, side)[:, :, np.newaxis]
    pink, violet = np.array([232.0, 190, 214]), np.array([112.0, 62, 138])
    grain = random.normal(0, 4, (side, side, 1))
    shown = pink + (violet - pink) * np.clip(0.5 + stain, 0, 1) + grain
    return jpeg.encode(np.clip(shown, 0, 255).astype(np.uint8), _QUALITY)


def _clouds(random: np.random.Generator, side: int) -> NDArray[np.float64]:
    """(side, side) around 0."""
    total = np.zeros((side, side))
    for cells in (4, 8, 16, 32, 64, 128):
        values = random.normal(0, 1, (cells, cells)).astype(np.float32)
        large = Image.fromarray(values).resize((side, side), Image.Resampling.BICUBIC)
        total += np.asarray(large) / cells**0.5 / 2
    return total
