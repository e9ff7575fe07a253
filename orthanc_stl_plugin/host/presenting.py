"""The part of the composition root that builds IIIF Presentation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.host.announcements import PropertyMemory
from orthanc_stl_plugin.services.byte_cache import CacheCounts
from orthanc_stl_plugin.services.ports.catalogue import Catalogue
from orthanc_stl_plugin.services.presentation.change_discovery import Announcer
from orthanc_stl_plugin.services.presentation.descriptions import Describer
from orthanc_stl_plugin.services.presentation.document_cache import StudyMemory
from orthanc_stl_plugin.services.presentation.manifests import Presenter
from orthanc_stl_plugin.services.presentation.series_view import Slides, Viewer
from orthanc_stl_plugin.services.presentation.study_collections import Collector
from orthanc_stl_plugin.web.presentation import official_presentation_routes, presentation_routes
from orthanc_stl_plugin.web.route import Route


@dataclass(frozen=True, slots=True)
class Presentation:
    """The routes of manifests, collections and changes, those of the official plugin included.

    `faults` returns the faults in studies' own properties, by study. `tick` brings the list of
    changes up to date, which takes seconds in a large archive: call it again and again.
    """

    routes: Sequence[Route]
    caches: Callable[[], Mapping[str, CacheCounts]]
    faults: Callable[[], Mapping[str, list[str]]]
    tick: Callable[[], object]


def compose_presentation(settings: Settings, catalogue: Catalogue, slides: Slides) -> Presentation:
    """The services that present studies and series."""
    words = settings.presentation
    describer = Describer(words)
    viewer = Viewer(catalogue, slides, shows_slide_labels=words.slide_labels)
    memory = StudyMemory(settings.manifest_cache_mib << 20, _utc_now)
    label = words.collection_label
    presenter = Presenter(catalogue, describer, viewer, memory, label, settings.max_pixels)
    collector = Collector(catalogue, describer, viewer, memory, label)
    announcer = Announcer(catalogue, settings.publish.label, PropertyMemory(), _utc_now)
    routes = [
        *presentation_routes(presenter, collector, announcer, settings),
        *official_presentation_routes(presenter, settings),
    ]
    faults = partial(describer.overrides.faults, catalogue)
    return Presentation(routes, memory.counts, faults, announcer.tick)


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
