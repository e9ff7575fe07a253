"""One job: the work that runs, what it tells, and who waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, Final

from orthanc_stl_plugin.errors import PluginError
from orthanc_stl_plugin.model.job import JobRecord, JobState
from orthanc_stl_plugin.model.progress import Gauge
from orthanc_stl_plugin.services.work import Watcher

Work = Callable[["Watch"], Any]
_MOST_PERCENT: Final = 99  # before the end


@dataclass(slots=True)
class Job:
    """A job in the queue, and until it is forgotten; changed by its engine and its watch only."""

    record: JobRecord
    work: Work | None
    is_repeatable: bool = False
    stopped_by: PluginError | None = None  # set once it has to stop
    is_committed: bool = False  # what it has done stays: it is too late to stop
    gauge: Gauge = field(default_factory=Gauge)
    ended: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None

    def shown(self) -> JobRecord:
        """The record at this moment."""
        if self.record.state is not JobState.RUNNING:
            return self.record
        percent = min(_MOST_PERCENT, round(100 * self.gauge.at(time.monotonic())))
        return replace(self.record, progress=percent)


class Watch(Watcher):
    """What running work tells its job, and hears from it."""

    def __init__(self, job: Job, guard: threading.Condition) -> None:
        self._job = job
        self._guard = guard

    def tick(self) -> None:
        """Raises Cancelled when somebody has cancelled the job, Busy when the server stops."""
        if self._job.stopped_by is not None:
            raise self._job.stopped_by

    def commit(self) -> None:
        """What the work has done stays: from now on nobody stops it.

        Raises:
            Cancelled, Busy: see `tick`; what was done has to be undone.
        """
        with self._guard:
            self.tick()
            self._job.is_committed = True

    def tell(
        self, share: float, *, until: float = 0.0, seconds: float = 0.0, **content: object
    ) -> None:
        """Sets the progress to `share`, 0 to 1, unless it is further, and parts of the content.

        A step that cannot tell more for a while says what share it will reach, in how many
        `seconds`, so that the progress goes on meanwhile.

        Raises:
            Cancelled, Busy: see `tick`.
        """
        self.tick()
        with self._guard:
            record, now = self._job.record, time.monotonic()
            self._job.gauge = self._job.gauge.moved(now, share, until, seconds)
            self._job.record = replace(record, content={**record.content, **content})


class Ticket:
    """What the one who submits work holds: its job's identifier, and its result."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.job_id = job.record.job_id

    def wait(self) -> Any:
        """What the work returns, when it has ended; or raises what it raises."""
        self._job.ended.wait()
        if self._job.error is not None:
            raise copy(self._job.error)  # the job is kept: it must not hold the frames of who waits
        return self._job.result


def without_traceback(error: BaseException) -> BaseException:
    """The error alone, without its causes: the frames of a traceback hold what work was given."""
    linked: list[BaseException | None] = [error]
    while linked:
        if (one := linked.pop()) is not None:
            linked += [one.__cause__, one.__context__]
            one.__cause__ = one.__context__ = one.__traceback__ = None
    return error
