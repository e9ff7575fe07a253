"""Answers that a client or a cache may already have (RFC 9110 section 13.1.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orthanc_stl_plugin.web.messages import Request, Response


def conditional(
    request: Request, etag: str, headers: Mapping[str, str], answer: Callable[[], Response]
) -> Response:
    """`answer()` with `headers` and an ETag; 304 without the work if the client has it already.

    Args:
        request: its If-None-Match decides.
        etag: the opaque tag, without quotes; changes whenever a byte of the answer does.
        headers: those of both answers (Cache-Control, Vary, ...).
        answer: makes the answer.
    """
    tagged = {**headers, "ETag": f'"{etag}"'}
    if is_known(request.headers, etag):
        return Response(status=304, headers=tagged)
    made = answer()
    return Response(made.body, made.media_type, made.status, {**made.headers, **tagged})


def is_known(headers: Mapping[str, str], etag: str) -> bool:
    """Whether who sends these headers has the answer with that tag; W/ does not count."""
    known = headers.get("if-none-match")
    if known is None:
        return False
    return known.strip() == "*" or any(
        one.strip().removeprefix("W/") == f'"{etag}"' for one in known.split(",")
    )
