"""The inputs: real masks, and generated ones of the size of a whole CT."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.model.geometry import Grid

type Voxels = NDArray[np.uint8]

DATA: Final = Path(__file__).parents[3] / "shared" / "data" / "totalsegmentator"
CACHE: Final = Path(tempfile.gettempdir()) / "orthanc-stl-plugin-benchmarks"

_ORGANS: Final = ("aorta", "liver", "vertebrae_L1", "rib_left_9")
_COLON, _LIVER = 20, 5


@dataclass(frozen=True, slots=True)
class Case:
    """An input at a resolution.

    Attributes:
        title: its name.
        voxels: makes it, (columns, rows, slices) uint8, Fortran order; 0 is outside.
        spacing_mm: of its voxels.
        resolution: what ours and the official pipeline take: enough for every voxel.
        is_labels: whether each label becomes a model.
        is_quick: whether it belongs to the quick run.
    """

    title: str
    voxels: Callable[[], Voxels]
    spacing_mm: tuple[float, float, float]
    resolution: int
    is_labels: bool = False
    is_quick: bool = False

    def grid(self, voxels: Voxels) -> Grid:
        columns, rows, slices = voxels.shape
        return Grid((columns, rows, slices), np.diag([*self.spacing_mm, 1.0]))


def cases() -> list[Case]:
    """All cases, including the shared data if present."""
    found = _real() if DATA.is_dir() else []
    for size, is_quick in ((256, True), (512, False)):
        for name, generate in (("organ", organ), ("body", body)):
            make = partial(_cached, f"{name}-{size}", partial(generate, size))
            found.append(
                Case(f"generated {name}", make, (400.0 / size,) * 3, size, is_quick=is_quick)
            )
    return found


def _real() -> list[Case]:
    coarse, fine = (3.0, 3.0, 3.0), (0.98, 0.98, 2.0)
    body_3mm = DATA / "example_seg_fast_force_split.nii.gz"
    dicom = DATA / "example_seg_dicom.nii.gz"
    found = [
        Case(
            name, partial(_file, DATA / "example_seg_fast" / f"{name}.nii.gz"), coarse, 256,
            is_quick=name == "liver",
        )
        for name in _ORGANS
    ]  # fmt: skip
    found.append(Case("colon, whole", partial(_file, body_3mm, _COLON), coarse, 256))
    found.append(Case("liver of a thin CT", partial(_file, dicom, _LIVER), fine, 512))
    for title, path, spacing, size in (
        ("41 labels", DATA / "example_seg.nii.gz", coarse, 256),
        ("61 labels", body_3mm, coarse, 256),
        ("31 labels of a thin CT", dicom, fine, 512),
    ):
        voxels = partial(_file, path, is_labels=True)
        found.append(Case(title, voxels, spacing, size, is_labels=True))
    return found


def _file(path: Path, number: int | None = None, *, is_labels: bool = False) -> Voxels:
    values = np.asanyarray(nib.Nifti1Image.from_filename(path).dataobj)
    if is_labels:
        return np.asfortranarray(values, dtype=np.uint8)
    chosen = values != 0 if number is None else values == number
    return np.asfortranarray(chosen, dtype=np.uint8)


def organ(size: int) -> Voxels:
    """A lobed blob of a third of the width: most of the volume is empty."""
    x, y, z = _axes(size)
    x, y, z = x + 0.21, y - 0.13, z + 0.08
    lobes = 0.06 * np.sin(11 * x + 1) * np.cos(9 * y) + 0.05 * np.sin(13 * z) * np.cos(7 * x)
    return _mask((x / 0.36) ** 2 + (y / 0.29) ** 2 + (z / 0.33) ** 2 + 4 * lobes < 1)


def body(size: int) -> Voxels:
    """A trunk with two arms and two lungs, from the first slice to the last: little is cropped."""
    x, y, z = _axes(size)
    waist = 0.74 - 0.1 * np.cos(3 * z)
    trunk = (x / waist) ** 2 + (y / (0.62 + 0.03 * np.sin(9 * z))) ** 2 < 1
    arms = ((np.abs(x) - 0.86) / 0.12) ** 2 + ((y - 0.08 * z) / 0.17) ** 2 < 1
    wall = 0.05 * np.sin(8 * x) * np.cos(6 * y)
    lungs = ((np.abs(x) - 0.33) / 0.24) ** 2 + (y / 0.38) ** 2 + ((z - 0.3) / 0.55) ** 2 + wall < 1
    return _mask((trunk | arms) & ~lungs)


def _axes(size: int) -> tuple[NDArray[np.float32], ...]:
    """Coordinates from -1 to 1 along slices, rows and columns, which broadcast to (z, y, x)."""
    line = np.linspace(-1, 1, size, dtype=np.float32)
    return line, line[:, np.newaxis], line[:, np.newaxis, np.newaxis]


def _mask(inside: NDArray[np.bool_]) -> Voxels:
    return inside.view(np.uint8).T


def _cached(name: str, make: Callable[[], Voxels]) -> Voxels:
    path = CACHE / f"{name}.npy"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        unfinished = path.with_suffix(".part.npy")
        np.save(unfinished, make())
        unfinished.replace(path)
    voxels: Voxels = np.load(path)
    return voxels
