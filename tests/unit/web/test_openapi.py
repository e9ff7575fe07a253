"""The OpenAPI description covers all routes and says of bodies what is enforced."""

from typing import Any, cast

import pytest
import schemathesis
from schemathesis.core.result import Ok

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.services.images.renditions import Renditions
from orthanc_stl_plugin.services.jobs.job_queue import JobEngine
from orthanc_stl_plugin.services.jobs.waiting_room import WaitingRoom
from orthanc_stl_plugin.web.iiif import AnswerMemory, image_routes
from orthanc_stl_plugin.web.jobs import job_routes
from orthanc_stl_plugin.web.listing import grey_value_routes, listing_routes
from orthanc_stl_plugin.web.messages import Request
from orthanc_stl_plugin.web.model_files import model_file_routes
from orthanc_stl_plugin.web.models import model_routes
from orthanc_stl_plugin.web.openapi import PATH, description, openapi_route
from orthanc_stl_plugin.web.pages import page_routes
from orthanc_stl_plugin.web.presentation import official_presentation_routes, presentation_routes
from orthanc_stl_plugin.web.status import status_routes
from tests.support.memory_journal import MemoryJournal, remove_nothing
from tests.support.router import Router

NOTHING = cast("Any", None)
ENGINE = JobEngine(0, 0, 0, MemoryJournal(), remove_nothing)
ROUTES = [
    *model_routes(NOTHING, NOTHING, "", WaitingRoom(2), 0),
    *listing_routes(NOTHING),
    *model_file_routes(NOTHING),
    *job_routes(ENGINE, cast("Any", object())),
    *grey_value_routes(NOTHING),
    *status_routes(NOTHING),
    *page_routes({}, NOTHING),
    *presentation_routes(NOTHING, NOTHING, NOTHING, Settings()),
    *official_presentation_routes(NOTHING, Settings()),
    *image_routes(cast("Renditions", None), AnswerMemory(Settings()), Settings()),
]
DOCUMENT = description(ROUTES)
SCHEMAS = DOCUMENT["components"]["schemas"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.template)
def test_every_route_is_described_in_one_line(route: Any):
    item = DOCUMENT["paths"][route.template.replace("...}", "}")]
    for method in route.handlers:
        assert 5 < len(item[method.lower()]["summary"]) < 80
        assert item[method.lower()]["summary"] == route.summary


def test_nothing_is_described_that_is_not_there():
    described = {
        (path, method)
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method != "parameters"
    }
    there = {
        (route.template.replace("...}", "}"), method.lower())
        for route in ROUTES
        for method in route.handlers
    }
    assert described == there


def test_the_document_is_valid_and_every_operation_can_be_called():
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.validate()
    operations = list(schema.get_all_operations())
    assert all(isinstance(one, Ok) for one in operations)
    assert len(operations) == sum(len(route.handlers) for route in ROUTES)


def test_a_body_says_what_it_requires_and_what_its_limits_are():
    nifti = SCHEMAS["EncodeNifti"]
    assert nifti["required"] == ["Nifti", "ParentStudy"]
    assert nifti["additionalProperties"] is False
    resolution = nifti["properties"]["Resolution"]
    assert (resolution["minimum"], resolution["maximum"], resolution["default"]) == (2, 1024, 256)
    assert SCHEMAS["Attach"]["properties"]["Format"]["enum"] == ["STL", "OBJ", "PLY", "GLB", "ZIP"]
    assert "Constrained" in SCHEMAS["SmoothingMethod"]["enum"]


def test_the_description_names_itself_and_the_server():
    router = Router([openapi_route(ROUTES, Settings())])
    answer = router.respond(Request("GET", PATH, headers={"host": "pacs.example"}))
    assert answer.status == 200
    assert b'"url": "http://pacs.example"' in answer.body
    assert PATH.encode() in answer.body
