"""Decides what the public may request; no other module does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from orthanc_stl_plugin.errors import NotFound, PluginError
from orthanc_stl_plugin.services.ports.catalogue import Level
from orthanc_stl_plugin.services.publication import Publication
from orthanc_stl_plugin.web.messages import Request, Response
from orthanc_stl_plugin.web.route import Recall, Route, Shows

_LEVELS = {
    Shows.STUDY: Level.STUDY,
    Shows.SERIES: Level.SERIES,
    Shows.INSTANCE: Level.INSTANCE,
}


def guarded(routes: Iterable[Route], publication: Publication) -> list[Route]:
    """The routes, open to the public only as far as each declares in `shows`.

    For the public, everything else answers 404: routes that declare nothing, methods other than
    GET, and resources of studies that are not published. Caches must revalidate what the public
    gets each time, so that a withdrawn study is gone everywhere.
    """
    if not publication.is_restricted:
        return list(routes)
    return [
        replace(route, guard=_guard(route, publication), recall=_recall(route, publication))
        for route in routes
    ]


def _guard(
    route: Route, publication: Publication
) -> Callable[[Request, Callable[[Request], Response]], Response]:
    def answer(request: Request, handle: Callable[[Request], Response]) -> Response:
        if not publication.is_public(request.headers):
            return _unshared(handle(request))
        if route.shows is Shows.NOTHING or request.method != "GET":
            raise NotFound("NothingPublicHere")
        if route.shows in _LEVELS:
            publication.check(_LEVELS[route.shows], request.groups[0])
        return _asked_for_again(handle(request._replace(visible_label=publication.label)))

    return answer


def _recall(route: Route, publication: Publication) -> Recall | None:
    """The recalled answer, for those who may see it; the guard answers all others."""
    recall, level = route.recall, _LEVELS.get(route.shows)
    if recall is None or level is None:
        return None
    segments = route.template.split("/")
    number = next(at for at, segment in enumerate(segments) if segment.startswith("{"))

    def recalled(path: str, headers: Mapping[str, str]) -> Response | None:
        response = recall(path, headers)
        if response is None:  # then only the guard asks
            return None
        if not publication.is_public(headers):
            return _unshared(response)
        try:
            publication.check(level, path.split("/")[number])
        except PluginError:
            return None
        return _asked_for_again(response)

    return recalled


def _asked_for_again(response: Response) -> Response:
    """The answer for the public: caches must revalidate it each time."""
    return replace(response, headers={**response.headers, "Cache-Control": "no-cache"})


def _unshared(response: Response) -> Response:
    """The answer for staff: no shared cache may keep it."""
    control = response.headers.get("Cache-Control", "")
    if "private" in control or "no-store" in control:
        return response
    private = ", ".join(part for part in ("private", control.replace("public", "")) if part)
    return replace(response, headers={**response.headers, "Cache-Control": private})
