"""Worker processes: heavy work runs there, never in Orthanc's own interpreter."""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from importlib import import_module
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import Busy, ConfigurationError, TooLarge, WorkerDied

_PARENT_WATCH_S: Final = 1.0
_P = ParamSpec("_P")
_R = TypeVar("_R")
_log = logging.getLogger(__name__)


class Workers:
    """A pool of processes; one that dies fails its own task only and is replaced.

    Args:
        settings: number of processes, their time and memory bounds, their interpreter.
        preload: modules that each worker imports when it starts.

    Raises:
        ConfigurationError: no Python interpreter is found for the workers.
    """

    def __init__(self, settings: Settings, preload: tuple[str, ...] = ()) -> None:
        self._settings = settings
        context = multiprocessing.get_context("spawn")
        # Inside Orthanc sys.executable is Orthanc, which cannot run a worker.
        context.set_executable(str(worker_executable(settings.worker_executable)))
        self._pool = ProcessPool(
            max_workers=settings.worker_count,
            initializer=_prepare,
            initargs=(os.getpid(), settings.max_task_memory_mib, preload),
            context=context,
        )

    def warm_up(self) -> None:
        """Starts the processes without waiting for them."""
        for _ in range(self._settings.worker_count):
            self._pool.schedule(_nothing)

    def run(self, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """The result of `function`, a function of a module with small picklable arguments.

        Raises:
            TooLarge: it took more time or memory than the settings allow.
            WorkerDied: its process ended before it answered.
            Busy: the pool is shutting down.
            Exception: whatever `function` raises.
        """
        limit_s = self._settings.max_task_seconds
        try:
            future = self._pool.schedule(function, args=args, kwargs=kwargs, timeout=limit_s)
            result: _R = future.result()
        except TimeoutError as error:
            raise TooLarge(f"the task took longer than MaxTaskSeconds = {limit_s}") from error
        except MemoryError as error:
            limit_mib = self._settings.max_task_memory_mib
            bound = f"MaxTaskMemoryMiB = {limit_mib}" if limit_mib else "this machine has"
            raise TooLarge(f"the task needs more memory than {bound}") from error
        except ProcessExpired as error:
            raise WorkerDied(
                f"the worker process {error.pid} ended with code {error.exitcode}"
                " before the work was done; another one takes its place"
            ) from error
        except (CancelledError, RuntimeError) as error:
            if self._pool.active:
                raise
            raise Busy("the server is shutting down") from error
        return result

    def close(self) -> None:
        """Ends every process, whatever it does."""
        self._pool.stop()  # type: ignore[no-untyped-call]  # Pebble has no annotation here
        self._pool.join()


def worker_executable(configured: str) -> Path:
    """The Python interpreter for the workers: the same version as this one.

    Raises:
        ConfigurationError: it does not exist.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if configured:
        candidates = [Path(configured)]
    else:
        candidates = [Path(sys.base_exec_prefix) / "bin" / version, Path(sys.executable)]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise ConfigurationError(
        f'"WorkerExecutable" is {configured!r}: no {version} interpreter at {candidates[0]}'
    )


def _prepare(parent: int, memory_mib: int, preload: tuple[str, ...]) -> None:
    """Runs first in each worker."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    for module in preload:
        import_module(module)
    if memory_mib:
        resource.setrlimit(resource.RLIMIT_AS, (memory_mib << 20, memory_mib << 20))


def _end_with(parent: int) -> None:
    """Ends this process when Orthanc is gone, even when it was killed."""
    while os.getppid() == parent:
        time.sleep(_PARENT_WATCH_S)
    os._exit(1)


def _nothing() -> None:
    """Lets a worker start."""
