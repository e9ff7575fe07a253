"""What Orthanc does with the routes: it finds the first one whose pattern matches."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orthanc_stl_plugin.web.messages import Request, Response
from orthanc_stl_plugin.web.route import Route, answer


class Router:
    """Some routes, without Orthanc."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._compiled = [(re.compile(route.pattern), route) for route in routes]

    def respond(self, request: Request) -> Response:
        """The answer of the first route whose pattern matches the path of the request, or 404."""
        for pattern, route in self._compiled:
            match = pattern.fullmatch(request.path)
            if match is not None:
                return answer(route, request._replace(groups=match.groups()))
        return Response(status=404)
