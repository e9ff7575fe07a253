"""A worker for requests that wait: for pictures and other files of models, lists, grey values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from orthanc_stl_plugin.services.spool import Spool
from orthanc_stl_plugin.services.waiting_room import WaitingRoom
from orthanc_stl_plugin.services.work import Workers

_P = ParamSpec("_P")
_R = TypeVar("_R")


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
