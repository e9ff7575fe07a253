"""Routes: from a request to a response, with errors as responses."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Final

from msgspec import Struct

from orthanc_stl_plugin.errors import Busy, PluginError
from orthanc_stl_plugin.sentences import Sentence
from orthanc_stl_plugin.web.messages import ANY_ORIGIN, Request, Response

Handler = Callable[[Request], Response]
Recall = Callable[[str, Mapping[str, str]], Response | None]
_log = logging.getLogger(__name__)

# Orthanc's own codes and messages for these statuses (OrthancServer, ErrorCode).
_ORTHANC_STATUS: Final[Mapping[int, tuple[int, str]]] = {
    400: (8, "Bad request"),
    404: (17, "Unknown resource"),
    409: (6, "Bad sequence of calls"),
    413: (3, "Parameter out of range"),
    422: (15, "Bad file format"),
    500: (1, "Error encountered within the plugin engine"),
    501: (2, "Not implemented yet"),
    503: (16, "Timeout"),
}


class Shows(Enum):
    """The subject of a route, which decides who may use it if not everything is public."""

    NOTHING = "for staff alone"
    STUDY = "the study that the first name of the template identifies"
    SERIES = "the series that the first name of the template identifies"
    INSTANCE = "the instance that the first name of the template identifies"
    VISIBLE = "what carries the label `visible_label` of the request: the handler sees to it"


@dataclass(frozen=True, slots=True)
class Route:
    """An address and its handlers.

    Attributes:
        template: the address as in the documentation, for example /instances/{id}/stl.
        handlers: by method.
        shows: its subject; without one, the route is closed to the public.
        guard: called before the handlers, whatever the method, with the request and its handler.
        recall: answers a GET from its path and headers only, or returns None; it is called before
            the handlers, so that most tiles take the shortest way.
        summary: one line for the OpenAPI description.
        body: the fields of the JSON object that a POST takes; None where it takes none.
    """

    template: str
    handlers: Mapping[str, Handler]
    shows: Shows = Shows.NOTHING
    guard: Callable[[Request, Handler], Response] | None = None
    recall: Recall | None = None
    summary: str = ""
    body: type[Struct] | None = None

    def not_allowed(self, _: Request) -> Response:
        """The response to a method without a handler."""
        allowed = ",".join(sorted(self.handlers))
        return Response(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": allowed})

    @property
    def pattern(self) -> str:
        """The regular expression of the path: {name} is one segment, {name...} all the rest.

        Both are printable ASCII: orthanc-python itself answers 500 to a path that is not UTF-8, so
        Orthanc must not find a route for it.
        """
        rest = re.sub(r"\\?\{\w+(?:\\\.){3}\\?\}", "([ -~]*)", re.escape(self.template))
        return re.sub(r"\\?\{\w+\\?\}", "([ -.0-~]+)", rest)


def answer(route: Route, request: Request) -> Response:
    """The response to a request, whatever happens; no other code catches every exception."""
    try:
        handler = route.handlers.get(request.method, route.not_allowed)
        return handler(request) if route.guard is None else route.guard(request, handler)
    except PluginError as error:
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            level = logging.WARNING if isinstance(error, Busy) else logging.ERROR
            _log.log(level, "%s %s: %s", request.method, request.path, error)
        return _error_response(route, request, error.status, error.sentence, error)
    except Exception:
        _log.exception("%s %s failed", request.method, request.path)
        return _error_response(route, request, 500, Sentence("InternalError"))


def _error_response(
    route: Route,
    request: Request,
    status: int,
    sentence: Sentence,
    error: PluginError | None = None,
) -> Response:
    """An error in the JSON form of Orthanc's own, which Orthanc sends as text/plain."""
    orthanc_status, message = _ORTHANC_STATUS[status]
    body = {
        "Code": sentence.code,
        "Details": sentence,
        "HttpError": HTTPStatus(status).phrase,
        "HttpStatus": status,
        "Message": message,
        "Method": request.method,
        "OrthancError": message,
        "OrthancStatus": orthanc_status,
        "Parameters": sentence.parameters,
        "Uri": request.path,
    }
    # A viewer on another site must see why there is no image, and when to try again.
    headers = dict(ANY_ORIGIN) if "/iiif" in route.template else {}
    if isinstance(error, Busy):
        headers["Retry-After"] = str(error.retry_after_s)
    return Response(json.dumps(body, indent=3).encode(), "text/plain", status, headers)
