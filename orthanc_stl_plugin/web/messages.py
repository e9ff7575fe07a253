"""Requests and responses, independent of Orthanc's types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.model.json_text import read_json

# For answers that scripts of any web page may read (CORS).
ANY_ORIGIN: Final[Mapping[str, str]] = MappingProxyType({"Access-Control-Allow-Origin": "*"})

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Request(NamedTuple):
    """One HTTP request; a tuple, as it is made for every tile.

    Attributes:
        method: GET, POST, PUT or DELETE.
        path: the decoded path, from its first slash.
        groups: captured from the path by the route's pattern.
        query: the query arguments (of GET only: Orthanc gives no others).
        headers: by lower-case name.
        body: the bytes of a POST or PUT.
        visible_label: the label of the studies that may be listed; empty for all.
    """

    method: str
    path: str
    groups: tuple[str, ...] = ()
    query: Mapping[str, str] = _NOTHING
    headers: Mapping[str, str] = _NOTHING
    body: bytes = b""
    visible_label: str = ""

    def json_object(self) -> dict[str, object]:
        """The body as a JSON object.

        Raises:
            BadRequest: it is not JSON in UTF-8, or no object.
        """
        try:
            value = read_json(self.body)
        except ValueError as error:
            raise BadRequest("BodyNotJson", reason=_reason(error)) from error
        if not isinstance(value, dict):
            raise BadRequest("BodyNotObject", type=type(value).__name__)
        return value


@dataclass(frozen=True)
class Response:
    """An HTTP response: body, media type, status and further headers.

    Raises:
        ValueError: a header contains a line break, which would split it.
    """

    body: bytes = b""
    media_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = _NOTHING

    def __post_init__(self) -> None:
        for value in (self.media_type, *self.headers.values()):
            if "\r" in value or "\n" in value:
                raise ValueError(f"a line break in the header {value!r}")


def json_response(value: object, status: int = 200) -> Response:
    """`value` in Orthanc's style of JSON: indented, in UTF-8."""
    body = json.dumps(value, indent=3, ensure_ascii=False, allow_nan=False).encode()
    return Response(body, "application/json", status)


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return str(error)
