"""Starts the plugin: reads the settings, builds its parts and hands them to Orthanc."""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Final

import orthanc

from orthanc_stl_plugin import __version__
from orthanc_stl_plugin.config import SECTION, Settings, read_settings
from orthanc_stl_plugin.errors import ConfigurationError
from orthanc_stl_plugin.host.catalogue import OrthancCatalogue
from orthanc_stl_plugin.host.compose import (
    compose_images,
    compose_models,
    compose_pages,
    compose_presentation,
)
from orthanc_stl_plugin.host.heartbeat import Heartbeat, OthersChanges
from orthanc_stl_plugin.host.log import log_through_orthanc
from orthanc_stl_plugin.host.metrics import AnswerTimes, cache_figures, job_figures, publish
from orthanc_stl_plugin.host.official import STL_PLUGIN, free_routes, official_plugins
from orthanc_stl_plugin.host.rest import filter_requests, register
from orthanc_stl_plugin.host.server import EXPLORER_SCRIPT, extend_explorer
from orthanc_stl_plugin.services.audit import Audit
from orthanc_stl_plugin.services.byte_cache import CacheCounts
from orthanc_stl_plugin.services.jobs.task_folders import Spool
from orthanc_stl_plugin.services.jobs.waiting_room import WaitingRoom
from orthanc_stl_plugin.services.publication import Publication
from orthanc_stl_plugin.web.audience import guarded
from orthanc_stl_plugin.web.openapi import openapi_route
from orthanc_stl_plugin.web.route import Route

_HTTP_THREADS: Final = 50  # Orthanc's default
_SURVIVES_UPLOADS: Final = (1, 13)
_AUDITED: Final = {
    orthanc.ResourceType.STUDY: "study",
    orthanc.ResourceType.SERIES: "series",
}
_log = logging.getLogger(__name__)


def start() -> None:
    """Starts the plugin inside Orthanc.

    Raises:
        ConfigurationError: Orthanc then ends, with the message in its log.
    """
    log_through_orthanc()
    try:
        _compose()
    except ConfigurationError as error:
        _log.error("the configuration is wrong, Orthanc stops: %s", error)
        raise


def _settle() -> None:
    """Warns of an old Orthanc, and excludes objects loaded at start from garbage collections.

    A collection stops all Python threads, for 50 ms and more when it visits these 100,000 objects,
    which never become garbage.
    """
    version = str(json.loads(orthanc.RestApiGet("/system"))["Version"])
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if parts and parts < _SURVIVES_UPLOADS:
        _log.warning("Orthanc %s dies on malformed uploads, 1.13 does not", version)
    gc.collect()
    gc.freeze()


def _compose() -> None:
    configuration = json.loads(orthanc.GetConfiguration())
    settings = read_settings(configuration.get(SECTION, {}))
    spool = Spool(settings.spool_directory)
    threads = int(configuration.get("HttpThreadsCount", _HTTP_THREADS))
    room = WaitingRoom(threads)
    images = compose_images(settings, configuration, spool, room)
    models = compose_models(settings, spool, room, WaitingRoom(threads))
    catalogue = OrthancCatalogue()
    presentation = compose_presentation(settings, catalogue, images.slides)
    official = official_plugins(configuration)

    def caches() -> Mapping[str, CacheCounts]:
        return {**images.caches(), **presentation.caches()}

    pages = compose_pages(settings, configuration, models, caches, presentation.faults, official)
    routes = _in_order(
        [*presentation.routes, *images.routes, *models.routes, *pages], settings, official
    )
    publication = Publication(settings.publish, catalogue)
    open_routes = guarded(routes, publication)
    times = AnswerTimes()
    register(open_routes, times)
    audit = Audit(catalogue, settings.publish.label)
    filter_requests(open_routes, publication, audit, settings.public_url)
    _extend_explorer(official)

    heartbeat = Heartbeat(
        times.publish,
        lambda: publish(job_figures(models.jobs.records())),
        lambda: publish(cache_figures(caches())),
        OthersChanges(images.note_change).look,
    )
    # In a thread of its own: it may take seconds, and others must not wait for it.
    announcing = Heartbeat(presentation.tick, audit.look)

    def on_change(change: int, level: int, resource: str) -> None:
        if change == orthanc.ChangeType.ORTHANC_STARTED:
            models.begin()
            heartbeat.start()
            announcing.start()
            _settle()
        elif change == orthanc.ChangeType.ORTHANC_STOPPED:
            announcing.stop()
            heartbeat.stop()
            models.end()
            images.end()
            spool.close()
        else:
            images.note_change()
            if change == orthanc.ChangeType.DELETED and level in _AUDITED:
                audit.deleted(_AUDITED[level], resource)

    orthanc.RegisterOnChangeCallback(on_change)
    _log.info("version %s, %d worker processes", __version__, settings.worker_count)


def _extend_explorer(official: frozenset[str]) -> None:
    """Adds our buttons to Orthanc Explorer, unless the official plugin has the same."""
    if STL_PLUGIN not in official:
        extend_explorer(EXPLORER_SCRIPT.read_text(encoding="utf-8"))


def _in_order(routes: Sequence[Route], settings: Settings, official: frozenset[str]) -> list[Route]:
    """The routes that are ours where these official plugins are loaded, and their description.

    Long addresses first: those of tiles, which are requested most. Of equal length, manifests
    first: the address of an image service would match theirs too.
    """
    ours = free_routes(routes, official)
    if STL_PLUGIN not in official:
        ours.append(openapi_route(ours, settings))
    return sorted(ours, key=lambda route: -route.template.count("/"))
