"""The structures of NIfTI, NRRD and DICOM SEG files, read apart from the plugin's own readers."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
import pydicom
from numpy.typing import NDArray
from scipy import ndimage

from tools.report.reference import Reference, cropped_reference, voxel_reference

type Mask = NDArray[np.bool_]

_RAS_TO_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
_MOST_LABEL: Final = 65535
_FEW_VALUES: Final = 16
_NRRD_TYPES: Final = {
    "uchar": "u1", "uint8": "u1", "unsigned char": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "unsigned short": "u2", "int": "i4", "int32": "i4",
}  # fmt: skip


def nifti_labels(path: Path) -> dict[int, Reference]:
    """The voxels of each label; nothing of a file that holds no labels."""
    found = _nifti(path)
    if found is None:
        return {}
    values, affine = found
    if values.min() < 0 or values.max() > _MOST_LABEL or (values != np.rint(values)).any():
        return {}
    return _labels(values, affine)


def nifti_foreground(path: Path) -> dict[int, Reference]:
    """All voxels that are set, as structure 1: of probabilities, one half and more.

    Grey images have none: fractions above 1, or negative values among many.
    """
    found = _nifti(path)
    if found is None or not found[0].any():
        return {}
    values, affine = found
    is_fractional = bool((values != np.rint(values)).any())
    lowest, highest = np.nanmin(values), np.nanmax(values)
    is_many = len(np.unique(values)) > _FEW_VALUES
    if is_fractional and is_many and lowest >= 0 and highest <= 1:
        return {1: cropped_reference(values >= 0.5, affine)}
    if is_many and (is_fractional or lowest < 0):
        return {}
    return {1: cropped_reference((values != 0) & ~np.isnan(values), affine)}


def nrrd_labels(path: Path) -> dict[int, Reference]:
    """The voxels of each label of an NRRD file in LPS (https://teem.sourceforge.net/nrrd)."""
    head, _, body = path.read_bytes().partition(b"\n\n")
    fields = dict(
        line.split(": ", 1)
        for line in head.decode().splitlines()
        if ": " in line and line[0] != "#"
    )
    if fields["space"] != "left-posterior-superior" or fields["encoding"] not in {"gzip", "raw"}:
        raise ValueError(f"{path.name}: space {fields['space']}, encoding {fields['encoding']}")
    order = ">" if fields.get("endian") == "big" else "<"
    dtype = np.dtype(order + _NRRD_TYPES[fields["type"]])
    content = gzip.decompress(body) if fields["encoding"] == "gzip" else body
    sizes = [int(size) for size in fields["sizes"].split()]
    values = np.frombuffer(content, dtype, count=int(np.prod(sizes))).reshape(sizes, order="F")
    vectors = [*fields["space directions"].split(), fields["space origin"]]
    affine = np.eye(4)
    affine[:3] = np.array([[float(x) for x in one.strip("()").split(",")] for one in vectors]).T
    return _labels(values, affine)


def seg_segments(path: Path) -> dict[int, Reference]:
    """The voxels of each segment; nothing of a slide or where the pixels are compressed."""
    dataset = pydicom.dcmread(path)
    if "TotalPixelMatrixColumns" in dataset or dataset.file_meta.TransferSyntaxUID.is_compressed:
        return {}
    frames = _frames(dataset)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    groups = [(frame, shared) for frame in dataset.PerFrameFunctionalGroupsSequence]
    positions = np.array(
        [_macro(pair, "PlanePositionSequence").ImagePositionPatient for pair in groups],
        dtype=np.float64,
    )
    orientation = _macro(groups[0], "PlaneOrientationSequence").ImageOrientationPatient
    along, down = np.array(orientation, dtype=np.float64).reshape(2, 3)
    normal = np.cross(along, down)
    spacing_mm, slices = _slices(positions @ normal, _macro(groups[0], "PixelMeasuresSequence"))
    pixel = _macro(groups[0], "PixelMeasuresSequence").PixelSpacing
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = along * float(pixel[1]), down * float(pixel[0])
    affine[:3, 2] = normal * spacing_mm
    affine[:3, 3] = positions[np.argmin(slices)]
    volumes: dict[int, NDArray[np.bool_]] = defaultdict(
        lambda: np.zeros((dataset.Columns, dataset.Rows, slices.max() + 1), dtype=np.bool_)
    )
    for pair, frame, level in zip(groups, frames, slices, strict=True):
        for number, plane in _shown(dataset, pair, frame):
            volumes[number][:, :, level] |= plane.T
    return {n: cropped_reference(mask, affine) for n, mask in sorted(volumes.items()) if mask.any()}


def _nifti(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]] | None:
    image: Any = nib.load(path)
    if image.get_data_dtype().fields is not None:
        return None
    values = np.asanyarray(image.dataobj)
    if np.prod(values.shape[3:]) > 1:
        return None
    affine = _RAS_TO_LPS @ image.affine
    affine[:3] *= {"meter": 1000.0, "micron": 0.001}.get(image.header.get_xyzt_units()[0], 1.0)
    return values.reshape(values.shape[:3]), affine


def _labels(values: NDArray[Any], affine: NDArray[np.float64]) -> dict[int, Reference]:
    labels = values.astype(np.int32)
    references = {}
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            moved = affine.copy()
            moved[:3, 3] += affine[:3, :3] @ [one.start for one in box]
            references[number] = voxel_reference(labels[box] == number, moved)
    return references


def _frames(dataset: pydicom.Dataset) -> NDArray[np.integer]:
    """(frames, rows, columns) stored values; bits run on from frame to frame (PS3.5 8.1.1)."""
    shape = (int(dataset.NumberOfFrames), int(dataset.Rows), int(dataset.Columns))
    count = int(np.prod(shape))
    if dataset.BitsAllocated == 1:
        content = np.frombuffer(dataset.PixelData, np.uint8)
        return np.unpackbits(content, bitorder="little", count=count).reshape(shape)
    dtype = np.dtype(f"<u{dataset.BitsAllocated // 8}")
    return np.frombuffer(dataset.PixelData, dtype, count=count).reshape(shape)


def _macro(pair: tuple[pydicom.Dataset, pydicom.Dataset], keyword: str) -> pydicom.Dataset:
    """The item of a functional group, of the frame or shared."""
    frame, shared = pair
    sequence: pydicom.Sequence = (frame if keyword in frame else shared)[keyword].value
    return sequence[0]


def _slices(
    heights: NDArray[np.float64], measures: pydicom.Dataset
) -> tuple[float, NDArray[np.intp]]:
    """The spacing, and the slice of each frame."""
    gaps = np.diff(np.unique(heights.round(3)))
    stated = measures.get("SpacingBetweenSlices") or measures.SliceThickness
    spacing = float(gaps.min()) if gaps.size else float(stated)
    return spacing, np.rint((heights - heights.min()) / spacing).astype(np.intp)


def _shown(
    dataset: pydicom.Dataset,
    pair: tuple[pydicom.Dataset, pydicom.Dataset],
    frame: NDArray[np.integer],
) -> Iterator[tuple[int, Mask]]:
    """The segments that a frame shows, and their (rows, columns) pixels."""
    if dataset.SegmentationType == "LABELMAP":
        for number in set(np.unique(frame).tolist()) - {0}:
            yield number, frame == number
        return
    number = int(_macro(pair, "SegmentIdentificationSequence").ReferencedSegmentNumber)
    is_shares = dataset.SegmentationType == "FRACTIONAL"
    most = int(dataset.MaximumFractionalValue) if is_shares else 1
    yield number, 2 * frame.astype(np.int64) >= most
