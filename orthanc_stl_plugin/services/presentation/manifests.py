"""Manifests and scenes of studies, series and instances, kept until the study changes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from orthanc_stl_plugin.config import Texts
from orthanc_stl_plugin.config.texts import texts
from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.iiif.presentation.addresses import Addresses, OfficialAddresses
from orthanc_stl_plugin.iiif.presentation.canvas import Json, rendering
from orthanc_stl_plugin.iiif.presentation.descriptive import Description
from orthanc_stl_plugin.iiif.presentation.manifest import Links, Manifest, Whole, write_manifest
from orthanc_stl_plugin.iiif.presentation.scene import MEDIA_TYPE as SCENE_MEDIA_TYPE
from orthanc_stl_plugin.iiif.presentation.scene import Scene, write_scene
from orthanc_stl_plugin.services.ports.catalogue import (
    Catalogue,
    Level,
    SeriesEntry,
    StudyEntry,
)
from orthanc_stl_plugin.services.presentation.descriptions import Counts, Describer
from orthanc_stl_plugin.services.presentation.document_cache import Document, StudyMemory, document
from orthanc_stl_plugin.services.presentation.series_view import View, Viewer, series_in_order


class Presenter:
    """Presents studies and series.

    `base` is the address of the server's root, as the client sees it.

    Args:
        catalogue: of the archive.
        describer: writes the descriptions.
        viewer: makes the canvases.
        memory: keeps the documents.
        collection_label: the name of the collection of all studies.
        max_pixels: the most pixels of one answer of an image service.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        describer: Describer,
        viewer: Viewer,
        memory: StudyMemory,
        collection_label: Texts,
        max_pixels: int,
    ) -> None:
        self._catalogue = catalogue
        self._describer = describer
        self._viewer = viewer
        self._documents = memory.documents
        self._collection_label = collection_label
        self._max_pixels = max_pixels

    def study_manifest(self, study_id: str, base: str) -> Document:
        """The manifest of all images and models of a study.

        Raises:
            NotFound: no such study.
            UnusableSource: it holds no image and no model.
        """
        study = self._catalogue.study(study_id)

        def make() -> Document:
            addresses = Addresses(base)
            series = series_in_order(self._catalogue, self._describer, study_id)
            views = self._views(addresses, study_id, series)
            links = self._links(addresses, study, views)
            links = replace(links, part_of=Whole(addresses.collection(), self._collection_label))
            description = self._describer.study(study, series, _counts(views))
            own = addresses.study_manifest(study_id)
            return self._written(_manifest(own, description, views, links))

        return self._documents.get(study, ("study", base), make)

    def series_manifest(self, series_id: str, base: str, address: str = "") -> Document:
        """The manifest of a series; with an `address`, one of the official plugin's.

        Raises:
            NotFound: no such series.
            UnusableSource: it holds no image and no model.
        """
        study = self._catalogue.study(self._catalogue.study_of(Level.SERIES, series_id))

        def make() -> Document:
            addresses = OfficialAddresses(base) if address else Addresses(base)
            series = series_in_order(self._catalogue, self._describer, study.study_id)
            views = (self._view(addresses, series_id, series),)
            description = self._describer.study(study, series, _counts(views))
            links = self._links(addresses, study, views)
            collection = addresses.study_collection(study.study_id)
            links = replace(links, part_of=Whole(collection, description.label))
            if len(series) > 1:
                label = _joined(description.label, views[0].label)
                description = replace(description, label=label)
            own = address or addresses.series_manifest(series_id)
            return self._written(_manifest(own, description, views, links))

        return self._documents.get(study, ("series", series_id, base, address), make)

    def instance_manifest(self, instance_id: str, base: str) -> Document:
        """The manifest of an instance: its frames or model; for part of a slide, the whole slide.

        Raises:
            NotFound: no such instance.
            UnusableSource: it holds no image and no model.
        """
        study = self._catalogue.study(self._catalogue.study_of(Level.INSTANCE, instance_id))
        series_id = self._catalogue.instance(instance_id).series_id

        def make() -> Document:
            addresses = Addresses(base)
            series = series_in_order(self._catalogue, self._describer, study.study_id)
            entry = next((one for one in series if one.series_id == series_id), None)
            label = self._describer.series_label(entry.tags) if entry else texts("")
            view = self._viewer.instance(addresses, instance_id, entry, label) if entry else None
            if view is None:
                raise UnusableSource("InstanceNothingToShow", instance_id=instance_id)
            description = self._describer.study(study, series, _counts((view,)))
            description = replace(description, label=_joined(description.label, label))
            links = self._links(addresses, study, (view,))
            whole = Whole(addresses.series_manifest(series_id), label, is_collection=False)
            links = replace(links, part_of=whole)
            own = addresses.instance_manifest(instance_id)
            return self._written(_manifest(own, description, (view,), links))

        return self._documents.get(study, ("instance", instance_id, base), make)

    def frame_manifest(
        self, instance_id: str, frame_index: int, base: str, address: str
    ) -> Document:
        """The manifest of a frame, counted from 0, at that address.

        Raises:
            NotFound: no such instance or frame.
        """
        study = self._catalogue.study(self._catalogue.study_of(Level.INSTANCE, instance_id))
        series = series_in_order(self._catalogue, self._describer, study.study_id)
        canvas = self._viewer.frame(OfficialAddresses(base), instance_id, frame_index)
        description = self._describer.study(study, series, Counts(1, 1))
        return self._written(Manifest(address, description, (canvas,)))

    def scene(self, series_id: str, base: str) -> Document:
        """The scene of the models of a series.

        Raises:
            NotFound: no such series.
            UnusableSource: it holds no model.
        """
        study = self._catalogue.study(self._catalogue.study_of(Level.SERIES, series_id))

        def make() -> Document:
            addresses = Addresses(base)
            series = series_in_order(self._catalogue, self._describer, study.study_id)
            view = self._view(addresses, series_id, series)
            if not view.parts:
                raise UnusableSource("SeriesWithoutModel", series_id=series_id)
            description = self._describer.study(study, series, _counts((view,)))
            links = Links(rendering=view.renderings)
            picture = view.canvases[0].pictures[0]
            scene = Scene(addresses.scene(series_id), description, view.parts, picture, links)
            return document(write_scene(scene))

        return self._documents.get(study, ("scene", series_id, base), make)

    def dicom_json(self, study_id: str) -> Document:
        """The attributes that a study's manifest shows (PS3.18 annex F).

        Raises:
            NotFound: no such study.
        """
        study = self._catalogue.study(study_id)
        series = series_in_order(self._catalogue, self._describer, study_id)
        attributes = self._describer.attributes(study, series)
        return document(json.dumps([attributes], ensure_ascii=False).encode("utf-8", "replace"))

    def _written(self, manifest: Manifest) -> Document:
        return document(write_manifest(manifest, self._max_pixels))

    def _links(self, addresses: Addresses, study: StudyEntry, views: Iterable[View]) -> Links:
        data = texts("DICOM attributes", language="en")
        see_also: list[Json] = [
            rendering(
                addresses.dicom_json(study.study_id), "Dataset", "application/dicom+json", data
            )
        ]
        scene = texts("3D scene", language="en")
        renderings: list[Json] = []
        for view in views:
            renderings += view.renderings
            if view.parts:
                own = addresses.scene(view.series_id)
                see_also.append(rendering(own, "Manifest", SCENE_MEDIA_TYPE, scene))
        return Links(tuple(see_also), tuple(renderings))

    def _views(
        self, addresses: Addresses, study_id: str, series: Iterable[SeriesEntry]
    ) -> tuple[View, ...]:
        found = (self._maybe_view(addresses, entry) for entry in series)
        views = [view for view in found if view]
        if not views:
            raise UnusableSource("StudyNothingToShow", study_id=study_id)
        return tuple(view for view in views if not view.is_derived) or tuple(views)

    def _view(self, addresses: Addresses, series_id: str, series: Iterable[SeriesEntry]) -> View:
        entry = next((one for one in series if one.series_id == series_id), None)
        view = self._maybe_view(addresses, entry) if entry else None
        if view is None:
            raise UnusableSource("SeriesNothingToShow", series_id=series_id)
        return view

    def _maybe_view(self, addresses: Addresses, series: SeriesEntry) -> View | None:
        return self._viewer.view(addresses, series, self._describer.series_label(series.tags))


def _manifest(
    address: str, description: Description, views: tuple[View, ...], links: Links
) -> Manifest:
    contents = tuple(view.contents for view in views)
    # The first slices of a stack usually show air.
    start = len(views[0].canvases) // 2 if views[0].is_stack else 0
    is_flat = len(views) == 1 and not contents[0].parts
    return Manifest(
        address,
        description,
        canvases=tuple(canvas for view in views for canvas in view.canvases),
        ranges=() if is_flat else contents,
        links=links,
        viewing_direction="top-to-bottom" if all(view.is_stack for view in views) else "",
        start=start,
    )


def _counts(views: Iterable[View]) -> Counts:
    views = tuple(views)
    models = sum(len(view.parts) for view in views)
    canvases = sum(len(view.canvases) for view in views)
    return Counts(len(views), canvases - models, models)


def _joined(study: Texts, series: Texts) -> Texts:
    """The study's name in each language, followed by that of the series."""
    names = [value for _, values in series.by_language for value in values]
    return Texts(
        tuple((language, (", ".join((*values, *names)),)) for language, values in study.by_language)
    )
