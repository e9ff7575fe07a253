"""README.md tells of every setting and every route."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import pytest

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.web.model_files import model_file_routes
from orthanc_stl_plugin.web.models import model_routes

README = (Path(__file__).parents[2] / "README.md").read_text()
ROUTES = [
    f"{method} {route.template}"
    for route in [*model_routes(cast("Any", None)), *model_file_routes(cast("Any", None))]
    for method in route.handlers
]


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda setting: setting.name)
def test_every_setting_is_in_the_table_with_its_default(setting: Any):
    assert f"| `{setting.metadata['key']}` | `{json.dumps(setting.default)}` |" in README


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_is_in_the_table(route: str):
    assert f"| `{route}` |" in README


def test_no_route_is_documented_that_does_not_exist():
    documented = [line.split("`")[1] for line in README.splitlines() if line.startswith("| `")]
    assert {one for one in documented if one.split(" ")[0] in {"GET", "POST"}} == set(ROUTES)
