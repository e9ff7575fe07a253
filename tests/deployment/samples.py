"""Writes what the tests of the deployment store: python -m tests.deployment.samples FOLDER."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pydicom
from pydicom.uid import generate_uid

from tests.support.dicom_samples import file_bytes
from tests.support.slide_samples import LevelSample, written_slide
from tools.demo import figurine

SLIDES = ("published", "hidden")
LEVELS = ((1200, 900), (600, 450), (300, 225))
LATER = 2


def slide(name: str) -> list[bytes]:
    """The files of a slide in a study of its own."""
    study, series = generate_uid(entropy_srcs=[name, "1"]), generate_uid(entropy_srcs=[name, "2"])
    files = []
    for level in written_slide(LEVELS, LevelSample(1, 1, 256, 256)):
        for written in level.files:
            dataset = pydicom.dcmread(io.BytesIO(written.content))
            dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
            dataset.SOPInstanceUID = generate_uid(entropy_srcs=[name, str(dataset.SOPInstanceUID)])
            dataset.PatientID = dataset.StudyDescription = name
            files.append(file_bytes(dataset, dataset.file_meta.TransferSyntaxUID))
    return files


def main(folder: Path) -> None:
    """Two slides, each with a level for later, and a CT slice with a mask to make a model of."""
    for name in SLIDES:
        (folder / name / "later").mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(slide(name)):
            place = folder / name / ("later" if number >= LATER else "")
            (place / f"{number}.dcm").write_bytes(content)
    scan = figurine.scan()
    (folder / "slice.dcm").write_bytes(next(figurine.ct_series(scan)))
    (folder / "mask.nii.gz").write_bytes(figurine.nifti(figurine.mask(scan)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
