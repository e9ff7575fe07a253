"""Periodic tasks while Orthanc runs."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Final

import orthanc

_INTERVAL_S: Final = 1.0
_log = logging.getLogger(__name__)


class Heartbeat:
    """Calls each task about once a second, in a thread of its own.

    Args:
        tasks: short functions; an error is logged, and the task is called again next time.
    """

    def __init__(self, *tasks: Callable[[], object]) -> None:
        self._tasks = tasks
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Starts the thread; Orthanc must answer requests by now."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and waits for it, so that no task uses Orthanc after its end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_INTERVAL_S):
            for task in self._tasks:
                try:
                    task()
                except orthanc.OrthancException as error:
                    _log.warning("Orthanc error %s in the heartbeat", error.args[0])
                except Exception:  # noqa: BLE001  # without a heartbeat stale images would be shown
                    _log.exception("unforeseen error in the heartbeat")


class OthersChanges:
    """Notices changes by other Orthancs that share the database.

    Orthanc reports only its own changes to plugins, but its log of changes belongs to the database.

    Args:
        note: called after any change.
    """

    def __init__(self, note: Callable[[], None]) -> None:
        self._note = note
        self._last = -1
        self._is_shared: bool | None = None

    def look(self) -> None:
        """Reads the number of the last change, if the database is provided by a plugin."""
        if self._is_shared is None:
            system = json.loads(orthanc.RestApiGet("/system"))
            self._is_shared = bool(system.get("DatabaseBackendPlugin"))
        if not self._is_shared:
            return
        last = json.loads(orthanc.RestApiGet("/changes?last"))["Last"]
        if last != self._last:
            self._last = last
            self._note()
