"""Where the frames of an image lie: functional groups, or plain attributes (PS3.3 C.7.6.16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.dataset import items, uid_of
from orthanc_stl_plugin.model.geometry import ImagePlane

SAME_DIRECTION: Final = 1e-3
SAME_SPACING: Final = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class FramePlane:
    """The plane of one frame.

    Attributes:
        position_mm: (3,) float64 LPS of the centre of its first pixel.
        orientation: (6,) float64 unit directions of its rows, then of its columns.
        pixel_spacing_mm: (2,) float64 between rows, then between columns.
        between_slices_mm: SpacingBetweenSlices, if it is there.
        spacing_mm: SpacingBetweenSlices, else SliceThickness, else None.
    """

    position_mm: NDArray[np.float64]
    orientation: NDArray[np.float64]
    pixel_spacing_mm: NDArray[np.float64]
    between_slices_mm: float | None
    spacing_mm: float | None


def frame_count(dataset: Dataset) -> int:
    """NumberOfFrames, 1 when it is absent."""
    return int(dataset.get("NumberOfFrames") or 1)


def frame_groups(dataset: Dataset) -> list[Dataset]:
    """The items of the Per-Frame Functional Groups Sequence, empty ones when it is absent.

    Raises:
        UnusableSource: their number is not that of the frames.
    """
    groups = list(items(dataset, "PerFrameFunctionalGroupsSequence"))
    count = frame_count(dataset)
    if groups and len(groups) != count:
        raise UnusableSource("FunctionalGroupsUnlikeFrames", groups=len(groups), frames=count)
    return groups or [Dataset() for _ in range(count)]


def group_of(dataset: Dataset, frame: Dataset, keyword: str) -> Dataset | None:
    """The item of a functional group macro, from the frame, else shared, else None."""
    shared = items(dataset, "SharedFunctionalGroupsSequence")
    for groups in (frame, *shared[:1]):
        found = items(groups, keyword)
        if found:
            return found[0]
    return None


def frame_planes(dataset: Dataset, images: Sequence[ImagePlane] = ()) -> list[FramePlane]:
    """The plane of every frame; that of the image it was derived from where it has no position.

    Args:
        dataset: the image or the segmentation.
        images: stored images that it may have been derived from.

    Raises:
        UnusableSource: a frame has no position, orientation or pixel spacing in the patient, nor
            an image that has.
    """
    by_uid = {image.sop_instance_uid: image for image in images}
    planes = []
    for frame in frame_groups(dataset):
        position = group_of(dataset, frame, "PlanePositionSequence") or dataset
        orientation = group_of(dataset, frame, "PlaneOrientationSequence") or dataset
        measures = group_of(dataset, frame, "PixelMeasuresSequence") or dataset
        if "ImagePositionPatient" not in position:
            image = _source_of(dataset, frame, by_uid)
            if image is not None:
                position = orientation = image
                if "PixelSpacing" not in measures:
                    measures = image
        planes.append(_plane(position, orientation, measures))
    return planes


def _source_of(
    dataset: Dataset, frame: Dataset, images: Mapping[str, ImagePlane]
) -> Dataset | None:
    """The place of the image that a frame was derived from; None where it names none.

    Raises:
        UnusableSource: the image is not stored, or has another size.
    """
    derivation = group_of(dataset, frame, "DerivationImageSequence") or Dataset()
    sources = items(derivation, "SourceImageSequence")
    uids = [uid for one in sources if (uid := uid_of(one, "ReferencedSOPInstanceUID"))]
    if not uids:
        return None
    image = next((images[uid] for uid in uids if uid in images), None)
    if image is None:
        raise UnusableSource("FramePositionMissing", source_uid=uids[0])
    shape = int(dataset.Rows), int(dataset.Columns)
    if image.shape is not None and image.shape != shape:
        raise UnusableSource(
            "FramePositionOfOtherSize",
            rows=shape[0],
            columns=shape[1],
            source_rows=image.shape[0],
            source_columns=image.shape[1],
            source_uid=image.sop_instance_uid,
        )
    place = Dataset()
    place.ImagePositionPatient = list(image.position_mm)
    place.ImageOrientationPatient = list(image.orientation)
    if image.pixel_spacing_mm is not None:
        place.PixelSpacing = list(image.pixel_spacing_mm)
    if image.thickness_mm is not None:
        place.SliceThickness = image.thickness_mm
    return place


def slice_thickness_mm(dataset: Dataset) -> float | None:
    """SliceThickness of the first frame, if it is there."""
    [first, *_] = frame_groups(dataset)
    measures = group_of(dataset, first, "PixelMeasuresSequence") or dataset
    return _positive(measures, "SliceThickness")


def common_orientation(planes: Sequence[FramePlane]) -> NDArray[np.float64]:
    """(6,) the orientation that all planes have.

    Raises:
        UnusableSource: they differ.
    """
    all_of_them = np.array([plane.orientation for plane in planes])
    if np.abs(all_of_them - all_of_them[0]).max() > SAME_DIRECTION:
        raise UnusableSource("FrameOrientationsDiffer")
    return np.asarray(all_of_them[0])


def common_pixel_spacing_mm(planes: Sequence[FramePlane]) -> NDArray[np.float64]:
    """(2,) the pixel spacing that all planes have.

    Raises:
        UnusableSource: they differ by more than rounding.
    """
    all_of_them = np.array([plane.pixel_spacing_mm for plane in planes])
    if np.abs(all_of_them / all_of_them[0] - 1).max() > SAME_SPACING:
        raise UnusableSource("FrameSpacingsDiffer")
    return np.asarray(all_of_them[0])


def _plane(position: Dataset, orientation: Dataset, measures: Dataset) -> FramePlane:
    between_slices = _positive(measures, "SpacingBetweenSlices")
    return FramePlane(
        _numbers(position, "ImagePositionPatient", 3),
        unit_orientation(_numbers(orientation, "ImageOrientationPatient", 6)),
        _pixel_spacing_mm(measures),
        between_slices,
        between_slices or _positive(measures, "SliceThickness"),
    )


def _pixel_spacing_mm(measures: Dataset) -> NDArray[np.float64]:
    spacing = _numbers(measures, "PixelSpacing", 2)
    if spacing.min() <= 0:
        raise UnusableSource(
            "PixelsWithoutExtent", row_spacing_mm=spacing[0], column_spacing_mm=spacing[1]
        )
    return spacing


def _numbers(dataset: Dataset, keyword: str, count: int) -> NDArray[np.float64]:
    value = dataset.get(keyword)
    numbers = np.array([float(part) for part in value or ()], dtype=np.float64)
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise UnusableSource("PositionUnusable", keyword=keyword)
    return numbers


def _positive(dataset: Dataset, keyword: str) -> float | None:
    value = dataset.get(keyword)
    number = abs(float(value)) if value not in {None, ""} else 0.0
    return number if np.isfinite(number) and number > 0 else None


def unit_orientation(orientation: NDArray[np.float64]) -> NDArray[np.float64]:
    """(6,) float64: ImageOrientationPatient with both cosines of length 1.

    Raises:
        UnusableSource: they are not two perpendicular directions.
    """
    pair = np.asarray(orientation, dtype=np.float64).reshape(2, 3)
    lengths = np.linalg.norm(pair, axis=1)
    if not np.isfinite(pair).all() or lengths.min() < 0.5:
        raise UnusableSource("OrientationWithoutDirections", orientation=orientation)
    pair = pair / lengths[:, np.newaxis]
    if abs(pair[0] @ pair[1]) > 1e-2:
        raise UnusableSource("OrientationNotSquare", orientation=orientation)
    return pair.ravel()
