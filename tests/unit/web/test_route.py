import json
import logging

import pytest

from orthanc_stl_plugin import errors
from orthanc_stl_plugin.errors import Busy, PluginError
from orthanc_stl_plugin.web.messages import Request, Response
from orthanc_stl_plugin.web.route import Route
from tests.support.router import Router


def echo(request: Request) -> Response:
    return Response(" ".join(request.groups).encode())


def failing(error: Exception) -> Router:
    def fail(request: Request) -> Response:
        raise error

    return Router([Route("/x", {"GET": fail})])


ROUTER = Router([Route("/things/{id}/part.{n}", {"GET": echo})])


def test_names_in_braces_catch_one_segment():
    assert ROUTER.respond(Request("GET", "/things/a-b/part.7")).body == b"a-b 7"


@pytest.mark.parametrize("rest", ["a", "a/b.c", ""])
def test_a_name_with_three_points_catches_all_the_rest(rest: str):
    router = Router([Route("/files/{path...}", {"GET": echo})])
    assert router.respond(Request("GET", f"/files/{rest}")).body == rest.encode()


@pytest.mark.parametrize("path", ["/things/a/b/part.7", "/things//part.7", "/things/a/partx7", "/"])
def test_another_address_is_404(path: str):
    assert ROUTER.respond(Request("GET", path)).status == 404


def test_another_method_is_405_and_tells_which_are_allowed():
    response = ROUTER.respond(Request("POST", "/things/a/part.7"))
    assert (response.status, response.headers["Allow"]) == (405, "GET")


def all_errors() -> list[type[PluginError]]:
    return PluginError.__subclasses__()


@pytest.mark.parametrize("kind", all_errors())
def test_every_error_is_answered_with_its_status_in_the_shape_of_orthanc(kind: type[PluginError]):
    response = failing(kind("ModelEmpty", format="STL")).respond(Request("GET", "/x"))
    body = json.loads(response.body)
    assert response.status == body["HttpStatus"] == kind.status
    assert body["Details"] == "the STL document has no triangle"
    assert (body["Code"], body["Parameters"]) == ("ModelEmpty", {"Format": "STL"})
    assert set(body) == {
        "Code", "Details", "HttpError", "HttpStatus", "Message",
        "Method", "OrthancError", "OrthancStatus", "Parameters", "Uri",
    }  # fmt: skip


def test_busy_says_when_to_come_back():
    response = failing(Busy("NotJpeg", retry_after_s=7)).respond(Request("GET", "/x"))
    assert response.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("error", "level"),
    [(Busy("NotJpeg"), logging.WARNING), (errors.WorkerDied("NotJpeg"), logging.ERROR)],
)
def test_a_limit_that_is_reached_is_logged_as_a_warning_and_what_broke_as_an_error(
    error: PluginError, level: int, caplog: pytest.LogCaptureFixture
):
    failing(error).respond(Request("GET", "/x"))
    assert [record.levelno for record in caplog.records] == [level]


def test_any_other_error_is_500_and_tells_nothing_but_logs_all(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.ERROR):
        response = failing(ValueError("secret")).respond(Request("GET", "/x"))
    assert response.status == 500
    assert b"secret" not in response.body
    assert "secret" in caplog.text


def test_every_error_class_has_a_line_in_the_tree_of_its_module():
    for kind in all_errors():
        assert f"{kind.__name__} " in (errors.__doc__ or "")
        assert f" {kind.status}  " in (errors.__doc__ or "")
