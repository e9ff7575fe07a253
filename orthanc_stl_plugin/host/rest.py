"""Orthanc's REST callbacks: its request to ours, our response to its output."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import orthanc

from orthanc_stl_plugin.web.messages import Request, Response
from orthanc_stl_plugin.web.router import Router

# orthanc-python 5.0 lets go of its callbacks after the interpreter has ended: to free one then
# would end Orthanc with SIGSEGV, so this list keeps them for ever.
_kept: Final[list[Callable[..., None]]] = []


def register(router: Router) -> None:
    """Announces every route of `router` to Orthanc."""

    def answer(output: orthanc.RestOutput, uri: str, **request: Any) -> None:
        send(output, router.respond(_request(uri, request)))

    _kept.append(answer)
    for route in router.routes:
        orthanc.RegisterRestCallback(route.pattern, answer)


def _request(uri: str, request: dict[str, Any]) -> Request:
    return Request(
        method=request["method"],
        path=uri,
        query=request.get("get", {}),
        headers={name.lower(): value for name, value in request["headers"].items()},
        body=request.get("body", b""),
    )


def send(output: orthanc.RestOutput, response: Response) -> None:
    """Sends exactly one answer: Orthanc has a call of its own for each kind of status."""
    if response.status == HTTPStatus.METHOD_NOT_ALLOWED:
        output.SendMethodNotAllowed(response.headers["Allow"])
        return
    for name, value in response.headers.items():
        output.SetHttpHeader(name, value)
    if response.status == HTTPStatus.OK:
        output.AnswerBuffer(response.body, response.media_type)
    elif response.body:
        output.SendHttpStatus(response.status, response.body)
    else:
        output.SendHttpStatusCode(response.status)
