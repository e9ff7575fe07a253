"""The one place that decides what the public may ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.services.catalogue import Level
from orthanc_stl_plugin.services.publication import Publication
from orthanc_stl_plugin.web.messages import Request, Response
from orthanc_stl_plugin.web.route import Route, Shows

_LEVELS = {
    Shows.STUDY: Level.STUDY,
    Shows.SERIES: Level.SERIES,
    Shows.INSTANCE: Level.INSTANCE,
}


def guarded(routes: Iterable[Route], publication: Publication) -> list[Route]:
    """The routes, open to the public only as far as each declares in `shows`.

    For the public, everything else is not found: routes that declare nothing, other methods than
    GET, and resources of studies that are not published. What it gets, caches must ask for again
    each time, so that a study that is withdrawn is gone everywhere.
    """
    if not publication.is_restricted:
        return list(routes)
    return [replace(route, guard=_guard(route, publication), recall=None) for route in routes]


def _guard(
    route: Route, publication: Publication
) -> Callable[[Request, Callable[[Request], Response]], Response]:
    def answer(request: Request, handle: Callable[[Request], Response]) -> Response:
        if not publication.is_public(request.headers):
            return _unshared(handle(request))
        if route.shows is Shows.NOTHING or request.method != "GET":
            raise NotFound("there is nothing public at this address")
        if route.shows in _LEVELS:
            publication.check(_LEVELS[route.shows], request.groups[0])
        response = handle(request._replace(visible_label=publication.label))
        return response._replace(headers={**response.headers, "Cache-Control": "no-cache"})

    return answer


def _unshared(response: Response) -> Response:
    """What staff gets is for staff alone: no cache between may give it to anyone else."""
    control = response.headers.get("Cache-Control", "")
    if "private" in control or "no-store" in control:
        return response
    private = ", ".join(part for part in ("private", control.replace("public", "")) if part)
    return response._replace(headers={**response.headers, "Cache-Control": private})
