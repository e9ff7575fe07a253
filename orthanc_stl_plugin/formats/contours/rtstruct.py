"""RT Structure Sets -> regions of interest -> structures (PS3.3 A.19.3, C.8.8.5, C.8.8.6)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.contours import planes as planar
from orthanc_stl_plugin.formats.contours import rasterisation
from orthanc_stl_plugin.formats.contours.roi import Roi, read_roi, with_volumes
from orthanc_stl_plugin.formats.contours.separate_pieces import pieces
from orthanc_stl_plugin.formats.dicom.dataset import (
    DicomSource,
    items,
    read_dataset,
    tolerating,
    uid_of,
)
from orthanc_stl_plugin.model.geometry import Grid, ImagePlane
from orthanc_stl_plugin.model.labels import Segment, select
from orthanc_stl_plugin.sentences import Sentence

RT_STRUCTURE_SET: Final = "1.2.840.10008.5.1.4.1.1.481.3"
DEFAULT_RESOLUTION: Final = 256
INSIDE: Final = 0.5
_PARALLEL: Final = 1e-3
_AMBIGUOUS: Final = Sentence("RoiNumberAmbiguous")


@dataclass(frozen=True, slots=True, eq=False)
class RtStruct:
    """A structure set.

    Attributes:
        rois: in the order of the Structure Set ROI Sequence.
        sop_instance_uid: its own.
        series_instance_uid: its own.
        study_instance_uid: its own.
        frame_of_reference_uid: of the first ROI that has one.
        referenced_series_uids: series of the images it was drawn on.
        referenced_instance_uids: these images; they need not exist.
    """

    rois: tuple[Roi, ...]
    sop_instance_uid: str
    series_instance_uid: str | None
    study_instance_uid: str | None
    frame_of_reference_uid: str | None
    referenced_series_uids: tuple[str, ...]
    referenced_instance_uids: tuple[str, ...]

    def roi(self, wanted: int | str) -> Roi:
        """The ROI of that number (int) or name (str).

        Raises:
            BadRequest: none or several answer.
        """
        found = select([roi.segment for roi in self.rois], wanted, "ROI")
        return next(roi for roi in self.rois if roi.segment is found)


@dataclass(frozen=True, slots=True, eq=False)
class Occupancy:
    """The share of each voxel that is inside a structure.

    Attributes:
        segment: the structure.
        values: (columns, rows, slices) float32, 0 to 1; the surface is at `INSIDE`.
        grid: where these voxels lie.
    """

    segment: Segment
    values: NDArray[np.float32]
    grid: Grid


def read_rtstruct(source: DicomSource) -> RtStruct:
    """The structure set in the bytes of a DICOM file, or in the file at a path.

    Raises:
        UnusableSource: it is not a readable RT Structure Set, or it holds no ROI.
    """
    dataset = read_dataset(source)
    if dataset.SOPClassUID != RT_STRUCTURE_SET:
        raise UnusableSource("NotRtStruct", sop_class=dataset.SOPClassUID)
    with tolerating("the RT Structure Set"):
        references = list(_references(dataset))
        default_frame = _default_frame(dataset)
        drawn: dict[int, list[Dataset]] = defaultdict(list)
        for item in items(dataset, "ROIContourSequence"):
            drawn[int(item.get("ReferencedROINumber", -1))].append(item)
        rois = [
            read_roi(item, drawn[int(item.ROINumber)], default_frame)
            for item in items(dataset, "StructureSetROISequence")
        ]
    if not rois:
        raise UnusableSource("RtStructEmpty")
    numbers = Counter(roi.segment.number for roi in rois)
    rois = [
        roi if numbers[roi.segment.number] == 1 else replace(roi, obstacle=_AMBIGUOUS)
        for roi in rois
    ]
    return RtStruct(
        rois=with_volumes(rois),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        series_instance_uid=uid_of(dataset, "SeriesInstanceUID"),
        study_instance_uid=uid_of(dataset, "StudyInstanceUID"),
        frame_of_reference_uid=next(
            (roi.frame_of_reference_uid for roi in rois if roi.frame_of_reference_uid), None
        ),
        referenced_series_uids=_unique(uid for kind, uid in references if kind == "series"),
        referenced_instance_uids=_unique(uid for kind, uid in references if kind == "instance"),
    )


def occupancies(
    roi: Roi,
    *,
    resolution: int = DEFAULT_RESOLUTION,
    image_spacing_mm: float | None = None,
    are_ends_round: bool = True,
) -> Iterator[Occupancy]:
    """What each separate piece of a ROI fills, in grey, as fine as the piece needs.

    The spacing of the planes is the ROI's own, else ContourSlabThickness, else that of the set's
    other planes, else `image_spacing_mm`, else 3 mm. Ends are round unless the ROI is to be united
    with others: beside each other, round ends would leave a groove.

    Raises:
        UnusableSource: the ROI encloses nothing.
        BadRequest: the resolution, the most voxels along each axis, is below 16.
    """
    if roi.obstacle is not None:
        raise UnusableSource(
            "RoiUnusable", number=roi.segment.number, name=roi.segment.name, obstacle=roi.obstacle
        )
    spacing = roi.spacing_mm or image_spacing_mm or planar.DEFAULT_SPACING_MM
    frame = roi.frame_of_reference_uid
    stack = planar.stack_planes(roi.contours)
    local = planar.local_spacings_mm(stack.positions_mm, spacing)
    for piece, spacings in pieces(stack, local):
        values, grid = rasterisation.occupancy(
            piece, spacings, resolution, frame, are_ends_round=are_ends_round
        )
        yield Occupancy(roi.segment, values, grid)


def image_spacing_mm(roi: Roi, images: Sequence[ImagePlane]) -> float | None:
    """How far the images lie apart around the single plane of a ROI; None where none is there."""
    if roi.obstacle is not None or roi.spacing_mm is not None:
        return None
    stack = planar.stack_planes(roi.contours)
    normal, height = stack.axes[2], float(stack.positions_mm[0])
    parallel = [image for image in images if abs(abs(image.normal @ normal) - 1) < _PARALLEL]
    heights = np.unique(np.round([np.array(one.position_mm) @ normal for one in parallel], 3))
    if len(heights) < 2:
        return next((one.thickness_mm for one in parallel if one.thickness_mm), None)
    gap = int(np.clip(np.searchsorted(heights, height) - 1, 0, len(heights) - 2))
    spacing = float(heights[gap + 1] - heights[gap])
    is_there = heights[0] - spacing <= height <= heights[-1] + spacing
    return spacing if is_there else None


def lone_plane_notes(roi: Roi, spacing_mm: float | None) -> tuple[Sentence, ...]:
    """How thick a single plane is made of which the structure set does not tell."""
    if roi.obstacle is not None or roi.spacing_mm is not None:
        return ()
    if spacing_mm is not None:
        return (Sentence("PlaneThickAsImages", thickness_mm=spacing_mm),)
    return (Sentence("PlaneThickByDefault", thickness_mm=planar.DEFAULT_SPACING_MM),)


def _unique(uids: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(uids))


def _references(dataset: Dataset) -> Iterator[tuple[str, str]]:
    for frame in items(dataset, "ReferencedFrameOfReferenceSequence"):
        for study in items(frame, "RTReferencedStudySequence"):
            for series in items(study, "RTReferencedSeriesSequence"):
                if uid := uid_of(series, "SeriesInstanceUID"):
                    yield "series", uid
                for image in items(series, "ContourImageSequence"):
                    if uid := uid_of(image, "ReferencedSOPInstanceUID"):
                        yield "instance", uid


def _default_frame(dataset: Dataset) -> str | None:
    frames = items(dataset, "ReferencedFrameOfReferenceSequence")
    listed = [uid_of(frame, "FrameOfReferenceUID") for frame in frames]
    return uid_of(dataset, "FrameOfReferenceUID") or next((uid for uid in listed if uid), None)
