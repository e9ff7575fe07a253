"""Sentences: their texts in every language, and what they keep of what they are made of."""

import ast
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import numpy as np
import pytest

from orthanc_stl_plugin.errors import Busy, NotFound, PluginError, UnusableSource
from orthanc_stl_plugin.model.mesh import MIN_TRIANGLES
from orthanc_stl_plugin.sentences import TEXTS, Sentence

PACKAGE = Path(__file__).parents[2] / "orthanc_stl_plugin"
LANGUAGES = {path.stem: json.loads(path.read_text()) for path in TEXTS.glob("*.json")}
ENGLISH = LANGUAGES["en"]
TREES = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
NO_PARAMETER = {"retry_after_s"}


def parameters_of(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def makers() -> set[str]:
    """The names of what is called with a code: Sentence, and all errors."""
    found = {"Sentence", "PluginError"}
    for node in (node for tree in TREES.values() for node in ast.walk(tree)):
        match node:
            case ast.ClassDef(name, [ast.Name(base)]) if base in found:
                found.add(name)
    return found


def uses() -> Iterator[tuple[str, set[str], str]]:
    """Every code in the code of the server, the names of its parameters, and where it stands."""
    known = makers()
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(ast.Name(name), [ast.Constant(str(code))], keywords) if name in known:
                    names = {str(one.arg) for one in keywords} - NO_PARAMETER
                    pascal = {one.title().replace("_", "") for one in names}
                    yield code, pascal, f"{path.relative_to(PACKAGE)}:{node.lineno}"


def test_every_code_has_an_english_text_with_exactly_its_parameters():
    for code, names, place in uses():
        assert parameters_of(ENGLISH[code]) == names, place


def test_no_text_is_left_over():
    assert set(ENGLISH) - {code for code, _, _ in uses()} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_all_texts_in_alphabetical_order(language: str):
    assert list(LANGUAGES[language]) == sorted(ENGLISH)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_has_no_parameter_that_the_english_one_lacks(language: str):
    for code, text in LANGUAGES[language].items():
        assert parameters_of(text) <= parameters_of(ENGLISH[code]), code


@pytest.mark.parametrize("language", LANGUAGES.keys() - {"en"})
def test_pages_format_the_parameters_of_their_language_themselves(language: str):
    for code, text in LANGUAGES[language].items():
        for _, name, form, conversion in Formatter().parse(text):
            assert name is None or (form, conversion) == ("", None), code


def test_the_pages_have_sentences_in_every_language():
    assert LANGUAGES.keys() == {path.stem for path in (PACKAGE / "pages" / "texts").glob("*.json")}


def test_a_sentence_is_english_and_knows_its_code_and_parameters():
    sentence = Sentence("FrameNotInFile", frame=np.int64(9), there=2, frames=3)
    assert sentence == "frame 9 (from 0) is not in the file, which holds 2 of 3 frames"
    assert sentence.to_json() == {
        "Code": "FrameNotInFile",
        "Parameters": {"Frame": 9, "There": 2, "Frames": 3},
        "Message": "frame 9 (from 0) is not in the file, which holds 2 of 3 frames",
    }


def test_parameters_can_be_written_as_json_whatever_they_are():
    sentence = Sentence(
        "StlTruncated", bytes=np.float32("nan"), triangles=np.uint8(1), needed_bytes=Path("a")
    )
    written = json.dumps(sentence.to_json(), allow_nan=False)
    assert json.loads(written)["Parameters"] == {
        "Bytes": "nan",
        "Triangles": 1,
        "NeededBytes": "a",
    }


def test_a_parameter_may_be_a_sentence():
    inner = Sentence("ModelEmpty", format="STL")
    outer = Sentence("JpegUnusable", reason=inner)
    assert outer == "the JPEG cannot be used: the STL document has no triangle"
    assert outer.parameters == {"Reason": inner.to_json()}


def test_the_error_in_the_documentation_is_one_that_the_server_gives():
    page = (PACKAGE.parent / "docs" / "errors.md").read_text()
    example = json.loads(page.split("```json\n")[1].split("```")[0])
    sentence = Sentence("TooFewTriangles", triangles=3, lowest=MIN_TRIANGLES)
    assert (example["Code"], example["Details"]) == (sentence.code, sentence)
    assert example["Parameters"] == sentence.parameters


def test_a_code_without_a_text_is_no_sentence():
    with pytest.raises(KeyError, match="NoSuchCode"):
        Sentence("NoSuchCode")


def test_a_sentence_without_one_of_its_parameters_cannot_be_made():
    with pytest.raises(KeyError, match="Format"):
        Sentence("ModelEmpty")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize(
    "error",
    [
        UnusableSource("JpegUnusable", reason=Sentence("ModelEmpty", format="STL")),
        Busy("ModelEmpty", format="STL", retry_after_s=7),
        NotFound(Sentence("NotJpeg")),
    ],
)
def test_an_error_keeps_its_code_and_parameters_when_it_is_copied(copied, error: PluginError):
    again = copied(error)
    assert (type(again), str(again)) == (type(error), str(error))
    assert again.sentence.to_json() == error.sentence.to_json()
    assert getattr(again, "retry_after_s", None) == getattr(error, "retry_after_s", None)
