import json
from dataclasses import replace

import pytest

from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.web.messages import Request, Response, json_response


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON: Expecting property name"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[1]", "a JSON list"),
        (b"null", "a JSON NoneType"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes, sentence: str):
    with pytest.raises(BadRequest, match=sentence):
        Request("POST", "/x", body=body).json_object()


def test_a_json_object_is_read():
    assert Request("POST", "/x", body=b'{"a": "\xc3\xa9"}').json_object() == {"a": "é"}


def test_json_is_written_in_utf_8():
    response = json_response({"a": "é"})
    assert json.loads(response.body.decode("utf-8")) == {"a": "é"}
    assert response.media_type == "application/json"


def test_the_head_of_an_answer_holds_all_its_headers():
    response = Response(b"", "image/png", headers={"ETag": '"1"', "Link": "<a>, <b>"})
    assert response.head == 'image/png\r\nETag: "1"\r\nLink: <a>, <b>'
    assert replace(response, headers={}).head == "image/png"


def test_another_body_leaves_the_rest_of_an_answer():
    response = Response(b"a", "image/png", 200, {"ETag": '"1"'})
    other = response.with_body(b"b")
    assert other == replace(response, body=b"b")
    assert (other.head, response.body) == (response.head, b"a")


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\n", "\ra"])
def test_a_header_is_one_line(value: str):
    for wrong in ({"headers": {"Link": value}}, {"media_type": value}):
        with pytest.raises(ValueError, match="a line break in the header"):
            Response(b"", **wrong)
