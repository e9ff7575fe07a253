"""One job: the running work, its reports, and the caller that waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from orthanc_stl_plugin.errors import Cancelled, PluginError
from orthanc_stl_plugin.model.job import JobRecord, JobState
from orthanc_stl_plugin.model.progress import Progress
from orthanc_stl_plugin.sentences import Sentence

Work = Callable[["Watch"], Any]
_MOST_PERCENT: Final = 99  # before the end


@dataclass(slots=True)
class Job:
    """A queued, running or finished job; changed only by its engine and its watch."""

    record: JobRecord
    work: Work | None
    is_repeatable: bool = False
    stopped_by: PluginError | None = None  # set once it has to stop
    is_committed: bool = False  # its results stay: too late to stop it
    outcome: JobRecord | None = None  # how it ended; shown once the journal has it
    progress: Progress = field(default_factory=Progress)
    ended: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None

    def shown(self) -> JobRecord:
        """The record at this moment."""
        if self.record.state is not JobState.RUNNING:
            return self.record
        percent = min(_MOST_PERCENT, round(100 * self.progress.at(time.monotonic())))
        return replace(self.record, progress=percent)

    def ended_with(self, error: BaseException | None) -> JobRecord:
        """The record when the job ends at this moment: without an error it has succeeded."""
        return replace(
            self.record,
            state=JobState.SUCCESS if error is None else JobState.FAILURE,
            progress=100 if error is None else self.shown().progress,
            completed_at=datetime.now(UTC),
            error=_sentence(error),
            is_cancelled=isinstance(error, Cancelled),
            series_instance_uid="" if error is None else self.record.series_instance_uid,
        )

    def end(self, result: Any = None, error: BaseException | None = None) -> None:
        """Shows the outcome; releases the work unless the job can be run again."""
        self.record = self.outcome or self.ended_with(error)
        self.result, self.error = result, None if error is None else without_traceback(error)
        if error is None or not self.is_repeatable:
            self.work = None


class Watch:
    """What running work holds of its job: it reports progress, and learns when to stop."""

    def __init__(self, job: Job, guard: threading.Condition) -> None:
        self._job = job
        self._guard = guard
        self.series_instance_uid = job.record.series_instance_uid
        """Of the series for its models: whatever lies in it is removed unless the job succeeds."""

    def check(self) -> None:
        """Raises Cancelled when somebody has cancelled the job, Busy when the server stops."""
        if self._job.stopped_by is not None:
            raise self._job.stopped_by

    def start(self) -> None:
        """The work begins now: the run time counts from here."""
        with self._guard:
            self._job.record = replace(self._job.record, started_at=datetime.now(UTC))

    def commit(self) -> None:
        """The results stay: from now on the job cannot be stopped.

        Raises:
            Cancelled, Busy: see `check`; what was done has to be undone.
        """
        with self._guard:
            self.check()
            self._job.is_committed = True

    def tell(self, share: float, until: float = 0.0, **content: object) -> None:
        """Sets the progress to `share`, 0-1, unless it is further, and parts of the content.

        `until` is the share at the end of the step that begins: see `Progress`.

        Raises:
            Cancelled, Busy: see `check`.
        """
        self.check()
        with self._guard:
            job, now = self._job, time.monotonic()
            job.progress = job.progress.moved(now, share, until)
            job.record = replace(job.record, content={**job.record.content, **content})


class Ticket:
    """What the caller that submits work gets: the job's identifier and, later, its result."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.job_id = job.record.job_id

    def wait(self) -> Any:
        """Waits for the work; returns its result or raises its error."""
        self._job.ended.wait()
        if self._job.error is not None:
            raise copy(self._job.error)  # a kept job must not hold the caller's frames
        return self._job.result


def _sentence(error: BaseException | None) -> Sentence | None:
    if isinstance(error, PluginError):
        return error.sentence
    return None if error is None else Sentence("InternalError")


def without_traceback(error: BaseException) -> BaseException:
    """The error alone, without its causes: the frames of a traceback hold what work was given."""
    linked: list[BaseException | None] = [error]
    while linked:
        if (one := linked.pop()) is not None:
            linked += [one.__cause__, one.__context__]
            one.__cause__ = one.__context__ = one.__traceback__ = None
    return error
