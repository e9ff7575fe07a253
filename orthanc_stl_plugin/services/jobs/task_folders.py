"""Folders for work in progress: private, one for each task, gone when it ends."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, TextIO
from uuid import uuid4

from orthanc_stl_plugin.errors import Busy, ConfigurationError

_PREFIX: Final = "orthanc-stl-plugin-"
_LOCK: Final = "lock"
_log = logging.getLogger(__name__)


class Spool:
    """A folder that this process owns for as long as it runs.

    A lock file tells it from what a crashed process left behind, which is removed at start. Where a
    cleaner of temporary files removes one of them, the next task gets a new folder.

    Args:
        base: where to make it; empty for the system's temporary folder.
        setting: the one that says where; messages name it.

    Raises:
        ConfigurationError: nothing can be written at `base`.
    """

    def __init__(self, base: str, setting: str = "SpoolDirectory") -> None:
        self._setting = setting
        self._parent = Path(base or tempfile.gettempdir())
        self._guard = threading.Lock()
        self._is_closed = False
        try:
            self.folder, self._lock = self._new_folder()
        except OSError as error:
            raise ConfigurationError(
                f'"{setting}" is {str(self._parent)!r}: {error.strerror}'
            ) from error

    @contextmanager
    def task_folder(self) -> Iterator[Path]:
        """A new empty folder, removed with all that lies in it at the end.

        Raises:
            Busy: the disk is full, somebody has removed the folder, or the server stops.
        """
        try:
            folder = Path(tempfile.mkdtemp(dir=self._present_folder()))
        except OSError as error:
            raise self.busy_when_full(error) from error
        try:
            yield folder
        except OSError as error:
            if not folder.exists():
                raise Busy("FolderRemoved", setting=self._setting) from error
            raise self.busy_when_full(error) from error
        finally:
            self.discard(folder)

    def discard(self, folder: Path) -> None:
        """Removes a folder, at once for all who read it or, as a worker that is ended, write on."""
        _remove(folder, self.folder / str(uuid4()))

    @contextmanager
    def unnamed_file(self) -> Iterator[BinaryIO]:
        """A new empty file that nobody else can open; gone when nobody has it open or mapped.

        Raises:
            Busy: the disk is full, or the server stops.
        """
        try:
            with tempfile.TemporaryFile(dir=self._present_folder()) as file:
                yield file
        except OSError as error:
            raise self.busy_when_full(error) from error

    def busy_when_full(self, error: OSError) -> Exception:
        """What to raise instead of an error of who writes here: Busy when the disk is full."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Busy("DiskFull", setting=self._setting, retry_after_s=60)
        return error

    def close(self) -> None:
        """Removes the folder; there will be no other."""
        with self._guard:
            self._is_closed = True
        _remove(self.folder, self.folder.with_name(f"{self.folder.name}-closed"))
        self._lock.close()

    def _present_folder(self) -> Path:
        with self._guard:
            if self._is_closed:
                raise Busy("ServerStopping")
            if not (self.folder / _LOCK).exists():
                _log.warning("somebody has removed the spool folder %s: a new one", self.folder)
                with suppress(OSError):  # it has gone, or somebody still works in it
                    self.folder.rmdir()
                self._lock.close()
                self.folder, self._lock = self._new_folder()
            return self.folder

    def _new_folder(self) -> tuple[Path, TextIO]:
        """It gets the name by which others find it when it is locked already."""
        self._parent.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned(self._parent)
        unlocked = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=self._parent))
        try:
            lock = _locked(unlocked / _LOCK)
            return unlocked.rename(unlocked.with_name(unlocked.name[1:])), lock
        except OSError:
            shutil.rmtree(unlocked, ignore_errors=True)
            raise

    @staticmethod
    def _remove_abandoned(parent: Path) -> None:
        for folder in parent.glob(f"{_PREFIX}*"):
            try:
                lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
            except OSError:
                continue
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            else:
                _log.warning("removing the spool folder of a server that crashed: %s", folder)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _remove(folder: Path, aside: Path) -> None:
    """Moves it to a place where nobody looks for it, and removes it there."""
    with suppress(OSError):  # somebody else has removed it
        folder = folder.rename(aside)
    shutil.rmtree(folder, ignore_errors=True)


def _locked(path: Path) -> TextIO:
    """A file that nobody else can lock until it is closed."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        file.close()
        raise
    return file
