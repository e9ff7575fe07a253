"""README.md tells of every setting and every route."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from orthanc_stl_plugin.config import Settings, setting_defaults
from orthanc_stl_plugin.services.jobs.job_queue import JobEngine
from orthanc_stl_plugin.services.jobs.waiting_room import WaitingRoom
from orthanc_stl_plugin.web.iiif import BASES
from orthanc_stl_plugin.web.jobs import job_routes
from orthanc_stl_plugin.web.listing import grey_value_routes, listing_routes
from orthanc_stl_plugin.web.model_files import model_file_routes
from orthanc_stl_plugin.web.models import model_routes
from orthanc_stl_plugin.web.pages import page_routes
from orthanc_stl_plugin.web.presentation import official_presentation_routes, presentation_routes
from orthanc_stl_plugin.web.status import status_routes
from tests.support.memory_journal import MemoryJournal, remove_nothing

README = (Path(__file__).parents[2] / "README.md").read_text()
ENGINE = JobEngine(0, 0, 0, MemoryJournal(), remove_nothing)
NOTHING = cast("Any", None)
ROOM = WaitingRoom(2)
ROUTES = [
    f"{method} {route.template}"
    for route in [
        *model_routes(NOTHING, NOTHING, "", ROOM),
        *listing_routes(NOTHING),
        *model_file_routes(NOTHING),
        *job_routes(ENGINE, cast("Any", object())),
        *grey_value_routes(NOTHING),
        *status_routes(NOTHING),
        *page_routes({}, NOTHING),
        *presentation_routes(NOTHING, NOTHING, NOTHING, Settings()),
        *official_presentation_routes(NOTHING, Settings()),
    ]
    for method in route.handlers
]


@pytest.mark.parametrize(("setting", "default"), setting_defaults().items())
def test_every_setting_is_in_the_table_with_its_default(setting: str, default: object):
    assert f"| `{setting}` | `{json.dumps(default)}` |" in README


@pytest.mark.parametrize("base", BASES)
def test_every_base_uri_of_images_is_in_the_table(base: str):
    assert f"| `{base}` |" in README


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_is_in_the_table(route: str):
    assert f"| `{route}` |" in README


def test_no_route_is_documented_that_does_not_exist():
    documented = [line.split("`")[1] for line in README.splitlines() if line.startswith("| `")]
    methods = ("GET ", "POST ", "DELETE ")
    assert {one for one in documented if one.startswith(methods)} == set(ROUTES)
