"""SlideImage: the attributes of an image that determine its position in a slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.wsi.pyramid import Flavour, OpticalPath

MOST_TILES: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class FullTiling:
    """TILED_FULL: the position of every frame follows from its number (PS3.3 C.7.6.17.3).

    Attributes:
        plane_count: focal planes, at least 1.
        first_z_mm: of the first plane in the slide's coordinates; None if unknown.
        plane_distance_mm: from each plane to the next; None if unknown.
    """

    plane_count: int = 1
    first_z_mm: float | None = None
    plane_distance_mm: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SparseTiling:
    """TILED_SPARSE: every frame states its position. N is at least the number of frames.

    Attributes:
        positions: (N, 2) int32 column and row of the first pixel in the total pixel matrix, from 0;
            negative if unknown.
        z_mm: (N,) float64, NaN if unknown; None if no frame has any.
        path_ordinals: (N,) int32 into the image's optical paths, negative if unknown; None if all
            frames belong to the first.
    """

    positions: NDArray[np.int32]
    z_mm: NDArray[np.float64] | None = None
    path_ordinals: NDArray[np.int32] | None = None


@dataclass(frozen=True, slots=True)
class Concatenation:
    """The concatenation that an image is part of (PS3.3 C.7.6.16.2.2.4).

    Attributes:
        uid: Concatenation UID.
        number: In-concatenation Number, from 1.
        frame_offset: frames in the earlier parts; None if not stated.
    """

    uid: str
    number: int
    frame_offset: int | None


@dataclass(frozen=True, slots=True)
class ScanIdentity:
    """The attributes that distinguish the scans of a series; empty if unknown."""

    pyramid_uid: str = ""
    frame_of_reference_uid: str = ""
    specimen_uids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class SlideImage:
    """A stored image of a slide.

    Raises:
        UnusableSource: it has no pixels, or its grid of tiles is too large.

    Attributes:
        instance_id: the identifier for its frames.
        flavour: its purpose.
        width: pixels of the total pixel matrix; without one, Columns.
        height: pixels of the total pixel matrix; without one, Rows.
        tile_width: Columns.
        tile_height: Rows.
        frame_count: frames in the file.
        declared_count: NumberOfFrames.
        tiling: the positions of its frames; None for a plain image without a total pixel matrix.
        optical_paths: at least one, in the order of the Optical Path Sequence.
        pixel_spacing_mm: between rows, then between columns; None if unknown.
        absent_rgb: sRGB, 0-255 each, of tiles without a frame.
        concatenation: None if the image is complete.
        scan: the attributes of its scan.
        recency: date and time, instance number, SOP Instance UID; if two images have a frame for
            the same position, the more recent image is used.
    """

    instance_id: str
    flavour: Flavour
    width: int
    height: int
    tile_width: int
    tile_height: int
    frame_count: int
    declared_count: int
    tiling: FullTiling | SparseTiling | None
    optical_paths: tuple[OpticalPath, ...] = (OpticalPath(""),)
    pixel_spacing_mm: tuple[float, float] | None = None
    absent_rgb: tuple[int, int, int] = (255, 255, 255)
    concatenation: Concatenation | None = None
    scan: ScanIdentity = ScanIdentity()
    recency: tuple[str, int, str] = ("", 0, "")

    def __post_init__(self) -> None:
        if min(self.width, self.height, self.tile_width, self.tile_height) < 1:
            raise UnusableSource(
                "TilesWithoutPixels",
                width=self.width,
                height=self.height,
                tile_width=self.tile_width,
                tile_height=self.tile_height,
            )
        if self.columns * self.rows > MOST_TILES:
            raise UnusableSource(
                "TooManyTiles", columns=self.columns, rows=self.rows, limit=MOST_TILES
            )

    @property
    def columns(self) -> int:
        """Tiles across."""
        return -(-self.width // self.tile_width)

    @property
    def rows(self) -> int:
        """Tiles down."""
        return -(-self.height // self.tile_height)
