import base64

import pytest

from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.web.fields import Fields

KNOWN = ("Nifti", "Smooth", "Resolution", "Tags", "ParentStudy")


def fields(**body: object) -> Fields:
    return Fields(body, KNOWN)


def test_an_unknown_field_is_refused_with_the_nearest_right_name():
    with pytest.raises(BadRequest, match=r"unknown field 'smooth': did you mean \"Smooth\""):
        fields(smooth=True)


def test_a_field_that_resembles_nothing_is_refused_with_the_whole_list():
    with pytest.raises(BadRequest, match="this route knows Nifti, ParentStudy, Resolution"):
        fields(zzzzzz=True)


def test_a_missing_text_is_named():
    with pytest.raises(BadRequest, match='"ParentStudy" is missing'):
        fields().text("ParentStudy")


@pytest.mark.parametrize("value", ["", 3, [], {}, False])
def test_a_text_must_be_a_text(value: object):
    with pytest.raises(BadRequest, match='"ParentStudy" is'):
        fields(ParentStudy=value).text("ParentStudy")


@pytest.mark.parametrize("value", [1, 0, "true", None])
def test_a_switch_must_be_true_or_false(value: object):
    with pytest.raises(BadRequest, match="true or false"):
        fields(Smooth=value).flag("Smooth", default=True)


@pytest.mark.parametrize("value", ["256", 2.5, True, None])
def test_a_number_must_be_whole(value: object):
    with pytest.raises(BadRequest, match="whole number"):
        fields(Resolution=value).whole("Resolution", 256)


def test_an_absent_field_takes_its_default():
    assert fields().whole("Resolution", 256) == 256
    assert fields().flag("Smooth", default=True) is True
    assert fields().mapping("Tags") == {}


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
    assert fields(Nifti=text).binary("Nifti") == bytes(range(4))


@pytest.mark.parametrize("text", ["AAEC*w==", "AAECAw", "é", "data:text/plain,AAEC", "data:AAEC"])
def test_what_is_not_base64_is_refused(text: str):
    with pytest.raises(BadRequest, match="Nifti"):
        fields(Nifti=text).binary("Nifti")


def test_a_data_uri_without_bytes_is_refused():
    with pytest.raises(BadRequest, match="no bytes"):
        fields(Nifti="data:;base64,").binary("Nifti")


def test_a_long_value_is_cut_in_the_message():
    text = base64.b64encode(bytes(10_000)).decode() + "*"
    with pytest.raises(BadRequest) as caught:
        fields(Nifti=text).binary("Nifti")
    assert len(str(caught.value)) < 200


def test_a_choice_holds_numbers_and_names():
    assert fields(Tags=[5, "liver"]).choice("Tags") == (5, "liver")
    assert fields().choice("Tags") is None


@pytest.mark.parametrize("value", [[], "liver", 5, [True], [1.5], [None], [["a"]], [3, 3]])
def test_a_choice_that_chooses_nothing_clear_is_refused(value: object):
    with pytest.raises(BadRequest, match='"Tags"'):
        fields(Tags=value).choice("Tags")


@pytest.mark.parametrize("value", ["3", True, None, float("nan"), float("inf"), 10**400])
def test_a_number_must_be_finite(value: object):
    with pytest.raises(BadRequest, match="finite number"):
        fields(Resolution=value).optional_number("Resolution")


def test_a_number_may_have_decimals_and_a_sign():
    assert fields(Resolution=-2.5).optional_number("Resolution") == -2.5
