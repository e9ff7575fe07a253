"""The OpenAPI 3.1 description of all routes, made from the routes and the bodies they take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from orthanc_stl_plugin import __version__
from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.web.messages import Request, Response, json_response
from orthanc_stl_plugin.web.public_url import base_url
from orthanc_stl_plugin.web.route import Route

Json = dict[str, Any]

PATH: Final = "/stl/openapi.json"
_SCHEMAS: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{(\w+)(?:\.\.\.)?\}")
_ERROR: Final[Json] = {
    "type": "object",
    "description": (
        "An error in the shape of Orthanc's own. Details is the sentence to show; Code is its"
        " stable name, and Parameters are the values in it, to say it in another language:"
        " /stl/app/sentences/en.json lists all codes with their English texts."
    ),
    "required": [
        "Code",
        "Details",
        "HttpError",
        "HttpStatus",
        "Message",
        "Method",
        "Parameters",
        "Uri",
    ],
    "properties": {
        "Code": {"type": "string", "examples": ["NoSuchJob"]},
        "Details": {"type": "string"},
        "HttpError": {"type": "string"},
        "HttpStatus": {"type": "integer"},
        "Message": {"type": "string"},
        "Method": {"type": "string"},
        "OrthancError": {"type": "string"},
        "OrthancStatus": {"type": "integer"},
        "Parameters": {"type": "object", "examples": [{"JobId": "6b3f"}]},
        "Uri": {"type": "string"},
    },
}


def openapi_route(routes: Iterable[Route], settings: Settings) -> Route:
    """GET /stl/openapi.json: the description of `routes` and of itself."""

    def show(request: Request) -> Response:
        return json_response(
            {**document, "servers": [{"url": base_url(request.headers, settings)}]}
        )

    route = Route(PATH, {"GET": show}, summary="This description")
    document = description([*routes, route])
    return route


def description(routes: Sequence[Route]) -> Json:
    """The OpenAPI document, but for the address of the server."""
    bodies = {route.body for route in routes if route.body is not None}
    ordered = sorted(bodies, key=lambda body: body.__name__)
    _, schemas = msgspec.json.schema_components(ordered, ref_template=_SCHEMAS)
    paths: Json = {}
    for route in routes:
        path = _PARAMETER.sub(r"{\1}", route.template)
        paths.setdefault(path, {}).update(_path_item(route))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "orthanc_stl_plugin",
            "summary": "3D models from segmentations, and IIIF from DICOM images, inside Orthanc",
            "version": __version__,
            "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        },
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": {**schemas, "Error": _ERROR}},
    }


def _path_item(route: Route) -> Json:
    item: Json = {method.lower(): _operation(route) for method in route.handlers}
    names = _PARAMETER.findall(route.template)
    if names:
        item["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    return item


def _operation(route: Route) -> Json:
    operation: Json = {
        "summary": route.summary,
        "responses": {
            "2XX": {"description": "The answer"},
            "3XX": {"description": "Another address, or nothing new"},
            "default": {
                "description": "An error; its media type is text/plain, as Orthanc's own",
                "content": {"text/plain": {"schema": {"$ref": _SCHEMAS.format(name="Error")}}},
            },
        },
    }
    if route.body is not None:
        schema = {"$ref": _SCHEMAS.format(name=route.body.__name__)}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return operation
