"""The routes of the IIIF Image API, under their own addresses and under the official plugin's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Final

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import BadRequest, NotFound, quoted
from orthanc_stl_plugin.iiif.image.info import CONTEXT_V2, CONTEXT_V3, PROFILE_V2, PROFILE_V3
from orthanc_stl_plugin.iiif.image.request import Version
from orthanc_stl_plugin.services.byte_cache import ByteCache, CacheCounts
from orthanc_stl_plugin.services.images.opened_images import FrameImage, ImageName, SeriesImage
from orthanc_stl_plugin.services.images.renditions import Rendition, Renditions
from orthanc_stl_plugin.web.accept import accepts
from orthanc_stl_plugin.web.conditional import conditional, is_known
from orthanc_stl_plugin.web.messages import ANY_ORIGIN, Request, Response
from orthanc_stl_plugin.web.public_url import VARY, base_url
from orthanc_stl_plugin.web.route import Route, Shows

_VERSIONS: Final = {"2": Version.V2, "3": Version.V3}
_PROFILES: Final = {Version.V2: PROFILE_V2, Version.V3: PROFILE_V3}
_JSON_LD: Final = {
    Version.V2: "application/ld+json",
    Version.V3: f'application/ld+json;profile="{CONTEXT_V3}"',
}
_MOST_DIGITS: Final = 9
_MEMORY_BYTES: Final = 32 << 20
_ANSWER_BYTES: Final = 1000  # without the rendition, roughly


@dataclass(frozen=True, slots=True)
class _Face:
    """A family of addresses.

    Attributes:
        template: the base URI's path.
        name: which image the caught segments stand for.
        shows: whether the first segment is a series or an instance.
        version: of the Image API; None where the last segment of the base says it.
    """

    template: str
    name: Callable[[Sequence[str]], ImageName]
    shows: Shows
    version: Version | None = None


def _series(groups: Sequence[str]) -> ImageName:
    return SeriesImage(groups[0])


def _pyramid(groups: Sequence[str]) -> ImageName:
    return SeriesImage(groups[0], _index(groups[1], "pyramid"))


def _frame(groups: Sequence[str]) -> ImageName:
    return FrameImage(groups[0], _index(groups[1], "frame"))


_FACES: Final = (
    _Face("/series/{series}/iiif/{version}", _series, Shows.SERIES),
    _Face("/instances/{instance}/frames/{frame}/iiif/{version}", _frame, Shows.INSTANCE),
    _Face("/series/{series}/pyramids/{pyramid}/iiif/{version}", _pyramid, Shows.SERIES),
    _Face("/wsi/iiif/tiles/{series}", _series, Shows.SERIES, Version.V3),
    _Face("/wsi/iiif/frames-pyramids/{instance}/{frame}", _frame, Shows.INSTANCE, Version.V3),
    _Face("/wsi/iiif/frames/{instance}/{frame}", _frame, Shows.INSTANCE, Version.V3),
)

BASES: Final = tuple(face.template for face in _FACES)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A rendition, and what is sent of it but the body."""

    rendition: Rendition
    response: Response


@dataclass(slots=True)
class _Made:
    """A rendition that was made, and what is sent of it."""

    rendition: Rendition
    response: Response

    @classmethod
    def of(cls, answer: _Answer) -> _Made:
        """Makes it."""
        content = answer.rendition.content()
        return cls(answer.rendition, replace(answer.response, body=content))


class AnswerMemory:
    """What has been asked for: a tile is asked for often, by one viewer after the other.

    Attributes:
        answers: by path and root address.
        responses: the same with their bodies, of which there is room for fewer.
    """

    def __init__(self, settings: Settings) -> None:
        self.answers = ByteCache[_Answer](
            _MEMORY_BYTES, lambda one: _ANSWER_BYTES + one.rendition.byte_count
        )
        self.responses = ByteCache[_Made](
            settings.half_tile_cache_bytes, lambda one: _ANSWER_BYTES + len(one.response.body)
        )

    def counts(self) -> dict[str, CacheCounts]:
        """What its caches have done, and hold."""
        return {"iiif_request": self.answers.counts(), "iiif_response": self.responses.counts()}


def image_routes(renditions: Renditions, memory: AnswerMemory, settings: Settings) -> list[Route]:
    """The routes of images, those asked for most first."""
    apis = [
        (face.template, face.shows, _ImageApi(face, renditions, memory, settings))
        for face in _FACES
    ]
    return [
        *(
            Route(
                f"{template}/{{region}}/{{size}}/{{rotation}}/{{file}}",
                {"GET": api.image},
                shows,
                recall=api.recall,
                summary="An image or a part of it (IIIF Image API)",
            )
            for template, shows, api in apis
        ),
        *(
            Route(
                f"{template}/info.json",
                {"GET": api.information},
                shows,
                summary="Size, tiles and limits of an image (IIIF Image API)",
            )
            for template, shows, api in apis
        ),
        *(
            Route(template, {"GET": api.redirect}, shows, summary="Redirects to info.json")
            for template, shows, api in apis
        ),
        *(
            Route(
                f"{template}/{{rest...}}",
                {"GET": api.malformed},
                shows,
                summary="Refuses what is no request of the IIIF Image API",
            )
            for template, shows, api in apis
        ),
    ]


class _ImageApi:
    def __init__(
        self, face: _Face, renditions: Renditions, memory: AnswerMemory, settings: Settings
    ) -> None:
        self._face = face
        self._renditions = renditions
        self._memory = memory
        self._settings = settings
        age_s = settings.max_age_seconds
        # Shared caches ask each time, so that what is no longer published is no longer given.
        fresh = f"max-age={age_s}, s-maxage=0, must-revalidate" if age_s else "no-cache"
        self._caching = {"Cache-Control": fresh, **ANY_ORIGIN}

    def recall(self, path: str, headers: Mapping[str, str]) -> Response | None:
        """An image that has been asked for before; see Route."""
        try:
            root = base_url(headers, self._settings)
        except BadRequest:  # which `image` will tell
            return None
        key = (path, root)
        known = self._memory.responses.known(key) or self._memory.answers.known(key)
        if known is None or not known.rendition.is_sure():
            return None
        if is_known(headers, known.rendition.etag):
            return _not_modified(known.response)
        if isinstance(known, _Made):
            return known.response
        try:
            return self._response(key, known)
        except Exception:  # noqa: BLE001  # likewise, whatever it is
            return None

    def image(self, request: Request) -> Response:
        root = base_url(request.headers, self._settings)
        key = (request.path, root)
        answers = self._memory.answers
        answer = answers.known(key)
        if answer is None or not answer.rendition.is_current():
            answers.forget(key)
            answer = answers.get(key, partial(self._answer, root, request))
        rendition = answer.rendition
        if is_known(request.headers, rendition.etag):
            return _not_modified(answer.response)
        known = self._memory.responses.known(key)
        if known is not None and known.rendition.etag == rendition.etag:
            known.rendition = rendition  # which can be sure; that of a closed image never is
            return known.response
        self._memory.responses.forget(key)
        return self._response(key, answer)

    def _response(self, key: tuple[str, str], answer: _Answer) -> Response:
        """What is sent; the work of drawing is done once for all who ask at the same time."""
        responses = self._memory.responses
        if answer.rendition.read is not None:
            made = _Made.of(answer)
            responses.keep(key, made)
            return made.response
        answer.rendition.prepare()  # each by itself: who waited for another would take no place
        with answer.rendition.place():  # who waits for another's drawing keeps a thread too
            made = responses.get(key, partial(_Made.of, answer))
        if made.rendition.etag != answer.rendition.etag:  # of what was there just before
            made = _Made.of(answer)
        return made.response

    def _answer(self, root: str, request: Request) -> _Answer:
        base, segments = request.groups[:-4], request.groups[-4:]
        version = self._version(base)
        rendition = self._renditions.image(self._face.name(base), version, segments)
        address = f"{root}{_without_last(4, request.path)}/{rendition.canonical}"
        links = f'<{_PROFILES[version]}>;rel="profile", <{address}>;rel="canonical"'
        headers = {**self._caching, "Link": links, "ETag": f'"{rendition.etag}"'}
        return _Answer(rendition, Response(b"", rendition.media_type, headers=headers))

    def information(self, request: Request) -> Response:
        version = self._version(request.groups)
        address = self._address(request, 1)
        information = self._renditions.information(
            self._face.name(request.groups), version, address
        )
        wants_ld = accepts(request.headers.get("accept", ""), "application/ld+json")
        media_type = _JSON_LD[version] if wants_ld else "application/json"
        headers = {**self._caching, "Vary": f"Accept, {VARY}"}
        headers["Link"] = f'<{_PROFILES[version]}>;rel="profile"'
        if not wants_ld:
            context = CONTEXT_V2 if version is Version.V2 else CONTEXT_V3
            headers["Link"] += (
                f', <{context}>;rel="http://www.w3.org/ns/json-ld#context";'
                'type="application/ld+json"'
            )
        etag = f"{information.etag}-{'ld' if wants_ld else 'json'}"
        body = json.dumps(information.document, indent=2, ensure_ascii=False).encode()
        return conditional(request, etag, headers, lambda: Response(body, media_type))

    def redirect(self, request: Request) -> Response:
        """Section 2.1: the base URI leads to the information."""
        self._version(request.groups)
        location = f"{self._address(request, 0)}/info.json"
        return Response(status=303, headers={"Location": location, "Vary": VARY, **ANY_ORIGIN})

    def malformed(self, request: Request) -> Response:
        """What lies below a base URI and is neither."""
        self._version(request.groups[:-1])
        raise BadRequest(
            "NotAnImageRequest",
            value=quoted(request.groups[-1]),
            form="{region}/{size}/{rotation}/{quality}.{format}",
        )

    def _version(self, base: Sequence[str]) -> Version:
        if self._face.version is not None:
            return self._face.version
        version = _VERSIONS.get(base[-1])
        if version is None:
            raise NotFound("NoSuchImageApi", version=quoted(base[-1]))
        return version

    def _address(self, request: Request, segments: int) -> str:
        """The base URI as it was asked for: the path without its last segments."""
        return base_url(request.headers, self._settings) + _without_last(segments, request.path)


def _not_modified(response: Response) -> Response:
    return Response(status=HTTPStatus.NOT_MODIFIED, headers=response.headers)


def _without_last(segments: int, path: str) -> str:
    return path.rsplit("/", segments)[0] if segments else path


def _index(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS:
        raise NotFound("NotAnIndex", kind=what, value=quoted(text))
    return int(text)
