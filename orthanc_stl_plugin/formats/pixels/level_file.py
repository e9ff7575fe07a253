"""Levels made from a large image: files of encoded tiles.

A level is a pair of files: `N.tiles`, the tiles row by row, and `N.npy`, their offsets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import count, pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

TILE_PX: Final = 512
_SMALLEST_PX: Final = 256

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class TileFile:
    """A level: `columns` x `rows` encoded tiles of at most TILE_PX x TILE_PX pixels.

    Attributes:
        path: the file of the tiles.
        width: pixels of the level.
        height: pixels of the level.
        offsets: (tiles + 1,) int64, the start of each tile and the end of the last.
    """

    path: Path
    width: int
    height: int
    offsets: NDArray[np.int64]

    @property
    def columns(self) -> int:
        """Tiles across."""
        return -(-self.width // TILE_PX)

    @property
    def rows(self) -> int:
        """Tiles down."""
        return -(-self.height // TILE_PX)


def halved_sizes(width: int, height: int) -> Iterator[tuple[int, int]]:
    """The sizes of the levels below one of this size: halves, rounded up, down to a small one."""
    while max(width, height) > _SMALLEST_PX:
        width, height = -(-width // 2), -(-height // 2)
        yield width, height


class LevelWriter:
    """Takes an image in strips from top to bottom; writes its tiles and those of smaller levels.

    Args:
        folder: for the files.
        encode: encodes a tile, (height, width, samples) uint8.
        size: width and height of the image in pixels.
        number: of this level; smaller levels have the next numbers.
        writes_itself: if false, only the smaller levels are written.
    """

    def __init__(
        self,
        folder: Path,
        encode: Callable[[Pixels], bytes],
        size: tuple[int, int],
        number: int = 0,
        *,
        writes_itself: bool = True,
    ) -> None:
        self._path = _tiles_path(folder, number)
        self._encode = encode
        self._width, self._height = size
        self._strip_rows = TILE_PX if writes_itself else 2
        self._offsets = [0]
        self._waiting: list[Pixels] = []
        self._waiting_rows = 0
        self._writes_itself = writes_itself
        below = next(halved_sizes(*size), None)
        self._below = LevelWriter(folder, encode, below, number + 1) if below else None

    def push(self, strip: Pixels) -> None:
        """Takes the next rows, (rows, width, samples) uint8."""
        self._waiting.append(strip)
        self._waiting_rows += len(strip)
        whole = self._waiting_rows - self._waiting_rows % self._strip_rows
        if whole:
            rows = np.concatenate(self._waiting) if len(self._waiting) > 1 else strip
            self._pass_on(rows[:whole])
            self._waiting = [rows[whole:]]
            self._waiting_rows -= whole

    def close(self) -> None:
        """Writes the remaining tiles and the offsets."""
        if self._waiting_rows:
            self._pass_on(np.concatenate(self._waiting))
        if self._writes_itself:
            size = np.array([self._width, self._height], np.int64)
            offsets = np.array(self._offsets, np.int64)
            stream = BytesIO()  # numpy hides the reason when a disk is full
            np.save(stream, np.concatenate([size, offsets]))
            self._path.with_suffix(".npy").write_bytes(stream.getvalue())
        if self._below is not None:
            self._below.close()

    def _pass_on(self, rows: Pixels) -> None:
        if self._writes_itself:
            with self._path.open("ab") as file:
                for tile in self._tiles(rows):
                    content = self._encode(np.ascontiguousarray(tile))
                    file.write(content)
                    self._offsets.append(self._offsets[-1] + len(content))
        if self._below is not None:
            self._below.push(halved(rows))

    def _tiles(self, rows: Pixels) -> Iterator[Pixels]:
        for top in range(0, len(rows), TILE_PX):
            for left in range(0, self._width, TILE_PX):
                yield rows[top : top + TILE_PX, left : left + TILE_PX]


def halved(pixels: Pixels) -> Pixels:
    """The strip at half size, rounded up, by means of 2 x 2 pixels; odd edges count twice."""
    rows, columns = pixels.shape[:2]
    if rows % 2 or columns % 2:
        pixels = np.pad(pixels, ((0, rows % 2), (0, columns % 2), (0, 0)), mode="edge")
    total = pixels[0::2, 0::2].astype(np.uint16)
    for part in (pixels[0::2, 1::2], pixels[1::2, 0::2], pixels[1::2, 1::2]):
        total += part
    return ((total + 2) >> 2).astype(np.uint8)


def read_levels(folder: Path) -> list[TileFile]:
    """The levels that a LevelWriter has written, the largest first.

    Raises:
        OSError, ValueError: they are missing or damaged.
    """
    levels: list[TileFile] = []
    for number in count(0 if _tiles_path(folder, 0).exists() else 1):
        path = _tiles_path(folder, number)
        if not path.exists():
            break
        width, height, *offsets = _numbers(path.with_suffix(".npy"))
        levels.append(TileFile(path, width, height, np.array(offsets, np.int64)))
    for larger, smaller in pairwise(levels):
        if smaller.width >= larger.width and smaller.height >= larger.height:
            raise ValueError(f"{smaller.path.name} is no half of {larger.path.name}")
    if not levels or any(halved_sizes(levels[-1].width, levels[-1].height)):
        raise ValueError(f"{folder.name} lacks its smallest level")
    for level in levels:
        if level.path.stat().st_size < level.offsets[-1]:
            raise ValueError(f"{level.path.name} is cut short")
    return levels


def _numbers(path: Path) -> list[int]:
    try:
        numbers: list[int] = np.load(path).tolist()
    except EOFError as error:
        raise ValueError(f"{path.name} is empty") from error
    return numbers


def _tiles_path(folder: Path, number: int) -> Path:
    return folder / f"{number}.tiles"
