"""What Orthanc does at start with a configuration, right or wrong."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from orthanc_stl_plugin.config import SECTION, Settings, documented, read_settings
from tests.support.orthanc_server import PLUGIN_SCRIPT, OrthancServer

SHOW_CONFIGURATION = Path(__file__).parent / "show_configuration.py"
ALREADY_SET = '"MaxTaskSeconds" : 900'


@pytest.mark.parametrize(
    ("setting", "sentences"),
    [
        ('"MaxTaskSecs" : 900', ['"OrthancStlPlugin.MaxTaskSecs"', '"MaxTaskSeconds"?']),
        ('"MaxTaskSeconds" : "long"', ["\"OrthancStlPlugin.MaxTaskSeconds\" is 'long'"]),
        ('"MaxTaskSeconds" : 0', ["is 0: it must lie in 1-86400"]),
    ],
)
def test_a_wrong_setting_stops_orthanc_with_a_sentence(setting: str, sentences: list[str]):
    with closing(OrthancServer({ALREADY_SET: setting})) as server:
        server.start()
        assert server.process.wait(30) == 255
        for sentence in sentences:
            assert sentence in server.log


def test_workers_without_an_interpreter_stop_orthanc():
    wrong = {'"WorkerExecutable" : ""': '"WorkerExecutable" : "/nowhere/python"'}
    with closing(OrthancServer(wrong)) as server:
        server.start()
        assert server.process.wait(30) == 255
        assert "\"WorkerExecutable\" is '/nowhere/python'" in server.log


def test_the_section_may_be_absent():
    name = '"OrthancStlPlugin" : {'
    with OrthancServer({name: '"SomebodyElse" : {'}) as server:
        assert server.get("/instances/nope/stl").status_code == 404


def test_by_default_no_other_machine_is_let_in_and_nobody_may_store_over_dicom():
    with OrthancServer({PLUGIN_SCRIPT: str(SHOW_CONFIGURATION)}) as server:
        configuration = server.get("/configuration").json()
    assert configuration["RemoteAccessAllowed"] is False
    assert configuration["DicomAlwaysAllowStore"] is False


def test_an_orthanc_that_malformed_uploads_end_says_so_at_start():
    with OrthancServer() as server:
        version = server.get("/system").json()["Version"]
        is_old = tuple(int(part) for part in version.split(".")[:2]) < (1, 13)
        time.sleep(3)  # it is said after the start
        assert (f"Orthanc {version} dies on malformed uploads" in server.log) == is_old


def test_orthanc_json_names_every_setting_with_its_default():
    with OrthancServer({PLUGIN_SCRIPT: str(SHOW_CONFIGURATION)}) as server:
        section = server.get("/configuration").json()[SECTION]
    assert set(section) == {setting.place.split(".")[0] for setting in documented()}
    assert read_settings(section | {"SpoolDirectory": ""}) == Settings()
