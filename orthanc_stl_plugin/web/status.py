"""The route of the plugin's status."""

from __future__ import annotations

from orthanc_stl_plugin.services.status import Status
from orthanc_stl_plugin.web.messages import Request, Response, json_response
from orthanc_stl_plugin.web.route import Route


def status_routes(status: Status) -> list[Route]:
    """GET /stl/status."""

    def show(_request: Request) -> Response:
        return json_response(status.report())

    return [
        Route(
            "/stl/status",
            {"GET": show},
            summary="Versions, workers, jobs, caches, official plugins, viewers",
        )
    ]
