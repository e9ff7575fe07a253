"""SlideImage: what has to be known of one image of a slide to find its place in it."""

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
    """TILED_FULL: every frame's place follows from its number (PS3.3 C.7.6.17.3).

    Attributes:
        plane_count: focal planes, at least 1.
        first_z_mm: of the first plane in the slide's coordinates; None when unknown.
        plane_distance_mm: from each plane to the next; None when unknown.
    """

    plane_count: int = 1
    first_z_mm: float | None = None
    plane_distance_mm: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SparseTiling:
    """TILED_SPARSE: every frame states its place. N is that of the frames, or more.

    Attributes:
        positions: (N, 2) int32 column and row of the first pixel in the total pixel matrix, from 0;
            negative where unknown.
        z_mm: (N,) float64, NaN where unknown; None when no frame has any.
        path_ordinals: (N,) int32 into the image's optical paths, negative where unknown; None when
            all frames show the first.
    """

    positions: NDArray[np.int32]
    z_mm: NDArray[np.float64] | None = None
    path_ordinals: NDArray[np.int32] | None = None


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Of which image this one is a part (PS3.3 C.7.6.16.2.2.4).

    Attributes:
        uid: Concatenation UID.
        number: In-concatenation Number, from 1.
        frame_offset: frames in the parts before this one; None when it is not stated.
    """

    uid: str
    number: int
    frame_offset: int | None


@dataclass(frozen=True, slots=True)
class ScanIdentity:
    """What tells the scans of a series apart; empty where unknown."""

    pyramid_uid: str = ""
    frame_of_reference_uid: str = ""
    specimen_uids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class SlideImage:
    """One stored image of a slide.

    Raises:
        UnusableSource: it has no pixels, or its grid of tiles is absurdly large.

    Attributes:
        instance_id: what its frames are addressed by.
        flavour: what it is for.
        width: pixels of the total pixel matrix; Columns when it has none.
        height: pixels of the total pixel matrix; Rows when it has none.
        tile_width: Columns.
        tile_height: Rows.
        frame_count: frames that are in the file.
        declared_count: NumberOfFrames.
        tiling: where its frames are; None when it has no total pixel matrix: a plain image.
        optical_paths: at least one, in the order of the Optical Path Sequence.
        pixel_spacing_mm: between rows, then between columns; None when unknown.
        absent_rgb: sRGB, 0-255 each, of places without a frame.
        concatenation: None when the image is whole.
        scan: what its scan is known by.
        recency: date and time, instance number, SOP Instance UID: where two images have a frame for
            one place, the one of the greater recency is shown.
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
                f"an image of {self.width} x {self.height} in tiles of {self.tile_width} x"
                f" {self.tile_height} has no pixels"
            )
        if self.columns * self.rows > MOST_TILES:
            raise UnusableSource(
                f"a grid of {self.columns} x {self.rows} tiles has more than {MOST_TILES}"
            )

    @property
    def columns(self) -> int:
        """Tiles across."""
        return -(-self.width // self.tile_width)

    @property
    def rows(self) -> int:
        """Tiles down."""
        return -(-self.height // self.tile_height)
