"""Orthanc's REST callbacks: its request to ours, our response to its output."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final

import orthanc

from orthanc_stl_plugin.host.metrics import AnswerTimes
from orthanc_stl_plugin.services.publication import Publication
from orthanc_stl_plugin.web.messages import Request, Response
from orthanc_stl_plugin.web.route import Route, answer

# orthanc-python 5.0 lets go of its callbacks after the interpreter has ended: to free one then
# would end Orthanc with SIGSEGV, so this list keeps them for ever.
_kept: Final[list[Callable[..., object]]] = []


def register(routes: Iterable[Route], times: AnswerTimes) -> None:
    """Announces every route to Orthanc, which tries them in this order."""
    for route in routes:
        callback = _callback(route, times)
        _kept.append(callback)
        orthanc.RegisterRestCallback(route.pattern, callback)


def keep_public_out(routes: Iterable[Route], publication: Publication) -> None:
    """Has Orthanc answer 403 to the public at every address but those of `routes`.

    Only what comes over HTTP is concerned, not what plugins ask of each other.
    """
    ours = re.compile("|".join(f"(?:{route.pattern})" for route in routes))

    def allows(uri: str, **request: Any) -> bool:
        return not publication.is_public(request["headers"]) or ours.fullmatch(uri) is not None

    _kept.append(allows)
    orthanc.RegisterIncomingHttpRequestFilter(allows)


def _callback(route: Route, times: AnswerTimes) -> Callable[..., None]:
    durations, recall = times.of(route.template), route.recall

    def respond(output: orthanc.RestOutput, uri: str, **request: Any) -> None:
        started_at = perf_counter()
        method, headers = request["method"], request["headers"]
        response = recall(uri, headers) if recall is not None and method == "GET" else None
        if response is None:
            groups, query = tuple(request["groups"]), request.get("get", {})
            asked = Request(method, uri, groups, query, headers, request.get("body", b""))
            response = answer(route, asked)
        send(output, response)
        if durations is not None:
            durations.note(perf_counter() - started_at)

    return respond


def send(output: orthanc.RestOutput, response: Response) -> None:
    """Sends exactly one answer: Orthanc has a call of its own for each kind of status."""
    status = response.status
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        output.SendMethodNotAllowed(response.headers["Allow"])
        return
    for name, value in response.headers.items():
        output.SetHttpHeader(name, value)
    if status == HTTPStatus.OK:
        output.AnswerBuffer(response.body, response.media_type)
    elif response.body:
        output.SendHttpStatus(status, response.body)
    else:
        output.SendHttpStatusCode(status)
