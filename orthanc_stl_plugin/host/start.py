"""The composition root: builds every part from the settings and hands it to Orthanc."""

from __future__ import annotations

import json
import logging

import orthanc

from orthanc_stl_plugin import __version__
from orthanc_stl_plugin.config import SECTION, read_settings
from orthanc_stl_plugin.errors import ConfigurationError
from orthanc_stl_plugin.host import presenting
from orthanc_stl_plugin.host.archive import OrthancArchive
from orthanc_stl_plugin.host.catalogue import OrthancCatalogue
from orthanc_stl_plugin.host.jobs import OrthancJobs, PropertyJournal
from orthanc_stl_plugin.host.log import log_through_orthanc
from orthanc_stl_plugin.host.rest import register
from orthanc_stl_plugin.services.encode import Encoder
from orthanc_stl_plugin.services.jobs import JobEngine
from orthanc_stl_plugin.services.model_files import ModelFiles
from orthanc_stl_plugin.services.publication import Publication
from orthanc_stl_plugin.services.spool import Spool
from orthanc_stl_plugin.services.work import Workers
from orthanc_stl_plugin.web.audience import guarded
from orthanc_stl_plugin.web.jobs import ORTHANC_PATH, OWN_PATH, job_routes
from orthanc_stl_plugin.web.model_files import model_file_routes
from orthanc_stl_plugin.web.models import model_routes

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
    archive = OrthancArchive()
    preload = ("orthanc_stl_plugin.services.convert", "orthanc_stl_plugin.services.model_files")
    workers = Workers(settings, preload)
    spool = Spool(settings.spool_directory)
    encoder = Encoder(archive, workers, spool, settings)
    files = ModelFiles(archive, workers, spool, settings)
    jobs = JobEngine(
        settings.worker_count, settings.max_pending_jobs, settings.kept_jobs, PropertyJournal()
    )
    jobs_path = ORTHANC_PATH if settings.jobs_in_orthanc else OWN_PATH
    catalogue = OrthancCatalogue()
    publication = Publication(settings.publish, catalogue)
    routes = [
        *model_routes(encoder, jobs, jobs_path),
        *model_file_routes(files),
        *job_routes(jobs, OrthancJobs() if settings.jobs_in_orthanc else None),
        *presenting.routes(catalogue, presenting.NoSlides(), settings),
    ]
    register(guarded(routes, publication))

    def on_change(change: int, _level: int, _resource: str) -> None:
        if change == orthanc.ChangeType.ORTHANC_STARTED:
            jobs.remember()
            workers.warm_up()
        elif change == orthanc.ChangeType.ORTHANC_STOPPED:
            jobs.close()
            workers.close()
            spool.close()

    orthanc.RegisterOnChangeCallback(on_change)
    _log.info("version %s, %d worker processes", __version__, settings.worker_count)
