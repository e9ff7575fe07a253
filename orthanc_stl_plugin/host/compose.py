"""The composition root: every part, built from the settings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.host.announcements import PropertyMemory
from orthanc_stl_plugin.host.archive import OrthancArchive, OrthancImages
from orthanc_stl_plugin.host.jobs import OrthancJobs, PropertyJournal
from orthanc_stl_plugin.host.server import PAGES, OrthancHost
from orthanc_stl_plugin.services.byte_cache import CacheCounts
from orthanc_stl_plugin.services.images.drawing_line import DrawingLine
from orthanc_stl_plugin.services.images.fetched_files import FetchedFiles
from orthanc_stl_plugin.services.images.freshness import Changes
from orthanc_stl_plugin.services.images.level_store import Pyramids
from orthanc_stl_plugin.services.images.missing_levels import MadeLevels
from orthanc_stl_plugin.services.images.opened_images import Images
from orthanc_stl_plugin.services.images.opener import Opener
from orthanc_stl_plugin.services.images.renditions import Renditions
from orthanc_stl_plugin.services.jobs.job_queue import JobEngine
from orthanc_stl_plugin.services.jobs.task_folders import Spool
from orthanc_stl_plugin.services.jobs.waiting_room import Readers, WaitingRoom
from orthanc_stl_plugin.services.jobs.worker_pool import Workers
from orthanc_stl_plugin.services.models.encode import Encoder
from orthanc_stl_plugin.services.models.files import ModelFiles
from orthanc_stl_plugin.services.models.grey_values import GreyValues
from orthanc_stl_plugin.services.models.listing import Listing
from orthanc_stl_plugin.services.ports.catalogue import Catalogue
from orthanc_stl_plugin.services.presentation.change_discovery import Announcer
from orthanc_stl_plugin.services.presentation.descriptions import Describer
from orthanc_stl_plugin.services.presentation.document_cache import StudyMemory
from orthanc_stl_plugin.services.presentation.manifests import Presenter
from orthanc_stl_plugin.services.presentation.series_view import Slides, Viewer
from orthanc_stl_plugin.services.presentation.study_collections import Collector
from orthanc_stl_plugin.services.status import Status
from orthanc_stl_plugin.web.iiif import AnswerMemory, image_routes
from orthanc_stl_plugin.web.jobs import ORTHANC_PATH, OWN_PATH, job_routes
from orthanc_stl_plugin.web.listing import grey_value_routes, listing_routes
from orthanc_stl_plugin.web.model_files import model_file_routes
from orthanc_stl_plugin.web.models import model_routes
from orthanc_stl_plugin.web.pages import VIEWERS, page_files, page_routes, viewer_versions
from orthanc_stl_plugin.web.presentation import official_presentation_routes, presentation_routes
from orthanc_stl_plugin.web.route import Route
from orthanc_stl_plugin.web.status import status_routes

_DEFAULT_STORAGE: Final = "OrthancStorage"
_PYRAMIDS: Final = "iiif-pyramids"


@dataclass(frozen=True, slots=True)
class Models:
    """The routes of models; `begin` is called when Orthanc has started, `end` when it stops."""

    routes: Sequence[Route]
    workers: Workers
    jobs: JobEngine
    jobs_path: str
    begin: Callable[[], None]
    end: Callable[[], None]


@dataclass(frozen=True, slots=True)
class ImageServing:
    """The routes of images; `note_change` is called with every change, `end` when Orthanc stops."""

    routes: Sequence[Route]
    caches: Callable[[], Mapping[str, CacheCounts]]
    slides: Slides
    note_change: Callable[[], None]
    end: Callable[[], None]


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


def compose_models(
    settings: Settings, spool: Spool, room: WaitingRoom, reading_room: WaitingRoom
) -> Models:
    """What makes models and gives them back.

    Args:
        settings: the plugin's.
        spool: for files on their way.
        room: for requests that wait for models.
        reading_room: for those that wait for what is made of a stored one, for lists and values.
    """
    archive = OrthancArchive()
    workers = Workers(settings, ("orthanc_stl_plugin.services.models.worker",))
    # A worker of their own, started when it is needed: nobody waits for a picture, or for a list,
    # behind models that are made.
    reader = Workers(replace(settings, workers=1), ("orthanc_stl_plugin.services.models.files",))
    readers = Readers(reader, spool, reading_room)
    encoder = Encoder(archive, workers, spool, settings)
    jobs = JobEngine(
        settings.worker_count,
        settings.max_pending_jobs,
        settings.kept_jobs,
        PropertyJournal(),
        archive.delete_series,
    )
    jobs_path = ORTHANC_PATH if settings.jobs_in_orthanc else OWN_PATH
    routes = [
        *model_routes(encoder, jobs, jobs_path, room, settings.max_volume_mib << 20),
        *listing_routes(Listing(archive, readers, settings)),
        *model_file_routes(ModelFiles(archive, readers, settings)),
        *job_routes(jobs, OrthancJobs() if settings.jobs_in_orthanc else None),
        *grey_value_routes(GreyValues(archive, readers, settings)),
    ]

    def begin() -> None:
        jobs.remember()
        workers.warm_up()

    def end() -> None:
        jobs.close()
        workers.close()
        reader.close()

    return Models(routes, workers, jobs, jobs_path, begin, end)


def compose_pages(
    settings: Settings,
    configuration: Mapping[str, Any],
    models: Models,
    caches: Callable[[], Mapping[str, CacheCounts]],
    faults: Callable[[], Mapping[str, list[str]]],
    official: frozenset[str],
) -> list[Route]:
    """What serves pages, and tells them how the plugin is.

    Args:
        settings: the plugin's.
        configuration: Orthanc's.
        models: what the pages tell of.
        caches: what the caches have done, and hold.
        faults: what is wrong with studies' own properties, by study.
        official: the official plugins that are loaded.
    """
    # install.sh puts the third-party viewers beside the script that Orthanc loads.
    script = Path(configuration.get("Python", {}).get("Path", ""))
    files = page_files(PAGES, script.parent / VIEWERS, settings.public_url)
    status = Status(
        OrthancHost(),
        models.workers,
        models.jobs,
        models.jobs_path,
        caches,
        faults,
        viewer_versions(files),
        tuple(sorted(official)),
        settings.publish.label,
    )
    return [*status_routes(status), *page_routes(files, settings)]


def compose_images(
    settings: Settings, configuration: Mapping[str, Any], spool: Spool, room: WaitingRoom
) -> ImageServing:
    """What serves images.

    Args:
        settings: the plugin's.
        configuration: Orthanc's.
        spool: for files on their way.
        room: for requests that wait.
    """
    storage = str(configuration.get("StorageDirectory") or _DEFAULT_STORAGE)
    archive = OrthancImages(storage)
    folder = Path(settings.pyramid_directory or Path(storage) / _PYRAMIDS)
    # A worker of its own: a viewer does not wait behind models that are made.
    workers = Workers(replace(settings, workers=1))
    pyramids = Pyramids(folder, settings.pyramid_cache_mib << 20, room)
    fetched = FetchedFiles(archive, spool)
    made = MadeLevels(pyramids, workers, spool, fetched, converts_colours=settings.convert_colours)
    changes = Changes()
    images = Images(archive, Opener(archive, fetched, settings, changes), changes)
    renditions = Renditions(images, made, settings, DrawingLine(room.http_threads))

    def end() -> None:
        workers.close()  # first: it writes into the folder that goes then
        pyramids.close()

    def caches() -> Mapping[str, CacheCounts]:
        return {**renditions.counts(), **memory.counts()}

    memory = AnswerMemory(settings)
    routes = image_routes(renditions, memory, settings)
    return ImageServing(routes, caches, images, images.note_change, end)


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
