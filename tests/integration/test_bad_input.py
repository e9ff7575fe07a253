"""Whatever is sent: a sentence with a 4xx, nothing stored, nothing left, Orthanc alive."""

import base64
import gzip
import json
import struct
from collections.abc import Iterator

import nibabel as nib
import numpy as np
import pytest

from tests.support.orthanc_server import OrthancServer

MASK = np.zeros((6, 7, 8), dtype=np.uint8)
MASK[2:4, 2:5, 2:6] = 1


def plain(mask: np.ndarray = MASK) -> bytes:
    return bytes(nib.Nifti1Image(mask, np.eye(4)).to_bytes())


def with_nan_affine() -> bytes:
    content = bytearray(plain())
    content[280:284] = struct.pack("<f", np.nan)
    return bytes(content)


GOOD = plain()
BAD_NIFTI = {
    "not NIfTI": (b"hello" * 100, 422, "not a NIfTI file"),
    "truncated gzip": (gzip.compress(GOOD)[:-20], 422, "truncated"),
    "gzip bomb": (gzip.compress(bytes((2048 << 20) + 1), 1), 413, "MaxVolumeMiB = 2048"),
    "several volumes": (plain(np.stack([MASK, MASK], axis=3)), 422, "6 x 7 x 8 x 2"),
    "all zero": (plain(MASK * 0), 422, "all of its 6 x 7 x 8 voxels are zero"),
    "NaN affine": (with_nan_affine(), 422, "not finite"),
}
BAD_FIELDS: dict[str, tuple[dict[str, object], int, str]] = {
    "not base64": ({"Nifti": "***"}, 400, '"Nifti" is not base64'),
    "no NIfTI": ({"Nifti": None}, 400, '"Nifti" is missing'),
    "no study": ({"ParentStudy": None}, 400, '"ParentStudy" is missing'),
    "unknown study": ({"ParentStudy": "nope"}, 404, "no study 'nope'"),
    "a path for a study": ({"ParentStudy": "../instances"}, 404, "no study"),
    "Resolution 0": ({"Resolution": 0}, 400, "Resolution is 0: it must be 2-1024"),
    "Resolution 10^9": ({"Resolution": 10**9}, 400, "Resolution is 1000000000"),
    "Resolution as a text": ({"Resolution": "256"}, 400, "whole number"),
    "Smooth as a number": ({"Smooth": 1}, 400, "true or false"),
    "a label of 5000 digits": ({"LabelNames": {"9" * 5000: "x"}}, 400, "it must be 1-65535"),
    "unknown field": ({"Smoth": True}, 400, 'did you mean "Smooth"'),
    "unknown tag": ({"Tags": {"NoSuchTag": "x"}}, 400, "no such DICOM keyword"),
    "a tag of the patient": ({"Tags": {"PatientID": "x"}}, 400, "may not set PatientID"),
    "a tag with a bad value": ({"Tags": {"SeriesNumber": "many"}}, 400, "SeriesNumber"),
}
BAD_BODIES = {
    "no JSON": (b"hello", "not JSON"),
    "empty": (b"", "not JSON"),
    "a list": (b"[]", "must be an object"),
    "not UTF-8": (b'{"a": "\xff"}', "not JSON"),
    "nested too deeply for the stack": (b"[" * 900, "nested too deeply"),
}


@pytest.fixture
def unchanged(orthanc: OrthancServer) -> Iterator[None]:
    """What was stored and what lay in the spool is the same afterwards; Orthanc is alive."""
    before = orthanc.get("/statistics").json()
    yield
    assert orthanc.get("/statistics").json() == before
    assert [path.name for path in orthanc.spool.glob("*/*")] == ["lock"]


def refused(orthanc: OrthancServer, body: object, status: int, sentence: str) -> None:
    answer = orthanc.post("/stl/encode-nifti", body)
    assert answer.status_code == status, answer.text
    error = answer.json()
    assert sentence in error["Details"]
    assert error["HttpStatus"] == status
    assert error["Method"] == "POST"
    assert error["Uri"] == "/stl/encode-nifti"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", BAD_NIFTI)
def test_a_bad_nifti_is_refused(orthanc: OrthancServer, study: str, name: str):
    content, status, sentence = BAD_NIFTI[name]
    body = {"Nifti": base64.b64encode(content).decode(), "ParentStudy": study}
    refused(orthanc, body, status, sentence)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", BAD_FIELDS)
def test_a_bad_field_is_refused(orthanc: OrthancServer, study: str, name: str):
    changed, status, sentence = BAD_FIELDS[name]
    body: dict[str, object] = {"Nifti": base64.b64encode(GOOD).decode(), "ParentStudy": study}
    body = {name: value for name, value in (body | changed).items() if value is not None}
    refused(orthanc, body, status, sentence)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_is_refused(orthanc: OrthancServer, name: str):
    body, sentence = BAD_BODIES[name]
    refused(orthanc, body, 400, sentence)


def test_a_deeply_nested_override_is_left_out(orthanc: OrthancServer, study: str):
    own, manifest = f"/studies/{study}/metadata/IIIF", f"/studies/{study}/iiif/manifest.json"
    deep = b'{"label": ' + b"[" * 900 + b"]" * 900 + b"}"
    plain_label = orthanc.get(manifest).json()["label"]
    assert orthanc.session.put(orthanc.url + own, data=deep).ok
    assert orthanc.get(manifest).json()["label"] == plain_label
    assert orthanc.session.delete(orthanc.url + own).ok


def test_orthancs_own_errors_have_the_same_shape(orthanc: OrthancServer):
    own = orthanc.post("/tools/create-dicom", b"hello")
    ours = orthanc.post("/stl/encode-nifti", b"hello")
    assert set(own.json()) <= set(ours.json())
    assert own.headers["Content-Type"] == ours.headers["Content-Type"]
    assert {**own.json(), "Uri": ""} == {
        **{key: ours.json()[key] for key in own.json()},
        "Uri": "",
    }


def test_the_body_may_be_json_with_a_data_uri(orthanc: OrthancServer, study: str):
    uri = "data:application/octet-stream;base64," + base64.b64encode(gzip.compress(GOOD)).decode()
    answer = orthanc.post(
        "/stl/encode-nifti", json.dumps({"Nifti": uri, "ParentStudy": study}).encode()
    )
    assert answer.status_code == 200
    orthanc.session.delete(orthanc.url + answer.json()["Path"])
