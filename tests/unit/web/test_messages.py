import json

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


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\n", "\ra"])
def test_a_header_is_one_line(value: str):
    for wrong in ({"headers": {"Link": value}}, {"media_type": value}):
        with pytest.raises(ValueError, match="a line break in the header"):
            Response(b"", **wrong)
