"""Under which address a client sees this server: the identifiers of IIIF start with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.web.fields import quoted
from orthanc_stl_plugin.web.messages import Request

# What decides: an answer that holds an address varies with these.
VARY: Final = "Forwarded, X-Forwarded-Host, X-Forwarded-Proto, X-Forwarded-Prefix"
_HOST: Final = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]{1,100}){0,10}")
_SCHEMES: Final = ("http", "https")


def base_url(request: Request, settings: Settings) -> str:
    """The address of this server's root, without a slash at its end.

    PublicUrl when it is set; else what a proxy tells in Forwarded (RFC 7239) or in
    X-Forwarded-Host, -Proto and -Prefix; else Host.

    Raises:
        BadRequest: a header is no host, scheme or path.
    """
    if settings.public_url:
        return settings.public_url.rstrip("/")
    headers = request.headers
    forwarded = _forwarded(headers.get("forwarded", ""))
    host = forwarded.get("host") or _first(headers, "x-forwarded-host") or headers.get("host", "")
    scheme = forwarded.get("proto") or _first(headers, "x-forwarded-proto") or "http"
    prefix = _first(headers, "x-forwarded-prefix").rstrip("/")
    if _HOST.fullmatch(host) is None:
        raise BadRequest(f"{quoted(host)} is no host: Forwarded, X-Forwarded-Host or Host says so")
    if scheme.lower() not in _SCHEMES:
        raise BadRequest(f"{quoted(scheme)} is no scheme: it must be http or https")
    if _PREFIX.fullmatch(prefix) is None:
        raise BadRequest(f"X-Forwarded-Prefix is {quoted(prefix)}: it must be a path")
    return f"{scheme.lower()}://{host}{prefix}"


def _first(headers: Mapping[str, str], name: str) -> str:
    """The value that the proxy nearest to the client has set."""
    return headers.get(name, "").partition(",")[0].strip()


def _forwarded(value: str) -> dict[str, str]:
    """The parameters of the first element of Forwarded."""
    pairs = (pair.partition("=") for pair in value.partition(",")[0].split(";"))
    return {name.strip().lower(): text.strip().strip('"') for name, _, text in pairs}
