"""Answers that a client may keep: their validators, and the answer to one who has them already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from orthanc_stl_plugin.web.messages import Request, Response

REVALIDATED: Final = "private, no-cache"
"""Cache-Control of what belongs to a user and may change: kept, but asked for each time."""


def validated(
    request: Request,
    tag: str,
    answer: Callable[[], Response],
    headers: Mapping[str, str],
) -> Response:
    """The answer with an ETag, made only if the client lacks it (RFC 9110 section 13.1.2)."""
    etag = f'"{tag}"'
    kept = {"ETag": etag, **headers}
    known = request.headers.get("if-none-match", "")
    if etag in known or known.strip() == "*":
        return Response(status=304, headers=kept)
    made = answer()
    return Response(made.body, made.media_type, made.status, {**made.headers, **kept})
