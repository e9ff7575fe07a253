"""Structures that were segmented: what they are called, and which voxels are theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.model.geometry import Grid


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 section 8.8): value, scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Segment:
    """The identity of one structure.

    Attributes:
        number: its number in the source, from 1 (from 0 in an RT-STRUCT, whose ROI numbers may).
        name: what its author called it.
        rgb: recommended display colour, sRGB 0-255 each, or None.
        category: segmented property category, or None.
        type: segmented property type, or None.
    """

    number: int
    name: str
    rgb: tuple[int, int, int] | None = None
    category: Code | None = None
    type: Code | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """The voxels of one structure, cropped to where it is.

    Attributes:
        segment: what it is.
        mask: (columns, rows, slices) bool.
        grid: where these voxels lie; its shape is the mask's.

    Raises:
        UnusableSource: no voxel is set.
    """

    segment: Segment
    mask: NDArray[np.bool_]
    grid: Grid

    def __post_init__(self) -> None:
        if self.mask.shape != self.grid.shape:
            raise ValueError(f"a mask of {self.mask.shape} voxels on a grid of {self.grid.shape}")
        if not self.mask.any():
            raise UnusableSource(f"structure {self.segment.name!r} has no voxel")
