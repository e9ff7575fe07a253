"""Orthanc's REST callbacks: its request to ours, our response to its output."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final

import orthanc

from orthanc_stl_plugin.host.metrics import AnswerTimes
from orthanc_stl_plugin.services.audit import Audit, basic_user
from orthanc_stl_plugin.services.publication import Publication
from orthanc_stl_plugin.web.cross_site import is_forged
from orthanc_stl_plugin.web.messages import Request, Response
from orthanc_stl_plugin.web.route import Route, answer

# orthanc-python 5.0 lets go of its callbacks after the interpreter has ended: to free one then
# would end Orthanc with SIGSEGV, so this list keeps them for ever.
_kept: Final[list[Callable[..., object]]] = []

# Orthanc's HTTP threads have stacks of 100 KB. So near their end, Python 3.14 puts off freeing
# objects until there is more room, which never comes: they leak (see `_Py_Dealloc` in CPython).
# Threads of our own have room; there is one for each request in work, and idle ones are reused.
_threads: Final = ThreadPoolExecutor(1 << 10, "answer")

_GET: Final = orthanc.HttpMethod.GET
_METHODS: Final = {
    orthanc.HttpMethod.POST: "POST",
    orthanc.HttpMethod.PUT: "PUT",
    orthanc.HttpMethod.DELETE: "DELETE",
}
_log = logging.getLogger(__name__)


def register(routes: Iterable[Route], times: AnswerTimes) -> None:
    """Announces every route to Orthanc, which tries them in this order."""
    for route in routes:
        callback = _callback(route, times)
        _kept.append(callback)
        orthanc.RegisterRestCallback(route.pattern, callback)


def filter_requests(
    routes: Iterable[Route], publication: Publication, audit: Audit, public_url: str
) -> None:
    """Has Orthanc answer 403, at its own addresses too, to what other sites make browsers change.

    Where not everything is public, also to the public at every address but those of `routes`.
    What may change something is noted by `audit`.
    Only what comes over HTTP is concerned, not what plugins ask of each other. Orthanc-python
    itself answers 500 where a header or the path is no UTF-8, before any of this is asked.
    """
    ours = re.compile("|".join(f"(?:{route.pattern})" for route in routes))

    def allows(uri: str, **request: Any) -> bool:
        method, headers = request["method"], request["headers"]
        if method != _GET and is_forged(_METHODS[method], headers, public_url):
            _log.warning("%s %s refused: another site asks for it", _METHODS[method], uri)
            return False
        if publication.is_public(headers) and ours.fullmatch(uri) is None:
            return False
        if method != _GET:
            user = publication.user(headers) or basic_user(headers) or "somebody"
            audit.requested(_METHODS[method], uri, f"{user} ({request['ip']})")
        return True

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
            response = _threads.submit(answer, route, asked).result()
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
