"""The public sees what is published, whatever it says of itself."""

import pytest

from orthanc_stl_plugin.config import Publish
from orthanc_stl_plugin.services.publication import Publication
from orthanc_stl_plugin.web.audience import guarded
from orthanc_stl_plugin.web.messages import Request, Response
from orthanc_stl_plugin.web.route import Route, Shows
from tests.collection_samples import add_series, add_study, image
from tests.fake_catalogue import FakeCatalogue
from tests.router import Router

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


def test_nothing_is_recalled_past_the_rule(catalogue: FakeCatalogue):
    route = Route("/studies/{id}/x", {"GET": echo}, Shows.STUDY, recall=lambda *_: Response())
    (restricted,) = guarded([route], Publication(RULE, catalogue))
    (open_to_all,) = guarded([route], Publication(Publish(), catalogue))
    assert (restricted.recall, open_to_all.recall) == (None, route.recall)
