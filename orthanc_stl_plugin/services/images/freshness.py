"""Whether files are still what the archive holds: asked for every tile, so almost for free."""

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

# Attributes: the number of links is one, so that a deletion shows before its own call ends, even of
# a file that is open.
_EVENTS: Final = flags.MODIFY | flags.ATTRIB | flags.MOVE_SELF | flags.DELETE_SELF
_OVERFLOWN: Final = -1
_NO_BYTES: Final = bytes(4)  # a C int, 0


class Freshness:
    """Whether some files are still those that the archive holds; see Changes.

    Attributes:
        compared_at: the change of the archive at which they were last compared with it.
        has_changed: the kernel has told of one of them, for good.
    """

    def __init__(self, changes: Changes, paths: Sequence[Path]) -> None:
        self._changes = changes
        self._paths = paths
        self.compared_at = changes.last
        self.is_watched = False
        self.has_changed = False

    def is_sure(self) -> bool:
        """Whether the archive surely holds these files still; False may be wrong.

        That is known without asking it, and costs a microsecond. Of files that are not local ones
        the archive alone can tell.
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
    """What changes: in the archive, as it tells, and of files, as the kernel does.

    Files are watched through one queue of the kernel's; where there is none, each is asked for.

    Attributes:
        last: the number of the archive's last change.
        waiting: asks how many bytes of the queue nobody has read yet; a number as C writes it.
        is_reading: whether a thread is about to tell what it has read.
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
        """The archive has told of a change: what is open has to be compared with it."""
        self.last = next(self._numbers)

    def watch(self, paths: Sequence[Path]) -> Freshness:
        """Watches files until nobody refers to their freshness; none for what is not local.

        The kernel is told when the next ones are watched: what it watches, it keeps in memory.
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
        # Anywhere, even while this thread has the guard: so the numbers are only noted there.
        weakref.finalize(freshness, self._left.append, numbers).atexit = False
        return freshness

    def read(self) -> None:
        """Tells whose files have changed until now."""
        if self._queue is not None:
            with self._guard:
                self._read(self._queue)

    def _leave(self, queue: INotify) -> None:
        while self._left:
            for number in self._left.popleft():
                if number in self._watched and not self._watched[number]:
                    del self._watched[number]
                    with suppress(OSError):  # the file is deleted, and left already
                        queue.rm_watch(number)

    def _read(self, queue: INotify) -> None:
        self.is_reading = True  # who finds an empty queue meanwhile has to wait
        while events := queue.read(timeout=0):
            self._tell(events)
        self.is_reading = False

    def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            told = self._watched if event.wd == _OVERFLOWN else (event.wd,)
            for one in told:
                for freshness in self._watched.get(one, ()):
                    freshness.has_changed = True


def _new_queue() -> INotify | None:
    """None where the kernel has no inotify, or gives no more queues."""
    try:
        return INotify()
    except (AttributeError, OSError):
        return None


def _added(queue: INotify, path: Path) -> int:
    """The number of a watch; -1 where there is none."""
    try:
        return int(queue.add_watch(path, _EVENTS))
    except OSError:
        return -1
