import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import BadRequest, TooLarge, UnusableSource
from orthanc_stl_plugin.formats.dicom.encapsulated import STL_SOP_CLASS_UID
from orthanc_stl_plugin.services.jobs.task_folders import Spool
from orthanc_stl_plugin.services.jobs.waiting_room import Readers, WaitingRoom
from orthanc_stl_plugin.services.jobs.worker_pool import Workers
from orthanc_stl_plugin.services.models.files import ModelFiles, View
from tests.support.fake_archive import FakeArchive

BOX = trimesh.creation.box((3, 5, 7), np.diag([1.0, 1, 1, 1])).apply_translation((10, 20, 30))
SETTINGS = Settings(workers=1, max_triangles=100)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    pool = Workers(SETTINGS)
    yield pool
    pool.close()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(str(tmp_path))
    yield spool
    assert [path.name for path in spool.folder.iterdir()] == ["lock"]
    spool.close()


def files(workers: Workers, spool: Spool, document: bytes | None = None, **tags) -> ModelFiles:
    content = BOX.export(file_type="stl") if document is None else document
    known = {"SOPClassUID": STL_SOP_CLASS_UID, "EncapsulatedDocument": None, **tags}
    readers = Readers(workers, spool, WaitingRoom(2))
    return ModelFiles(FakeArchive(instances={"i": (known, content)}), readers, SETTINGS)


def test_a_unit_in_the_tags_scales_the_glb(workers: Workers, spool: Spool):
    units = [{"CodeValue": "cm"}]
    models = files(workers, spool, MeasurementUnitsCodeSequence=units)
    scene = trimesh.load_scene(io.BytesIO(models.glb(models.find("i"))), file_type="glb")
    assert scene.extents == pytest.approx([0.03, 0.07, 0.05])
    assert scene.bounds.mean(axis=0) == pytest.approx([0.1, 0.3, -0.2])


def test_a_unit_in_the_tags_scales_the_obj_to_millimetres(workers: Workers, spool: Spool):
    models = files(workers, spool, MeasurementUnitsCodeSequence=[{"CodeValue": "cm"}])
    box = trimesh.load_mesh(io.BytesIO(models.obj(models.find("i"))), file_type="obj")
    assert box.extents == pytest.approx([30, 50, 70])


def test_a_picture_has_the_colour_of_the_instance(workers: Workers, spool: Spool):
    models = files(workers, spool, RecommendedDisplayCIELabValue="34885\\53485\\50171")
    picture = Image.open(io.BytesIO(models.preview(models.find("i"), View(size_px=32))))
    red, green, _, alpha = np.asarray(picture)[16, 16]
    assert (picture.size, alpha) == ((32, 32), 255)
    assert red > 2 * green


@pytest.mark.parametrize("make", ["glb", "obj"])
def test_a_broken_document_is_refused_and_nothing_is_left(
    workers: Workers, spool: Spool, make: str
):
    models = files(workers, spool, b"garbage" * 20)
    with pytest.raises(UnusableSource, match="is no STL, or is truncated"):
        getattr(models, make)(models.find("i"))


def test_more_triangles_than_the_settings_allow_are_refused(workers: Workers, spool: Spool):
    sphere = trimesh.creation.icosphere(2).export(file_type="stl")
    models = files(workers, spool, sphere)
    with pytest.raises(TooLarge, match="320 triangles or more, above MaxTriangles = 100"):
        models.glb(models.find("i"))


@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        ({"size_px": 15}, "size is 15: it must be 16 to 2048 pixels"),
        ({"size_px": 2049}, "size is 2049: it must be 16 to 2048 pixels"),
        ({"turn_degrees": 360.5}, "turn is 360.5: it must be -360 to 360 degrees"),
        ({"tilt_degrees": -91.0}, "tilt is -91.0: it must be -90 to 90 degrees"),
        ({"tilt_degrees": float("nan")}, "tilt is nan: it must be -90 to 90 degrees"),
    ],
)
def test_a_view_outside_its_limits_is_refused_with_the_limits(view, sentence: str):
    with pytest.raises(BadRequest, match=sentence):
        View(**view)
