"""Starts the plugin: reads the settings, builds its parts and hands them to Orthanc."""

from __future__ import annotations

import json
import logging

import orthanc

from orthanc_stl_plugin import __version__
from orthanc_stl_plugin.config import SECTION, read_settings
from orthanc_stl_plugin.errors import ConfigurationError
from orthanc_stl_plugin.host.catalogue import OrthancCatalogue
from orthanc_stl_plugin.host.compose import compose_images, compose_models
from orthanc_stl_plugin.host.heartbeat import Heartbeat, OthersChanges
from orthanc_stl_plugin.host.log import log_through_orthanc
from orthanc_stl_plugin.host.metrics import Durations, publish
from orthanc_stl_plugin.host.official import free_routes, official_plugins
from orthanc_stl_plugin.host.presenting import compose_presentation
from orthanc_stl_plugin.host.rest import keep_public_out, register
from orthanc_stl_plugin.services.publication import Publication
from orthanc_stl_plugin.services.spool import Spool
from orthanc_stl_plugin.web.audience import guarded

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


def _compose() -> None:
    configuration = json.loads(orthanc.GetConfiguration())
    settings = read_settings(configuration.get(SECTION, {}))
    spool = Spool(settings.spool_directory)
    images = compose_images(settings, configuration, spool)
    models = compose_models(settings, spool)
    catalogue = OrthancCatalogue()
    presentation = compose_presentation(settings, catalogue, images.slides)
    # Long addresses first: those of tiles, which are asked for most. Of equal ones manifests: the
    # address of an image service would match theirs too.
    routes = [*presentation, *images.routes, *models.routes]
    routes.sort(key=lambda route: -route.template.count("/"))
    publication = Publication(settings.publish, catalogue)
    open_routes = guarded(free_routes(routes, official_plugins(configuration)), publication)
    durations = Durations()
    register(open_routes, durations)
    if publication.is_restricted:
        keep_public_out(open_routes, publication)

    heartbeat = Heartbeat(
        durations.publish,
        lambda: publish(models.figures()),
        lambda: publish(images.figures()),
        OthersChanges(images.note_change).look,
    )

    def on_change(change: int, _level: int, _resource: str) -> None:
        if change == orthanc.ChangeType.ORTHANC_STARTED:
            models.begin()
            heartbeat.start()
        elif change == orthanc.ChangeType.ORTHANC_STOPPED:
            heartbeat.stop()
            models.end()
            images.end()
            spool.close()
        else:
            images.note_change()

    orthanc.RegisterOnChangeCallback(on_change)
    _log.info("version %s, %d worker processes", __version__, settings.worker_count)
