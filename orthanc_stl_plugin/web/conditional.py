"""Conditional requests: answers that a client or cache may have (RFC 9110 section 13.1.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orthanc_stl_plugin.web.messages import Request, Response


def conditional(
    request: Request, etag: str, headers: Mapping[str, str], answer: Callable[[], Response]
) -> Response:
    """`answer()` with `headers` and an ETag; 304 without the work if the client has it already.

    Args:
        request: its If-None-Match decides.
        etag: the opaque tag, without quotes; differs for different answers.
        headers: of both answers (Cache-Control, Vary, ...).
        answer: makes the answer.
    """
    tagged = {**headers, "ETag": f'"{etag}"'}
    if is_known(request.headers, etag):
        return Response(status=304, headers=tagged)
    made = answer()
    return Response(made.body, made.media_type, made.status, {**made.headers, **tagged})


def is_known(headers: Mapping[str, str], etag: str) -> bool:
    """Whether the client with these headers has the answer with that tag; W/ is ignored."""
    known = headers.get("if-none-match")
    if known is None:
        return False
    return known.strip() == "*" or any(
        one.strip().removeprefix("W/") == f'"{etag}"' for one in known.split(",")
    )
