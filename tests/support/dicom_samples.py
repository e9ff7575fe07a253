"""Small synthetic DICOM files whose geometry is known by hand."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

ROOT = "1.2.826.0.1.3680043.10.1000"
FRAME_OF_REFERENCE = f"{ROOT}.1"
STUDY = f"{ROOT}.2"
SERIES = f"{ROOT}.3"

# An F: stem 10 x 50, upper arm 20 x 10, lower arm 12 x 8; no symmetry hides a swapped axis.
F_OUTLINE = np.array(
    [
        [0, 0],
        [10, 0],
        [10, 22],
        [22, 22],
        [22, 30],
        [10, 30],
        [10, 40],
        [30, 40],
        [30, 50],
        [0, 50],
    ],
    dtype=np.float64,
)
F_AREA_MM2 = 500.0 + 200.0 + 96.0
F_CENTROID_MM = (
    (500 * 5 + 200 * 20 + 96 * 16) / F_AREA_MM2,
    (500 * 25 + 200 * 45 + 96 * 26) / F_AREA_MM2,
)


@dataclass(frozen=True)
class RoiSample:
    """One ROI to write: its contours are (N, 3) LPS millimetres."""

    number: int
    name: str
    contours: tuple[NDArray[np.float64], ...] = ()
    kind: str = "CLOSED_PLANAR"
    rgb: tuple[int, int, int] | None = (255, 0, 0)
    slab_thickness_mm: float | None = None


def on_plane(outline: NDArray[np.float64], z: float) -> NDArray[np.float64]:
    """(N, 3) points of a (N, 2) outline at height z."""
    return np.column_stack([outline, np.full(len(outline), z)])


def prism(
    outline: NDArray[np.float64], heights: NDArray[np.float64] | list[float]
) -> tuple[NDArray[np.float64], ...]:
    """The outline on every height."""
    return tuple(on_plane(outline, float(z)) for z in heights)


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """(3, 3) rotation about z, then y, then x, in radians."""
    (cz, sz), (cy, sy), (cx, sx) = ((np.cos(a), np.sin(a)) for a in (yaw, pitch, roll))
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    return np.asarray(about_x @ about_y @ about_z)


def file_bytes(dataset: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """A DICOM file with preamble and file meta information."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta = meta
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def rewritten(content: bytes, transfer_syntax_uid: str) -> bytes:
    """The file with plain pixels of 8 bits in another transfer syntax of such."""
    dataset = dcmread(io.BytesIO(content))
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def with_transfer_syntax(content: bytes, transfer_syntax_uid: str) -> bytes:
    """The file with another Transfer Syntax UID, one that pydicom does not write."""
    uid = transfer_syntax_uid.encode()
    uid += b"\0" * (len(uid) % 2)
    tag = b"\x02\x00\x10\x00UI"
    at = content.index(tag) + len(tag)
    old = int.from_bytes(content[at : at + 2], "little")
    length = int.from_bytes(content[140:144], "little") + len(uid) - old
    return (
        content[:140]
        + length.to_bytes(4, "little")
        + content[144:at]
        + len(uid).to_bytes(2, "little")
        + uid
        + content[at + 2 + old :]
    )


def composite(sop_class_uid: str, number: int, modality: str) -> Dataset:
    """A data set with the identifiers that every instance has."""
    dataset = Dataset()
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = f"{ROOT}.4.{number}"
    dataset.StudyInstanceUID = STUDY
    dataset.SeriesInstanceUID = SERIES
    dataset.FrameOfReferenceUID = FRAME_OF_REFERENCE
    dataset.Modality = modality
    dataset.InstanceNumber = number
    dataset.PatientName = "Phantom^F"
    dataset.PatientID = "phantom"
    return dataset


def item(**attributes: Any) -> Dataset:
    """A sequence item."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def rtstruct_dataset(rois: list[RoiSample], reversed_contour_order: bool = False) -> Dataset:
    """An RT Structure Set; its ROI Contour Sequence may run against the ROIs."""
    dataset = composite("1.2.840.10008.5.1.4.1.1.481.3", 1, "RTSTRUCT")
    image = item(
        ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=f"{ROOT}.9.1"
    )
    series = item(SeriesInstanceUID=f"{ROOT}.8", ContourImageSequence=Sequence([image]))
    study = item(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
        ReferencedSOPInstanceUID=STUDY,
        RTReferencedSeriesSequence=Sequence([series]),
    )
    dataset.ReferencedFrameOfReferenceSequence = Sequence(
        [item(FrameOfReferenceUID=FRAME_OF_REFERENCE, RTReferencedStudySequence=Sequence([study]))]
    )
    dataset.StructureSetROISequence = Sequence(
        [
            item(
                ROINumber=roi.number,
                ReferencedFrameOfReferenceUID=FRAME_OF_REFERENCE,
                ROIName=roi.name,
                ROIGenerationAlgorithm="MANUAL",
            )
            for roi in rois
        ]
    )
    drawn = reversed(rois) if reversed_contour_order else rois
    dataset.ROIContourSequence = Sequence([_roi_contour(roi) for roi in drawn])
    return dataset


def _roi_contour(roi: RoiSample) -> Dataset:
    drawn = item(ReferencedROINumber=roi.number)
    if roi.rgb is not None:
        drawn.ROIDisplayColor = list(roi.rgb)
    if roi.contours:
        drawn.ContourSequence = Sequence([_contour(points, roi) for points in roi.contours])
    return drawn


def _contour(points: NDArray[np.float64], roi: RoiSample) -> Dataset:
    contour = item(
        ContourGeometricType=roi.kind,
        NumberOfContourPoints=len(points),
        ContourData=[f"{value:.9g}" for value in points.ravel()],
    )
    if roi.slab_thickness_mm is not None:
        contour.ContourSlabThickness = roi.slab_thickness_mm
    return contour


def rtstruct_bytes(rois: list[RoiSample], reversed_contour_order: bool = False) -> bytes:
    """The file of `rtstruct_dataset`."""
    return file_bytes(rtstruct_dataset(rois, reversed_contour_order))


@dataclass(frozen=True)
class SegFrame:
    """One frame to write: which segment, on which slice, (rows, columns) pixels."""

    segment: int
    slice_index: int
    pixels: NDArray[np.integer]


def oblique_affine() -> NDArray[np.float64]:
    """(4, 4) voxel (column, row, slice) to LPS: tilted, .7 x 1.1 x 2.5 mm, right-handed."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(0.4, -0.3, 0.7) * np.array([0.7, 1.1, 2.5])
    affine[:3, 3] = [-31.0, 47.0, 12.5]
    return affine


def f_volume(scale: int = 1) -> NDArray[np.bool_]:
    """(23, 19, 7) columns, rows, slices: an F in the slices 2 to 5, thicker at its foot."""
    volume = np.zeros((23 * scale, 19 * scale, 7), dtype=np.bool_)
    volume[3 * scale : 6 * scale, 2 * scale : 17 * scale, 2:6] = True
    volume[6 * scale : 14 * scale, 2 * scale : 5 * scale, 2:6] = True
    volume[6 * scale : 11 * scale, 8 * scale : 10 * scale, 2:4] = True
    return volume


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.9g}") for value in values]


def geometry_items(
    affine: NDArray[np.float64], slice_index: int
) -> tuple[Dataset, Dataset, Dataset]:
    """Plane Position, Plane Orientation and Pixel Measures items of one slice."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    directions = affine[:3, :3] / sizes
    position = affine @ [0, 0, slice_index, 1]
    return (
        item(ImagePositionPatient=_rounded(position[:3])),
        item(
            ImageOrientationPatient=_rounded(np.concatenate([directions[:, 0], directions[:, 1]]))
        ),
        item(PixelSpacing=_rounded(sizes[[1, 0]]), SliceThickness=float(f"{sizes[2]:.9g}")),
    )


def seg_dataset(
    frames: list[SegFrame],
    affine: NDArray[np.float64],
    kind: str = "BINARY",
    names: tuple[str, ...] = ("first", "second", "third"),
    is_shared: bool = True,
) -> Dataset:
    """A Segmentation; orientation and pixel measures are shared or repeated for each frame."""
    is_label_map = kind == "LABELMAP"
    uid = "1.2.840.10008.5.1.4.1.1.66.7" if is_label_map else "1.2.840.10008.5.1.4.1.1.66.4"
    dataset = composite(uid, 1, "SEG")
    dataset.SegmentationType = kind
    dataset.NumberOfFrames = len(frames)
    dataset.Rows, dataset.Columns = frames[0].pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation = 0
    bits = 1 if kind == "BINARY" else 8 * frames[0].pixels.dtype.itemsize
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    if kind == "FRACTIONAL":
        dataset.SegmentationFractionalType = "PROBABILITY"
        dataset.MaximumFractionalValue = 200
    dataset.SegmentSequence = Sequence([_segment(i + 1, name) for i, name in enumerate(names)])
    image = item(ReferencedSOPClassUID="1.2.3", ReferencedSOPInstanceUID=f"{ROOT}.9.1")
    series = item(SeriesInstanceUID=f"{ROOT}.8", ReferencedInstanceSequence=Sequence([image]))
    dataset.ReferencedSeriesSequence = Sequence([series])
    _, orientation, measures = geometry_items(affine, 0)
    placed = {
        "PlaneOrientationSequence": Sequence([orientation]),
        "PixelMeasuresSequence": Sequence([measures]),
    }
    dataset.SharedFunctionalGroupsSequence = Sequence([item(**placed) if is_shared else item()])
    groups = []
    for frame in frames:
        group = item() if is_shared else item(**placed)
        position = geometry_items(affine, frame.slice_index)[0]
        group.PlanePositionSequence = Sequence([position])
        if not is_label_map:
            owner = item(ReferencedSegmentNumber=frame.segment)
            group.SegmentIdentificationSequence = Sequence([owner])
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    pixels = np.stack([frame.pixels for frame in frames])
    packed = np.packbits(pixels.ravel() != 0, bitorder="little") if bits == 1 else pixels
    content = packed.tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    return dataset


def _segment(number: int, name: str) -> Dataset:
    def code(value: str, meaning: str) -> Sequence:
        return Sequence([item(CodeValue=value, CodingSchemeDesignator="SCT", CodeMeaning=meaning)])

    return item(
        SegmentNumber=number,
        SegmentLabel=name,
        SegmentAlgorithmType="MANUAL",
        SegmentedPropertyCategoryCodeSequence=code("123037004", "Anatomical Structure"),
        SegmentedPropertyTypeCodeSequence=code("10200004", "Liver"),
        RecommendedDisplayCIELabValue=[41661, 41167, 40792],
    )


def seg_frames(volume: NDArray[np.bool_], segment: int = 1) -> list[SegFrame]:
    """The frames of the slices that are not empty."""
    return [
        SegFrame(segment, index, volume[:, :, index].T.astype(np.uint8))
        for index in np.flatnonzero(volume.any(axis=(0, 1))).tolist()
    ]


def image_dataset(
    pixels: NDArray[np.integer], number: int = 1, sop_class_uid: str = "1.2.840.10008.5.1.4.1.1.2"
) -> Dataset:
    """A CT image of (rows, columns) or (frames, rows, columns) stored values, without geometry."""
    dataset = composite(sop_class_uid, number, "CT")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    if pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    content = pixels.tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
    return dataset


def ct_datasets(
    stored: NDArray[np.integer],
    affine: NDArray[np.float64],
    slope: float = 1,
    intercept: float = -1024,
) -> list[Dataset]:
    """One CT image for each slice of (columns, rows, slices) stored values, from below."""
    slices = []
    for index in range(stored.shape[2]):
        dataset = image_dataset(np.ascontiguousarray(stored[:, :, index].T), index + 1)
        for group in geometry_items(affine, index):
            dataset.update(group)
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
        slices.append(dataset)
    return slices


def enhanced_ct_dataset(
    stored: NDArray[np.integer], affine: NDArray[np.float64], order: list[int]
) -> Dataset:
    """An Enhanced CT whose frames are the slices in that order."""
    frames = np.ascontiguousarray(stored.transpose(2, 1, 0)[order])
    dataset = image_dataset(frames, sop_class_uid="1.2.840.10008.5.1.4.1.1.2.1")
    _, orientation, measures = geometry_items(affine, 0)
    rescale = item(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")
    dataset.SharedFunctionalGroupsSequence = Sequence(
        [
            item(
                PlaneOrientationSequence=Sequence([orientation]),
                PixelMeasuresSequence=Sequence([measures]),
                PixelValueTransformationSequence=Sequence([rescale]),
            )
        ]
    )
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        [item(PlanePositionSequence=Sequence([geometry_items(affine, i)[0]])) for i in order]
    )
    return dataset
