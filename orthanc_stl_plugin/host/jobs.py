"""Orthanc's own jobs, and the journal of ours in Orthanc's database."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Final

import orthanc

from orthanc_stl_plugin.model.job import JobRecord
from orthanc_stl_plugin.services.ports.host_jobs import HostJobRefused

# Global properties from 1024 on are for plugins; this number belongs to this plugin.
_PROPERTY: Final = 5304
_NOT_FOUND: Final = 404
_BAD_REQUEST: Final = 400
_log = logging.getLogger(__name__)


class OrthancJobs:
    """See the port `orthanc_stl_plugin.services.ports.host_jobs.HostJobs`."""

    def get(self, tail: str) -> bytes:
        """See the port."""
        return _refusing(lambda: orthanc.RestApiGet(f"/jobs{tail}"), _NOT_FOUND)

    def post(self, tail: str, body: bytes) -> bytes:
        """See the port."""
        return _refusing(lambda: orthanc.RestApiPost(f"/jobs{tail}", body), _BAD_REQUEST)

    def delete(self, tail: str) -> None:
        """See the port."""
        _refusing(lambda: orthanc.RestApiDelete(f"/jobs{tail}"), _NOT_FOUND)


class PropertyJournal:
    """The records in a global property: it survives restarts and is backed up with the rest."""

    def load(self) -> Sequence[JobRecord]:
        """See the port `orthanc_stl_plugin.services.ports.journal.Journal`."""
        try:
            values = json.loads(orthanc.GetGlobalProperty(_PROPERTY, "[]"))
            return [JobRecord.from_json(value) for value in values]
        except (ValueError, TypeError, KeyError) as error:
            _log.warning("the remembered jobs cannot be read, they are forgotten: %s", error)
            return []

    def save(self, records: Sequence[JobRecord]) -> None:
        """See the port."""
        text = json.dumps([record.to_json() for record in records])
        try:
            orthanc.SetGlobalProperty(_PROPERTY, text)
        except orthanc.OrthancException as error:
            _log.warning("the jobs cannot be remembered: %s", error)


def _refusing[T](call: Callable[[], T], status_of_unknown: int) -> T:
    try:
        return call()
    except orthanc.OrthancException as error:
        is_unknown = error.args[0] == orthanc.ErrorCode.UNKNOWN_RESOURCE
        raise HostJobRefused(status_of_unknown if is_unknown else _BAD_REQUEST) from error
