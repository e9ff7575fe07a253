"""A model of a NIfTI mask, end to end, in a real Orthanc."""

import base64
import io
from collections.abc import Iterator

import nibabel as nib
import numpy as np
import pydicom
import pytest
import trimesh
from pydicom.uid import generate_uid

from tests.support.dicom_samples import file_bytes, image_dataset
from tests.support.orthanc_server import PROJECT, OrthancServer
from tools.demo import figurine

LIVER = PROJECT.parent / "shared/data/totalsegmentator/example_seg_fast/liver.nii.gz"
TILT = np.deg2rad(20)
ROTATION = np.array([[1, 0, 0], [0, np.cos(TILT), -np.sin(TILT)], [0, np.sin(TILT), np.cos(TILT)]])
AFFINES_RAS = {
    "upright": np.diag([1.0, 1.0, 1.0, 1.0]),
    "anisotropic": np.diag([0.8, 0.9, 2.5, 1.0]),
    "left-handed": np.diag([-1.0, 1.0, 1.5, 1.0]),
    "tilted, anisotropic and left-handed": np.block(
        [[ROTATION @ np.diag([-0.8, 1.1, 2.0]), np.array([[90.0], [-40], [700]])], [0, 0, 0, 1]]
    ),
}


def letter() -> np.ndarray:
    """An F of three thicknesses: no symmetry hides a swapped or mirrored axis."""
    mask = np.zeros((60, 70, 40), dtype=np.uint8)
    mask[8:22, 5:65, 6:34] = 1
    mask[22:52, 50:65, 6:24] = 1
    mask[22:40, 25:38, 14:34] = 1
    return mask


def body(nifti: bytes, study: str, **further: object) -> dict[str, object]:
    return {"Nifti": base64.b64encode(nifti).decode(), "ParentStudy": study, **further}


def centroid_lps(mask: np.ndarray, affine_ras: np.ndarray) -> np.ndarray:
    ras = nib.affines.apply_affine(affine_ras, np.argwhere(mask).mean(axis=0))
    return np.asarray(ras * (-1, -1, 1))


def read_stl(content: bytes) -> trimesh.Trimesh:
    mesh = trimesh.load_mesh(io.BytesIO(content), file_type="stl")
    assert isinstance(mesh, trimesh.Trimesh)
    return mesh


@pytest.fixture(scope="module")
def model(orthanc: OrthancServer, study: str) -> Iterator[dict[str, str]]:
    """The answer to a request for a model of the figurine."""
    nifti = figurine.nifti(figurine.mask(figurine.scan()))
    answer = orthanc.post("/stl/encode-nifti", body(nifti, study, Tags={"DocumentTitle": "Clay"}))
    assert answer.status_code == 200, answer.text
    yield answer.json()
    orthanc.session.delete(f"{orthanc.url}/instances/{answer.json()['ID']}")


def test_the_answer_is_that_of_create_dicom(model: dict[str, str], study: str):
    assert model["Path"] == f"/instances/{model['ID']}"
    assert model["ParentStudy"] == study
    assert set(model) == {
        "ID", "ParentPatient", "ParentSeries", "ParentStudy", "Path", "Status",
    }  # fmt: skip


@pytest.mark.parametrize("name", AFFINES_RAS)
def test_the_model_is_where_the_mask_is(orthanc: OrthancServer, study: str, name: str):
    mask, affine = letter(), AFFINES_RAS[name]
    nifti = nib.Nifti1Image(mask, affine).to_bytes()
    answer = orthanc.post("/stl/encode-nifti", body(nifti, study)).json()
    mesh = read_stl(orthanc.get(f"{answer['Path']}/stl").content)
    volume_mm3 = mask.sum() * abs(np.linalg.det(affine[:3, :3]))
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(volume_mm3, rel=0.02)
    assert np.linalg.norm(mesh.center_mass - centroid_lps(mask, affine)) < 0.5
    inside = nib.affines.apply_affine(affine, np.array([[30, 60, 10], [30, 30, 30]])) * (-1, -1, 1)
    outside = nib.affines.apply_affine(affine, np.array([[30, 60, 30], [46, 30, 30]])) * (-1, -1, 1)
    assert mesh.contains(inside).all()
    assert not mesh.contains(outside).any()
    orthanc.session.delete(orthanc.url + answer["Path"])


@pytest.mark.skipif(not LIVER.exists(), reason="the shared data are absent")
def test_a_liver_of_totalsegmentator_becomes_a_model(orthanc: OrthancServer, study: str):
    answer = orthanc.post("/stl/encode-nifti", body(LIVER.read_bytes(), study)).json()
    mesh = read_stl(orthanc.get(f"{answer['Path']}/stl").content)
    image = nib.Nifti1Image.from_filename(LIVER)
    mask = np.asanyarray(image.dataobj) != 0
    volume_mm3 = mask.sum() * abs(np.linalg.det(image.affine[:3, :3]))
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(volume_mm3, rel=0.02)
    assert np.linalg.norm(mesh.center_mass - centroid_lps(mask, image.affine)) < 0.5
    orthanc.session.delete(orthanc.url + answer["Path"])


def test_the_exact_bytes_of_the_document_come_back(orthanc: OrthancServer, model: dict[str, str]):
    answer = orthanc.get(f"{model['Path']}/stl")
    stored = pydicom.dcmread(io.BytesIO(orthanc.get(f"{model['Path']}/file").content))
    assert answer.content == stored.EncapsulatedDocument[: stored.EncapsulatedDocumentLength]
    assert answer.headers["Content-Type"] == "model/stl"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="Model_from_NIfTI.stl"'


def test_an_unchanged_model_is_not_sent_again(orthanc: OrthancServer, model: dict[str, str]):
    etag = orthanc.get(f"{model['Path']}/stl").headers["ETag"]
    again = orthanc.get(f"{model['Path']}/stl", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


def test_the_tags_of_the_request_are_in_the_instance(orthanc: OrthancServer, model: dict[str, str]):
    tags = orthanc.get(f"{model['Path']}/simplified-tags").json()
    assert tags["DocumentTitle"] == "Clay"
    assert tags["PatientID"] == figurine.PATIENT_ID


def test_an_unknown_instance_has_no_stl(orthanc: OrthancServer):
    assert orthanc.get("/instances/nope/stl").status_code == 404


def test_an_image_has_no_stl(orthanc: OrthancServer, image: dict[str, str]):
    answer = orthanc.get(f"/instances/{image['ID']}/stl")
    assert answer.status_code == 422
    assert "holds no STL" in answer.json()["Details"]


def test_another_method_is_not_allowed(orthanc: OrthancServer):
    answer = orthanc.get("/stl/encode-nifti")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def named(orthanc: OrthancServer, name: str, *, character_set: str = "") -> dict[str, object]:
    """The answer for a model of that name in a study of that character set, and what is stored."""
    dataset = image_dataset(np.zeros((8, 8), np.int16))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    if character_set:
        dataset.SpecificCharacterSet = character_set
    study = orthanc.upload(file_bytes(dataset))["ParentStudy"]
    nifti = figurine.nifti(figurine.mask(figurine.scan()))
    order = body(nifti, study, Resolution=32, Tags={"ContentDescription": name})
    answer = orthanc.post("/stl/encode-nifti", order)
    assert answer.ok, answer.text
    file = orthanc.get(f"/instances/{answer.json()['ID']}/file").content
    return {**answer.json(), "Stored": str(pydicom.dcmread(io.BytesIO(file)).ContentDescription)}


def test_a_name_in_any_script_is_kept_where_the_study_has_no_character_set(orthanc: OrthancServer):
    name = "\u82b1\u74f6 \u03a9"  # a vase, and an omega
    answer = named(orthanc, name)
    assert (answer["Stored"], "Warnings" in answer) == (name, False)


@pytest.mark.parametrize("character_set", ["ISO_IR 100", "ISO_IR 6", "ISO_IR 144"])
def test_a_name_in_any_script_is_kept_whatever_the_character_set_of_the_study(
    orthanc: OrthancServer, character_set: str
):
    name = "vase \u00e9 \u82b1\u74f6 \u03a9"
    answer = named(orthanc, name, character_set=character_set)
    assert (answer["Stored"], "Warnings" in answer) == (name, False)
