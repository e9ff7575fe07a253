"""The pages under /stl/app/, whose files are listed when the server starts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import NotFound, quoted
from orthanc_stl_plugin.web.conditional import conditional
from orthanc_stl_plugin.web.messages import Request, Response
from orthanc_stl_plugin.web.public_url import base_url
from orthanc_stl_plugin.web.route import Route, Shows

APP_PATH: Final = "/stl/app"
VIEWERS: Final = "viewers"
_START_PAGE: Final = "index.html"
_MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",
}
# Their path contains their version, so their content never changes.
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_EACH_TIME: Final = "no-cache"
_POLICY: Final[Mapping[str, str]] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "font-src": "'self'",
    "connect-src": "'self' blob: data:",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
# Mirador's components write their styles into the page.
_INLINE_STYLES: Final[Mapping[str, str]] = {"style-src": "'self' 'unsafe-inline'"}
_POLICY_BY_PAGE: Final[Mapping[str, Mapping[str, str]]] = {"mirador.html": _INLINE_STYLES}
_PUBLIC_PAGES: Final = frozenset({"iiif.html", "mirador.html", "viewer.html", "zoom.html"})
_VERSIONED: Final = re.compile(r"(?P<name>[a-z][a-z-]*)-(?P<version>[0-9]+\.[0-9]+\.[0-9]+)")


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file to serve: its bytes, their digest, and its headers."""

    content: bytes
    digest: str
    media_type: str
    headers: Mapping[str, str]


def page_routes(files: Mapping[str, PageFile], settings: Settings) -> list[Route]:
    """The routes of the pages; `files` by their path below /stl/app/."""

    def show(request: Request) -> Response:
        name = request.groups[0]
        is_public = bool(request.visible_label)
        file = files.get(name)
        if file is None or (is_public and not _is_for_all(name)):
            raise _absence(name)
        return conditional(
            request, file.digest, file.headers, lambda: Response(file.content, file.media_type)
        )

    def enter(request: Request) -> Response:
        # Orthanc drops a trailing slash, so a relative address would be ambiguous.
        start = f"{base_url(request.headers, settings)}{APP_PATH}/{_START_PAGE}"
        return Response(status=302, headers={"Location": start})

    return [
        Route(APP_PATH, {"GET": enter}, summary="Redirects to the start page"),
        Route(
            f"{APP_PATH}/{{file...}}", {"GET": show}, Shows.VISIBLE, summary="The pages for people"
        ),
    ]


def _is_for_all(name: str) -> bool:
    """Whether the public may have a file: pages that need only manifests, images and models."""
    return not name.endswith(".html") or name in _PUBLIC_PAGES


def page_files(pages: Path, viewers: Path, public_url: str = "") -> dict[str, PageFile]:
    """All files of both folders by the path at which they are served; a folder may be absent.

    With `public_url`, IIIF answers refer to images and manifests below it: pages opened at another
    address of the server may read them there.
    """
    served = dict(_files(pages, "", _ASK_EACH_TIME, public_url))
    return served | dict(_files(viewers, f"{VIEWERS}/", _FOR_EVER, public_url))


def viewer_versions(files: Mapping[str, PageFile]) -> dict[str, str]:
    """The versions of the third-party viewers by name, from the names of their folders."""
    folders = {name.split("/")[1] for name in files if name.startswith(f"{VIEWERS}/")}
    matches = (_VERSIONED.fullmatch(folder) for folder in sorted(folders))
    return {match["name"]: match["version"] for match in matches if match is not None}


def _files(
    folder: Path, prefix: str, caching: str, public_url: str
) -> Iterator[tuple[str, PageFile]]:
    for path in sorted(folder.rglob("*")):
        media_type = _MEDIA_TYPES.get(path.suffix)
        if media_type is None or not path.is_file():
            continue
        content = path.read_bytes()
        digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        headers = {"Cache-Control": caching}
        if path.suffix == ".html":
            headers["Content-Security-Policy"] = _policy(path.name, public_url)
            headers["Referrer-Policy"] = "same-origin"
        name = prefix + path.relative_to(folder).as_posix()
        yield name, PageFile(content, digest, media_type, headers)


def _policy(page: str, public_url: str) -> str:
    policy = {**_POLICY, **_POLICY_BY_PAGE.get(page, {})}
    address = urlsplit(public_url)
    if address.netloc:
        for name in ("img-src", "connect-src"):
            policy[name] = f"{policy[name]} {address.scheme}://{address.netloc}"
    return "; ".join(f"{name} {sources}" for name, sources in policy.items())


def _absence(name: str) -> NotFound:
    if name.startswith(f"{VIEWERS}/"):
        return NotFound("ViewerNotInstalled", file=quoted(name))
    return NotFound("NoSuchAppPage", page=quoted(name))
