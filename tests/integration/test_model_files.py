"""Stored models, whoever made them, as files and pictures, in a real Orthanc."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
import trimesh
from PIL import Image

from tests.support.orthanc_server import PROJECT, OrthancServer
from tools.demo import figurine

ENCAPSULATED = PROJECT.parent / "shared/data/encapsulated"
STL2DCM = ENCAPSULATED / "dcmtk_stl2dcm_featuretype_defaultUnits_um.dcm"
FO_DICOM_EMPTY = ENCAPSULATED / "innoforce_fodicom4_empty_stl.dcm"
ROUTES = ("glb", "obj", "preview-3d?size=32")
RED = "34885\\53485\\50171"

with_shared_data = pytest.mark.skipif(not STL2DCM.exists(), reason="the shared data are absent")


def letter() -> trimesh.Trimesh:
    """An L that leans: 40 mm to the left, 60 to the head, 10 deep; its foot points to the left."""
    upright = trimesh.creation.box(bounds=[[0, -10, 700], [12, 0, 760]])
    foot = trimesh.creation.box(bounds=[[12, -10, 700], [40, 0, 712]])
    solid = trimesh.util.concatenate([upright, foot])
    assert isinstance(solid, trimesh.Trimesh)
    return solid


def uploaded(orthanc: OrthancServer, study: str, document: bytes, **tags: object) -> str:
    """The path of a new instance, made as the upload dialog of Orthanc Explorer 2 does."""
    content = "data:model/stl;base64," + base64.b64encode(document).decode()
    answer = orthanc.post(
        "/tools/create-dicom", {"Parent": study, "Content": content, "Tags": tags}
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["Path"])


def binary(solid: trimesh.Trimesh) -> bytes:
    content = solid.export(file_type="stl")
    assert isinstance(content, bytes)
    return content


def glb(content: bytes) -> trimesh.Scene:
    return trimesh.load_scene(io.BytesIO(content), file_type="glb")


def solid_of(content: bytes) -> trimesh.Trimesh:
    solid = glb(content).to_geometry()
    assert isinstance(solid, trimesh.Trimesh)
    return solid


@pytest.fixture(scope="module")
def model(orthanc: OrthancServer, study: str) -> Iterator[str]:
    """The path of an instance with the letter."""
    path = uploaded(
        orthanc,
        study,
        binary(letter()),
        DocumentTitle="Letter L",
        RecommendedDisplayCIELabValue=RED,
        RecommendedPresentationOpacity="0.5",
    )
    yield path
    orthanc.session.delete(orthanc.url + path)


@pytest.fixture(scope="module")
def clay(orthanc: OrthancServer, study: str) -> Iterator[str]:
    """The path of a model of the figurine."""
    nifti = base64.b64encode(figurine.nifti(figurine.mask(figurine.scan()))).decode()
    answer = orthanc.post("/stl/encode-nifti", {"Nifti": nifti, "ParentStudy": study})
    assert answer.status_code == 200, answer.text
    yield answer.json()["Path"]
    orthanc.session.delete(orthanc.url + answer.json()["Path"])


def test_a_glb_stands_upright_in_metres_where_the_patient_is(orthanc: OrthancServer, model: str):
    answer = orthanc.get(f"{model}/glb")
    assert answer.headers["Content-Type"] == "model/gltf-binary"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="Letter_L.glb"'
    bounds = glb(answer.content).bounds
    assert np.allclose(bounds, [[0, 0.7, 0], [0.04, 0.76, 0.01]], atol=1e-7)  # float32 of 0.7 m


def test_the_foot_of_the_letter_points_to_the_patients_left_in_a_glb(
    orthanc: OrthancServer, model: str
):
    solid = solid_of(orthanc.get(f"{model}/glb").content)
    low, high = solid.vertices[:, 1] < 0.7121, solid.vertices[:, 1] > 0.7121
    assert solid.vertices[low, 0].max() == pytest.approx(0.04)
    assert solid.vertices[high, 0].max() == pytest.approx(0.012)


def test_a_glb_holds_the_same_volume(orthanc: OrthancServer, model: str):
    solid = solid_of(orthanc.get(f"{model}/glb").content)
    assert solid.volume == pytest.approx(letter().volume * 1e-9, rel=1e-4)


def test_name_and_colour_of_the_instance_are_in_the_glb(orthanc: OrthancServer, model: str):
    scene = glb(orthanc.get(f"{model}/glb").content)
    assert list(scene.graph.nodes_geometry) == ["Letter L"]
    (solid,) = scene.geometry.values()
    assert solid.visual.material.baseColorFactor.tolist() == [255, 0, 0, 128]


def test_an_obj_has_the_coordinates_of_the_stl(orthanc: OrthancServer, model: str):
    answer = orthanc.get(f"{model}/obj")
    assert answer.headers["Content-Type"] == "model/obj"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="Letter_L.obj"'
    assert "o Letter L" in answer.text.splitlines()
    solid = trimesh.load_mesh(io.BytesIO(answer.content), file_type="obj")
    stl = trimesh.load_mesh(io.BytesIO(orthanc.get(f"{model}/stl").content), file_type="stl")
    assert np.array_equal(solid.triangles, stl.triangles)


def test_a_picture_has_the_size_that_was_asked(orthanc: OrthancServer, model: str):
    answer = orthanc.get(f"{model}/preview-3d?size=100&turn=-30&tilt=20.5")
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"] == 'inline; filename="Letter_L.png"'
    assert Image.open(io.BytesIO(answer.content)).size == (100, 100)


def test_a_picture_shows_the_patient_from_the_front(orthanc: OrthancServer, model: str):
    picture = Image.open(io.BytesIO(orthanc.get(f"{model}/preview-3d?size=60").content))
    is_drawn = np.asarray(picture)[:, :, 3] > 127
    columns = np.flatnonzero(is_drawn.any(axis=0))
    assert is_drawn[:5].sum() < is_drawn[50:55].sum()
    assert is_drawn[55, columns[-1] - 3]
    assert not is_drawn[10, columns[-1] - 3]


def test_turning_shows_another_side_of_the_figurine(orthanc: OrthancServer, clay: str):
    pictures = [
        Image.open(io.BytesIO(orthanc.get(f"{clay}/preview-3d?size=128&{view}").content))
        for view in ("turn=0", "turn=90", "turn=0&tilt=60")
    ]
    shares = [np.mean(np.asarray(picture)[:, :, 3] > 0) for picture in pictures]
    assert min(shares) > 0.2
    assert len({picture.tobytes() for picture in pictures}) == 3


def test_a_glb_of_the_figurine_has_the_volume_of_its_stl(orthanc: OrthancServer, clay: str):
    solid = solid_of(orthanc.get(f"{clay}/glb").content)
    stl = trimesh.load_mesh(io.BytesIO(orthanc.get(f"{clay}/stl").content), file_type="stl")
    assert solid.volume == pytest.approx(stl.volume * 1e-9, rel=1e-4)


@pytest.mark.parametrize("route", ROUTES)
def test_what_a_client_has_already_is_not_sent_again(
    orthanc: OrthancServer, model: str, route: str
):
    first = orthanc.get(f"{model}/{route}")
    again = orthanc.get(f"{model}/{route}", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert first.headers["Cache-Control"] == "private, no-cache"


def test_each_form_of_a_model_has_its_own_etag(orthanc: OrthancServer, model: str):
    routes = ["stl", *ROUTES, "preview-3d?size=33", "preview-3d?size=32&turn=1"]
    assert len({orthanc.get(f"{model}/{route}").headers["ETag"] for route in routes}) == 6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("size=15", "size is 15: it must be 16 to 2048 pixels"),
        ("size=2049", "size is 2049: it must be 16 to 2048 pixels"),
        ("size=big", "size is 'big': it must be a whole number, 16 to 2048 pixels"),
        ("size=99999999999999", "16 to 2048 pixels"),
        ("turn=361", "turn is 361.0: it must be -360 to 360 degrees"),
        ("turn=nan", "turn is 'nan': it must be a number, -360 to 360 degrees"),
        ("tilt=90.1", "tilt is 90.1: it must be -90 to 90 degrees"),
        ("tilt=", "tilt is '': it must be a number, -90 to 90 degrees"),
    ],
)
def test_a_bad_argument_is_refused_with_its_limits(
    orthanc: OrthancServer, model: str, arguments: str, sentence: str
):
    answer = orthanc.get(f"{model}/preview-3d?{arguments}")
    assert answer.status_code == 400
    assert sentence in answer.json()["Details"]


def test_an_ascii_document_is_read_too(orthanc: OrthancServer, study: str):
    text = str(letter().export(file_type="stl_ascii"))
    path = uploaded(orthanc, study, text.encode())
    assert orthanc.get(f"{path}/stl").text == text
    assert np.allclose(glb(orthanc.get(f"{path}/glb").content).extents, [0.04, 0.06, 0.01])
    orthanc.session.delete(orthanc.url + path)


NAN = bytearray(binary(letter()))
NAN[96:100] = np.float32(np.nan).tobytes()
BROKEN = {
    "garbage": b"garbage" * 100,
    "truncated": binary(letter())[:-30],
    "NaN": bytes(NAN),
    "no triangles": bytes(84),
    "empty ASCII": b"solid x\nendsolid x\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_document_is_a_422_with_a_sentence(orthanc: OrthancServer, study: str, name: str):
    path = uploaded(orthanc, study, BROKEN[name])
    for route in ROUTES:
        answer = orthanc.get(f"{path}/{route}")
        assert answer.status_code == 422, answer.text
        assert "document" in answer.json()["Details"]
    orthanc.session.delete(orthanc.url + path)


@pytest.mark.parametrize("route", ROUTES)
def test_an_image_has_no_model(orthanc: OrthancServer, image: dict[str, str], route: str):
    answer = orthanc.get(f"/instances/{image['ID']}/{route}")
    assert answer.status_code == 422
    assert "holds no STL" in answer.json()["Details"]


@pytest.mark.parametrize("route", ROUTES)
def test_an_unknown_instance_has_no_model(orthanc: OrthancServer, route: str):
    assert orthanc.get(f"/instances/nope/{route}").status_code == 404


def test_a_model_above_max_triangles_is_a_413(study: str):
    sphere = trimesh.creation.icosphere(2)
    with OrthancServer({'"MaxTriangles" : 8000000': '"MaxTriangles" : 300'}) as small:
        parent = small.upload(next(figurine.ct_series(figurine.scan())))["ParentStudy"]
        path = uploaded(small, parent, binary(sphere))
        for route in ROUTES:
            answer = small.get(f"{path}/{route}")
            assert answer.status_code == 413
            assert "320 triangles or more, above MaxTriangles = 300" in answer.json()["Details"]


@with_shared_data
def test_a_model_of_stl2dcm_comes_back_byte_by_byte(orthanc: OrthancServer):
    stored = orthanc.upload(STL2DCM.read_bytes())
    dataset = pydicom.dcmread(STL2DCM)
    document = dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength]
    assert orthanc.get(f"{stored['Path']}/stl").content == document


@with_shared_data
def test_a_model_of_stl2dcm_in_micrometres_has_its_size_in_every_format(
    orthanc: OrthancServer, tmp_path: Path
):
    path = orthanc.upload(STL2DCM.read_bytes())["Path"]
    (tmp_path / "a.stl").write_bytes(orthanc.get(f"{path}/stl").content)
    x, y, z = trimesh.load_mesh(tmp_path / "a.stl").extents  # micrometres
    scene = glb(orthanc.get(f"{path}/glb").content)
    obj = trimesh.load_mesh(io.BytesIO(orthanc.get(f"{path}/obj").content), file_type="obj")
    assert scene.extents == pytest.approx([x * 1e-6, z * 1e-6, y * 1e-6], rel=1e-5)
    assert obj.extents == pytest.approx([x * 1e-3, y * 1e-3, z * 1e-3], rel=1e-5)
    assert list(scene.graph.nodes_geometry) == ["trimesh featuretype"]


@with_shared_data
@pytest.mark.parametrize("route", ["stl", *ROUTES])
def test_the_empty_document_of_fo_dicom_is_a_422(orthanc: OrthancServer, route: str):
    path = orthanc.upload(FO_DICOM_EMPTY.read_bytes())["Path"]
    answer = orthanc.get(f"{path}/{route}")
    assert answer.status_code == 422, answer.text
    assert "empty STL" in answer.json()["Details"]
