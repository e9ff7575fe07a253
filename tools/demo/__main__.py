"""Fills a running Orthanc with the samples of `make demo`, and prints the addresses to open."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

import requests

from tools.demo import figurine

URL = f"http://localhost:{os.environ.get('HTTP_PORT', '8042')}"
SAMPLES = Path(os.environ.get("DATA", ".data")) / "samples"
SHARED_LIVER = (
    Path(__file__).parents[3] / "shared/data/totalsegmentator/example_seg_fast/liver.nii.gz"
)


def main() -> None:
    """Uploads the figurine, and makes models of it and, if the file is there, of a liver."""
    session = requests.Session()
    voxels = figurine.scan()
    study = ""
    for image in figurine.ct_series(voxels):
        study = _checked(session.post(f"{URL}/instances", data=image))["ParentStudy"]
    SAMPLES.mkdir(exist_ok=True)
    mask_file = SAMPLES / "figurine.nii.gz"
    mask_file.write_bytes(figurine.nifti(figurine.mask(voxels)))
    sources = {"Clay figurine": mask_file.read_bytes()}
    if SHARED_LIVER.exists():
        sources["Liver (TotalSegmentator)"] = SHARED_LIVER.read_bytes()
    present = _models(session, study)
    for title, nifti in sources.items():
        if title not in present:
            body = {
                "Nifti": base64.b64encode(nifti).decode(),
                "ParentStudy": study,
                "Tags": dict.fromkeys(
                    ("DocumentTitle", "ContentDescription", "SeriesDescription"), title
                ),
            }
            _checked(session.post(f"{URL}/stl/encode-nifti", json=body))
    addresses = {
        "Start page": "/stl/app/index.html",
        "Orthanc Explorer": f"/app/explorer.html#study?uuid={study}",
    }
    for title, instance in _models(session, study).items():
        addresses[title] = f"/stl/app/viewer.html?instance={instance}"
    for title, path in addresses.items():
        print(f"{title + ':':<26} {URL}{path}")
    print(f"A NIfTI mask to try: samples/{mask_file.name} in the folder of the stored data")


def _models(session: requests.Session, study: str) -> dict[str, str]:
    """The instances of the models in a study, by series description."""
    series = _checked(session.get(f"{URL}/studies/{study}/series"))
    return {
        one["MainDicomTags"]["SeriesDescription"]: one["Instances"][0]
        for one in series
        if one["MainDicomTags"]["Modality"] == "M3D"
    }


def _checked(answer: requests.Response):
    if not answer.ok:
        sys.exit(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}")
    return answer.json()


main()
