"""The routes that list sources of models: ROIs, segments, grey values."""

from __future__ import annotations

from orthanc_stl_plugin.services.models.grey_values import GreyValues
from orthanc_stl_plugin.services.models.listing import Listing
from orthanc_stl_plugin.web.conditional import conditional
from orthanc_stl_plugin.web.messages import Request, Response, json_response
from orthanc_stl_plugin.web.route import Route


def listing_routes(listing: Listing) -> list[Route]:
    """GET /stl/rt-struct/{id} and /stl/seg/{id}."""

    def rois(request: Request) -> Response:
        found = listing.rois(request.groups[0])
        if "details" in request.query:
            return json_response(found)
        return json_response([roi["Name"] for roi in found])

    def segments(request: Request) -> Response:
        with_volumes = "details" in request.query
        return json_response(listing.segments(request.groups[0], with_volumes=with_volumes))

    return [
        Route(
            "/stl/rt-struct/{id}",
            {"GET": rois},
            summary="Names of the ROIs of an RT-STRUCT instance",
        ),
        Route("/stl/seg/{id}", {"GET": segments}, summary="Segments of a SEG instance"),
    ]


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

    return [
        Route(
            "/series/{id}/stl/values",
            {"GET": show},
            summary="Grey values of a series, reduced, with their histogram",
        )
    ]
