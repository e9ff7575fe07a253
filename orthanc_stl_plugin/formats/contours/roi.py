"""Regions of interest of an RT Structure Set (PS3.3 C.8.8.5, C.8.8.6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.contours import planes as planar
from orthanc_stl_plugin.formats.contours.crossing_contours import crossing_planes
from orthanc_stl_plugin.formats.contours.repeated_contours import is_line
from orthanc_stl_plugin.formats.dicom.dataset import items, uid_of
from orthanc_stl_plugin.formats.dicom.names import name_of
from orthanc_stl_plugin.model.labels import Segment
from orthanc_stl_plugin.sentences import Sentence

EXCLUSIVE_OR: Final = "CLOSEDPLANAR_XOR"
INTERPOLATED: Final = "INTERPOLATED_PLANAR"  # OsiriX's, of contours between those drawn
CLOSED_TYPES: Final = ("CLOSED_PLANAR", EXCLUSIVE_OR, INTERPOLATED)


@dataclass(frozen=True, slots=True, eq=False)
class Roi:
    """A region of interest.

    Attributes:
        segment: its ROI number, name and colour.
        contour_count: contours in the file, of any kind.
        contours: the closed ones, (N, 3) float64 LPS millimetres each.
        is_exclusive_or: whether the file declares them as XOR: what two share is outside.
        obstacle: why it encloses no volume, as the end of a sentence; otherwise None.
        notes: what was ignored when reading it, whether contours cross, and its gaps.
        volume_mm3: sum of enclosed area times thickness; 0 when there is an obstacle.
        spacing_mm: of its planes, else that of the other planes in the set, else None.
        slab_thickness_mm: ContourSlabThickness, or None.
        frame_of_reference_uid: of the contours.
    """

    segment: Segment
    contour_count: int
    contours: tuple[NDArray[np.float64], ...]
    is_exclusive_or: bool
    obstacle: Sentence | None
    notes: tuple[Sentence, ...]
    volume_mm3: float
    spacing_mm: float | None
    slab_thickness_mm: float | None
    frame_of_reference_uid: str | None


def read_roi(item: Dataset, drawn: Sequence[Dataset], default_frame: str | None) -> Roi:
    """A ROI without its volume.

    Args:
        item: of the Structure Set ROI Sequence.
        drawn: the items of the ROI Contour Sequence with that number.
        default_frame: frame of reference, unless the item names one.
    """
    number = int(item.ROINumber)
    name = name_of(item, "ROIName") or f"ROI {number}"
    found = [contour for part in drawn for contour in items(part, "ContourSequence")]
    kinds = Counter(_kind(contour) for contour in found)
    closed = [contour for contour in found if _kind(contour) in CLOSED_TYPES]
    notes = [
        Sentence("ContoursIgnored", kind=kind, count=count)
        for kind, count in kinds.items()
        if kind not in CLOSED_TYPES
    ]
    if kinds[INTERPOLATED]:
        count = kinds[INTERPOLATED]
        notes.append(Sentence("ContoursTakenAsClosed", kind=INTERPOLATED, count=count))
    obstacle = None
    loops: list[NDArray[np.float64]] = []
    try:
        loops = [_points(contour) for contour in closed]
    except (TypeError, ValueError):
        obstacle = Sentence("RoiContoursNotTriplets")
    cornered = [loop for loop in loops if len(loop) >= 3]
    usable = tuple(loop for loop in cornered if not is_line(loop))
    if len(cornered) < len(loops):
        notes.append(Sentence("ContoursTooShort", count=len(loops) - len(cornered)))
    if len(usable) < len(cornered):
        notes.append(Sentence("ContoursWithoutArea", count=len(cornered) - len(usable)))
    if not usable and obstacle is None:
        obstacle = Sentence("RoiEnclosesNoArea") if cornered else _why_nothing_is_closed(kinds)
    return Roi(
        segment=Segment(number, name, _rgb(drawn)),
        contour_count=len(found),
        contours=usable,
        is_exclusive_or=EXCLUSIVE_OR in kinds,
        obstacle=obstacle,
        notes=tuple(notes),
        volume_mm3=0.0,
        spacing_mm=None,
        slab_thickness_mm=_slab_thickness_mm(closed),
        frame_of_reference_uid=uid_of(item, "ReferencedFrameOfReferenceUID") or default_frame,
    )


def _kind(contour: Dataset) -> str:
    return str(contour.get("ContourGeometricType") or "untyped").strip().upper()


def _why_nothing_is_closed(kinds: Counter[str]) -> Sentence:
    if not kinds:
        return Sentence("RoiWithoutContours")
    if all(kind in CLOSED_TYPES for kind in kinds):
        return Sentence("RoiWithoutPolygon")
    return Sentence("RoiWithoutClosedContour", kinds=" and ".join(sorted(kinds)))


def _rgb(drawn: Sequence[Dataset]) -> tuple[int, int, int] | None:
    try:
        red, green, blue = (int(part) for part in drawn[0].ROIDisplayColor)
    except (AttributeError, IndexError, TypeError, ValueError):
        return None
    return (red, green, blue) if all(0 <= part <= 255 for part in (red, green, blue)) else None


def _slab_thickness_mm(contours: Sequence[Dataset]) -> float | None:
    try:
        found = {float(contour.ContourSlabThickness) for contour in contours}
    except (AttributeError, TypeError, ValueError):
        return None
    thickness = found.pop() if len(found) == 1 else 0.0
    return thickness if np.isfinite(thickness) and thickness > 0 else None


def _points(contour: Dataset) -> NDArray[np.float64]:
    """(N, 3) float64 LPS millimetres, without repeated neighbours and the repeated first point.

    The stored text is parsed directly: pydicom's decimal strings take a hundred times longer, and
    are not available when the value representation is lost (UN).
    """
    value = contour.get_item("ContourData").value if "ContourData" in contour else None
    if isinstance(value, str):
        value = value.encode()
    parts = value.strip(b"\0 \\\r\n").split(b"\\") if isinstance(value, bytes) else value
    points = np.array([float(part) for part in parts or ()], dtype=np.float64).reshape(-1, 3)
    if not np.isfinite(points).all():
        raise ValueError("not finite")
    moves = np.any(points != np.roll(points, 1, axis=0), axis=1)
    return points[moves]


def with_volumes(rois: Sequence[Roi]) -> tuple[Roi, ...]:
    """The ROIs with spacing and volume, which depend on the whole set."""
    stacks: dict[int, planar.PlaneStack] = {}
    obstacles: dict[int, Sentence] = {}
    for index, roi in enumerate(rois):
        if roi.obstacle is None:
            try:
                stacks[index] = planar.stack_planes(roi.contours)
            except UnusableSource as error:
                obstacles[index] = Sentence("RoiCannotBeMeshed", reason=error.sentence)
    gaps = [planar.typical_gap_mm(stack.positions_mm) for stack in stacks.values()]
    known = sorted(gap for gap in gaps if gap is not None)
    usual = known[(len(known) - 1) // 2] if known else None
    completed = []
    for index, roi in enumerate(rois):
        if index in obstacles:
            completed.append(replace(roi, obstacle=obstacles[index]))
        elif index in stacks:
            completed.append(_with_volume(roi, stacks[index], usual))
        else:
            completed.append(roi)
    return tuple(completed)


def _with_volume(roi: Roi, stack: planar.PlaneStack, usual_mm: float | None) -> Roi:
    own = planar.typical_gap_mm(stack.positions_mm)
    if own is None:
        spacing = roi.slab_thickness_mm or usual_mm
    elif len(stack.positions_mm) == 2:
        spacing = min(own, usual_mm or own)
    else:
        spacing = own
    local = planar.local_spacings_mm(stack.positions_mm, spacing or planar.DEFAULT_SPACING_MM)
    return replace(
        roi,
        spacing_mm=spacing,
        volume_mm3=planar.volume_mm3(stack, local),
        notes=(
            *roi.notes,
            *_lone_plane(roi, stack, spacing),
            *_crossings(roi, stack),
            *_wide_gaps(stack, local),
        ),
    )


def _lone_plane(roi: Roi, stack: planar.PlaneStack, spacing_mm: float | None) -> Iterator[Sentence]:
    """The thickness of a single plane, if the structure set determines it."""
    if len(stack.positions_mm) == 1 and spacing_mm is not None:
        if roi.slab_thickness_mm is not None:
            yield Sentence("PlaneThickAsSlab", thickness_mm=spacing_mm)
        else:
            yield Sentence("PlaneThickAsPlanes", thickness_mm=spacing_mm)


def _crossings(roi: Roi, stack: planar.PlaneStack) -> Iterator[Sentence]:
    """A note that contours cross, unless they are declared as XOR (C.8.8.6.3)."""
    count = 0 if roi.is_exclusive_or else crossing_planes(stack)
    if count:
        yield Sentence("ContoursCross", count=count, planes=len(stack.loops))


def _wide_gaps(stack: planar.PlaneStack, spacings_mm: NDArray[np.float64]) -> Iterator[Sentence]:
    """A note on gaps of more than one missing plane between contours that face each other."""
    gaps = np.diff(stack.positions_mm)
    usual = spacings_mm.min()
    is_wide = (gaps > planar.BRIDGED_SPACINGS * usual) & planar.is_facing(stack)
    bridged = planar.is_bridged(gaps, spacings_mm[:-1], spacings_mm[1:])
    filled, left_open = gaps[is_wide & bridged], gaps[is_wide & ~bridged]
    if filled.size:
        yield Sentence("GapsFilled", widest_mm=filled.max(), usual_mm=usual, count=filled.size)
    if left_open.size:
        yield Sentence(
            "GapsLeftOpen", widest_mm=left_open.max(), usual_mm=usual, count=left_open.size
        )
