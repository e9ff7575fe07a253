"""README.md and docs/ cover every setting and every route, and their links lead somewhere."""

import re
from pathlib import Path
from typing import Any, cast

import pytest

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.services.jobs.job_queue import JobEngine
from orthanc_stl_plugin.services.jobs.waiting_room import WaitingRoom
from orthanc_stl_plugin.web.iiif import BASES
from orthanc_stl_plugin.web.jobs import job_routes
from orthanc_stl_plugin.web.listing import grey_value_routes, listing_routes
from orthanc_stl_plugin.web.model_files import model_file_routes
from orthanc_stl_plugin.web.models import model_routes
from orthanc_stl_plugin.web.openapi import openapi_route
from orthanc_stl_plugin.web.pages import page_routes
from orthanc_stl_plugin.web.presentation import official_presentation_routes, presentation_routes
from orthanc_stl_plugin.web.status import status_routes
from tests.support.documentation import PAGES, documented_routes, table_rows
from tests.support.memory_journal import MemoryJournal, remove_nothing
from tools.settings_page import PAGE, with_table

CODE_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)", re.MULTILINE)
ENGINE = JobEngine(0, 0, 0, MemoryJournal(), remove_nothing)
NOTHING = cast("Any", None)
ROOM = WaitingRoom(2)
ROUTES = [
    f"{method} {route.template}"
    for route in [
        *model_routes(NOTHING, NOTHING, "", ROOM, 0),
        *listing_routes(NOTHING),
        *model_file_routes(NOTHING),
        *job_routes(ENGINE, cast("Any", object())),
        *grey_value_routes(NOTHING),
        *status_routes(NOTHING),
        openapi_route([], Settings()),
        *page_routes({}, NOTHING),
        *presentation_routes(NOTHING, NOTHING, NOTHING, Settings()),
        *official_presentation_routes(NOTHING, Settings()),
    ]
    for method in route.handlers
]


def test_the_page_of_settings_is_made_from_the_schema():
    assert PAGE.read_text() == with_table(PAGE.read_text())


@pytest.mark.parametrize("base", BASES)
def test_every_base_uri_of_images_is_in_a_table(base: str):
    assert sum(row.startswith(f"| `{base}` |") for row in table_rows()) == 1


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_is_in_one_table(route: str):
    assert documented_routes().count(route) == 1


def test_no_route_is_documented_that_does_not_exist():
    assert set(documented_routes()) == set(ROUTES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path):
    for link in LINK.findall(CODE_BLOCK.sub("", page.read_text())):
        if re.match("[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not fragment or fragment in anchors(target), link


def anchors(page: Path) -> set[str]:
    """The fragments by which GitHub addresses the headings of a page."""
    headings = HEADING.findall(CODE_BLOCK.sub("", page.read_text()))
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}
