"""Worker processes: heavy work runs there, never in Orthanc's own interpreter."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import Busy, ConfigurationError, TooLarge, WorkerDied
from orthanc_stl_plugin.services.jobs.machine_memory import memory_mib

_PARENT_WATCH_S: Final = 1.0
_TICKS_S: Final = (0.005, 0.05)  # often at first, then by twentieths of what has gone
_TICKS_BY_TIME: Final = 20
_NICENESS: Final = 10  # who reads comes before who makes
_P = ParamSpec("_P")
_R = TypeVar("_R")


class Workers:
    """Worker processes, each in a pool of its own: what happens to one concerns its task alone.

    Args:
        settings: number of processes, their time and memory bounds, their interpreter.
        preload: modules that each worker imports when it starts.

    Raises:
        ConfigurationError: no Python interpreter is found for the workers.
    """

    def __init__(self, settings: Settings, preload: tuple[str, ...] = ()) -> None:
        self._settings = settings
        self._preload = preload
        self._memory_mib = settings.max_task_memory_mib or memory_mib()
        self._context = multiprocessing.get_context("spawn")
        # Inside Orthanc sys.executable is Orthanc, which cannot run a worker.
        self._context.set_executable(str(worker_executable(settings.worker_executable)))
        self._is_closed = False
        self._guard = threading.Lock()
        self._pools: list[ProcessPool] = []
        self._idle: SimpleQueue[ProcessPool] = SimpleQueue()
        for _ in range(settings.worker_count):
            self._idle.put(self._new_pool())

    @property
    def count(self) -> int:
        """How many processes there are, busy ones and idle ones."""
        return len(self._pools)

    def alive(self) -> int:
        """How many of them can take work; one that was killed is replaced when it is needed."""
        return sum(pool.active for pool in self._pools)

    def warm_up(self) -> None:
        """Starts the processes without waiting for them."""
        for pool in self._pools:
            pool.schedule(_nothing)

    def run(self, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """The result of `function`, a function of a module with small picklable arguments.

        Raises:
            TooLarge: it took more time or memory than the settings allow.
            WorkerDied: its process ended before it answered.
            Busy: the workers are shutting down.
            Exception: whatever `function` raises.
        """
        return self.run_checked(_nothing, function, *args, **kwargs)

    def run_checked(
        self,
        check: Callable[[], None],
        function: Callable[_P, _R],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _R:
        """As `run`; `check` is called several times a second while the task waits or runs.

        Raises:
            Exception: whatever `run` or `check` raises; the process is then ended.
        """
        pool = self._next_idle(check)
        try:
            if not pool.active:
                pool = self._replaced(pool)
            limit_s = self._settings.max_task_seconds
            try:
                future = pool.schedule(function, args=args, kwargs=kwargs, timeout=limit_s)
            except RuntimeError as error:  # it was killed, or closed, since it was looked at
                self._check_open()
                raise WorkerDied("WorkerEndedBefore") from error
            try:
                begun = time.monotonic()
                while not wait([future], timeout=tick_s(time.monotonic() - begun)).done:
                    check()
                    self._check_open()  # of a pool that stops, Pebble leaves some tasks for ever
            except BaseException:
                future.cancel()  # type: ignore[no-untyped-call]  # it ends the process
                raise
            result: _R = self._result(future)
            return result
        finally:
            self._idle.put(pool)

    def _next_idle(self, check: Callable[[], None]) -> ProcessPool:
        while True:
            check()
            with suppress(Empty):
                return self._idle.get(timeout=max(_TICKS_S))

    def close(self) -> None:
        """Ends every process, whatever it does."""
        with self._guard:
            self._is_closed = True
        for pool in self._pools:
            pool.stop()  # type: ignore[no-untyped-call]  # Pebble has no annotation here
        for pool in self._pools:
            pool.join()

    def _result(self, future: ProcessFuture[Any]) -> Any:
        try:
            return future.result()
        except TimeoutError as error:
            limit_s = self._settings.max_task_seconds
            raise TooLarge("TaskTooLong", max_task_seconds=limit_s) from error
        except MemoryError as error:
            limit_mib = self._settings.max_task_memory_mib
            if limit_mib:
                raise TooLarge("TaskAboveMemoryLimit", max_task_memory_mib=limit_mib) from error
            raise TooLarge("TaskAboveMemory") from error
        except ProcessExpired as error:
            raise WorkerDied("WorkerEndedWithCode", code=error.exitcode) from error
        except (CancelledError, BrokenProcessPool) as error:
            self._check_open()
            raise WorkerDied("WorkerEndedWhile") from error

    def _check_open(self) -> None:
        if self._is_closed:
            raise Busy("ServerStopping")

    def _replaced(self, pool: ProcessPool) -> ProcessPool:
        """Another pool for one that was closed, or whose process was killed while it was idle."""
        with self._guard:
            self._check_open()
            self._pools.remove(pool)
            fresh = self._new_pool()
        pool.stop()  # type: ignore[no-untyped-call]  # as in `close`
        pool.join()
        return fresh

    def _new_pool(self) -> ProcessPool:
        parameters = (os.getpid(), self._memory_mib, self._preload)
        pool = ProcessPool(
            max_workers=1, initializer=_prepare, initargs=parameters, context=self._context
        )
        self._pools.append(pool)
        return pool


def tick_s(gone_s: float) -> float:
    """How long to wait until work is looked at again that has taken `gone_s` seconds so far."""
    shortest, longest = _TICKS_S
    return min(longest, max(shortest, gone_s / _TICKS_BY_TIME))


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


def _prepare(parent: int, most_mib: int, preload: tuple[str, ...]) -> None:
    """Runs first in each worker."""
    os.nice(_NICENESS)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    for module in preload:
        import_module(module)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = most_mib << 20 if hard == resource.RLIM_INFINITY else min(most_mib << 20, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _end_with(parent: int) -> None:
    """Ends this process when Orthanc is gone, even when it was killed."""
    while os.getppid() == parent:
        time.sleep(_PARENT_WATCH_S)
    os._exit(1)


def _nothing() -> None:
    """Lets a worker start; checks nothing."""
