from typing import cast

import pytest

from orthanc_stl_plugin.config import (
    SECTION,
    Settings,
    documented,
    read_settings,
)
from orthanc_stl_plugin.config.texts import Texts, texts
from orthanc_stl_plugin.errors import ConfigurationError


def test_an_empty_section_gives_the_defaults():
    assert read_settings({}) == Settings()


def test_a_value_in_the_section_replaces_the_default():
    assert read_settings({"MaxTaskSeconds": 5}).max_task_seconds == 5


def test_an_unknown_key_is_refused_with_the_nearest_right_name():
    with pytest.raises(ConfigurationError, match=r'"OrthancStlPlugin.maxtaskSecond".*7.*"MaxTaskS'):
        read_settings({"maxtaskSecond": 7})


def test_a_key_that_resembles_nothing_is_refused_with_the_whole_list():
    with pytest.raises(ConfigurationError, match="the settings are Workers, MaxTaskSeconds"):
        read_settings({"Zzzz": 7})


@pytest.mark.parametrize("value", ["4", 1.5, True, None, [4]])
def test_a_number_must_be_whole(value: object):
    with pytest.raises(ConfigurationError, match=r'"OrthancStlPlugin.Workers" is .*whole number'):
        read_settings({"Workers": value})


@pytest.mark.parametrize("value", [-1, 257])
def test_a_number_outside_its_range_is_refused_with_the_range(value: int):
    with pytest.raises(ConfigurationError, match=rf"is {value}: it must lie in 0-256"):
        read_settings({"Workers": value})


def test_a_text_setting_takes_texts_only():
    with pytest.raises(ConfigurationError, match=r'SpoolDirectory" is 3: it must be a text'):
        read_settings({"SpoolDirectory": 3})


@pytest.mark.parametrize("value", [1, 0, "true", None])
def test_a_switch_is_true_or_false(value: object):
    with pytest.raises(ConfigurationError, match='JobsInOrthanc" is .*: it must be true or false'):
        read_settings({"JobsInOrthanc": value})


def test_a_section_that_is_no_object_is_refused():
    with pytest.raises(ConfigurationError, match=f'"{SECTION}" is 3'):
        read_settings(3)


def test_zero_workers_stands_for_at_least_one():
    assert Settings(workers=0).worker_count >= 1


def test_a_chosen_number_of_workers_is_taken():
    assert Settings(workers=5).worker_count == 5


def test_every_setting_has_a_key_of_its_own():
    places = [setting.place for setting in documented()]
    assert len(set(places)) == len(places)


def test_a_setting_of_a_section_is_read():
    chosen = read_settings({"Publish": {"StaffHeader": "X-Staff"}})
    assert (chosen.publish.staff_header, chosen.publish.label) == ("X-Staff", "")


def test_an_unknown_key_of_a_section_is_refused_with_its_place_and_the_nearest_right_name():
    with pytest.raises(ConfigurationError, match=r'"OrthancStlPlugin.Presentation.Lable".*"Label"'):
        read_settings({"Presentation": {"Lable": []}})


def test_a_section_inside_that_is_no_object_is_refused():
    with pytest.raises(ConfigurationError, match=r'"OrthancStlPlugin.Publish" is 3: .* an object'):
        read_settings({"Publish": 3})


def test_plain_texts_are_english():
    chosen = read_settings({"Presentation": {"RequiredStatement": "Museum"}})
    assert chosen.presentation.required_statement == texts("Museum", language="en")


def test_texts_may_be_given_by_language():
    value = {"en": "Date", "nl": ["Datum", "Dag"]}
    chosen = read_settings({"Presentation": {"Metadata": [{"StudyDate": value}]}})
    expected = Texts((("en", ("Date",)), ("nl", ("Datum", "Dag"))))
    assert chosen.presentation.metadata == ({"StudyDate": expected},)


@pytest.mark.parametrize("value", [3, {"English please": "x"}, {"en": 3}, [3], {"en": {"a": "b"}}])
def test_texts_of_another_shape_are_refused(value: object):
    with pytest.raises(ConfigurationError, match=r'RequiredStatement" is .*: it must be a text'):
        read_settings({"Presentation": {"RequiredStatement": value}})


@pytest.mark.parametrize(
    "value", [{"StudyDate": "Date"}, ["StudyDate"], [{}], [{"A": "", "B": ""}]]
)
def test_names_with_texts_are_a_list_as_orthanc_sorts_objects(value: object):
    with pytest.raises(ConfigurationError, match=r'Metadata" is .*: it must be a list of texts by'):
        read_settings({"Presentation": {"Metadata": value}})


@pytest.mark.parametrize("value", ["museum.example", "ftp://x/", "https://a b", 3])
def test_an_address_is_one_of_http(value: object):
    with pytest.raises(ConfigurationError, match=r'Rights" is .*: it must be an address'):
        read_settings({"Presentation": {"Rights": value}})


@pytest.mark.parametrize("value", ["iiif.museum.example", "ftp://x y"])
def test_the_public_address_is_one_of_http(value: str):
    with pytest.raises(ConfigurationError, match=r'PublicUrl" is .*: it must be an address'):
        read_settings({"PublicUrl": value})


@pytest.mark.parametrize("value", ["for all", "öffentlich", "x" * 65, "a/b", "public\n", 3])
def test_a_label_that_orthanc_refuses_is_refused(value: object):
    staff = {"StaffHeader": "X-Staff", "StaffValue": "word"}
    with pytest.raises(ConfigurationError, match=r'Publish.Label" is .*: it must be a label'):
        read_settings({"Publish": {"Label": value, **staff}})


@pytest.mark.parametrize("value", [-1, 1, 511, False, 1.5])
def test_memory_with_which_no_worker_can_start_is_refused(value: object):
    with pytest.raises(ConfigurationError, match="MaxTaskMemoryMiB"):
        read_settings({"MaxTaskMemoryMiB": value})


@pytest.mark.parametrize("value", [0, 512, 4096])
def test_memory_is_bounded_by_512_mib_and_more_or_not_at_all(value: int):
    assert read_settings({"MaxTaskMemoryMiB": value}).max_task_memory_mib == value


def test_a_label_for_the_public_needs_a_way_to_know_staff():
    with pytest.raises(ConfigurationError, match=r'Publish" must have StaffHeader and StaffValue'):
        read_settings({"Publish": {"Label": "public", "StaffHeader": "X-Staff"}})


def test_a_provider_needs_an_address_and_a_name():
    with pytest.raises(ConfigurationError, match=r'Provider" must have both Url and Name'):
        read_settings({"Presentation": {"Provider": {"Url": "https://museum.example/"}}})


def test_the_defaults_read_again_are_the_defaults():
    section: dict[str, object] = {}
    for place, default, _ in documented():
        *outer, key = place.split(".")
        inner: dict[str, object] = section
        for name in outer:
            inner = cast("dict[str, object]", inner.setdefault(name, {}))
        inner[key] = default
    assert read_settings(section) == Settings()
