"""What holds for sentences of any parameters."""

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from orthanc_stl_plugin.sentences import Sentence

VALUES = st.text() | st.integers() | st.floats() | st.tuples(st.integers(), st.integers())
SENTENCES = st.recursive(
    st.builds(lambda value: Sentence("ModelEmpty", format=value), VALUES),
    lambda inner: st.builds(
        lambda name, note: Sentence("OfStructure", name=name, note=note), VALUES, inner
    ),
    max_leaves=4,
)


@given(SENTENCES)
def test_a_sentence_survives_json_and_copying(sentence: Sentence):
    written = json.dumps(sentence.to_json(), allow_nan=False)
    for again in (Sentence.from_json(json.loads(written)), copy.deepcopy(sentence)):
        assert again == sentence
        assert again.to_json() == sentence.to_json()


@given(SENTENCES)
def test_a_sentence_inside_another_keeps_its_words(sentence: Sentence):
    outer = Sentence("OfStructure", name="Liver", note=sentence)
    assert outer == f"'Liver': {sentence}"
    assert outer.parameters["Note"] == sentence.to_json()
