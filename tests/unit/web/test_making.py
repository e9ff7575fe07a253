import json

import pytest

from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.formats.dicom.encapsulated import RESERVED_TAGS
from orthanc_stl_plugin.model.mesh import MeshOptions, SmoothingMethod
from orthanc_stl_plugin.web.bodies import EncodeSeg, read_body
from orthanc_stl_plugin.web.making import instance_tags


def options(**body: object) -> MeshOptions:
    content = json.dumps({"Instance": "i", **body}).encode()
    return read_body(EncodeSeg, content).mesh_options()


def test_the_defaults_are_those_of_the_official_plugin():
    assert options() == MeshOptions(resolution=256, method=SmoothingMethod.CONSTRAINED)


def test_smoothing_can_be_switched_off():
    assert options(Smooth=False).method is SmoothingMethod.NONE


def test_a_method_and_its_steps_can_be_chosen():
    chosen = options(Smoothing={"Method": "Laplacian", "Iterations": 30})
    assert (chosen.method, chosen.iterations) == (SmoothingMethod.LAPLACIAN, 30)


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(
        BadRequest, match="'Gauss': it must be one of Constrained, Taubin, Laplacian, None"
    ):
        options(Smoothing={"Method": "Gauss"})


def test_a_method_without_smoothing_is_a_contradiction():
    with pytest.raises(BadRequest, match='"Smooth" is false, but "Smoothing.Method" is'):
        options(Smooth=False, Smoothing={"Method": "Taubin"})


def test_a_misspelt_part_of_the_smoothing_is_refused():
    with pytest.raises(BadRequest, match='did you mean "Iterations"'):
        options(Smoothing={"Iteration": 3})


@pytest.mark.parametrize("iterations", [-1, 201])
def test_steps_outside_their_range_are_refused(iterations: int):
    with pytest.raises(BadRequest, match=f"Iterations is {iterations}: it must be 0-200"):
        options(Smoothing={"Iterations": iterations})


def test_a_bound_of_triangles_is_taken():
    assert options(Triangles=5000).triangles == 5000


def test_a_bound_of_the_error_is_taken():
    assert options(MaxErrorMm=0.5).max_error_mm == 0.5


@pytest.mark.parametrize("error", [0, -1, 0.0009, 100.5])
def test_an_error_outside_its_range_is_refused_with_the_range(error: float):
    with pytest.raises(BadRequest, match=f"MaxErrorMm is {error}: it must be 0.001-100"):
        options(MaxErrorMm=error)


def test_two_bounds_that_are_alternatives_are_refused():
    with pytest.raises(BadRequest, match='"Triangles" and "MaxErrorMm" are alternatives'):
        options(Triangles=5000, MaxErrorMm=0.5)


def test_too_few_triangles_are_refused():
    with pytest.raises(BadRequest, match="Triangles is 99: it must be at least 100"):
        options(Triangles=99)


@pytest.mark.parametrize("resolution", [0, 1, -5, 1025, 10**9])
def test_a_resolution_outside_its_range_is_refused_with_the_range(resolution: int):
    with pytest.raises(BadRequest, match=f"Resolution is {resolution}: it must be 2-1024"):
        options(Resolution=resolution)


def test_a_tag_is_taken_by_keyword_and_by_number():
    tags = instance_tags({"SeriesDescription": "a", "0042,0010": "b", "0008-103e": "c"})
    assert tags == {"SeriesDescription": "c", "DocumentTitle": "b"}


@pytest.mark.parametrize("name", ["Foo", "", "0042", "9999,9999", "zzzz,zzzz", "0x42,010"])
def test_a_tag_that_dicom_does_not_know_is_refused(name: str):
    with pytest.raises(BadRequest, match="no such DICOM keyword"):
        instance_tags({name: "x"})


@pytest.mark.parametrize("keyword", sorted(RESERVED_TAGS))
def test_a_tag_that_is_not_the_clients_to_choose_is_refused(keyword: str):
    with pytest.raises(BadRequest, match=f"may not set {keyword}"):
        instance_tags({keyword: "x"})


@pytest.mark.parametrize("value", [3, None, ["a"], {"a": 1}, "x" * 1025])
def test_the_value_of_a_tag_is_a_text(value: object):
    with pytest.raises(BadRequest, match='"Tags.SeriesDescription" is'):
        instance_tags({"SeriesDescription": value})


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("SeriesNumber", "many"), ("ContentDate", "2026-01-02"), ("SeriesDescription", "x" * 65)],
)
def test_a_value_that_dicom_forbids_is_refused_with_its_representation(keyword: str, value: str):
    with pytest.raises(BadRequest, match=f'"Tags.{keyword}" is .* no value of'):
        instance_tags({keyword: value})


def test_a_tag_that_holds_no_text_is_refused():
    with pytest.raises(BadRequest, match="a value of SQ is no text"):
        instance_tags({"SourceInstanceSequence": "x"})
