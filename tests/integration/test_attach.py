"""Models of one's own, stored in a study, and what the pages ask of the server."""

import base64
import io

import numpy as np
import pytest
import trimesh

from tests import dicom_samples as samples
from tests.integration.test_first_model import read_stl
from tests.orthanc_server import OrthancServer

BOX = trimesh.creation.box((2, 3, 5)).apply_translation((10, 20, 40))


def body(content: bytes, study: str, **further: object) -> dict[str, object]:
    return {"File": base64.b64encode(content).decode(), "ParentStudy": study, **further}


def exported(mesh: trimesh.Trimesh, kind: str) -> bytes:
    content = mesh.export(file_type=kind)
    assert isinstance(content, bytes | str)
    return content.encode() if isinstance(content, str) else content


@pytest.mark.parametrize(("kind", "unit", "scale"), [("STL", "mm", 1), ("ply", "[in_i]", 25.4)])
def test_a_file_becomes_a_model_in_millimetres(
    orthanc: OrthancServer, study: str, kind: str, unit: str, scale: float
):
    content = exported(BOX, kind.lower())
    answer = orthanc.post("/stl/attach", body(content, study, Format=kind, Unit=unit, Name="Box"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["ParentStudy"] == study
    assert "Warnings" not in answer.json()
    mesh = read_stl(orthanc.get(f"{answer.json()['Path']}/stl").content)
    assert mesh.is_watertight
    assert mesh.bounds == pytest.approx(BOX.bounds * scale, rel=1e-6)
    tags = orthanc.get(f"{answer.json()['Path']}/simplified-tags").json()
    assert (tags["DocumentTitle"], tags["Modality"]) == ("Box", "M3D")
    assert "DerivationAlgorithmSequence" not in tags


def test_a_model_that_was_sent_as_glb_comes_back_as_glb(orthanc: OrthancServer, study: str):
    in_metres = BOX.copy().apply_scale(0.001)
    content = exported(in_metres, "glb")
    answer = orthanc.post("/stl/attach", body(content, study, Format="GLB"))
    assert answer.status_code == 200, answer.text
    back = trimesh.load_scene(
        io.BytesIO(orthanc.get(f"{answer.json()['Path']}/glb").content), file_type="glb"
    )
    assert back.bounds == pytest.approx(in_metres.bounds, rel=1e-5)


def test_an_open_surface_is_stored_with_a_warning(orthanc: OrthancServer, study: str):
    shard = BOX.copy()
    shard.update_faces(np.arange(len(shard.faces)) > 0)
    answer = orthanc.post(
        "/stl/attach", body(exported(shard, "obj"), study, Format="OBJ", Name="Shard")
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["Warnings"] == [
        "the surface of 'Shard' is not closed: its volume is unknown"
    ]


def test_a_surface_turned_inside_out_is_told(orthanc: OrthancServer, study: str):
    inverted = BOX.copy()
    inverted.invert()
    answer = orthanc.post("/stl/attach", body(exported(inverted, "stl"), study, Format="STL"))
    assert answer.json()["Warnings"] == ["the faces of 'Model' look inward"]


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({"Format": "FBX"}, 400, "one of STL, OBJ, PLY, GLB"),
        ({"Format": "STL", "Unit": "furlong"}, 400, "one of um, mm, cm, m, [in_i]"),
        ({"Format": "GLB"}, 422, "is no GLB, or is truncated"),
        ({"Format": "STL", "Resolution": 3}, 400, "unknown field 'Resolution'"),
        ({"Format": "STL", "ParentStudy": "nope"}, 404, "no study"),
    ],
)
def test_a_bad_request_is_answered_with_its_reason(
    orthanc: OrthancServer, study: str, fields: dict[str, object], status: int, reason: str
):
    before = orthanc.get("/instances").json()
    answer = orthanc.post("/stl/attach", body(exported(BOX, "stl"), study) | fields)
    assert answer.status_code == status
    assert reason in answer.json()["Details"]
    assert orthanc.get("/instances").json() == before


def test_the_job_of_an_attached_file_lists_the_warnings(orthanc: OrthancServer, study: str):
    inverted = BOX.copy()
    inverted.invert()
    content = exported(inverted, "stl")
    orthanc.post("/stl/attach", body(content, study, Format="STL", Name="Turned"))
    jobs = orthanc.get("/jobs?expand").json()
    [job] = [
        job
        for job in jobs
        if any(one["Name"] == "Turned" for one in job["Content"].get("Instances", ()))
    ]
    assert job["Content"]["Instances"][0]["Warnings"] == ["the faces of 'Turned' look inward"]


def test_the_status_tells_versions_workers_and_viewers(orthanc: OrthancServer):
    status = orthanc.get("/stl/status").json()
    assert status["Orthanc"]["Version"] == orthanc.get("/system").json()["Version"]
    assert status["Workers"]["Count"] == 2
    assert "python" in status["Plugins"]
    assert status["OfficialPlugins"] == []
    assert set(status["Viewers"]) == {"mirador", "openseadragon", "three"}
    assert (status["JobsPath"], status["PublishedLabel"]) == ("/jobs", "")


def test_an_unknown_series_has_no_values(orthanc: OrthancServer):
    assert orthanc.get("/series/nope/stl/values").status_code == 404


def test_an_unchanged_series_is_answered_without_the_work(orthanc: OrthancServer):
    stored = np.arange(6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4)
    slices = samples.ct_datasets(stored, samples.oblique_affine(), intercept=0)
    for one in slices:
        one.SeriesInstanceUID += ".90"
        one.SOPInstanceUID += ".90"
    uploaded = [orthanc.upload(samples.file_bytes(one)) for one in slices]
    path = f"/series/{uploaded[0]['ParentSeries']}/stl/values"
    first = orthanc.get(path)
    assert first.status_code == 200, first.text
    assert first.json()["Shape"] == [6, 5, 4]
    again = orthanc.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
