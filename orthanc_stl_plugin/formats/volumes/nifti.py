"""NIfTI-1 and NIfTI-2 volumes: bytes in, voxels in LPS out.

The standard is the header file nifti1.h (https://nifti.nimh.nih.gov/nifti-1); nibabel reads the
header and chooses the affine: sform, else qform, else pixdim. Here RAS becomes LPS.
"""

from __future__ import annotations

import itertools
import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import TooLarge, UnusableSource
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.sentences import Sentence

_RAS_TO_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
_MM_PER_UNIT: Final = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # xyzt_units & 7: ?, m, mm, um
_GZIP_MAGIC: Final = b"\x1f\x8b"
_NEXT_WINDOW: Final = 1 << 14  # bytes: each gzip member costs a copy of the rest of its window
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class NiftiVolume:
    """A volume.

    Attributes:
        values: (columns, rows, slices) of the stored type or, with scl_slope, float64.
        grid: the position of the voxels, LPS mm.
        extensions: the contents of the header's extensions.
        notes: sentences about uncertainties of the position.
    """

    values: NDArray[Any]
    grid: Grid
    extensions: tuple[bytes, ...] = ()
    notes: tuple[Sentence, ...] = ()


def read_nifti(content: bytes, max_bytes: int) -> NiftiVolume:
    """The volume in the bytes of a .nii or .nii.gz file.

    Raises:
        TooLarge: it has more than `max_bytes` after decompression.
        UnusableSource: it is not a NIfTI file, is truncated, has several volumes or complex
            numbers, or its affine matrix is invalid.
    """
    plain = _decompressed(content, max_bytes) if content[:2] == _GZIP_MAGIC else content
    if len(plain) > max_bytes:
        raise TooLarge(
            "NiftiTooLarge",
            bytes=len(plain),
            limit_bytes=max_bytes,
            max_volume_mib=max_bytes >> 20,
        )
    image = _parsed(plain)
    shape = _three_axes(image.header["dim"])
    _check_extent(image, shape, plain)
    values = np.asanyarray(image.dataobj).reshape(shape, order="F")
    units = _MM_PER_UNIT.get(int(image.header["xyzt_units"]) & 7, 1.0)
    affine = _RAS_TO_LPS @ image.affine
    affine[:3] *= units
    if units != 1.0:
        _log.info("the NIfTI header counts in units of %g mm", units)
    extensions = tuple(bytes(one.content) for one in image.header.extensions)
    notes = tuple(_doubts(image.header, shape, units))
    return NiftiVolume(values, Grid(shape, affine), extensions, notes)


def foreground(volume: NiftiVolume) -> NDArray[np.bool_]:
    """(columns, rows, slices) whether a voxel is set: neither zero nor NaN."""
    set_voxels: NDArray[np.bool_] = volume.values != 0
    if volume.values.dtype.kind == "f":
        set_voxels &= ~np.isnan(volume.values)
    return set_voxels


def _decompressed(content: bytes, max_bytes: int) -> bytes:
    """All members of a gzip file; most files have one, which is read at once."""
    view = memoryview(content)
    window = len(view)
    parts: list[bytes] = []
    position = total = 0
    try:
        while content[position : position + 2] == _GZIP_MAGIC:
            inflater = zlib.decompressobj(wbits=31)
            while not inflater.eof:
                piece = view[position : position + window]
                if not piece:
                    raise UnusableSource("GzipTruncated", bytes=len(view), inflated_bytes=total)
                parts.append(inflater.decompress(piece, max_bytes - total + 1))
                total += len(parts[-1])
                if total > max_bytes:
                    raise TooLarge(
                        "GzipTooLarge", limit_bytes=max_bytes, max_volume_mib=max_bytes >> 20
                    )
                position += len(piece) - len(inflater.unused_data)  # which is a copy
            window = _NEXT_WINDOW
    except zlib.error as error:
        raise UnusableSource("GzipBroken", reason=error) from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _parsed(plain: bytes) -> Any:
    header_size = _header_size(plain)
    image_class: Any = {348: nib.Nifti1Image, 540: nib.Nifti2Image}.get(header_size)
    if image_class is None:
        raise UnusableSource("NotNifti", bytes=len(plain))
    if len(plain) < header_size:
        raise UnusableSource("NiftiHeaderTruncated", bytes=len(plain), needed_bytes=header_size)
    magic = plain[344:348] if image_class is nib.Nifti1Image else plain[4:8]
    if not magic.startswith(b"n+"):
        raise UnusableSource("NiftiMagicUnknown", magic=magic)
    try:
        return image_class.from_bytes(plain)
    except (nib.spatialimages.HeaderDataError, nib.filebasedimages.ImageFileError) as error:
        raise UnusableSource("NiftiHeaderInvalid", reason=error) from error
    except (ValueError, OSError, OverflowError, ArithmeticError) as error:
        raise UnusableSource("NiftiHeaderUnreadable", reason=error) from error


def _doubts(header: Any, shape: tuple[int, int, int], mm_per_unit: float) -> Iterator[Sentence]:
    """Sentences about a header that states two different positions, or none."""
    sform, sform_code = header.get_sform(coded=True)
    try:
        qform, qform_code = header.get_qform(coded=True)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return  # an invalid quaternion beside an sform
    if not sform_code and not qform_code:
        yield Sentence("NiftiPositionUnknown")
    if not sform_code or not qform_code:
        return
    corners = np.array(list(itertools.product(*((0, size - 1) for size in shape))))
    apart = (sform - qform) @ np.column_stack([corners, np.ones(len(corners))]).T
    apart_mm = float(np.linalg.norm(apart[:3], axis=0).max()) * mm_per_unit
    voxel_mm = float(np.linalg.norm(sform[:3, :3], axis=0).min()) * mm_per_unit
    if apart_mm > voxel_mm / 2:
        yield Sentence("NiftiPositionAmbiguous", apart_mm=apart_mm)


def _header_size(plain: bytes) -> int:
    little = int.from_bytes(plain[:4], "little")
    return little if little in (348, 540) else int.from_bytes(plain[:4], "big")


def _three_axes(dim: NDArray[np.integer]) -> tuple[int, int, int]:
    axes = int(dim[0])
    sizes = [int(size) for size in dim[1 : axes + 1]]
    if not 1 <= axes <= 7 or min(sizes) < 1:
        raise UnusableSource("NiftiDimensionsInvalid", dimensions=dim.tolist())
    if any(size > 1 for size in sizes[3:]):
        raise UnusableSource(
            "NiftiSeveralVolumes", sizes=" x ".join(map(str, sizes)), dimensions=axes
        )
    columns, rows, slices = (*sizes[:3], 1, 1)[:3]
    return columns, rows, slices


def _check_extent(image: Any, shape: tuple[int, int, int], plain: bytes) -> None:
    dtype = image.get_data_dtype()
    if dtype.kind not in "iuf":
        raise UnusableSource("NiftiVoxelsNotReal", type=dtype)
    columns, rows, slices = shape
    needed = columns * rows * slices * dtype.itemsize
    offset, lowest = int(image.dataobj.offset), image.header.single_vox_offset
    if offset < lowest:  # nifticlib and nibabel disagree about the meaning of an offset of 0
        raise UnusableSource("NiftiVoxelOffsetTooSmall", offset=offset, lowest=lowest)
    if len(plain) - offset < needed:
        raise UnusableSource(
            "NiftiVoxelsTruncated", needed_bytes=needed, offset=offset, bytes=len(plain)
        )
