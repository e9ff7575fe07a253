"""Whether a page of another site has made a browser ask for a change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.web.public_url import forwarded_host

# Forms and links of web pages know GET and POST alone.
_NOT_BY_NAVIGATION: Final = frozenset({"PUT", "DELETE"})


def is_forged(method: str, headers: Mapping[str, str], public_url: str) -> bool:
    """Whether a request that changes something may be another site's, made with a user's login.

    Reading is open to all sites, and programs that are no browsers send none of these headers.
    Over HTTPS and on this machine browsers tell in Sec-Fetch-Site who asks (W3C Fetch Metadata);
    otherwise in Origin (RFC 6454), but for GET. Orthanc takes a GET with `?_method=DELETE` for a
    DELETE: that is the one PUT or DELETE that a browser sends as navigation, or without Origin.

    Args:
        method: what Orthanc takes it for: GET, POST, PUT or DELETE.
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
        # `none`: the user has asked by other means than a page, which an extension may be.
        return site != "same-origin" and (site != "none" or is_navigation)
    origin = headers.get("origin")
    if origin is not None:
        return not _is_own(origin, headers, public_url)
    return method in _NOT_BY_NAVIGATION and _is_browser(headers)


def _is_own(origin: str, headers: Mapping[str, str], public_url: str) -> bool:
    """Whether an origin is this server's, whatever the scheme: a proxy may add TLS.

    Where a proxy passes the host without its port, the port is not compared.
    """
    there = urlsplit(origin).netloc.lower()
    if not there:  # `null`, which hides who it is
        return False
    if there == urlsplit(public_url).netloc.lower():
        return True
    try:
        host = forwarded_host(headers)
    except BadRequest:
        return False
    return host.lower() in {there, there.rpartition(":")[0]}


def _is_browser(headers: Mapping[str, str]) -> bool:
    """Whether the headers are those that every browser sends, and that pages cannot leave out."""
    return "accept-language" in headers and "Mozilla/" in headers.get("user-agent", "")
