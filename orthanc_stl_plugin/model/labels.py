"""Segmented structures: their names, codes and colours, and their voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import BadRequest, UnusableSource
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.sentences import Sentence

MOST_LISTED: Final = 60


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
        number: its number in the source, from 1 (ROI numbers of an RT-STRUCT may be 0).
        name: the name that its author chose.
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
    """The voxels of one structure, cropped to its bounds.

    Attributes:
        segment: its identity.
        mask: (columns, rows, slices) bool.
        grid: the position of the mask, of the same shape.
        notes: sentences about assumptions made when reading it.

    Raises:
        UnusableSource: no voxel is set.
    """

    segment: Segment
    mask: NDArray[np.bool_]
    grid: Grid
    notes: tuple[Sentence, ...] = ()

    def __post_init__(self) -> None:
        if self.mask.shape != self.grid.shape:
            raise ValueError(f"a mask of {self.mask.shape} voxels on a grid of {self.grid.shape}")
        if not self.mask.any():
            raise UnusableSource("StructureEmpty", name=self.segment.name)


def select(segments: Sequence[Segment], wanted: int | str, kind: str = "segment") -> Segment:
    """The segment with that number (int) or exact name (str).

    Raises:
        BadRequest: no segment matches, or several do; the message lists all of them.
    """
    if isinstance(wanted, int):
        found = [segment for segment in segments if segment.number == wanted]
    else:
        found = [segment for segment in segments if segment.name == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(str(segment.number) for segment in found)
        raise BadRequest(
            "StructureNameAmbiguous", count=len(found), kind=kind, name=wanted, numbers=numbers
        )
    listed = [f"{segment.number} {segment.name!r}" for segment in segments[:MOST_LISTED]]
    if len(segments) > MOST_LISTED:
        listed.append(f"and {len(segments) - MOST_LISTED} more")
    known = ", ".join(listed) or "none"
    if isinstance(wanted, int):
        raise BadRequest("NoStructureWithNumber", kind=kind, number=wanted, known=known)
    raise BadRequest("NoStructureCalled", kind=kind, name=wanted, known=known)
