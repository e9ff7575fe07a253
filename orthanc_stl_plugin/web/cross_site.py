"""Detects requests for changes that a page of another site made a browser send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.web.public_url import forwarded_host

# Forms and links of web pages can only send GET and POST.
_NOT_BY_NAVIGATION: Final = frozenset({"PUT", "DELETE"})


def is_forged(method: str, headers: Mapping[str, str], public_url: str) -> bool:
    """Whether a request for a change may come from another site, with a user's login.

    Reading is open to all sites, and programs other than browsers send none of these headers. Over
    HTTPS and on this machine, browsers state the site in Sec-Fetch-Site (W3C Fetch Metadata);
    otherwise in Origin (RFC 6454), except for GET. Orthanc treats a GET with `?_method=DELETE` as a
    DELETE: that is the only PUT or DELETE that browsers send as navigation, or without Origin.

    Args:
        method: as Orthanc interprets it: GET, POST, PUT or DELETE.
        headers: by lower-case name.
        public_url: the setting PublicUrl.
    """
    if method == "GET":
        return False
    site, mode = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
    is_navigation = mode == "navigate"
    if is_navigation and method in _NOT_BY_NAVIGATION:
        return True
    if site is not None:
        # `none`: the user started the request without a page, possibly through an extension.
        return site != "same-origin" and (site != "none" or is_navigation)
    origin = headers.get("origin")
    if origin is not None:
        return not _is_own(origin, headers, public_url)
    return method in _NOT_BY_NAVIGATION and _is_browser(headers)


def _is_own(origin: str, headers: Mapping[str, str], public_url: str) -> bool:
    """Whether an origin is this server's, whatever the scheme: a proxy may add TLS.

    If a proxy forwards the host without its port, the port is not compared.
    """
    there = urlsplit(origin).netloc.lower()
    if not there:  # `null`: a hidden origin
        return False
    if there == urlsplit(public_url).netloc.lower():
        return True
    try:
        host = forwarded_host(headers)
    except BadRequest:
        return False
    return host.lower() in {there, there.rpartition(":")[0]}


def _is_browser(headers: Mapping[str, str]) -> bool:
    """Whether these are headers that every browser sends, and that pages cannot omit."""
    return "accept-language" in headers and "Mozilla/" in headers.get("user-agent", "")
