"""The pages under /stl/app/: files that are known when the server starts, and no others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.web.fields import quoted
from orthanc_stl_plugin.web.messages import Request, Response
from orthanc_stl_plugin.web.router import Route
from orthanc_stl_plugin.web.validators import validated

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
# Their path holds their version: what it names never changes.
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
_VERSIONED: Final = re.compile(r"(?P<name>[a-z][a-z-]*)-(?P<version>[0-9]+\.[0-9]+\.[0-9]+)")


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file that is served: its bytes, what identifies them, and its headers."""

    content: bytes
    digest: str
    media_type: str
    headers: Mapping[str, str]


def page_routes(files: Mapping[str, PageFile]) -> list[Route]:
    """The routes of the pages; `files` by their path below /stl/app/."""

    def show(request: Request) -> Response:
        name = request.groups[0]
        file = files.get(name)
        if file is None:
            raise NotFound(_absence(name))
        return validated(
            request, file.digest, lambda: Response(file.content, file.media_type), file.headers
        )

    def enter(_request: Request) -> Response:
        # Orthanc drops the last slash of an address: a relative one would lead two ways.
        return Response(status=302, headers={"Location": f"{APP_PATH}/{_START_PAGE}"})

    return [
        Route(APP_PATH, {"GET": enter}),
        Route(f"{APP_PATH}/{{file...}}", {"GET": show}),
    ]


def page_files(pages: Path, viewers: Path) -> dict[str, PageFile]:
    """All files of both folders by the path they are served at; no folder, no files."""
    served = dict(_files(pages, "", _ASK_EACH_TIME))
    return served | dict(_files(viewers, f"{VIEWERS}/", _FOR_EVER))


def viewer_versions(files: Mapping[str, PageFile]) -> dict[str, str]:
    """The versions of the third-party viewers by name, out of their folders' names."""
    folders = {name.split("/")[1] for name in files if name.startswith(f"{VIEWERS}/")}
    matches = (_VERSIONED.fullmatch(folder) for folder in sorted(folders))
    return {match["name"]: match["version"] for match in matches if match is not None}


def _files(folder: Path, prefix: str, caching: str) -> Iterator[tuple[str, PageFile]]:
    for path in sorted(folder.rglob("*")):
        media_type = _MEDIA_TYPES.get(path.suffix)
        if media_type is None or not path.is_file():
            continue
        content = path.read_bytes()
        digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        headers = {"Cache-Control": caching, "X-Content-Type-Options": "nosniff"}
        if path.suffix == ".html":
            policy = {**_POLICY, **_POLICY_BY_PAGE.get(path.name, {})}
            headers["Content-Security-Policy"] = "; ".join(
                f"{name} {sources}" for name, sources in policy.items()
            )
            headers["Referrer-Policy"] = "same-origin"
        name = prefix + path.relative_to(folder).as_posix()
        yield name, PageFile(content, digest, media_type, headers)


def _absence(name: str) -> str:
    if name.startswith(f"{VIEWERS}/"):
        return (
            f"the viewer file {quoted(name)} is not installed: docker/install.sh puts the viewers"
            " beside the script that Python.Path names"
        )
    return f"there is no page {quoted(name)}"
