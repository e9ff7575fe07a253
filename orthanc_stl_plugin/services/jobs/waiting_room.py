"""Requests that wait for work: each keeps a thread of the HTTP server, so some must stay free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore
from typing import Final, ParamSpec, TypeVar

from orthanc_stl_plugin.errors import Busy
from orthanc_stl_plugin.services.jobs.task_folders import Spool
from orthanc_stl_plugin.services.jobs.worker_pool import Workers

_P = ParamSpec("_P")
_R = TypeVar("_R")

_RETRY_AFTER_S: Final = 10


class WaitingRoom:
    """A third of the server's threads may wait here for work.

    There are two rooms, for what takes long and for what is soon done: the one does not turn the
    other away. When both are full, a third of the threads still answers, and takes cancellations.

    Args:
        http_threads: how many the server has.
    """

    def __init__(self, http_threads: int) -> None:
        self.http_threads = http_threads
        self._places = max(1, http_threads // 3)
        self._free = BoundedSemaphore(self._places)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for as long as a request waits.

        Raises:
            Busy: all are taken.
        """
        if not self._free.acquire(blocking=False):
            raise Busy(
                "TooManyRequests",
                places=self._places,
                threads=self.http_threads,
                retry_after_s=_RETRY_AFTER_S,
            )
        try:
            yield
        finally:
            self._free.release()


class Readers:
    """What such a request needs: a place to wait, a folder, and a worker.

    Args:
        workers: theirs alone, so that nobody waits behind models that are made.
        spool: for the folders.
        room: for the places.
    """

    def __init__(self, workers: Workers, spool: Spool, room: WaitingRoom) -> None:
        self._workers = workers
        self._spool = spool
        self._room = room

    @contextmanager
    def task_folder(self) -> Iterator[Path]:
        """A folder for as long as a request waits.

        Raises:
            Busy: too many wait, or see `Spool.task_folder`.
        """
        with self._room.place(), self._spool.task_folder() as folder:
            yield folder

    def run(self, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """See `Workers.run`."""
        return self._workers.run(function, *args, **kwargs)
