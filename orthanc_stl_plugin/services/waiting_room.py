"""Requests that wait for work: each keeps a thread of the HTTP server, so some must stay free."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Final

from orthanc_stl_plugin.errors import Busy

_RETRY_AFTER_S: Final = 10


class WaitingRoom:
    """A third of the server's threads may wait here for work.

    There are two rooms, for what takes long and for what is soon done: the one does not turn the
    other away. When both are full, a third of the threads still answers, and takes cancellations.

    Args:
        http_threads: how many the server has.
    """

    def __init__(self, http_threads: int) -> None:
        self._http_threads = http_threads
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
                f"{self._places} requests wait for such work already, a third of Orthanc's"
                f" HttpThreadsCount = {self._http_threads}",
                _RETRY_AFTER_S,
            )
        try:
            yield
        finally:
            self._free.release()
