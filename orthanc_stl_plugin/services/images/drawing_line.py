"""Pictures wait in a bounded line until they are drawn: each keeps a thread of the HTTP server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import BoundedSemaphore
from typing import Final

from orthanc_stl_plugin.errors import Busy

LARGE_PX: Final = 6_000_000
"""Pixels that are drawn and sent, together, from which on a picture is a large one."""

_KEPT_FREE: Final = 2
_LARGE_ONES: Final = 4  # one of so many places is for a large picture
_LONGEST_WAIT_S: Final = 10.0
_RETRY_AFTER_S: Final = 2


class DrawingLine:
    """A fixed number of pictures is drawn at a time, and a bounded number waits for its turn.

    Two waiting rooms leave a third of the threads. All but two of these may stand here, a quarter
    of them for large pictures, of which half as many are drawn at a time: so tiles go on.

    Orthanc does not tell a plugin that a client has gone. So who has waited for ten seconds is
    told to come again rather than drawn for: its client, or the proxy, may long have left.

    Args:
        http_threads: how many the server has.
    """

    def __init__(self, http_threads: int) -> None:
        places = max(1, http_threads - 2 * (http_threads // 3) - _KEPT_FREE)
        at_a_time = os.cpu_count() or 1
        self._places = BoundedSemaphore(places)
        self._large_places = BoundedSemaphore(max(1, places // _LARGE_ONES))
        self._turns = BoundedSemaphore(at_a_time)
        self._large_turns = BoundedSemaphore(max(1, at_a_time // 2))

    @contextmanager
    def place(self, pixels: int) -> Iterator[None]:
        """A place in the line, for a picture of so many pixels, also while another draws it.

        Raises:
            Busy: all are taken.
        """
        large = _held(self._large_places, 0) if pixels >= LARGE_PX else nullcontext()
        with large, _held(self._places, 0):
            yield

    @contextmanager
    def turn(self, pixels: int) -> Iterator[None]:
        """The turn to draw a picture of so many pixels.

        Raises:
            Busy: it has not come within ten seconds.
        """
        large = _held(self._large_turns, _LONGEST_WAIT_S) if pixels >= LARGE_PX else nullcontext()
        with large, _held(self._turns, _LONGEST_WAIT_S):
            yield


@contextmanager
def _held(semaphore: BoundedSemaphore, timeout_s: float) -> Iterator[None]:
    taken = semaphore.acquire(timeout=timeout_s) if timeout_s else semaphore.acquire(blocking=False)
    if not taken:
        raise Busy("TooManyPictures", retry_after_s=_RETRY_AFTER_S)
    try:
        yield
    finally:
        semaphore.release()
