"""Slices at uneven distances, resampled to the regular slices of a volume.

Slices at changing distances are slabs: each extends half-way to the next, and becomes as many thin,
regular slices of the volume as it is thick. A gap that is far wider than its neighbours stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.volumes.slice_lattice import (
    LARGEST_DEVIATION,
    LARGEST_DRIFT_PIXELS,
    Lattice,
    fit_lattice,
    slices_of_positions,
)
from orthanc_stl_plugin.model.geometry import Grid, ImagePlane
from orthanc_stl_plugin.model.labels import Segment, Structure
from orthanc_stl_plugin.sentences import Sentence

BRIDGED_SPACINGS: Final = 2.05
COARSEST_SPACING_MM: Final = 10.5
LEAST_GAPS: Final = 4
PARALLEL: Final = 1e-3
PARTS_OF_A_SLAB: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class SliceStack:
    """The slices of a segmentation, and their volume.

    Attributes:
        grid: of the volume, with regular slices.
        slice_of_frame: (frames,) the slice of each frame, from 0 upwards along the normal.
        heights_mm: (slices,) float64 along the normal.
        is_known: (slices,) whether a frame, or the series it was made from, tells of the slice.
        shown: (slices of the grid,) the slice of each, -1 where there is none; None where they are
            one to one.
    """

    grid: Grid
    slice_of_frame: NDArray[np.intp]
    heights_mm: NDArray[np.float64]
    is_known: NDArray[np.bool_]
    shown: NDArray[np.intp] | None = field(default=None)

    def structure(
        self, segment: Segment, mask: NDArray[np.bool_], start: tuple[int, int, int]
    ) -> Structure:
        """A structure in the volume, with notes on its slices.

        Args:
            segment: its identity.
            mask: (columns, rows, slices) bool, with the slices of the segmentation.
            start: the first column, row and slice of the mask.
        """
        column, row, first = start
        notes = tuple(
            Sentence("OfStructure", name=segment.name, note=note)
            for note in self._notes(first, first + mask.shape[2])
        )
        if self.shown is None:
            return Structure(segment, mask, self.grid.window(start, mask.shape), notes)
        own = np.flatnonzero((self.shown >= first) & (self.shown < first + mask.shape[2]))
        columns, rows, slices = *mask.shape[:2], int(own[-1] - own[0]) + 1
        spread = np.zeros((columns, rows, slices), dtype=np.bool_)
        spread[:, :, own - own[0]] = mask[:, :, self.shown[own] - first]
        window = self.grid.window((column, row, int(own[0])), (columns, rows, slices))
        return Structure(segment, spread, window, notes)

    def _notes(self, first: int, end: int) -> Sequence[Sentence]:
        notes = []
        absent = int(np.count_nonzero(~self.is_known[first:end]))
        if absent:
            notes.append(Sentence("SlicesWithoutFrame", count=absent))
        if self.shown is not None and end - first > 1:
            gaps = np.diff(self.heights_mm[first:end])
            if gaps.max() > (1 + LARGEST_DEVIATION) * gaps.min():
                notes.append(
                    Sentence("SliceSpacingChanges", shortest_mm=gaps.min(), longest_mm=gaps.max())
                )
        return notes


@dataclass(frozen=True, slots=True, eq=False)
class FramePlaces:
    """The positions of the frames of a segmentation, as it states them.

    Attributes:
        positions_mm: (frames, 3) float64 LPS of their first pixels.
        orientation: (6,) of all of them.
        pixel_spacing_mm: (2,) between rows, then between columns.
        spacing_mm: SpacingBetweenSlices, else SliceThickness, else None.
        between_slices_mm: SpacingBetweenSlices or None.
    """

    positions_mm: NDArray[np.float64]
    orientation: NDArray[np.float64]
    pixel_spacing_mm: NDArray[np.float64]
    spacing_mm: float | None
    between_slices_mm: float | None

    @property
    def normal(self) -> NDArray[np.float64]:
        """(3,) the direction of ascending slices."""
        return np.cross(self.orientation[:3], self.orientation[3:])

    @property
    def largest_drift_mm(self) -> float:
        """The allowed deviation of a slice in the plane."""
        return LARGEST_DRIFT_PIXELS * float(self.pixel_spacing_mm.min())


def stack_slices(
    places: FramePlaces,
    shape: tuple[int, int],
    images: Sequence[ImagePlane],
    frame_of_reference_uid: str | None,
) -> SliceStack:
    """The slices of frames: regular ones unchanged, uneven ones as slabs.

    The images that the segmentation was made from show which slices exist, if all of them lie where
    a frame is or may be. Without them, the frames decide.

    Args:
        places: of the frames.
        shape: rows and columns.
        images: stored images that the segmentation refers to, of one series or of several.
        frame_of_reference_uid: of the frames.

    Raises:
        UnusableSource: the frames are not stacked, or there is a single slice of unknown thickness.
    """
    slice_of_frame = slices_of_positions(
        places.positions_mm @ places.normal, places.spacing_mm, places.largest_drift_mm
    )
    count = int(slice_of_frame.max()) + 1
    positions = np.array(
        [places.positions_mm[slice_of_frame == index].mean(axis=0) for index in range(count)]
    )
    own = positions @ places.normal
    known = _heights_of_source(own, places.normal, images)
    if known is None:
        is_even, heights = not _is_uneven(own, places), own
    else:
        is_even, heights = _is_regular(known), known
    at = np.abs(heights[:, np.newaxis] - own).argmin(axis=0)
    shown = None
    if not is_even:
        lattice, shown = _slabs(positions, heights, places)
        slice_of_frame = at[slice_of_frame]
    elif known is not None and len(known) > 1:
        lattice = _on_lattice(positions, at - at[0], places, _typical(np.diff(known)))
        slice_of_frame = lattice.indices[slice_of_frame]
    else:
        lattice = fit_lattice(
            places.positions_mm,
            places.orientation,
            places.spacing_mm,
            places.largest_drift_mm,
            is_sparse=True,
            between_slices_mm=places.between_slices_mm,
        )
        slice_of_frame = lattice.indices
    if is_even:
        steps = np.arange(lattice.count)[:, np.newaxis] * lattice.step_mm
        heights = (lattice.origin_mm + steps) @ places.normal
    is_known = np.full(len(heights), known is not None or not is_even)
    is_known[slice_of_frame] = True
    affine = lattice.affine(places.orientation, places.pixel_spacing_mm)
    grid = Grid((*shape[::-1], lattice.count), affine, frame_of_reference_uid)
    return SliceStack(grid, slice_of_frame, heights, is_known, shown)


def _on_lattice(
    positions_mm: NDArray[np.float64],
    indices: NDArray[np.intp],
    places: FramePlaces,
    spacing_mm: float,
) -> Lattice:
    """The lattice through positions of known slices; a single slice has the stated thickness."""
    count = int(indices[-1]) + 1
    if count == 1:
        return Lattice(positions_mm[0], places.normal * spacing_mm, indices, 1)
    design = np.column_stack([np.ones(len(indices)), indices])
    origin, step = np.linalg.lstsq(design, positions_mm, rcond=None)[0]
    return Lattice(origin, step, indices, count)


def _heights_of_source(
    heights_mm: NDArray[np.float64], normal: NDArray[np.float64], images: Sequence[ImagePlane]
) -> NDArray[np.float64] | None:
    """The heights of the source series around these, with one more at each end.

    None if no series has an image at every height.
    """
    for uid in dict.fromkeys(image.series_instance_uid for image in images):
        own = [image for image in images if image.series_instance_uid == uid]
        parallel = [image for image in own if abs(abs(image.normal @ normal) - 1) < PARALLEL]
        if not parallel:
            continue
        found = np.sort([np.array(image.position_mm) @ normal for image in parallel])
        found = found[np.append(True, np.diff(found) > 1e-3)]
        limit = LARGEST_DEVIATION * (np.diff(found).min() if len(found) > 1 else 1.0)
        off = np.abs(found[:, np.newaxis] - heights_mm)
        if (off.min(axis=0) > limit).any():
            continue
        at = off.argmin(axis=0)
        around: NDArray[np.float64] = found[max(0, int(at.min()) - 1) : int(at.max()) + 2]
        return around
    return None


def _is_regular(heights_mm: NDArray[np.float64]) -> bool:
    if len(heights_mm) < 3:
        return True
    gaps = np.diff(heights_mm)
    return bool(np.abs(gaps / _typical(gaps) - 1).max() <= LARGEST_DEVIATION)


def _is_uneven(heights_mm: NDArray[np.float64], places: FramePlaces) -> bool:
    """Whether slices lie unevenly, rather than that regular ones were left out for being empty.

    They do if most of the gaps are alike, and others are narrower or no whole number of them; or
    if many slices have no common spacing that any two neighbours show.
    """
    gaps = np.diff(heights_mm)
    if len(gaps) < LEAST_GAPS or _is_regular(heights_mm):
        return False
    if places.between_slices_mm and _are_whole(gaps, places.between_slices_mm):
        return False
    typical = _typical(gaps)
    if typical <= COARSEST_SPACING_MM and gaps.min() < (1 - LARGEST_DEVIATION) * typical:
        return True
    return not _are_whole(gaps, float(np.median(gaps[gaps < 1.5 * gaps.min()])))


def _are_whole(gaps_mm: NDArray[np.float64], spacing_mm: float) -> bool:
    slices = gaps_mm / spacing_mm
    return bool(np.abs(slices - np.rint(slices)).max() <= LARGEST_DEVIATION)


def _typical(gaps_mm: NDArray[np.float64]) -> float:
    """The most frequent gap; the narrower of two equally frequent ones."""
    alike = np.abs(gaps_mm - gaps_mm[:, np.newaxis]) <= LARGEST_DEVIATION * gaps_mm[:, np.newaxis]
    counts = np.count_nonzero(alike, axis=1)
    best = np.lexsort((gaps_mm, -counts))[0]
    return float(gaps_mm[alike[best]].mean())


def _slabs(
    positions_mm: NDArray[np.float64], heights_mm: NDArray[np.float64], places: FramePlaces
) -> tuple[Lattice, NDArray[np.intp]]:
    """Thin, regular slices, and for each the slice at these heights that it is part of, or -1.

    Args:
        positions_mm: (slices that have a frame, 3) LPS.
        heights_mm: (slices,) ascending.
        places: of the frames.
    """
    normal = places.normal
    own = positions_mm @ normal
    design = np.column_stack([np.ones(len(own)), own])
    start, direction = np.linalg.lstsq(design, positions_mm, rcond=None)[0]
    off = np.linalg.norm(positions_mm - design @ np.array([start, direction]), axis=1).max()
    if off > places.largest_drift_mm:
        raise UnusableSource("SlicesSheared", slices=len(own), beside_mm=off)
    faces = _faces(heights_mm)
    step = float(np.diff(faces, axis=1).min()) / PARTS_OF_A_SLAB
    count = max(1, round(float(faces[-1, 1] - faces[0, 0]) / step))
    centres = faces[0, 0] + (np.arange(count) + 0.5) * step
    shown = np.searchsorted(faces[:, 1], centres, side="right").clip(max=len(faces) - 1)
    shown = np.where(centres < faces[shown, 0], -1, shown)
    lattice = Lattice(
        start + centres[0] * direction, step * direction, np.zeros(0, dtype=np.intp), count
    )
    return lattice, shown


def _faces(heights_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """(slices, 2) the lower and the upper face of each slice."""
    gaps = np.diff(heights_mm)
    typical = _typical(gaps)
    around = np.maximum(np.append(typical, gaps[:-1]), np.append(gaps[1:], typical))
    is_near = gaps <= BRIDGED_SPACINGS * np.clip(around, typical, COARSEST_SPACING_MM)
    is_near |= gaps <= typical
    reach = np.where(is_near, gaps, typical) / 2
    below = np.append(min(typical, float(gaps[0])) / 2, reach)
    above = np.append(reach, min(typical, float(gaps[-1])) / 2)
    return np.column_stack([heights_mm - below, heights_mm + above])
