"""Folders for work in progress: private, one for each task, gone when it ends."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from orthanc_stl_plugin.errors import Busy, ConfigurationError

_PREFIX: Final = "orthanc-stl-plugin-"
_LOCK: Final = "lock"
_log = logging.getLogger(__name__)


class Spool:
    """A folder that this process owns for as long as it runs.

    A lock file tells it from what a crashed process left behind, which is removed at start.

    Args:
        base: where to make it; empty for the system's temporary folder.
        setting: the one that says where; messages name it.

    Raises:
        ConfigurationError: nothing can be written at `base`.
    """

    def __init__(self, base: str, setting: str = "SpoolDirectory") -> None:
        self._setting = setting
        parent = Path(base or tempfile.gettempdir())
        try:
            parent.mkdir(parents=True, exist_ok=True)
            self._remove_abandoned(parent)
            self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            self._lock = (self.folder / _LOCK).open("w")
        except OSError as error:
            raise ConfigurationError(f'"{setting}" is {str(parent)!r}: {error.strerror}') from error
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    @contextmanager
    def task_folder(self) -> Iterator[Path]:
        """A new empty folder, removed with all that lies in it at the end.

        Raises:
            Busy: the disk is full.
        """
        try:
            folder = Path(tempfile.mkdtemp(dir=self.folder))
        except OSError as error:
            raise self.busy_when_full(error) from error
        try:
            yield folder
        except OSError as error:
            raise self.busy_when_full(error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def busy_when_full(self, error: OSError) -> Exception:
        """What to raise instead of an error of who writes here: Busy when the disk is full."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Busy(f"the disk that holds {self._setting} is full", retry_after_s=60)
        return error

    def close(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

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
