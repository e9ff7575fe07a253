from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, UnsetType, ValidationError, convert, structs

from orthanc_stl_plugin.config import Presentation, Provider, Publish, Settings
from orthanc_stl_plugin.schema import Invalid, MissingName, UnknownName, read, that_must
from orthanc_stl_plugin.web.bodies import (
    Attach,
    EncodeNifti,
    EncodeRtStruct,
    EncodeSeg,
    EncodeSeries,
    SmoothingFields,
)

BODIES = (Attach, EncodeNifti, EncodeRtStruct, EncodeSeg, EncodeSeries, SmoothingFields)
SECTIONS = (Settings, Presentation, Provider, Publish)


class Inner(Struct, rename="pascal", forbid_unknown_fields=True, frozen=True):
    size: Annotated[int, Meta(ge=1, le=9)] = 1


class Outer(Struct, rename="pascal", forbid_unknown_fields=True):
    name: str
    inner: Inner = Inner()
    names: dict[str, str] = {}
    share: Annotated[float, that_must("be a share")] | UnsetType = UNSET


WHOLE = {"Name": "a", "Inner": {"Size": 3}, "Names": {"b": "c"}, "Share": 0.5}


def invalid(value: object) -> Invalid:
    with pytest.raises(Invalid) as caught:
        read(Outer, value)
    return caught.value


def test_what_is_declared_is_read():
    assert read(Outer, WHOLE) == Outer("a", Inner(3), {"b": "c"}, 0.5)


@pytest.mark.parametrize(
    ("value", "path", "must"),
    [
        ([], (), "be an object {...}"),
        ({"Name": 3}, ("Name",), "be a text"),
        ({"Name": "a", "Inner": {"Size": "3"}}, ("Inner", "Size"), "be a whole number"),
        ({"Name": "a", "Inner": {"Size": 10}}, ("Inner", "Size"), "lie in 1-9"),
        ({"Name": "a", "Names": {"b": "c", "d": 3}}, ("Names", "d"), "be a text"),
        ({"Name": "a", "Share": "x"}, ("Share",), "be a share"),
        ({"Name": "a", "Share": float("inf")}, ("Share",), "be a share"),
        ({"Name": "a", "Share": 10**400}, ("Share",), "be a share"),
    ],
)
def test_the_first_wrong_value_is_named_with_what_it_must_be(
    value: object, path: tuple[str, ...], must: str
):
    assert (invalid(value).path, invalid(value).must) == (path, must)


def test_an_unknown_name_has_its_nearest_neighbour():
    with pytest.raises(UnknownName) as caught:
        read(Outer, {"Name": "a", "Inner": {"size": 3}})
    assert (caught.value.path, caught.value.nearest) == (("Inner",), "Size")


def test_a_missing_name_is_told():
    with pytest.raises(MissingName) as caught:
        read(Outer, {})
    assert caught.value.name == "Name"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Name", "Inner", "Size", "Names", "Share"]), inner)
    ),
    max_leaves=6,
)


@given(JSON)
def test_msgspec_refuses_what_is_refused_here_but_numbers_that_are_not_finite(value: Any):
    try:
        expected = convert(value, Outer)
    except (ValidationError, OverflowError):
        with pytest.raises((Invalid, UnknownName, MissingName)):
            read(Outer, value)
    else:
        if expected.share is UNSET or abs(expected.share) < float("inf"):
            assert read(Outer, value) == expected


@pytest.mark.parametrize("kind", [*BODIES, *SECTIONS])
def test_every_declared_value_says_what_it_must_be(kind: type[Struct]):
    class Strange:
        """No JSON."""

    for one in structs.fields(kind):
        with pytest.raises(Invalid) as caught:
            read(kind, {one.encode_name: Strange()} | required(kind, but=one.encode_name))
        assert caught.value.must, one.name


def required(kind: type[Struct], but: str) -> dict[str, object]:
    return {
        one.encode_name: "text"
        for one in structs.fields(kind)
        if one.required and one.encode_name != but
    }
