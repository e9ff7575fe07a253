import time

import pytest

from orthanc_stl_plugin.model.json_text import NestedTooDeeply, read_json


def nested(levels: int) -> str:
    """Lists and objects in turn."""
    pairs, rest = divmod(levels, 2)
    return '[{"a":' * pairs + ("[]" if rest else "0") + "}]" * pairs


@pytest.mark.parametrize("text", ["[" * 51 + "]" * 51, nested(51), nested(52), "[" * 600])
def test_more_than_50_levels_are_refused(text: str):
    with pytest.raises(NestedTooDeeply, match="more than 50 levels"):
        read_json(text)


@pytest.mark.parametrize("text", ["[" * 50 + "]" * 50, nested(49), nested(50)])
def test_50_levels_are_read(text: str):
    assert isinstance(read_json(text), list)


def test_brackets_side_by_side_are_no_levels():
    assert read_json("[" + "[]," * 99 + "[]]") == [[]] * 100


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"' + "[" * 99 + '"', "[" * 99),
        (r'"\"' + "[" * 99 + '"', '"' + "[" * 99),
        (r'"\\\"' + "{" * 99 + '"', '\\"' + "{" * 99),
        (r'["a\n", "' + "[" * 99 + '"]', ["a\n", "[" * 99]),
    ],
)
def test_brackets_in_a_text_are_no_levels(text: str, value: object):
    assert read_json(text) == value


@pytest.mark.parametrize("start", [r'["\\", ', r'["\"", ', r'["\"\\", ', '["", "]]]]", '])
def test_a_text_hides_no_brackets_after_it(start: str):
    with pytest.raises(NestedTooDeeply):
        read_json(start + "[" * 50 + "]" * 51)


def test_brackets_that_close_before_they_open_hide_nothing():
    with pytest.raises(ValueError, match="Expecting value"):
        read_json("]" * 99 + "[" * 99)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_bytes_are_counted_as_the_text_that_they_are(encoding: str):
    assert read_json('{"é嬢": "嬢Ģ"}'.encode(encoding)) == {"é嬢": "嬢Ģ"}
    with pytest.raises(NestedTooDeeply):
        read_json(('{"é嬢": "嬢Ģ", "a": ' + "[" * 50).encode(encoding))


def test_a_long_text_is_counted_fast():
    body = b'{"Nifti": "' + b"A" * (64 << 20) + b'"}'
    start = time.perf_counter()
    read_json(body)
    assert time.perf_counter() - start < 5  # s; a loop over each byte takes longer
