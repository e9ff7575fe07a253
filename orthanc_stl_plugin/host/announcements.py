"""The record of announcements to harvesters, in Orthanc's database."""

from __future__ import annotations

import datetime as dt
import json
import logging
from typing import Final

import orthanc

from orthanc_stl_plugin.services.presentation.change_discovery import Announced, Memory

# Global properties from 1024 on are for plugins; this number belongs to this plugin.
_PROPERTY: Final = 5306
_log = logging.getLogger(__name__)


class PropertyMemory:
    """See the port `orthanc_stl_plugin.services.presentation.change_discovery.MemoryStore`."""

    def load(self) -> Memory:
        """See the port."""
        text = orthanc.GetGlobalProperty(_PROPERTY, "")
        if not text:
            return Memory()
        try:
            value = json.loads(text)
            announced = {
                study_id: Announced(_time(created), _time(updated), str(state))
                for study_id, (created, updated, state) in value["announced"].items()
            }
            withdrawn = {study_id: _time(time) for study_id, time in value["withdrawn"].items()}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            _log.warning("what was announced cannot be read, all is announced anew: %s", error)
            return Memory()
        return Memory(announced, withdrawn, is_new=False)

    def save(self, memory: Memory) -> None:
        """See the port."""
        value = {
            "announced": {
                study_id: [int(one.created.timestamp()), int(one.updated.timestamp()), one.state]
                for study_id, one in memory.announced.items()
            },
            "withdrawn": {
                study_id: int(time.timestamp()) for study_id, time in memory.withdrawn.items()
            },
        }
        try:
            orthanc.SetGlobalProperty(_PROPERTY, json.dumps(value, separators=(",", ":")))
        except orthanc.OrthancException as error:
            _log.warning("what was announced cannot be remembered: %s", error)


def _time(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
