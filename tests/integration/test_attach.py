"""Models of one's own, stored in a study, and what the pages ask of the server."""

import base64
import io

import numpy as np
import pytest
import trimesh
from PIL import Image

from tests.integration.test_first_model import read_stl
from tests.support import dicom_samples as samples
from tests.support.mesh_samples import painted_picture
from tests.support.orthanc_server import OrthancServer

BOX = trimesh.creation.box((2, 3, 5)).apply_translation((10, 20, 40))

TETRAHEDRON_OBJ = (
    b"mtllib skin.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nvt 0 0\nvt 1 0\nvt 0 1\n"
    b"usemtl Skin\nf 1/1 3/3 2/2\nf 1/1 2/2 4/3\nf 1/1 4/3 3/2\nf 2/1 3/2 4/3\n"
)
SKIN = painted_picture()


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
        ({"Format": "FBX"}, 400, "one of STL, OBJ, PLY, GLB, ZIP"),
        ({"Format": "STL", "Unit": "furlong"}, 400, "one of um, mm, cm, m, [in_i]"),
        ({"Format": "GLB"}, 422, "is no GLB, or is truncated"),
        ({"Format": "OBJ", "Up": "x"}, 400, "one of y, z"),
        ({"Format": "OBJ", "Files": {"a.mtl": 3}}, 400, '"Files.a.mtl" is 3'),
        ({"Format": "ZIP"}, 422, "no ZIP archive"),
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


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.fixture(scope="module")
def statue(orthanc: OrthancServer, study: str) -> str:
    """The identifier of a tetrahedron whose picture is red left and blue right."""
    body = {
        "File": encoded(TETRAHEDRON_OBJ),
        "Files": {
            "skin.mtl": encoded(b"newmtl Skin\nmap_Kd skin.png\n"),
            "skin.png": encoded(SKIN),
        },
        "Format": "OBJ",
        "Unit": "m",
        "Name": "Statue",
        "ParentStudy": study,
    }
    answer = orthanc.post("/stl/attach", body)
    assert answer.status_code == 200, answer.text
    assert "Warnings" not in answer.json()
    instance: str = answer.json()["ID"]
    return instance


def glb(content: bytes) -> trimesh.Trimesh:
    mesh = trimesh.load_scene(io.BytesIO(content), file_type="glb").to_mesh()
    assert isinstance(mesh, trimesh.Trimesh)
    return mesh


def picture_of(mesh: trimesh.Trimesh) -> Image.Image | None:
    material = getattr(mesh.visual, "material", None)
    found: Image.Image | None = getattr(material, "baseColorTexture", None)
    return found


def test_an_obj_with_its_picture_comes_back_as_a_painted_glb_and_a_closed_stl(
    orthanc: OrthancServer, statue: str
):
    answer = orthanc.get(f"/instances/{statue}/glb")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="Statue.glb"'
    painted = glb(answer.content)
    picture = picture_of(painted)
    assert picture is not None
    assert (picture.size, picture.getpixel((0, 0))) == ((4, 2), (255, 0, 0))
    assert painted.bounds == pytest.approx(np.array([[0, 0, -1], [1, 1, 0]]), abs=1e-6)
    shape = read_stl(orthanc.get(f"/instances/{statue}/stl").content)
    assert shape.is_watertight
    assert shape.volume == pytest.approx(1000**3 / 6)


def test_a_client_that_has_the_painted_glb_gets_nothing_again(orthanc: OrthancServer, statue: str):
    first = orthanc.get(f"/instances/{statue}/glb")
    again = orthanc.get(
        f"/instances/{statue}/glb", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(("verb", "is_painted"), [("modify", True), ("anonymize", False)])
def test_a_modified_copy_keeps_the_picture_and_an_anonymised_one_the_shape(
    orthanc: OrthancServer, statue: str, verb: str, is_painted: bool
):
    # By itself, Orthanc empties encapsulated documents that it anonymises (PS3.15 table E.1-1).
    changes = {
        "modify": {"Replace": {"ContentDescription": "Copy"}},
        "anonymize": {"Keep": ["EncapsulatedDocument"]},
    }[verb]
    copy = orthanc.upload(orthanc.post(f"/instances/{statue}/{verb}", changes).content)
    mesh = glb(orthanc.get(f"/instances/{copy['ID']}/glb").content)
    assert mesh.bounds == pytest.approx(np.array([[0, 0, -1], [1, 1, 0]]), abs=1e-6)
    assert (picture_of(mesh) is not None) is is_painted


def test_what_orthanc_sends_elsewhere_has_the_picture(orthanc: OrthancServer, statue: str):
    """A DICOM file, as another archive would get it, stored again."""
    file = orthanc.get(f"/instances/{statue}/file").content
    original = orthanc.get(f"/instances/{statue}/glb").content
    orthanc.session.delete(f"{orthanc.url}/instances/{statue}").raise_for_status()
    assert orthanc.upload(file)["ID"] == statue
    assert orthanc.get(f"/instances/{statue}/glb").content == original


def test_a_picture_that_did_not_come_along_is_told(orthanc: OrthancServer, study: str):
    answer = orthanc.post("/stl/attach", body(TETRAHEDRON_OBJ, study, Format="OBJ", Name="Bare"))
    assert answer.json()["Warnings"] == ["'skin.mtl', which 'Bare' names, did not come along"]


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
    caches = {"iiif_tile", "iiif_request", "iiif_response", "iiif_document", "iiif_member"}
    assert set(status["Caches"]) == caches
    most = {name: one["MaxBytes"] for name, one in status["Caches"].items()}
    assert most["iiif_document"] + most["iiif_member"] == 64 << 20
    assert most["iiif_tile"] + most["iiif_response"] == 384 << 20
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
