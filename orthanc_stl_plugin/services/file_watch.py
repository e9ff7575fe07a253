"""Whether files are still where they were: asked for every tile, so it has to cost nothing."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import termios
import threading
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, cast

# inotify(7). Attributes: the number of links is one, so that a deletion shows before its own call
# ends, even of a file that is open.
_MODIFY, _ATTRIBUTES, _MOVED, _DELETED = 0x2, 0x4, 0x800, 0x400
_EVENTS: Final = _MODIFY | _ATTRIBUTES | _MOVED | _DELETED
_EVENT: Final = struct.Struct("iIII")
_OVERFLOWN: Final = -1
_NO_BYTES: Final = bytes(struct.calcsize("i"))
_MOST_READ: Final = 1 << 16


class FileWatch:
    """Some files that are watched; see FileWatcher."""

    def __init__(self, watcher: FileWatcher, paths: Sequence[Path]) -> None:
        self._watcher = watcher
        self._paths = paths
        self.has_changed = False
        self.is_watched = False

    def is_quiet(self) -> bool:
        """Whether every file is there, unchanged, since the watch began; False may be wrong."""
        if not self.is_watched:
            return all(os.access(path, os.F_OK) for path in self._paths)
        watcher = self._watcher
        if watcher.waiting() != _NO_BYTES or watcher.is_reading:
            watcher.read()
        return not self.has_changed


class FileWatcher:
    """Watches files through one queue of the kernel's; asks for each file where there is none.

    Attributes:
        waiting: asks how many bytes of the queue nobody has read yet; a number as C writes it.
        is_reading: whether a thread is about to tell the watches what it has read.
    """

    def __init__(self) -> None:
        self._system = ctypes.PyDLL(None)
        self._guard = threading.Lock()
        self.is_reading = False
        self._watches: dict[int, weakref.WeakSet[FileWatch]] = {}
        has_queue = hasattr(self._system, "inotify_init1")
        flags = os.O_CLOEXEC | os.O_NONBLOCK
        self._queue = self._system.inotify_init1(flags) if has_queue else -1
        ask = partial(fcntl.ioctl, self._queue, termios.FIONREAD, _NO_BYTES)
        self.waiting = cast("Callable[[], bytes]", ask)
        if self._queue >= 0:
            weakref.finalize(self, os.close, self._queue)

    def watch(self, paths: Sequence[Path]) -> FileWatch:
        """A watch over files, until nobody refers to it."""
        watch = FileWatch(self, paths)
        if self._queue < 0:
            return watch
        with self._guard:
            numbers = [self._added(path) for path in paths]
            watch.is_watched = all(number >= 0 for number in numbers)
            for number in numbers:
                self._watches.setdefault(number, weakref.WeakSet()).add(watch)
        return watch

    def read(self) -> None:
        """Tells the watches what has happened until now."""
        with self._guard:
            self._read()

    def _added(self, path: Path) -> int:
        return int(self._system.inotify_add_watch(self._queue, os.fsencode(path), _EVENTS))

    def _read(self) -> None:
        self.is_reading = True  # who finds an empty queue meanwhile has to wait
        try:
            events = os.read(self._queue, _MOST_READ)
        except BlockingIOError:
            events = b""
        at = 0
        while at < len(events):
            number, _, _, name_bytes = _EVENT.unpack_from(events, at)
            at += _EVENT.size + name_bytes
            told = self._watches if number == _OVERFLOWN else (number,)
            for one in told:
                for watch in self._watches.get(one, ()):
                    watch.has_changed = True
        self.is_reading = False
