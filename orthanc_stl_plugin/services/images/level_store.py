"""The levels that large images lack: made once, by a worker, and kept on disk."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

from orthanc_stl_plugin.errors import Busy
from orthanc_stl_plugin.formats.pixels.level_file import TileFile, read_levels
from orthanc_stl_plugin.services.jobs.task_folders import Spool
from orthanc_stl_plugin.services.jobs.waiting_room import WaitingRoom

WAIT_S: Final = 25.0
_RETRY_S: Final = 5
_SUFFIX: Final = ".levels"
_log = logging.getLogger(__name__)


class Pyramids:
    """Folders of levels, by key; the least recently used are removed.

    Args:
        folder: for all of them.
        max_bytes: the limit for all of them, apart from the last one made.
        room: for requests that wait for levels.

    Raises:
        ConfigurationError: nothing can be written in the folder.
    """

    def __init__(self, folder: Path, max_bytes: int, room: WaitingRoom) -> None:
        self._folder = folder
        self._spool = Spool(str(folder), "PyramidDirectory")
        self._max_bytes = max_bytes
        self._room = room
        self._guard = threading.Lock()
        self._being_made: dict[str, Future[None]] = {}
        self._makers = ThreadPoolExecutor(1, thread_name_prefix="pyramids")

    def known(self, key: str) -> list[TileFile] | None:
        """The levels of a key, the largest first; None if there are none yet."""
        folder = self._of(key)
        try:
            os.utime(folder)
        except FileNotFoundError:
            return None
        try:
            return read_levels(folder)
        except (OSError, ValueError) as error:
            _log.warning("the pyramid %s cannot be read, it is made again: %s", key, error)
            self._spool.discard(folder)
            return None

    def start(self, key: str, make: Callable[[Path], None]) -> Future[None]:
        """Lets `make` write the levels into a new folder, unless they are being made already.

        Raises:
            Busy: the server stops.
        """
        with self._guard:
            if key in self._being_made:
                return self._being_made[key]
            try:
                future = self._being_made[key] = self._makers.submit(self._made, key, make)
            except RuntimeError as error:
                raise Busy("ServerStopping") from error
            return future

    def wait(self, future: Future[None]) -> None:
        """Waits until levels are made.

        Raises:
            Busy: they take longer, and are still being made; too many requests wait; or the server
                stops.
            Exception: whatever making them raised.
        """
        try:
            with self._room.place():
                future.result(WAIT_S)
        except CancelledError as error:
            raise Busy("ServerStopping") from error
        except TimeoutError as error:
            raise Busy("PyramidBeingMade", retry_after_s=_RETRY_S) from error

    def busy_when_full(self, error: OSError) -> Exception:
        """See Spool."""
        return self._spool.busy_when_full(error)

    def close(self) -> None:
        """Starts nothing more; levels being made are lost with the workers."""
        self._makers.shutdown(wait=False, cancel_futures=True)
        self._spool.close()

    def _of(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _made(self, key: str, make: Callable[[Path], None]) -> None:
        try:
            if self.known(key) is not None:
                return
            with self._spool.task_folder() as folder:
                make(folder)
                self._keep(folder, key)
            self._make_room(self._of(key))
        finally:
            with self._guard:
                del self._being_made[key]

    def _keep(self, folder: Path, key: str) -> None:
        """Moves new levels to their final folder, unless another server was faster."""
        try:
            folder.rename(self._of(key))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise

    def _make_room(self, newest: Path) -> None:
        used: list[tuple[float, int, Path]] = []
        for folder in self._folder.glob(f"*{_SUFFIX}"):
            with suppress(FileNotFoundError):  # another server has removed it
                size = sum(file.stat().st_size for file in folder.iterdir())
                used.append((folder.stat().st_mtime, size, folder))
        total = sum(size for _, size, _ in used)
        for _, size, folder in sorted(used):
            if total > self._max_bytes and folder != newest:
                self._spool.discard(folder)
                total -= size
