"""Addresses to documents: types, tags and names; what stands in them is tested elsewhere."""

import json
from typing import Any

import pytest

from orthanc_stl_plugin.services.ports.catalogue import InstanceEntry
from orthanc_stl_plugin.services.presentation.change_discovery import Announcer
from orthanc_stl_plugin.web.messages import Request, Response
from orthanc_stl_plugin.web.presentation import official_presentation_routes, presentation_routes
from tests.support.collection_samples import STL, Stage, add_series, add_study, image
from tests.support.memory_of_announcements import MemoryInMemory
from tests.support.router import Router

PRESENTATION = 'application/ld+json;profile="http://iiif.io/api/presentation/3/context.json"'
SCENE = 'application/ld+json;profile="http://iiif.io/api/presentation/4/context.json"'
DISCOVERY = 'application/ld+json;profile="http://iiif.io/api/discovery/1/context.json"'
HOST = {"host": "m:8042"}
PATHS = {
    "/studies/study/iiif/manifest.json": PRESENTATION,
    "/studies/study/iiif/collection.json": PRESENTATION,
    "/series/ct/iiif/manifest.json": PRESENTATION,
    "/series/models/iiif/scene.json": SCENE,
    "/patients/patient/iiif/collection.json": PRESENTATION,
    "/iiif/collection.json": PRESENTATION,
    "/iiif/collection/1.json": PRESENTATION,
    "/iiif/discovery/all-changes.json": DISCOVERY,
    "/iiif/discovery/page-0.json": DISCOVERY,
    "/wsi/iiif/series/ct/manifest.json": PRESENTATION,
    "/wsi/iiif/frames-pyramids/i/0/manifest.json": PRESENTATION,
}


@pytest.fixture(scope="module")
def router() -> Router:
    stage = Stage()
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", image("i"))
    add_series(stage.catalogue, "models", InstanceEntry("m", "models", STL, {}), Modality="M3D")
    announcer = Announcer(stage.catalogue, "", MemoryInMemory(), lambda: stage.now)
    presenter = stage.presenter()
    return Router(
        [
            *presentation_routes(presenter, stage.collector(), announcer, stage.settings),
            *official_presentation_routes(presenter, stage.settings),
        ]
    )


def get(router: Router, path: str, **headers: str) -> Response:
    return router.respond(Request("GET", path, headers=HOST | headers))


def content(response: Response) -> Any:
    return json.loads(response.body)


@pytest.mark.parametrize(("path", "media_type"), PATHS.items())
def test_each_document_has_its_type_and_stands_where_its_identifier_says(
    router: Router, path: str, media_type: str
):
    response = get(router, path)
    assert (response.status, response.media_type) == (200, media_type)
    assert content(response)["id"] == f"http://m:8042{path}"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("path", PATHS)
def test_what_a_client_has_already_is_not_sent_again(router: Router, path: str):
    etag = get(router, path).headers["ETag"]
    assert get(router, path, **{"if-none-match": etag}).status == 304


def test_attributes_come_as_dicom_json(router: Router):
    response = get(router, "/studies/study/iiif/dicom.json")
    assert response.media_type == "application/dicom+json"
    assert content(response)[0]["0020000D"]["Value"] == ["1.study"]


def test_plain_json_has_an_etag_of_its_own(router: Router):
    path = "/iiif/collection.json"
    linked, simple = get(router, path), get(router, path, accept="text/html, application/json")
    assert simple.media_type == "application/json"
    assert simple.body == linked.body
    assert simple.headers["ETag"] != linked.headers["ETag"]


@pytest.mark.parametrize(
    ("accept", "is_plain"),
    [
        ("application/json", True),
        ("application/json;q=0.5, application/ld+json;q=0", True),
        ("application/json, application/ld+json", False),
        ("application/json;q=0", False),
        ("application/json; q=0.000, text/html", False),
        ("*/*", False),
    ],
)
def test_a_weight_of_0_refuses_a_type(router: Router, accept: str, is_plain: bool):
    found = get(router, "/iiif/collection.json", accept=accept).media_type
    assert (found == "application/json") == is_plain


def test_an_error_can_be_read_by_viewers_of_any_site(router: Router):
    for path in ("/studies/nope/iiif/manifest.json", "/series/ct/iiif/scene.json"):
        response = get(router, path)
        assert response.status >= 400
        assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "path",
    [
        "/studies/nope/iiif/manifest.json",
        "/series/nope/iiif/scene.json",
        "/patients/nope/iiif/collection.json",
        "/iiif/collection/2.json",
        "/iiif/collection/one.json",
        "/iiif/discovery/page-9.json",
        "/iiif/discovery/page-1e3.json",
        "/wsi/iiif/frames-pyramids/i/1/manifest.json",
        "/wsi/iiif/frames-pyramids/i/-1/manifest.json",
    ],
)
def test_what_is_not_there_is_404(router: Router, path: str):
    assert get(router, path).status == 404


def test_a_series_of_images_has_no_scene(router: Router):
    assert get(router, "/series/ct/iiif/scene.json").status == 422


def test_a_host_that_is_none_is_refused(router: Router):
    assert get(router, "/iiif/collection.json", host='"><script>').status == 400
