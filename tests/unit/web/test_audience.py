"""The public sees what is published, whatever it says of itself."""

import re
from dataclasses import replace

import pytest

from orthanc_stl_plugin.config import Publish
from orthanc_stl_plugin.services.publication import Publication
from orthanc_stl_plugin.web.audience import guarded
from orthanc_stl_plugin.web.messages import Request, Response
from orthanc_stl_plugin.web.route import Recall, Route, Shows
from tests.support.collection_samples import add_series, add_study, image
from tests.support.fake_catalogue import FakeCatalogue
from tests.support.router import Router

SECRET = "a long random word"  # noqa: S105  # of these tests alone
RULE = Publish(label="public", staff_header="X-Staff", staff_value=SECRET)
STAFF = {"x-staff": SECRET}
FORGED = [
    {},
    {"x-staff": ""},
    {"x-staff": "true"},
    {"x-staff": SECRET.upper()},
    {"x-staff": f"{SECRET} "},
    {"x-staff": f"{SECRET}, {SECRET}"},
    {"x-staff": SECRET[:-1]},
    {"x-staff": "\ud800é"},
    {"x_staff": SECRET},
    {"staff": SECRET},
    {"x-forwarded-for": "127.0.0.1", "host": "localhost"},
]
PUBLIC_PATHS = ["/studies/open/x", "/series/open-ct/x", "/instances/open-i/x", "/list"]
HIDDEN_PATHS = ["/studies/shut/x", "/series/shut-ct/x", "/instances/shut-i/x", "/studies/nope/x"]


def echo(request: Request) -> Response:
    headers = {"Cache-Control": "public, max-age=3600"}
    return Response(f"label {request.visible_label}".encode(), headers=headers)


@pytest.fixture
def catalogue() -> FakeCatalogue:
    catalogue = FakeCatalogue()
    for name in ("open", "shut"):
        add_study(catalogue, name)
        add_series(catalogue, f"{name}-ct", image(f"{name}-i"), study=name)
    catalogue.label("open", "public")
    return catalogue


def router(catalogue: FakeCatalogue, rule: Publish = RULE) -> Router:
    routes = [
        Route("/studies/{id}/x", {"GET": echo, "DELETE": echo}, Shows.STUDY),
        Route("/series/{id}/x", {"GET": echo}, Shows.SERIES),
        Route("/instances/{id}/x", {"GET": echo}, Shows.INSTANCE),
        Route("/list", {"GET": echo}, Shows.VISIBLE),
        Route("/stl/encode", {"GET": echo, "POST": echo}),
    ]
    return Router(guarded(routes, Publication(rule, catalogue)))


@pytest.mark.parametrize("path", [*PUBLIC_PATHS, *HIDDEN_PATHS, "/stl/encode"])
def test_staff_sees_everything(catalogue: FakeCatalogue, path: str):
    response = router(catalogue).respond(Request("GET", path, headers=STAFF))
    assert (response.status, response.body) == (200, b"label ")


@pytest.mark.parametrize("headers", FORGED)
@pytest.mark.parametrize("path", PUBLIC_PATHS)
def test_the_public_sees_what_is_published(
    catalogue: FakeCatalogue, path: str, headers: dict[str, str]
):
    response = router(catalogue).respond(Request("GET", path, headers=headers))
    assert (response.status, response.body) == (200, b"label public")


@pytest.mark.parametrize("headers", FORGED)
@pytest.mark.parametrize("path", [*HIDDEN_PATHS, "/stl/encode"])
def test_all_the_rest_is_not_found(catalogue: FakeCatalogue, path: str, headers: dict[str, str]):
    assert router(catalogue).respond(Request("GET", path, headers=headers)).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_public_may_only_get(catalogue: FakeCatalogue, method: str):
    for path in (*PUBLIC_PATHS, "/stl/encode"):
        assert router(catalogue).respond(Request(method, path)).status == 404


def test_hidden_and_absent_look_the_same(catalogue: FakeCatalogue):
    hidden, absent = (
        router(catalogue).respond(Request("GET", f"/studies/{name}/x")).body
        for name in ("shut", "nope")
    )
    assert hidden.replace(b"shut", b"nope") == absent


@pytest.mark.parametrize("path", PUBLIC_PATHS[:3])
def test_a_study_is_gone_as_soon_as_its_label_is(catalogue: FakeCatalogue, path: str):
    routes = router(catalogue)
    assert routes.respond(Request("GET", path)).status == 200
    catalogue.label("open")
    assert routes.respond(Request("GET", path)).status == 404
    catalogue.label("open", "public")
    assert routes.respond(Request("GET", path)).status == 200


def test_caches_ask_again_for_what_the_public_gets(catalogue: FakeCatalogue):
    response = router(catalogue).respond(Request("GET", "/studies/open/x"))
    assert response.headers["Cache-Control"] == "no-cache"


def test_shared_caches_keep_nothing_of_what_staff_gets(catalogue: FakeCatalogue):
    response = router(catalogue).respond(Request("GET", "/studies/open/x", headers=STAFF))
    assert "private" in response.headers["Cache-Control"]
    assert "public" not in response.headers["Cache-Control"]


def test_without_a_label_everybody_sees_everything(catalogue: FakeCatalogue):
    open_to_all = router(catalogue, Publish())
    for path in (*PUBLIC_PATHS, *HIDDEN_PATHS, "/stl/encode"):
        assert open_to_all.respond(Request("GET", path)).body == b"label "


def test_another_label_publishes_nothing(catalogue: FakeCatalogue):
    catalogue.label("open", "public2", "Public", "publi")
    assert router(catalogue).respond(Request("GET", "/studies/open/x")).status == 404


KNOWN = Response(b"known", headers={"Cache-Control": "public, max-age=3600", "ETag": '"1"'})


def recalling(catalogue: FakeCatalogue, path: str, rule: Publish = RULE) -> Recall:
    """What a route recalls that has seen everything."""
    routes = [
        Route(template, {"GET": echo}, shows, recall=lambda *_: KNOWN)
        for template, shows in (
            ("/studies/{id}/x", Shows.STUDY),
            ("/series/{id}/x", Shows.SERIES),
            ("/instances/{id}/x", Shows.INSTANCE),
            ("/wsi/tiles/{id}/{more}/x", Shows.SERIES),
        )
    ]
    routes = guarded(routes, Publication(rule, catalogue))
    (recall,) = (one.recall for one in routes if re.fullmatch(one.pattern, path))
    assert recall is not None
    return recall


@pytest.mark.parametrize("path", [*PUBLIC_PATHS[:3], "/wsi/tiles/open-ct/1/x"])
def test_what_is_published_is_recalled_until_its_label_is_gone(catalogue: FakeCatalogue, path: str):
    recall = recalling(catalogue, path)
    recalled = recall(path, {})
    assert recalled == replace(KNOWN, headers={"Cache-Control": "no-cache", "ETag": '"1"'})
    catalogue.label("open")
    assert recall(path, {}) is None


@pytest.mark.parametrize("headers", FORGED)
@pytest.mark.parametrize("path", [*HIDDEN_PATHS, "/wsi/tiles/shut-ct/open-ct/x"])
def test_nothing_else_is_recalled_for_the_public(
    catalogue: FakeCatalogue, path: str, headers: dict[str, str]
):
    assert recalling(catalogue, path)(path, headers) is None


@pytest.mark.parametrize("path", HIDDEN_PATHS)
def test_staff_is_recalled_everything_for_itself_alone(catalogue: FakeCatalogue, path: str):
    recalled = recalling(catalogue, path)(path, STAFF)
    assert recalled is not None
    assert recalled.body == b"known"
    assert recalled.headers["Cache-Control"].startswith("private")


def test_the_label_is_asked_for_once_where_nothing_is_recalled(
    catalogue: FakeCatalogue, monkeypatch: pytest.MonkeyPatch
):
    asked = []

    def has_label(study_id: str, label: str) -> bool:
        asked.append((study_id, label))
        return FakeCatalogue.has_label(catalogue, study_id, label)

    monkeypatch.setattr(catalogue, "has_label", has_label)
    route = Route("/series/{id}/x", {"GET": echo}, Shows.SERIES, recall=lambda *_: None)
    guarded_routes = guarded([route], Publication(RULE, catalogue))
    (recall,) = (one.recall for one in guarded_routes)
    assert recall is not None
    assert recall("/series/open-ct/x", {}) is None
    answer = Router(guarded_routes).respond(Request("GET", "/series/open-ct/x"))
    assert answer.status == 200
    assert asked == [("open", "public")]


def test_what_is_not_there_is_not_recalled(catalogue: FakeCatalogue):
    route = Route("/series/{id}/x", {"GET": echo}, Shows.SERIES, recall=lambda *_: None)
    (restricted,) = guarded([route], Publication(RULE, catalogue))
    assert restricted.recall is not None
    assert [restricted.recall("/series/open-ct/x", who) for who in ({}, STAFF)] == [None, None]


@pytest.mark.parametrize("shows", [Shows.NOTHING, Shows.VISIBLE])
def test_a_route_of_no_study_recalls_nothing(catalogue: FakeCatalogue, shows: Shows):
    route = Route("/list", {"GET": echo}, shows, recall=lambda *_: KNOWN)
    (restricted,) = guarded([route], Publication(RULE, catalogue))
    assert restricted.recall is None


def test_without_a_label_everybody_is_recalled_everything(catalogue: FakeCatalogue):
    assert recalling(catalogue, HIDDEN_PATHS[0], Publish())(HIDDEN_PATHS[0], {}) == KNOWN
