import pytest

from orthanc_stl_plugin.config import SECTION, Settings, read_settings, setting_keys
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
    assert len(set(setting_keys())) == len(setting_keys())
