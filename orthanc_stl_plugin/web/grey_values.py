"""The route that gives a browser what it needs to choose a threshold."""

from __future__ import annotations

from orthanc_stl_plugin.services.grey_values import GreyValues
from orthanc_stl_plugin.web.conditional import conditional
from orthanc_stl_plugin.web.messages import Request, Response, json_response
from orthanc_stl_plugin.web.route import Route


def grey_value_routes(values: GreyValues) -> list[Route]:
    """GET /series/{id}/stl/values."""

    def show(request: Request) -> Response:
        found = values.find(request.groups[0])
        return conditional(
            request,
            f"{found.digest}-values",
            {"Cache-Control": "private, no-cache"},
            lambda: json_response(values.summary(found)),
        )

    return [Route("/series/{id}/stl/values", {"GET": show})]
