import pytest

from orthanc_stl_plugin.web.conditional import conditional
from orthanc_stl_plugin.web.messages import Request, Response

CACHING = {"Cache-Control": "max-age=60"}


def asked(known: str | None) -> tuple[Response, int]:
    made = []

    def answer() -> Response:
        made.append(1)
        return Response(b"content", "image/png", headers={"Link": "<x>"})

    headers = {} if known is None else {"if-none-match": known}
    return conditional(Request("GET", "/x", headers=headers), "a1", CACHING, answer), len(made)


def test_a_first_request_is_answered_with_a_tag():
    response, made = asked(None)
    assert (response.status, response.body, made) == (200, b"content", 1)
    assert response.headers == {"Link": "<x>", "Cache-Control": "max-age=60", "ETag": '"a1"'}


@pytest.mark.parametrize("known", ['"a1"', 'W/"a1"', '"b2", "a1"', "*", ' "a1" '])
def test_a_known_answer_is_304_without_the_work(known: str):
    response, made = asked(known)
    assert (response.status, response.body, made) == (304, b"", 0)
    assert response.headers == {"Cache-Control": "max-age=60", "ETag": '"a1"'}


@pytest.mark.parametrize("known", ['"a11"', "a1", '"b2"', "", '"a1'])
def test_another_tag_is_answered_in_full(known: str):
    assert asked(known)[0].status == 200
