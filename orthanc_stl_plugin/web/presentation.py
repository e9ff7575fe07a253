"""The routes of IIIF Presentation and Change Discovery."""

from __future__ import annotations

import re
from typing import Final

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.iiif.presentation import discovery, manifest, scene
from orthanc_stl_plugin.services.presentation.change_discovery import Announcer
from orthanc_stl_plugin.services.presentation.document_cache import Document
from orthanc_stl_plugin.services.presentation.manifests import Presenter
from orthanc_stl_plugin.services.presentation.study_collections import Collector
from orthanc_stl_plugin.web.accept import accepts
from orthanc_stl_plugin.web.conditional import conditional
from orthanc_stl_plugin.web.messages import ANY_ORIGIN, Request, Response
from orthanc_stl_plugin.web.public_url import VARY, base_url
from orthanc_stl_plugin.web.route import Route, Shows

DICOM_JSON: Final = "application/dicom+json"
_JSON: Final = "application/json"
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_OFFICIAL_SERIES: Final = "/wsi/iiif/series/{id}/manifest.json"
_OFFICIAL_FRAME: Final = "/wsi/iiif/frames-pyramids/{id}/{frame}/manifest.json"


def presentation_routes(
    presenter: Presenter, collector: Collector, announcer: Announcer, settings: Settings
) -> list[Route]:
    """The routes of manifests, collections, scenes and changes."""
    api = _PresentationApi(presenter, collector, announcer, settings)
    study, series, listed = Shows.STUDY, Shows.SERIES, Shows.VISIBLE
    return [
        Route(
            "/studies/{id}/iiif/manifest.json",
            {"GET": api.study},
            study,
            summary="IIIF manifest of all images and models of a study",
        ),
        Route(
            "/studies/{id}/iiif/collection.json",
            {"GET": api.study_collection},
            study,
            summary="IIIF collection of the series of a study",
        ),
        Route(
            "/studies/{id}/iiif/dicom.json",
            {"GET": api.dicom_json},
            study,
            summary="The DICOM attributes that the manifest shows",
        ),
        Route(
            "/series/{id}/iiif/manifest.json",
            {"GET": api.series},
            series,
            summary="IIIF manifest of a series",
        ),
        Route(
            "/series/{id}/iiif/scene.json",
            {"GET": api.scene},
            series,
            summary="IIIF Presentation 4 (draft) scene of the models of a series",
        ),
        Route(
            "/instances/{id}/iiif/manifest.json",
            {"GET": api.instance},
            Shows.INSTANCE,
            summary="IIIF manifest of an instance",
        ),
        Route(
            "/patients/{id}/iiif/collection.json",
            {"GET": api.patient_collection},
            listed,
            summary="IIIF collection of the studies of a patient",
        ),
        Route(
            "/iiif/collection.json",
            {"GET": api.collection},
            listed,
            summary="IIIF collection of all studies",
        ),
        Route(
            "/iiif/collection/{page}.json",
            {"GET": api.collection_page},
            listed,
            summary="One hundred studies of it, pages counted from 1",
        ),
        Route(
            "/iiif/discovery/all-changes.json",
            {"GET": api.changes},
            listed,
            summary="IIIF Change Discovery: what was published, changed, withdrawn",
        ),
        Route(
            "/iiif/discovery/page-{page}.json",
            {"GET": api.changes_page},
            listed,
            summary="A page of the changes, counted from 0",
        ),
    ]


def official_presentation_routes(presenter: Presenter, settings: Settings) -> list[Route]:
    """The routes of the official plugin `wsi`, for servers that do not load it."""
    api = _OfficialApi(presenter, settings)
    return [
        Route(
            _OFFICIAL_SERIES,
            {"GET": api.series},
            Shows.SERIES,
            summary="Manifest of a series, at the address of the official plugin",
        ),
        Route(
            _OFFICIAL_FRAME,
            {"GET": api.frame},
            Shows.INSTANCE,
            summary="Manifest of a frame, at the address of the official plugin",
        ),
    ]


class _PresentationApi:
    def __init__(
        self, presenter: Presenter, collector: Collector, announcer: Announcer, settings: Settings
    ) -> None:
        self._presenter = presenter
        self._collector = collector
        self._announcer = announcer
        self._settings = settings

    def study(self, request: Request) -> Response:
        found = self._presenter.study_manifest(request.groups[0], self._base(request))
        return _answer(request, found, manifest.MEDIA_TYPE)

    def series(self, request: Request) -> Response:
        found = self._presenter.series_manifest(request.groups[0], self._base(request))
        return _answer(request, found, manifest.MEDIA_TYPE)

    def instance(self, request: Request) -> Response:
        found = self._presenter.instance_manifest(request.groups[0], self._base(request))
        return _answer(request, found, manifest.MEDIA_TYPE)

    def scene(self, request: Request) -> Response:
        found = self._presenter.scene(request.groups[0], self._base(request))
        return _answer(request, found, scene.MEDIA_TYPE)

    def dicom_json(self, request: Request) -> Response:
        return _answer(request, self._presenter.dicom_json(request.groups[0]), DICOM_JSON)

    def study_collection(self, request: Request) -> Response:
        found = self._collector.study_collection(request.groups[0], self._base(request))
        return _answer(request, found, manifest.MEDIA_TYPE)

    def patient_collection(self, request: Request) -> Response:
        found = self._collector.patient_collection(
            request.groups[0], self._base(request), request.visible_label
        )
        return _answer(request, found, manifest.MEDIA_TYPE)

    def collection(self, request: Request) -> Response:
        found = self._collector.collection(self._base(request), request.visible_label)
        return _answer(request, found, manifest.MEDIA_TYPE)

    def collection_page(self, request: Request) -> Response:
        number = _whole(request.groups[0])
        found = self._collector.collection_page(number, self._base(request), request.visible_label)
        return _answer(request, found, manifest.MEDIA_TYPE)

    def changes(self, request: Request) -> Response:
        return _answer(request, self._announcer.changes(self._base(request)), discovery.MEDIA_TYPE)

    def changes_page(self, request: Request) -> Response:
        number = _whole(request.groups[0])
        found = self._announcer.page(number, self._base(request))
        return _answer(request, found, discovery.MEDIA_TYPE)

    def _base(self, request: Request) -> str:
        return base_url(request.headers, self._settings)


class _OfficialApi:
    def __init__(self, presenter: Presenter, settings: Settings) -> None:
        self._presenter = presenter
        self._settings = settings

    def series(self, request: Request) -> Response:
        base, (series_id,) = base_url(request.headers, self._settings), request.groups
        own = base + _OFFICIAL_SERIES.format(id=series_id)
        found = self._presenter.series_manifest(series_id, base, own)
        return _answer(request, found, manifest.MEDIA_TYPE)

    def frame(self, request: Request) -> Response:
        base, (instance_id, frame) = base_url(request.headers, self._settings), request.groups
        number = _whole(frame)
        own = base + _OFFICIAL_FRAME.format(id=instance_id, frame=number)
        found = self._presenter.frame_manifest(instance_id, number, base, own)
        return _answer(request, found, manifest.MEDIA_TYPE)


def _answer(request: Request, found: Document, media_type: str) -> Response:
    """The document; caches must revalidate it each time, as it may be withdrawn at any moment."""
    headers = {
        **ANY_ORIGIN,
        "Cache-Control": "private, no-cache",
        "Vary": f"Accept, {VARY}",
    }
    kind = _negotiated(request.headers.get("accept", ""), media_type)
    etag = found.digest if kind == media_type else f"{found.digest}-json"
    return conditional(request, etag, headers, lambda: Response(found.content, kind))


def _negotiated(accept: str, media_type: str) -> str:
    """Plain JSON for clients that accept it but not JSON-LD (IIIF Presentation 3.0 section 6.3)."""
    wants_ld = accepts(accept, "application/ld+json")
    return _JSON if accepts(accept, _JSON) and not wants_ld else media_type


def _whole(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise NotFound("NoSuchNumber", value=text[:80])
    return int(text)
