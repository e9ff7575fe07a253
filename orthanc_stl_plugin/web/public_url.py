"""The address under which a client sees this server; identifiers of IIIF start with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import BadRequest, quoted

# Answers that contain an address vary with these headers.
VARY: Final = "Forwarded, X-Forwarded-Host, X-Forwarded-Proto, X-Forwarded-Prefix, X-Forwarded-Port"
_PROXY_HEADERS: Final = tuple(VARY.lower().split(", "))
_PROXY_HEADER_SET: Final = frozenset(_PROXY_HEADERS)
_HOST: Final = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]{1,100}){0,10}")
_USUAL_PORT: Final = {"http": "80", "https": "443"}
_PORTS: Final = 1 << 16
_SCHEMES: Final = ("http", "https")


def base_url(headers: Mapping[str, str], settings: Settings) -> str:
    """The address of this server's root, without a trailing slash.

    PublicUrl if it is set; else from a proxy's Forwarded (RFC 7239) or X-Forwarded-Host, -Proto,
    -Prefix and -Port; else from Host. `headers` are by lower-case name.

    Raises:
        BadRequest: a header is not a valid host, scheme or path.
    """
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = headers.get("host", "")
    if _PROXY_HEADER_SET.isdisjoint(headers):
        return _direct(host)
    return _stated_url(*(headers.get(name, "") for name in _PROXY_HEADERS), host)


def forwarded_host(headers: Mapping[str, str]) -> str:
    """The host, and the port if stated, that a client requested, from the same headers.

    Raises:
        BadRequest: a header is not a valid host, scheme or path.
    """
    values = (headers.get(name, "") for name in _PROXY_HEADERS)
    return urlsplit(_stated_url(*values, headers.get("host", ""))).netloc


@lru_cache(maxsize=256)
def _direct(host: str) -> str:
    return _stated_url("", "", "", "", "", host)


@lru_cache(maxsize=256)
def _stated_url(  # one for each header
    forwarded: str, host: str, scheme: str, prefix: str, port: str, own_host: str
) -> str:
    """The address in the values of the headers `_PROXY_HEADERS` and Host."""
    forwarding = _forwarded(forwarded)
    host = forwarding.get("host") or _first(host) or own_host
    scheme = (forwarding.get("proto") or _first(scheme) or "http").lower()
    prefix = _first(prefix).rstrip("/")
    if _HOST.fullmatch(host) is None:
        raise BadRequest("HostInvalid", value=quoted(host))
    if scheme not in _SCHEMES:
        raise BadRequest("SchemeInvalid", value=quoted(scheme))
    if _PREFIX.fullmatch(prefix) is None:
        raise BadRequest("PrefixInvalid", value=quoted(prefix))
    return f"{scheme}://{_with_port(host, scheme, _first(port))}{prefix}"


def _with_port(host: str, scheme: str, port: str) -> str:
    """The host with the port that a proxy tells, unless it has one or that is the usual one."""
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < _PORTS):
        raise BadRequest("PortInvalid", value=quoted(port))
    has_port = ":" in host.rpartition("]")[2]
    return host if not port or has_port or port == _USUAL_PORT[scheme] else f"{host}:{port}"


def _first(value: str) -> str:
    """The value that the proxy nearest to the client has set."""
    return value.partition(",")[0].strip()


def _forwarded(value: str) -> dict[str, str]:
    """The parameters of the first element of Forwarded."""
    pairs = (pair.partition("=") for pair in value.partition(",")[0].split(";"))
    return {name.strip().lower(): text.strip().strip('"') for name, _, text in pairs}
