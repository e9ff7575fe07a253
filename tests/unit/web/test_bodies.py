import base64
import json
from typing import Any

import pytest

from orthanc_stl_plugin.errors import BadRequest, TooLarge
from orthanc_stl_plugin.web.bodies import (
    Attach,
    EncodeNifti,
    EncodeRtStruct,
    EncodeSeries,
    binary,
    given,
    read_body,
)

REQUIRED = {"Nifti": "AAEC", "ParentStudy": "study"}
ROOMY = 1 << 20


def nifti(**body: object) -> EncodeNifti:
    return read_body(EncodeNifti, json.dumps({**REQUIRED, **body}).encode())


def series(**body: object) -> EncodeSeries:
    return read_body(EncodeSeries, json.dumps({"Series": "s", **body}).encode())


def test_an_unknown_field_is_refused_with_the_nearest_right_name():
    with pytest.raises(BadRequest, match=r"unknown field 'smooth': did you mean \"Smooth\""):
        nifti(smooth=True)


def test_an_unknown_field_inside_another_is_refused_with_the_nearest_right_name():
    with pytest.raises(BadRequest, match=r"unknown field 'Iteration': did you mean \"Iterations\""):
        nifti(Smoothing={"Iteration": 3})


def test_a_field_that_resembles_nothing_is_refused_with_the_whole_list():
    with pytest.raises(BadRequest, match="this route knows Asynchronous, LabelNames, Labels"):
        nifti(zzzzzz=True)


def test_a_missing_text_is_named():
    with pytest.raises(BadRequest, match='"ParentStudy" is missing'):
        read_body(EncodeNifti, b'{"Nifti": "AAEC"}')


@pytest.mark.parametrize("value", ["", 3, [], {}, False])
def test_a_text_must_be_a_text(value: object):
    with pytest.raises(BadRequest, match='"ParentStudy" is'):
        nifti(ParentStudy=value)


@pytest.mark.parametrize("value", [1, 0, "true", None])
def test_a_switch_must_be_true_or_false(value: object):
    with pytest.raises(BadRequest, match='"Smooth" is .*true or false'):
        nifti(Smooth=value)


@pytest.mark.parametrize("value", ["256", 2.5, True, None])
@pytest.mark.parametrize("name", ["Resolution", "Triangles"])
def test_a_number_must_be_whole(name: str, value: object):
    with pytest.raises(BadRequest, match=f'"{name}" is .*whole number'):
        nifti(**{name: value})


def test_an_absent_field_takes_its_default():
    body = nifti()
    assert (body.resolution, body.smooth, body.tags) == (256, True, {})


@pytest.mark.parametrize("value", [3, "x", None, []])
def test_an_object_must_be_an_object(value: object):
    with pytest.raises(BadRequest, match='"Tags" is .*: it must be an object'):
        nifti(Tags=value)


@pytest.mark.parametrize("value", [3, None, ["a"], {"a": 1}])
def test_the_value_of_an_object_is_named_by_its_key(value: object):
    with pytest.raises(BadRequest, match=r'"Tags.Series" is .*: it must be a text'):
        nifti(Tags={"Title": "", "Series": value})


def test_a_file_beside_another_holds_something():
    body = {"File": "AAEC", "Format": "OBJ", "ParentStudy": "s", "Files": {"a.mtl": ""}}
    with pytest.raises(BadRequest, match=r'"Files\.a\.mtl" is'):
        read_body(Attach, json.dumps(body).encode())


@pytest.mark.parametrize(
    "text",
    [
        "AAECAw==",
        "AAEC\r\nAw==\n",
        "data:application/octet-stream;base64,AAECAw==",
        "data:;base64,AAECAw==",
    ],
)
def test_base64_is_taken_plain_and_as_a_data_uri(text: str):
    assert binary("Nifti", text, ROOMY) == bytes(range(4))


@pytest.mark.parametrize("text", ["AAEC*w==", "AAECAw", "é", "data:text/plain,AAEC", "data:AAEC"])
def test_what_is_not_base64_is_refused(text: str):
    with pytest.raises(BadRequest, match="Nifti"):
        binary("Nifti", text, ROOMY)


def test_a_data_uri_without_bytes_is_refused():
    with pytest.raises(BadRequest, match="no bytes"):
        binary("Nifti", "data:;base64,", ROOMY)


def test_a_file_above_the_limit_is_refused_before_it_is_decoded():
    with pytest.raises(TooLarge, match='"Nifti" is a file of some 2 MiB: MaxVolumeMiB = 1'):
        binary("Nifti", "*" * (3 << 20), 1 << 20)


def test_a_long_value_is_cut_in_the_message():
    text = base64.b64encode(bytes(10_000)).decode() + "*"
    with pytest.raises(BadRequest) as caught:
        binary("Nifti", text, ROOMY)
    assert len(str(caught.value)) < 200


def test_a_choice_holds_numbers_and_names():
    assert nifti(Labels=[5, "liver"]).labels == [5, "liver"]
    assert given(nifti().labels) is None


@pytest.mark.parametrize("value", [[], "liver", 5, [True], [1.5], [None], [["a"]]])
def test_a_choice_that_chooses_nothing_clear_is_refused(value: object):
    with pytest.raises(BadRequest, match='"Labels"'):
        nifti(Labels=value)


@pytest.mark.parametrize("value", ['"3"', "true", "null", "1e999", "1" + "0" * 400])
def test_a_number_must_be_finite(value: str):
    with pytest.raises(BadRequest, match='"Upper" is .*finite number'):
        read_body(EncodeSeries, f'{{"Series": "s", "Upper": {value}}}'.encode())


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_json_does_not_know_is_no_number(value: str):
    with pytest.raises(BadRequest, match="not JSON"):
        read_body(EncodeSeries, f'{{"Series": "s", "Upper": {value}}}'.encode())


def test_a_number_may_have_decimals_and_a_sign():
    assert series(Upper=-2.5).upper == -2.5


@pytest.mark.parametrize("value", [True, None, [3]])
def test_a_threshold_is_a_number_or_the_name_of_a_method(value: object):
    with pytest.raises(BadRequest, match='"Threshold" is .*: it must be a finite number or "Otsu"'):
        series(Threshold=value)


@pytest.mark.parametrize("content", [b"[]", b"3", b"null", b'"x"'])
def test_a_body_is_an_object(content: bytes):
    with pytest.raises(BadRequest, match="must be an object"):
        read_body(EncodeNifti, content)


@pytest.mark.parametrize("content", [b"", b"{", b'{"Nifti": "\xff"}', b"hello", b"\xff\xfe{\0}\0"])
def test_a_body_is_json_in_utf_8(content: bytes):
    with pytest.raises(BadRequest, match="not JSON"):
        read_body(EncodeNifti, content)


@pytest.mark.parametrize(
    ("fields", "twice"),
    [
        ('"Tags":{"a":3},"Tags":{"a":"x"}', "Tags"),
        ('"Tags":{"a":3,"a":"x"}', "a"),
        ('"Labels":[1,2,true],"Labels":[1]', "Labels"),
        ('"Smoothing":{"Iterations":"x"},"Smoothing":{}', "Smoothing"),
        ('"Smoothing":{"q":1},"Smoothing":{}', "Smoothing"),
        ('"Smooth":3,"Smooth":true', "Smooth"),
    ],
)
def test_a_field_that_is_wrong_and_stands_twice_is_named(fields: str, twice: str):
    with pytest.raises(BadRequest, match=f"the field '{twice}' stands twice"):
        read_body(EncodeNifti, f'{{"Nifti":"AAEC","ParentStudy":"s",{fields}}}'.encode())


@pytest.mark.parametrize("field", ["Tags", "Nifti", "Labels", "Smoothing", "Unknown"])
def test_no_nesting_exhausts_the_stack(field: str):
    deep = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(BadRequest):
        read_body(EncodeNifti, b'{"Nifti": "AAEC", "' + field.encode() + b'": ' + deep + b"}")


@pytest.mark.parametrize(
    ("chosen", "is_asynchronous"),
    [
        ({}, False),
        ({"Asynchronous": True}, True),
        ({"Synchronous": False}, True),
        ({"Synchronous": True, "Asynchronous": False}, False),
    ],
)
def test_an_order_is_waited_for_unless_it_says_otherwise(chosen: Any, is_asynchronous: bool):
    assert nifti(**chosen).is_asynchronous() is is_asynchronous


def test_an_order_that_is_both_is_a_contradiction():
    with pytest.raises(BadRequest, match="contradict"):
        nifti(Synchronous=True, Asynchronous=True).is_asynchronous()


def test_the_field_of_the_official_plugin_is_taken():
    body = read_body(EncodeRtStruct, b'{"Instance": "i", "Strict": false}')
    assert body.instance == "i"
