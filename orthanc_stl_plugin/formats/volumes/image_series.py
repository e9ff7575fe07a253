"""Volumes from CT, MR and micro-CT series, single-frame or multi-frame (PS3.3 C.7.6.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.dataset import (
    DicomSource,
    items,
    read_dataset,
    tolerating,
    uid_of,
)
from orthanc_stl_plugin.formats.dicom.functional_groups import (
    SAME_DIRECTION,
    FramePlane,
    frame_count,
    frame_groups,
    frame_planes,
    group_of,
)
from orthanc_stl_plugin.formats.pixels.whole_dataset import PixelFrames
from orthanc_stl_plugin.formats.volumes.changing_spacing import ChangingSpacing
from orthanc_stl_plugin.formats.volumes.slice_lattice import (
    LARGEST_DRIFT_PIXELS,
    Lattice,
    fit_lattice,
)
from orthanc_stl_plugin.model.geometry import UNBOUNDED, Grid
from orthanc_stl_plugin.sentences import Sentence

MAJORITY: Final = 0.75
INT16: Final = np.iinfo(np.int16)


@dataclass(frozen=True, slots=True, eq=False)
class ImageVolume:
    """The voxels of a series.

    Attributes:
        values: (columns, rows, slices) int16 when that holds every value exactly, else float32;
            rescaled to `unit`.
        padding: the voxels without a value, of the same shape; None if there are none.
        grid: the position of the voxels.
        unit: "HU", "BQML" and the like; "" if the source does not state it.
        modality: of the source.
        sop_class_uid: of the first slice.
        source_instance_uids: the instances used, in the order of slices, each once.
        notes: what was left out, or interpolated.
    """

    values: NDArray[np.int16] | NDArray[np.float32]
    padding: NDArray[np.bool_] | None
    grid: Grid
    unit: str
    modality: str
    sop_class_uid: str
    source_instance_uids: tuple[str, ...]
    notes: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """A frame whose pixels are not read yet: `index` counts from 0 in the source of that number."""

    source: int
    index: int
    plane: FramePlane | None
    shape: tuple[int, int]
    header: Dataset
    is_localizer: bool

    def is_like(self, other: _Frame) -> bool:
        """Whether both may be slices of one volume."""
        if self.shape != other.shape or (self.plane is None) != (other.plane is None):
            return False
        if self.plane is None or other.plane is None:
            return True
        turned = np.abs(self.plane.orientation - other.plane.orientation).max()
        scaled = self.plane.pixel_spacing_mm / other.plane.pixel_spacing_mm
        return bool(turned <= SAME_DIRECTION and np.abs(scaled - 1).max() <= SAME_DIRECTION)


def read_series(sources: Sequence[DicomSource], max_bytes: int = UNBOUNDED) -> ImageVolume:
    """The volume of the images of one series, each the bytes of a file or the path to it.

    Slices are sorted by position. What has another size or orientation than three quarters of the
    frames, or says that it is a localizer, is left out with a note. Padding takes the lowest other
    value of its image, or of the volume. Only one image is in memory beside the volume. Where the
    spacing changes, values are interpolated to the finest one, with a note.

    Raises:
        TooLarge: at two bytes a voxel, the volume takes more than `max_bytes`; or the work on it,
            at five, more memory than this process may have.
        UnusableSource: the images form no regular volume, or cannot be decoded.
    """
    frames, notes = _one_family(
        [frame for number, source in enumerate(sources) for frame in _headers(number, source)]
    )
    with tolerating("the geometry of the series"):
        changing = _changing_spacing(frames)
        lattice, grid = _grid(frames, changing)
    grid.require_at_most(max_bytes, bytes_per_voxel=2)
    grid.require_memory(bytes_per_voxel=5)  # with the masks of what is inside, and what is chosen
    if changing is None:
        values, padding = _values(sources, frames, lattice, grid.shape)
    else:
        stored_shape = (*grid.shape[:2], len(changing.heights_mm))
        values, padding = changing.resampled(*_values(sources, frames, lattice, stored_shape))
        notes.append(changing.note)
    ordered = [frames[index] for index in np.argsort(lattice.indices, kind="stable").tolist()]
    first = ordered[0].header
    with tolerating("the description of the series"):
        unit, modality = _unit(first), str(first.get("Modality") or "")
        sop_class_uid = str(first.SOPClassUID)
        uids = [str(frame.header.SOPInstanceUID) for frame in ordered]
    return ImageVolume(
        values=values.transpose(2, 1, 0),
        padding=padding.transpose(2, 1, 0) if padding is not None else None,
        grid=grid,
        unit=unit,
        modality=modality,
        sop_class_uid=sop_class_uid,
        source_instance_uids=tuple(dict.fromkeys(uids)),
        notes=tuple(notes),
    )


def _headers(number: int, source: DicomSource) -> list[_Frame]:
    header = read_dataset(source, stop_before_pixels=True)
    with tolerating("the description of an image"):
        if "Rows" not in header or "Columns" not in header:
            raise UnusableSource("NotAnImage", instance_uid=header.SOPInstanceUID)
        shape = (int(header.Rows), int(header.Columns))
        kinds = [str(part).upper() for part in header.get("ImageType") or ()]
        if "MOSAIC" in kinds:
            raise UnusableSource("SiemensMosaic", instance_uid=header.SOPInstanceUID)
        is_localizer = "LOCALIZER" in kinds
        planes: Sequence[FramePlane | None]
        try:
            planes = frame_planes(header)
        except UnusableSource:
            planes = [None] * frame_count(header)
    return [
        _Frame(number, index, plane, shape, header, is_localizer)
        for index, plane in enumerate(planes)
    ]


def _one_family(frames: Sequence[_Frame]) -> tuple[list[_Frame], list[Sentence]]:
    """The frames that make the volume, and notes on the others."""
    if not frames:
        raise UnusableSource("SeriesWithoutImage")
    candidates = [frame for frame in frames if not frame.is_localizer] or list(frames)
    families: list[list[_Frame]] = []
    for frame in candidates:
        own = next((family for family in families if frame.is_like(family[0])), None)
        if own is None:
            families.append([frame])
        else:
            own.append(frame)
    largest = max(families, key=len)
    if len(largest) < MAJORITY * len(candidates):
        raise UnusableSource(
            "ImagesUnlike", images=len(candidates), kinds=len(families), alike=len(largest)
        )
    if largest[0].plane is None:
        raise UnusableSource("ImagesWithoutPosition")
    notes = []
    if len(candidates) < len(frames):
        notes.append(Sentence("LocalizersLeftOut", count=len(frames) - len(candidates)))
    if len(largest) < len(candidates):
        others = len(candidates) - len(largest)
        notes.append(Sentence("UnlikeImagesLeftOut", count=others))
    return largest, notes


def _changing_spacing(frames: Sequence[_Frame]) -> ChangingSpacing | None:
    planes = [frame.plane for frame in frames if frame.plane is not None]
    return ChangingSpacing.of(
        np.array([plane.position_mm for plane in planes]),
        planes[0].orientation,
        planes[0].spacing_mm,
        LARGEST_DRIFT_PIXELS * float(planes[0].pixel_spacing_mm.min()),
    )


def _grid(frames: Sequence[_Frame], changing: ChangingSpacing | None) -> tuple[Lattice, Grid]:
    planes = [frame.plane for frame in frames if frame.plane is not None]
    frames_of_reference = {uid_of(frame.header, "FrameOfReferenceUID") for frame in frames}
    if len(frames_of_reference) > 1:
        raise UnusableSource("ImagesInSeveralFramesOfReference", count=len(frames_of_reference))
    orientation, spacing = planes[0].orientation, planes[0].pixel_spacing_mm
    if changing is not None:
        lattice = changing.lattice
        images_of_slice = np.bincount(lattice.indices)
    else:
        lattice = fit_lattice(
            np.array([plane.position_mm for plane in planes]),
            orientation,
            planes[0].spacing_mm,
            LARGEST_DRIFT_PIXELS * float(spacing.min()),
        )
        images_of_slice = np.bincount(lattice.indices, minlength=lattice.count)
    if images_of_slice.max() > 1:
        raise UnusableSource(
            "SeveralImagesPerSlice",
            slices=np.count_nonzero(images_of_slice > 1),
            total=len(images_of_slice),
        )
    if images_of_slice.min() < 1:
        missing = np.flatnonzero(images_of_slice == 0)
        raise UnusableSource(
            "SlicesMissing",
            missing=len(missing),
            total=lattice.count,
            below=missing[0],
            above=missing[0] + 2,
        )
    rows, columns = frames[0].shape
    shape = (columns, rows, lattice.count)
    affine = lattice.affine(orientation, spacing)
    return lattice, Grid(shape, affine, next(iter(frames_of_reference)))


def _values(
    sources: Sequence[DicomSource],
    frames: Sequence[_Frame],
    lattice: Lattice,
    shape: tuple[int, int, int],
) -> tuple[NDArray[np.int16] | NDArray[np.float32], NDArray[np.bool_] | None]:
    """(slices, rows, columns) values after the Modality LUT, and where they are padding."""
    volume: NDArray[np.int16] | NDArray[np.float32] = np.empty(shape[::-1], dtype=np.int16)
    padding = np.zeros(volume.shape, dtype=np.bool_)  # pages that are never written take no memory
    by_source: dict[int, list[tuple[_Frame, int]]] = defaultdict(list)
    for frame, level in zip(frames, lattice.indices.tolist(), strict=True):
        by_source[frame.source].append((frame, level))
    for number, wanted in by_source.items():
        dataset = read_dataset(sources[number])
        pixels = PixelFrames(dataset)
        with tolerating("the functional groups"):
            groups = frame_groups(dataset)
        for frame, level in wanted:
            raw = pixels.read(frame.index)
            if raw.shape != frame.shape:
                raise UnusableSource("FrameSizeDiffers", shape=raw.shape, needed=frame.shape)
            with tolerating("the Modality LUT"):
                image = _rescaled(raw, dataset, groups[frame.index])
                if (ends := _padding_values(dataset)) is not None:
                    padding[level] = (raw >= ends[0]) & (raw <= ends[1])
            image = _without_padding(image, padding[level])
            if volume.dtype == np.int16 and not _fits_int16(image):
                volume = volume.astype(np.float32)
            volume[level] = image
    is_blank = padding.all(axis=(1, 2))
    if is_blank.any() and not is_blank.all():
        volume[is_blank] = min(volume[level].min() for level in np.flatnonzero(~is_blank))
    # If everything is padding, the values are kept as stored.
    return volume, padding if padding.any() and not is_blank.all() else None


def _fits_int16(image: NDArray[np.integer] | NDArray[np.floating]) -> bool:
    is_whole = np.issubdtype(image.dtype, np.integer)
    return is_whole and INT16.min <= int(image.min()) and int(image.max()) <= INT16.max


def _rescaled(
    raw: NDArray[np.integer], dataset: Dataset, group: Dataset
) -> NDArray[np.integer] | NDArray[np.floating]:
    """Stored values through the Modality LUT (PS3.3 C.11.1); integers stay integers."""
    if items(dataset, "ModalityLUTSequence"):
        return np.asarray(apply_modality_lut(raw, dataset))
    source = group_of(dataset, group, "PixelValueTransformationSequence") or dataset
    slope = float(source.get("RescaleSlope", 1) or 1)
    intercept = float(source.get("RescaleIntercept", 0) or 0)
    if not np.isfinite([slope, intercept]).all():
        raise UnusableSource("RescaleUnusable", slope=slope, intercept=intercept)
    if slope.is_integer() and intercept.is_integer():
        return raw.astype(np.int64) * int(slope) + int(intercept)
    return (raw * slope + intercept).astype(np.float32)


def _padding_values(dataset: Dataset) -> tuple[int, int] | None:
    """The smallest and largest stored value of padding (PS3.3 C.7.5.1.1.2)."""
    value, limit = dataset.get("PixelPaddingValue"), dataset.get("PixelPaddingRangeLimit")
    if value is None:
        return None
    first, last = sorted((int(value), int(value if limit is None else limit)))
    return first, last


def _without_padding(
    image: NDArray[np.integer] | NDArray[np.floating], is_padded: NDArray[np.bool_]
) -> NDArray[np.integer] | NDArray[np.floating]:
    """The image with padding replaced by its lowest other value, if there is one."""
    if not is_padded.any() or is_padded.all():
        return image
    return np.where(is_padded, image[~is_padded].min(), image)


def _unit(header: Dataset) -> str:
    """RescaleType; else Units of a PET; else HU for a CT with rescaling."""
    group = group_of(header, frame_groups(header)[0], "PixelValueTransformationSequence")
    source = group or header
    stated = str(source.get("RescaleType") or header.get("Units") or "").strip()
    if stated and stated.upper() != "US":
        return stated
    return "HU" if header.get("Modality") == "CT" and "RescaleIntercept" in source else ""
