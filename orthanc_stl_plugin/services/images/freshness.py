"""Whether open files are still those of the archive: asked for every tile, in a microsecond."""

from __future__ import annotations

import fcntl
import os
import termios
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final, cast

from inotify_simple import Event, INotify, flags

# Attributes include the number of links, so a deletion is noticed before its call returns, even of
# an open file.
_EVENTS: Final = flags.MODIFY | flags.ATTRIB | flags.MOVE_SELF | flags.DELETE_SELF
_OVERFLOWN: Final = -1
_NO_BYTES: Final = bytes(4)  # a C int, 0


class Freshness:
    """Whether some files are still those that the archive holds; see Changes.

    Attributes:
        compared_at: the change of the archive at which they were last compared with it.
        has_changed: the kernel has reported a change of one of them; stays true.
    """

    def __init__(self, changes: Changes, paths: Sequence[Path]) -> None:
        self._changes = changes
        self._paths = paths
        self.compared_at = changes.last
        self.is_watched = False
        self.has_changed = False

    def is_sure(self) -> bool:
        """Whether the archive surely still holds these files; False may be wrong.

        The archive is not asked. For files that are not local, only it knows: never sure.
        """
        changes = self._changes
        if self.compared_at != changes.last:
            return False
        if not self.is_watched:
            return bool(self._paths) and all(os.access(path, os.F_OK) for path in self._paths)
        if changes.waiting() != _NO_BYTES or changes.is_reading:
            changes.read()
        return not self.has_changed


class Changes:
    """Changes that the archive reports, and changes of files that the kernel reports (inotify).

    One inotify queue watches all files; without inotify, each file is checked when asked.

    Attributes:
        last: the number of the archive's last change.
        waiting: the number of unread bytes in the queue, as the bytes of a C int.
        is_reading: whether a thread is marking what it has read.
    """

    def __init__(self) -> None:
        self._numbers = count(1)
        self.last = 0
        self._guard = threading.Lock()
        self.is_reading = False
        self._watched: dict[int, weakref.WeakSet[Freshness]] = {}
        self._left: deque[Sequence[int]] = deque()
        self._queue = _new_queue()
        number = -1 if self._queue is None else self._queue.fileno()
        ask = partial(fcntl.ioctl, number, termios.FIONREAD, _NO_BYTES)
        self.waiting = cast("Callable[[], bytes]", ask)
        if self._queue is not None:
            weakref.finalize(self, self._queue.close)

    def note(self) -> None:
        """The archive has reported a change: open files have to be compared with it."""
        self.last = next(self._numbers)

    def watch(self, paths: Sequence[Path]) -> Freshness:
        """Watches local files for as long as the returned freshness is referenced.

        Old watches, which cost kernel memory, are removed when the next files are watched.
        """
        freshness = Freshness(self, paths)
        if self._queue is None or not paths:
            return freshness
        with self._guard:
            self._leave(self._queue)
            numbers = [_added(self._queue, path) for path in paths]
            freshness.is_watched = all(number >= 0 for number in numbers)
            for number in numbers:
                self._watched.setdefault(number, weakref.WeakSet()).add(freshness)
        # Runs anywhere, even while this thread holds the guard, so it only notes the numbers.
        weakref.finalize(freshness, self._left.append, numbers).atexit = False
        return freshness

    def read(self) -> None:
        """Marks all freshness objects whose files have changed so far."""
        if self._queue is not None:
            with self._guard:
                self._read(self._queue)

    def _leave(self, queue: INotify) -> None:
        while self._left:
            for number in self._left.popleft():
                if number in self._watched and not self._watched[number]:
                    del self._watched[number]
                    with suppress(OSError):  # the file was deleted, and its watch with it
                        queue.rm_watch(number)

    def _read(self, queue: INotify) -> None:
        self.is_reading = True  # other threads that find an empty queue have to wait
        while events := queue.read(timeout=0):
            self._mark(events)
        self.is_reading = False

    def _mark(self, events: Sequence[Event]) -> None:
        for event in events:
            changed = self._watched if event.wd == _OVERFLOWN else (event.wd,)
            for one in changed:
                for freshness in self._watched.get(one, ()):
                    freshness.has_changed = True


def _new_queue() -> INotify | None:
    """An inotify queue; None if the kernel has no inotify or no more queues."""
    try:
        return INotify()
    except (AttributeError, OSError):
        return None


def _added(queue: INotify, path: Path) -> int:
    """The number of a watch, or -1."""
    try:
        return int(queue.add_watch(path, _EVENTS))
    except OSError:
        return -1
