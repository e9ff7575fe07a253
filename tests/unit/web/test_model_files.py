from pathlib import Path
from typing import Any, cast

import pytest

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.formats.dicom.encapsulated import STL_SOP_CLASS_UID
from orthanc_stl_plugin.services.jobs.task_folders import Spool
from orthanc_stl_plugin.services.jobs.waiting_room import Readers, WaitingRoom
from orthanc_stl_plugin.services.models.files import ModelFiles, ModelTask
from orthanc_stl_plugin.web.messages import Request, Response
from orthanc_stl_plugin.web.model_files import model_file_routes
from tests.support.fake_archive import FakeArchive
from tests.support.router import Router

DOCUMENT = b"not even STL"
ROUTES = ("stl", "glb", "obj", "preview-3d")


class CountingWorkers:
    """Workers that write the name of what they are asked to do."""

    def __init__(self) -> None:
        self.tasks = 0

    def run(self, function: Any, task: ModelTask, *further: object) -> None:
        self.tasks += 1
        task.target.write_text(" ".join([function.__name__, *map(str, further)]))


class Site:
    """The routes, with one instance that is called i."""

    def __init__(self, folder: Path) -> None:
        tags: dict[str, object] = {
            "SOPClassUID": STL_SOP_CLASS_UID,
            "EncapsulatedDocument": None,
            "DocumentTitle": "X/Y",
        }
        archive = FakeArchive(instances={"i": (tags, DOCUMENT)})
        self.workers = CountingWorkers()
        self.spool = Spool(str(folder))
        files = ModelFiles(
            archive,
            Readers(cast("Any", self.workers), self.spool, WaitingRoom(2)),
            Settings(),
        )
        self._router = Router(model_file_routes(files))

    def get(self, route: str, known: str = "", **query: str) -> Response:
        headers = {"if-none-match": known} if known else {}
        path = f"/instances/i/{route}"
        return self._router.respond(Request("GET", path, query=query, headers=headers))


@pytest.fixture
def site(tmp_path: Path):
    made = Site(tmp_path)
    yield made
    made.spool.close()


@pytest.mark.parametrize(
    ("route", "body", "media_type", "disposition"),
    [
        ("stl", DOCUMENT, "model/stl", 'attachment; filename="X_Y.stl"'),
        ("glb", b"stl_to_glb", "model/gltf-binary", 'attachment; filename="X_Y.glb"'),
        ("obj", b"stl_to_obj", "model/obj", 'attachment; filename="X_Y.obj"'),
    ],
)
def test_each_file_has_its_type_and_a_safe_name(
    site: Site, route: str, body: bytes, media_type: str, disposition: str
):
    answer = site.get(route)
    assert (answer.body, answer.media_type) == (body, media_type)
    assert answer.headers["Content-Disposition"] == disposition


@pytest.mark.parametrize("route", ROUTES)
def test_each_file_may_be_read_by_any_web_page(site: Site, route: str):
    first = site.get(route)
    again = site.get(route, known=first.headers["ETag"])
    assert again.status == 304
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert again.headers["Access-Control-Allow-Origin"] == "*"


def test_a_picture_is_shown_in_place(site: Site):
    answer = site.get("preview-3d")
    assert answer.media_type == "image/png"
    assert answer.headers["Content-Disposition"] == 'inline; filename="X_Y.png"'


def test_the_arguments_of_a_picture_reach_the_worker(site: Site):
    answer = site.get("preview-3d", size="64", turn=" 30", tilt="-12.5")
    assert b"size_px=64, turn_degrees=30.0, tilt_degrees=-12.5" in answer.body


def test_a_picture_without_arguments_is_512_pixels_from_the_front(site: Site):
    answer = site.get("preview-3d")
    assert b"size_px=512, turn_degrees=0.0, tilt_degrees=0.0" in answer.body


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("form", ["{}", '"other", {}', "W/{}", "*"])
def test_a_client_that_has_it_is_answered_304_without_work(site: Site, route: str, form: str):
    known = form.format(site.get(route).headers["ETag"])
    before = site.workers.tasks
    answer = site.get(route, known)
    assert (answer.status, answer.body, site.workers.tasks) == (304, b"", before)


@pytest.mark.parametrize("route", ROUTES)
def test_a_client_that_has_something_else_gets_the_file(site: Site, route: str):
    assert site.get(route, '"other"').status == 200


def test_the_etag_is_strong_and_stays(site: Site):
    etag = site.get("glb").headers["ETag"]
    assert etag.startswith('"')
    assert site.get("glb").headers["ETag"] == etag


@pytest.mark.parametrize(
    "query", [{"size": "513"}, {"turn": "0.5"}, {"tilt": "1"}], ids=lambda query: next(iter(query))
)
def test_each_argument_changes_the_etag(site: Site, query: dict[str, str]):
    assert site.get("preview-3d", **query).headers["ETag"] != site.get("preview-3d").headers["ETag"]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("size", "15", "size is 15: it must be 16 to 2048 pixels"),
        ("size", "64.0", "size is '64.0': it must be a whole number, 16 to 2048 pixels"),
        ("size", "\u0666\u0664", "it must be a whole number"),
        ("turn", "inf", "turn is 'inf': it must be a number, -360 to 360 degrees"),
        ("turn", "1e2", "turn is '1e2': it must be a number, -360 to 360 degrees"),
        ("tilt", "-90.5", "tilt is -90.5: it must be -90 to 90 degrees"),
    ],
)
def test_a_bad_argument_is_refused_before_any_work(
    site: Site, name: str, value: str, sentence: str
):
    answer = site.get("preview-3d", **{name: value})
    assert answer.status == 400
    assert sentence in answer.body.decode("unicode_escape")
    assert site.workers.tasks == 0
