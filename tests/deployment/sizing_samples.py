"""Writes what the sizing of a museum stores: python -m tests.deployment.sizing_samples FOLDER."""

from __future__ import annotations

import gzip
import shutil
import sys
from pathlib import Path
from typing import Final

import nibabel as nib
import numpy as np

from tests.support.dicom_samples import ROOT, file_bytes, image_dataset
from tools.benchmarks.inputs import Voxels, body, organ
from tools.benchmarks.slides import LARGE

_MASKS: Final = {
    "organ of 256": (organ, 256),
    "organ of 512": (organ, 512),
    "body of 512": (body, 512),
}
_INSTANCES: Final = 1000
_SLICES: Final = 100
_WIDTH_MM: Final = 400


def nifti(voxels: Voxels) -> bytes:
    """A mask as the bytes of a .nii.gz file."""
    spacing_mm = _WIDTH_MM / len(voxels)
    image = nib.Nifti1Image(voxels, np.diag([spacing_mm, spacing_mm, spacing_mm, 1]))
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)


def instance(number: int) -> bytes:
    """A slice of 64 x 64 pixels; each hundred is a study of its own."""
    image = image_dataset(np.full((64, 64), number, dtype=np.int16), number)
    study = number // _SLICES
    image.StudyInstanceUID, image.SeriesInstanceUID = f"{ROOT}.30.{study}", f"{ROOT}.31.{study}"
    image.SOPInstanceUID, image.PatientID = f"{ROOT}.32.{number}", f"sizing {study}"
    return file_bytes(image)


def main(folder: Path) -> None:
    """A whole slide, masks, and a thousand small images; what is there already stays."""
    if folder.exists():
        return
    unfinished = folder.with_suffix(".part")
    for name in ("slide", "masks", "many"):
        (unfinished / name).mkdir(parents=True, exist_ok=True)
    for path in LARGE[0].files():
        shutil.copy(path, unfinished / "slide")
    for title, (make, size) in _MASKS.items():
        (unfinished / "masks" / f"{title}.nii.gz").write_bytes(nifti(make(size)))
    for number in range(_INSTANCES):
        (unfinished / "many" / f"{number}.dcm").write_bytes(instance(number))
    unfinished.replace(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
