"""A slide, made of pyramids; a pyramid, made of levels; a level, a grid of stored frames."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource


@dataclass(frozen=True, slots=True)
class FrameAddress:
    """A stored frame.

    Attributes:
        instance_id: the identifier given with its image (in practice, Orthanc's).
        frame_index: from 0 (a DICOM Frame Number starts at 1).
    """

    instance_id: str
    frame_index: int


@dataclass(frozen=True, slots=True, eq=False)
class TileTable:
    """The frame of each tile of a grid, at 16 bytes for each stored tile.

    Its size depends on the frames, not on the grid, which a file may overstate.

    Attributes:
        columns: tiles across, at least 1.
        rows: tiles down, at least 1.
        instance_ids: the instances that hold frames.
        keys: (N,) int64 row * columns + column, strictly ascending.
        places: (N, 2) int32 ordinal in `instance_ids`, frame index from 0.
    """

    columns: int
    rows: int
    instance_ids: tuple[str, ...]
    keys: NDArray[np.int64]
    places: NDArray[np.int32]

    def frame(self, column: int, row: int) -> FrameAddress | None:
        """The frame of a tile, counted from 0; None where none is stored, or off the grid."""
        if not (0 <= column < self.columns and 0 <= row < self.rows):
            return None
        key = row * self.columns + column
        at = int(self.keys.searchsorted(key))
        if at == len(self.keys) or self.keys[at] != key:
            return None
        ordinal, frame_index = self.places[at].tolist()
        return FrameAddress(self.instance_ids[ordinal], frame_index)


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One resolution of a slide: a total pixel matrix, cut into tiles of one size.

    Tiles of the last column and row extend beyond the edge of the image. A tile may be larger than
    the image.

    Attributes:
        width: pixels, TotalPixelMatrixColumns.
        height: pixels, TotalPixelMatrixRows.
        tile_width: pixels of every stored frame, Columns.
        tile_height: pixels of every stored frame, Rows.
        pixel_spacing_mm: between rows, then between columns (DICOM's order); None if unknown.
        absent_rgb: sRGB, 0-255 each, of tiles without a frame.
        tiles: the frame of each tile.
    """

    width: int
    height: int
    tile_width: int
    tile_height: int
    pixel_spacing_mm: tuple[float, float] | None
    absent_rgb: tuple[int, int, int]
    tiles: TileTable

    @property
    def columns(self) -> int:
        """Tiles across."""
        return self.tiles.columns

    @property
    def rows(self) -> int:
        """Tiles down."""
        return self.tiles.rows

    @property
    def instance_ids(self) -> tuple[str, ...]:
        """The instances that hold its frames (several in a concatenation)."""
        return self.tiles.instance_ids

    def frame(self, column: int, row: int) -> FrameAddress | None:
        """The frame of a tile, counted from 0; None where none is stored, or off the grid."""
        return self.tiles.frame(column, row)

    def seen(self, column: int, row: int) -> tuple[int, int]:
        """(rows, columns): the pixels of a tile inside the image."""
        return (
            min(self.tile_height, self.height - row * self.tile_height),
            min(self.tile_width, self.width - column * self.tile_width),
        )


@dataclass(frozen=True, slots=True)
class OpticalPath:
    """An optical path, such as a fluorescence channel (PS3.3 C.8.12.5).

    Attributes:
        identifier: Optical Path Identifier, or "".
        label: its description, else the meaning of its code, else "".
    """

    identifier: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class FocalPlane:
    """A focal plane.

    Attributes:
        number: from 0, the plane nearest to the glass, as stored.
        z_mm: its Z offset in the slide's coordinate system; None if unknown.
    """

    number: int
    z_mm: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Pyramid:
    """The levels of one optical path in one focal plane.

    Attributes:
        levels: at least one, the largest first, no two of one size.
        optical_path: that of all levels.
        focal_plane: that of all levels.
        scan_number: from 0; the scan (area, specimen) within the series.
    """

    levels: tuple[Level, ...]
    optical_path: OpticalPath
    focal_plane: FocalPlane
    scan_number: int = 0

    @property
    def width(self) -> int:
        """Pixels of the largest level."""
        return self.levels[0].width

    @property
    def height(self) -> int:
        """Pixels of the largest level."""
        return self.levels[0].height


class Flavour(StrEnum):
    """The purpose of an image: the third value of Image Type (PS3.3 C.8.12.4.1.1)."""

    VOLUME = "VOLUME"
    LABEL = "LABEL"
    OVERVIEW = "OVERVIEW"
    THUMBNAIL = "THUMBNAIL"
    LOCALIZER = "LOCALIZER"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True, eq=False)
class AssociatedImage:
    """An image of the series outside its pyramids.

    Attributes:
        flavour: its purpose; never VOLUME.
        level: its pixels, mostly one frame: `level.frame(0, 0)`.
    """

    flavour: Flavour
    level: Level

    @property
    def instance_id(self) -> str:
        """The (first) instance that holds it."""
        return self.level.instance_ids[0]

    @property
    def width(self) -> int:
        """Pixels."""
        return self.level.width

    @property
    def height(self) -> int:
        """Pixels."""
        return self.level.height


@dataclass(frozen=True, slots=True, eq=False)
class Slide:
    """The images of a series as pyramids and associated images.

    Attributes:
        pyramids: by scan (the largest first), optical path, focal plane (both as stored). The
            first is the default. Empty when the series holds associated images only.
        associated: labels, overviews, thumbnails and others, in the order of the given images.
    """

    pyramids: tuple[Pyramid, ...]
    associated: tuple[AssociatedImage, ...] = ()

    @property
    def default(self) -> Pyramid:
        """The default pyramid.

        Raises:
            UnusableSource: the series holds no tiled image.
        """
        if not self.pyramids:
            flavours = sorted({image.flavour for image in self.associated})
            if not flavours or Flavour.OTHER in flavours:
                raise UnusableSource("NoTotalPixelMatrix")
            raise UnusableSource("NoSlideImages", flavours=" and ".join(flavours))
        return self.pyramids[0]
