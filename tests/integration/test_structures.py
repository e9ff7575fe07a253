"""Models of RT-STRUCT, SEG, label maps and images, end to end, in a real Orthanc."""

import base64
import io
import re
import subprocess
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
import trimesh

from tests.support import dicom_samples as samples
from tests.support.orthanc_server import PROJECT, OrthancServer
from tools.demo import figurine

SHARED = PROJECT.parent / "shared/data"
SQUARE = np.array([(0.0, 0), (40, 0), (40, 30), (0, 30)])
HEIGHTS = np.arange(0.0, 24, 3)
# What create-dicom adds beyond the IOD by itself, and what dciodvfy's tables are too old for:
# group and colour belong to the Manufacturing 3D Model Module (PS3.3 C.35.1).
KNOWN_WARNINGS = (
    "Acquisition Date", "Acquisition Time", "Model Group UID",
    "Recommended Display CIELab Value", "Standard Extended",
)  # fmt: skip
STUDY_KEYWORDS = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate",
    "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyDescription",
)  # fmt: skip


def model_bytes(server: OrthancServer, instance: str) -> bytes:
    answer = server.get(f"/instances/{instance}/file")
    answer.raise_for_status()
    return answer.content


def read_model(server: OrthancServer, instance: str) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(model_bytes(server, instance)))


def read_mesh(server: OrthancServer, instance: str) -> trimesh.Trimesh:
    content = server.get(f"/instances/{instance}/stl").content
    mesh = trimesh.load_mesh(io.BytesIO(content), file_type="stl")
    assert isinstance(mesh, trimesh.Trimesh)
    return mesh


def made(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def details(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["Details"])


@pytest.fixture(scope="module")
def structure_set(orthanc: OrthancServer) -> dict[str, str]:
    rois = [
        samples.RoiSample(4, "Liver", samples.prism(SQUARE, HEIGHTS), rgb=(255, 0, 0)),
        samples.RoiSample(2, "Spleen", samples.prism(SQUARE + 60, HEIGHTS)),
        samples.RoiSample(9, "Nothing"),
    ]
    return orthanc.upload(samples.rtstruct_bytes(rois, reversed_contour_order=True))


@pytest.fixture(scope="module")
def segmentation(orthanc: OrthancServer) -> dict[str, str]:
    first = samples.f_volume(2)
    frames = samples.seg_frames(first, 1) + samples.seg_frames(first[::-1], 3)
    dataset = samples.seg_dataset(frames, samples.oblique_affine())
    dataset.SOPInstanceUID += ".77"
    dataset.SeriesInstanceUID += ".77"
    return orthanc.upload(samples.file_bytes(dataset))


@pytest.fixture(scope="module")
def scan(orthanc: OrthancServer) -> dict[str, str]:
    """The whole CT of the figurine."""
    return [orthanc.upload(image) for image in figurine.ct_series(figurine.scan())][-1]


def test_the_rois_are_listed_by_name(orthanc: OrthancServer, structure_set: dict[str, str]):
    names = orthanc.get(f"/stl/rt-struct/{structure_set['ID']}").json()
    assert names == ["Liver", "Spleen", "Nothing"]


def test_the_details_of_rois_tell_what_can_be_meshed(
    orthanc: OrthancServer, structure_set: dict[str, str]
):
    liver, spleen, nothing = orthanc.get(f"/stl/rt-struct/{structure_set['ID']}?details").json()
    assert (liver["Number"], liver["Color"], liver["Contours"]) == (4, "#ff0000", 8)
    assert liver["VolumeMm3"] == pytest.approx(40 * 30 * 24, rel=0.01)
    assert spleen["CanBeMeshed"]
    assert not nothing["CanBeMeshed"]
    assert nothing["Reason"]


def test_the_segments_are_listed_with_their_codes(
    orthanc: OrthancServer, segmentation: dict[str, str]
):
    first = orthanc.get(f"/stl/seg/{segmentation['ID']}").json()[0]
    assert (first["Number"], first["Name"]) == (1, "first")
    assert first["Type"]["CodeMeaning"] == "Liver"
    assert first["Color"].startswith("#")


@pytest.mark.parametrize("kind", ["rt-struct", "seg"])
def test_another_kind_of_instance_lists_nothing(
    orthanc: OrthancServer, image: dict[str, str], kind: str
):
    assert "is not" in details(orthanc.get(f"/stl/{kind}/{image['ID']}"), 422)
    assert "nope" in details(orthanc.get(f"/stl/{kind}/nope"), 404)


def test_a_roi_becomes_a_model_in_its_study(orthanc: OrthancServer, structure_set: dict[str, str]):
    body = {"Instance": structure_set["ID"], "RoiNames": ["Liver"], "Strict": False}
    answer = made(orthanc.post("/stl/encode-rtstruct", body))
    assert answer["ParentStudy"] == structure_set["ParentStudy"]
    assert "Instances" not in answer
    mesh, model = read_mesh(orthanc, answer["ID"]), read_model(orthanc, answer["ID"])
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(40 * 30 * 24, rel=0.02)
    assert np.allclose(mesh.center_mass, (20, 15, 10.5), atol=0.3)
    assert model.DocumentTitle == model.SeriesDescription == "Liver"
    assert model.FrameOfReferenceUID == f"{samples.ROOT}.1"
    assert model.RecommendedDisplayCIELabValue == [34891, 53480, 50167]
    assert model.SourceInstanceSequence[0].ReferencedSOPInstanceUID == f"{samples.ROOT}.4.1"


def test_all_that_can_be_meshed_is_made_when_no_roi_is_named(
    orthanc: OrthancServer, structure_set: dict[str, str]
):
    answer = made(orthanc.post("/stl/encode-rtstruct", {"Instance": structure_set["ID"]}))
    assert [one["Name"] for one in answer["Instances"]] == ["Liver", "Spleen"]
    assert answer["ID"] == answer["Instances"][0]["ID"]
    models = [read_model(orthanc, one["ID"]) for one in answer["Instances"]]
    assert len({model.SeriesInstanceUID for model in models}) == 1
    assert len({model.ModelGroupUID for model in models}) == 1
    assert [model.InstanceNumber for model in models] == [1, 2]
    assert models[0].SeriesDescription == "2 models: Liver, Spleen"


@pytest.mark.parametrize(
    ("choice", "status", "sentence"),
    [
        ({"RoiNames": ["Heart"]}, 400, "no ROI called 'Heart'; there are: 4 'Liver', 2 'Spleen'"),
        ({"RoiNames": ["Nothing"]}, 422, "'Nothing'"),
        ({"RoiNames": ["Liver", "Nothing"], "Split": True}, 422, "'Nothing'"),
        ({"RoiNames": []}, 400, '"RoiNames"'),
        ({"Segments": [1]}, 400, "unknown field 'Segments'"),
        ({"Strict": "yes"}, 400, '"Strict"'),
    ],
)
def test_what_cannot_be_made_is_refused_and_nothing_is_stored(
    orthanc: OrthancServer,
    structure_set: dict[str, str],
    choice: dict[str, object],
    status: int,
    sentence: str,
):
    before = orthanc.get("/statistics").json()
    answer = orthanc.post("/stl/encode-rtstruct", {"Instance": structure_set["ID"], **choice})
    assert sentence in details(answer, status)
    assert orthanc.get("/statistics").json() == before


def test_each_segment_becomes_a_model(orthanc: OrthancServer, segmentation: dict[str, str]):
    answer = made(orthanc.post("/stl/encode-seg", {"Instance": segmentation["ID"]}))
    assert [one["Name"] for one in answer["Instances"]] == ["first", "third"]
    voxel = abs(np.linalg.det(samples.oblique_affine()[:3, :3]))
    volume = samples.f_volume(2).sum() * voxel
    for one in answer["Instances"]:
        assert read_mesh(orthanc, one["ID"]).volume == pytest.approx(volume, rel=0.1)


@pytest.mark.parametrize(
    ("choice", "status", "sentence"),
    [
        ({"Segments": ["fourth"]}, 400, "there are: 1 'first', 2 'second', 3 'third'"),
        ({"Segments": [2]}, 422, "second"),
    ],
)
def test_a_segment_that_is_not_there_is_refused(
    orthanc: OrthancServer,
    segmentation: dict[str, str],
    choice: dict[str, object],
    status: int,
    sentence: str,
):
    answer = orthanc.post("/stl/encode-seg", {"Instance": segmentation["ID"], **choice})
    assert sentence in details(answer, status)


def test_a_scanned_object_becomes_a_model(orthanc: OrthancServer, scan: dict[str, str]):
    body = {"Series": scan["ParentSeries"], "KeepLargest": True}
    answer = made(orthanc.post("/stl/encode-series", body))
    mesh, model = read_mesh(orthanc, answer["ID"]), read_model(orthanc, answer["ID"])
    mask = figurine.mask(figurine.scan())
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(mask.sum() * figurine.grid().voxel_volume_mm3, rel=0.02)
    away = figurine.signed_distance_mm(mesh.vertices)
    assert np.median(np.abs(away)) < 0.2
    assert model.DocumentTitle == "Surface of CT"
    assert model.FrameOfReferenceUID == figurine.grid().frame_of_reference_uid
    assert len(model.SourceInstanceSequence) == figurine.grid().shape[2]
    assert model.ConceptNameCodeSequence[0].CodeValue == "85040-4"
    parameters = model.DerivationAlgorithmSequence[0].AlgorithmParameters
    assert parameters.startswith("threshold ")
    assert "HU (Otsu)" in parameters


@pytest.mark.parametrize(
    ("choice", "status", "sentence"),
    [
        ({"Threshold": "otsu"}, 400, 'a number or "Otsu"'),
        ({"Threshold": 5000}, 422, "no voxel has a value from 5000"),
        ({"Threshold": 100, "Upper": 50}, 400, '"Upper" is 50: it must be above "Threshold" = 100'),
        ({"Threshold": [1]}, 400, "finite number"),
        ({"KeepLargest": 1}, 400, "true or false"),
    ],
)
def test_a_threshold_that_finds_nothing_is_refused(
    orthanc: OrthancServer,
    scan: dict[str, str],
    choice: dict[str, object],
    status: int,
    sentence: str,
):
    answer = orthanc.post("/stl/encode-series", {"Series": scan["ParentSeries"], **choice})
    assert sentence in details(answer, status)


def label_map() -> bytes:
    labels = np.zeros((20, 18, 16), dtype=np.uint8)
    labels[2:9, 3:10, 4:12] = 5
    labels[11:18, 3:10, 4:13] = 9
    return bytes(nib.Nifti1Image(labels, np.diag([-1.0, -1, 1, 1])).to_bytes())


def test_labels_become_models_with_their_names(orthanc: OrthancServer, scan: dict[str, str]):
    body = {
        "Nifti": base64.b64encode(label_map()).decode(),
        "ParentStudy": scan["ParentStudy"],
        "Labels": [9, "Foie"],
        "LabelNames": {"5": "Foie"},
        "ReferenceSeries": scan["ParentSeries"],
        "Smoothing": {"Method": "Laplacian", "Iterations": 5},
    }
    answer = made(orthanc.post("/stl/encode-nifti", body))
    assert [one["Name"] for one in answer["Instances"]] == ["Label 9", "Foie"]
    model = read_model(orthanc, answer["Instances"][1]["ID"])
    assert model.FrameOfReferenceUID == figurine.grid().frame_of_reference_uid
    assert "Laplacian x 5" in model.DerivationAlgorithmSequence[0].AlgorithmParameters


def test_a_bound_of_triangles_is_kept_and_the_model_stays_closed(
    orthanc: OrthancServer, scan: dict[str, str]
):
    body = {"Series": scan["ParentSeries"], "KeepLargest": True, "Triangles": 4000}
    mesh = read_mesh(orthanc, made(orthanc.post("/stl/encode-series", body))["ID"])
    assert 2000 < len(mesh.faces) <= 4000
    assert mesh.is_watertight


def test_a_bound_of_the_error_is_kept_and_the_answer_tells_what_was_reached(
    orthanc: OrthancServer, scan: dict[str, str]
):
    body = {"Series": scan["ParentSeries"], "KeepLargest": True, "MaxErrorMm": 1.5}
    answer = made(orthanc.post("/stl/encode-series", body))
    mesh = read_mesh(orthanc, answer["ID"])
    assert mesh.is_watertight
    (told,) = [one for one in answer["Warnings"] if "was reduced from" in one]
    found = re.search(r"from (\d+) to (\d+) triangles, at most ([\d.]+) mm", told)
    assert found is not None
    before, after, error_mm = map(float, found.groups())
    assert before > after == len(mesh.faces)
    assert 0 < error_mm <= 1.5


def complaints(model: bytes, folder: Path) -> list[str]:
    """What dciodvfy finds, but for what create-dicom adds by itself."""
    (folder / "model.dcm").write_bytes(model)
    found = subprocess.run(
        ["dciodvfy", str(folder / "model.dcm")], capture_output=True, text=True, check=False
    )
    lines = (found.stdout + found.stderr).splitlines()
    assert any("EncapsulatedSTL" in line for line in lines)
    return [
        line
        for line in lines
        if line.startswith(("Error", "Warning"))
        and not any(known in line for known in KNOWN_WARNINGS)
    ]


def test_a_stored_model_conforms_to_its_iod(
    orthanc: OrthancServer, scan: dict[str, str], tmp_path: Path
):
    body = {
        "Nifti": base64.b64encode(label_map()).decode(),
        "ParentStudy": scan["ParentStudy"],
        "Split": True,
        "ReferenceSeries": scan["ParentSeries"],
    }
    for one in made(orthanc.post("/stl/encode-nifti", body))["Instances"]:
        assert complaints(model_bytes(orthanc, one["ID"]), tmp_path) == []


def test_the_model_of_a_roi_conforms_to_its_iod(
    orthanc: OrthancServer, scan: dict[str, str], tmp_path: Path
):
    image = read_model(orthanc, scan["ID"])
    roi = samples.RoiSample(1, "Liver", samples.prism(SQUARE, HEIGHTS), rgb=(255, 0, 0))
    in_study = samples.rtstruct_dataset([roi])
    for keyword in STUDY_KEYWORDS:
        setattr(in_study, keyword, image[keyword].value)
    stored = orthanc.upload(samples.file_bytes(in_study))
    body = {"Instance": stored["ID"], "RoiNames": ["Liver"]}
    instance = made(orthanc.post("/stl/encode-rtstruct", body))["ID"]
    assert complaints(model_bytes(orthanc, instance), tmp_path) == []


def test_the_icon_is_a_picture_that_any_reader_supports(
    orthanc: OrthancServer, structure_set: dict[str, str]
):
    body = {"Instance": structure_set["ID"], "RoiNames": ["Liver"]}
    icon = read_model(
        orthanc, made(orthanc.post("/stl/encode-rtstruct", body))["ID"]
    ).IconImageSequence[0]
    assert (icon.Rows, icon.Columns, icon.PhotometricInterpretation) == (64, 64, "PALETTE COLOR")
    indices = np.frombuffer(icon.PixelData, dtype=np.uint8).reshape(64, 64)
    reds = np.frombuffer(icon.RedPaletteColorLookupTableData, dtype="<u2")
    blues = np.frombuffer(icon.BluePaletteColorLookupTableData, dtype="<u2")
    assert reds[indices[32, 32]] > 2 * blues[indices[32, 32]]
    assert reds[indices[0, 0]] == blues[indices[0, 0]] == 65535


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are absent")
@pytest.mark.parametrize("vendor", ["varian_aria_headphantom", "raystation_cheese", "mim7_phantom"])
def test_real_structure_sets_become_models(orthanc: OrthancServer, vendor: str):
    [path] = (SHARED / "rtstruct" / vendor).glob("RS*.dcm")
    stored = orthanc.upload(path.read_bytes())
    rois = orthanc.get(f"/stl/rt-struct/{stored['ID']}?details").json()
    answer = made(orthanc.post("/stl/encode-rtstruct", {"Instance": stored["ID"]}))
    assert [one["Name"] for one in answer["Instances"]] == [
        roi["Name"] for roi in rois if roi["CanBeMeshed"]
    ]
