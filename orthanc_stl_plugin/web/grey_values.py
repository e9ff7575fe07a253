"""The route that gives a browser what it needs to choose a threshold."""

from __future__ import annotations

from orthanc_stl_plugin.services.grey_values import GreyValues
from orthanc_stl_plugin.web.messages import Request, Response, json_response
from orthanc_stl_plugin.web.router import Route
from orthanc_stl_plugin.web.validators import REVALIDATED, validated


def grey_value_routes(values: GreyValues) -> list[Route]:
    """GET /series/{id}/stl/values."""

    def show(request: Request) -> Response:
        found = values.find(request.groups[0])
        return validated(
            request,
            f"{found.digest}-values",
            lambda: json_response(values.summary(found)),
            {"Cache-Control": REVALIDATED},
        )

    return [Route("/series/{id}/stl/values", {"GET": show})]
