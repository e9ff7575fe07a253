"""DICOM Segmentations: segments and their voxels (PS3.3 A.51, A.101, C.8.20.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.dataset import (
    DicomSource,
    items,
    read_dataset,
    tolerating,
    uid_of,
)
from orthanc_stl_plugin.formats.dicom.functional_groups import (
    common_orientation,
    common_pixel_spacing_mm,
    frame_groups,
    frame_planes,
    group_of,
    slice_thickness_mm,
)
from orthanc_stl_plugin.formats.pixels.whole_dataset import PixelFrames
from orthanc_stl_plugin.formats.volumes.seg_labelmap import background_of, structures_of
from orthanc_stl_plugin.formats.volumes.seg_segment import segment_of
from orthanc_stl_plugin.formats.volumes.slice_lattice import LEAST_ABSENT_RATIO
from orthanc_stl_plugin.formats.volumes.slice_stack import FramePlaces, SliceStack, stack_slices
from orthanc_stl_plugin.model.geometry import UNBOUNDED, ImagePlane
from orthanc_stl_plugin.model.labels import Segment, Structure, select
from orthanc_stl_plugin.sentences import Sentence

SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP_SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.7"


@dataclass(frozen=True, slots=True, eq=False)
class SegFile:
    """A segmentation whose pixels are not decoded yet.

    Attributes:
        segments: from the Segment Sequence, without the background.
        background: the number of the background; in a label map, its value.
        kind: "BINARY", "FRACTIONAL" or "LABELMAP".
        obstacle: why it has no volume, as a sentence; otherwise None.
        sop_instance_uid: its UID.
        series_instance_uid: the UID of its series.
        study_instance_uid: the UID of its study.
        frame_of_reference_uid: of its frames.
        referenced_series_uids: series of the images it was made from.
        referenced_instance_uids: these images.
        dataset: the file.
    """

    segments: tuple[Segment, ...]
    background: int
    kind: str
    obstacle: Sentence | None
    sop_instance_uid: str
    series_instance_uid: str | None
    study_instance_uid: str | None
    frame_of_reference_uid: str | None
    referenced_series_uids: tuple[str, ...]
    referenced_instance_uids: tuple[str, ...]
    dataset: Dataset

    def segment(self, wanted: int | str) -> Segment:
        """The segment of that number (int) or label (str).

        Raises:
            BadRequest: no segment matches, or several do.
        """
        return select(self.segments, wanted)


@dataclass(frozen=True, slots=True, eq=False)
class _Patch:
    """The voxels of a segment on a slice, cropped; mask is (rows, columns) bool."""

    slice_index: int
    row: int
    column: int
    mask: NDArray[np.bool_]


def read_seg(source: DicomSource) -> SegFile:
    """The segmentation in the bytes of a DICOM file, or in the file at a path.

    Raises:
        UnusableSource: it is not a readable segmentation, or has no segment.
    """
    dataset = read_dataset(source)
    if dataset.SOPClassUID not in {SEGMENTATION, LABEL_MAP_SEGMENTATION}:
        raise UnusableSource("NotSegmentation", sop_class=dataset.SOPClassUID)
    with tolerating("the Segmentation"):
        kind = str(dataset.get("SegmentationType") or "BINARY").strip().upper()
        segments = tuple(segment_of(item) for item in items(dataset, "SegmentSequence"))
        background = background_of(dataset) if kind == "LABELMAP" else 0
        references = list(_references(dataset))
        obstacle = _obstacle(dataset, segments)
    listed = tuple(part for part in segments if part.number != background)
    if not listed:
        raise UnusableSource("SegmentationEmpty")
    return SegFile(
        segments=listed,
        background=background,
        kind=kind,
        obstacle=obstacle,
        sop_instance_uid=str(dataset.SOPInstanceUID),
        series_instance_uid=uid_of(dataset, "SeriesInstanceUID"),
        study_instance_uid=uid_of(dataset, "StudyInstanceUID"),
        frame_of_reference_uid=uid_of(dataset, "FrameOfReferenceUID"),
        referenced_series_uids=_unique(references, "SeriesInstanceUID"),
        referenced_instance_uids=_unique(references, "ReferencedSOPInstanceUID"),
        dataset=dataset,
    )


def structures(
    seg: SegFile,
    numbers: Iterable[int] | None = None,
    max_bytes: int = UNBOUNDED,
    images: Sequence[ImagePlane] = (),
) -> Iterator[Structure]:
    """The structures of these segments, one at a time, each cropped to its voxels.

    Without numbers, all segments with a voxel are returned. A fraction of at least one half of
    MaximumFractionalValue is inside. Slices without a frame are empty. The images are the stored
    ones that it refers to: they give positions to frames without one, and show which slices exist.

    Raises:
        BadRequest: there is no such segment.
        TooLarge: the lattice of all frames has more than `max_bytes` voxels.
        UnusableSource: a requested segment or all segments are empty, or they form no volume.
    """
    wanted = list(seg.segments if numbers is None else map(seg.segment, numbers))
    if seg.obstacle is not None:
        raise UnusableSource(seg.obstacle)
    with tolerating("the geometry of the Segmentation"):
        stack = _stack(seg, images)
    stack.grid.require_at_most(max_bytes, bytes_per_voxel=1)
    frames = PixelFrames(seg.dataset)
    if frames.count != len(stack.slice_of_frame):
        raise UnusableSource(
            "FramesOutnumberPositions", frames=frames.count, positions=len(stack.slice_of_frame)
        )
    if seg.kind == "LABELMAP":
        found = structures_of(seg.background, frames, wanted, stack)
    else:
        found = _from_planes(seg, frames, wanted, stack)
    return _not_empty(found, is_demanded=numbers is not None)


def notes_on(structure: Structure, seg: SegFile) -> tuple[Sentence, ...]:
    """Sentences about ambiguities.

    Slices may be far thinner than the gaps between them, which are filled. Frames may belong to
    segments that the file does not list.
    """
    notes = [*structure.notes, *_thin_slices(structure, seg)]
    if seg.kind != "LABELMAP":
        with tolerating("the segment identification of the frames"):
            counts = Counter(_owners(seg).tolist())
        listed = {segment.number for segment in seg.segments}
        notes += [
            Sentence("SegmentNotListed", number=number, frames=count)
            for number, count in sorted(counts.items())
            if number not in listed
        ]
    return tuple(notes)


def _thin_slices(structure: Structure, seg: SegFile) -> tuple[Sentence, ...]:
    with tolerating("the slice thickness of the Segmentation"):
        thickness = slice_thickness_mm(seg.dataset)
    apart = structure.grid.voxel_size_mm[2]
    if thickness is None or apart < LEAST_ABSENT_RATIO * thickness:
        return ()
    note = Sentence("SlicesFarApart", thickness_mm=thickness, apart_mm=apart)
    return (Sentence("OfStructure", name=structure.segment.name, note=note),)


def _not_empty(
    found: Iterator[tuple[Segment, Structure | None]], is_demanded: bool
) -> Iterator[Structure]:
    is_any = False
    for segment, structure in found:
        if structure is not None:
            is_any = True
            yield structure
        elif is_demanded:
            raise UnusableSource("SegmentEmpty", number=segment.number, name=segment.name)
    if not is_any:
        raise UnusableSource("SegmentsEmpty")


def _from_planes(
    seg: SegFile,
    frames: PixelFrames,
    wanted: Sequence[Segment],
    stack: SliceStack,
) -> Iterator[tuple[Segment, Structure | None]]:
    """BINARY and FRACTIONAL: each frame belongs to one segment."""
    with tolerating("the segment identification of the frames"):
        owners = _owners(seg)
        least = _least_value(seg)
    for segment in wanted:
        patches = []
        for index in np.flatnonzero(owners == segment.number).tolist():
            patch = _patch(frames.read(index) >= least, int(stack.slice_of_frame[index]))
            if patch is not None:
                patches.append(patch)
        yield segment, _assembled(segment, patches, stack)


def _patch(inside: NDArray[np.bool_], slice_index: int) -> _Patch | None:
    rows = np.flatnonzero(inside.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(inside.any(axis=0))
    cropped = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return _Patch(slice_index, int(rows[0]), int(columns[0]), cropped)


def _assembled(segment: Segment, patches: Sequence[_Patch], stack: SliceStack) -> Structure | None:
    if not patches:
        return None
    starts = np.array([(patch.column, patch.row, patch.slice_index) for patch in patches])
    sizes = np.array([(*patch.mask.shape[::-1], 1) for patch in patches])
    first = starts.min(axis=0)
    columns, rows, levels = ((starts + sizes).max(axis=0) - first).tolist()
    mask = np.zeros((columns, rows, levels), dtype=np.bool_)
    for patch, (column, row, level) in zip(patches, starts - first, strict=True):
        height, width = patch.mask.shape
        mask[column : column + width, row : row + height, level] |= patch.mask.T
    column, row, level = first.tolist()
    return stack.structure(segment, mask, (column, row, level))


def _stack(seg: SegFile, images: Sequence[ImagePlane]) -> SliceStack:
    """The slices of all frames."""
    planes = frame_planes(seg.dataset, images)
    places = FramePlaces(
        np.array([plane.position_mm for plane in planes]),
        common_orientation(planes),
        common_pixel_spacing_mm(planes),
        planes[0].spacing_mm,
        planes[0].between_slices_mm,
    )
    shape = (int(seg.dataset.Rows), int(seg.dataset.Columns))
    return stack_slices(places, shape, images, seg.frame_of_reference_uid)


def _owners(seg: SegFile) -> NDArray[np.intp]:
    """(frames,) the segment number of each frame."""
    owners = []
    for frame in frame_groups(seg.dataset):
        group = group_of(seg.dataset, frame, "SegmentIdentificationSequence")
        if group is not None:
            owners.append(int(group.ReferencedSegmentNumber))
        elif len(seg.segments) == 1:
            owners.append(seg.segments[0].number)
        else:
            raise UnusableSource("FrameWithoutSegment")
    return np.array(owners, dtype=np.intp)


def _least_value(seg: SegFile) -> int:
    if seg.kind != "FRACTIONAL":
        return 1
    largest = int(seg.dataset.get("MaximumFractionalValue", 255))
    if largest < 1:
        raise UnusableSource("MaximumFractionalValueUnusable", value=largest)
    return -(-largest // 2)


def _obstacle(dataset: Dataset, segments: Sequence[Segment]) -> Sentence | None:
    tiling = str(dataset.get("DimensionOrganizationType") or "")
    if "TotalPixelMatrixColumns" in dataset or tiling.startswith("TILED"):
        return Sentence("SegmentationOfSlide")
    for number, count in Counter(part.number for part in segments).items():
        if count > 1:
            return Sentence("SegmentNumberAmbiguous", count=count, number=number)
    return None


def _references(dataset: Dataset) -> Iterator[Dataset]:
    for series in items(dataset, "ReferencedSeriesSequence"):
        yield series
        yield from items(series, "ReferencedInstanceSequence")
    for frame in items(dataset, "PerFrameFunctionalGroupsSequence"):
        for derivation in items(frame, "DerivationImageSequence"):
            yield from items(derivation, "SourceImageSequence")


def _unique(references: Sequence[Dataset], keyword: str) -> tuple[str, ...]:
    uids = (uid_of(reference, keyword) for reference in references)
    return tuple(dict.fromkeys(uid for uid in uids if uid))
