"""The queue of work: order, cancellation, and what is remembered of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from pydicom.uid import generate_uid

from orthanc_stl_plugin.errors import Busy, Cancelled, Conflict, NotFound, PluginError
from orthanc_stl_plugin.model.job import WAITING, JobRecord, JobState
from orthanc_stl_plugin.sentences import Sentence
from orthanc_stl_plugin.services.jobs.job import Job, Ticket, Watch, Work
from orthanc_stl_plugin.services.ports.journal import Journal

_RETRY_AFTER_S: Final = 10
_END_S: Final = 20.0  # to undo what was stored, when the server stops
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_log = logging.getLogger(__name__)


class JobEngine:
    """Runs work in threads, in the order of priority, then of submission.

    Args:
        runners: how many jobs run at once.
        max_pending: how many may wait, paused ones included: what was sent with them is held.
        kept: how many finished ones are remembered.
        journal: where, from the call of `remember` on.
        remove_series: removes what a job has stored that does not succeed, by SeriesInstanceUID;
            returns how many instances that were. It raises ArchiveRefused.
    """

    def __init__(
        self,
        runners: int,
        max_pending: int,
        kept: int,
        journal: Journal,
        remove_series: Callable[[str], int],
    ) -> None:
        self._max_pending = max_pending
        self._kept = kept
        self._journal = journal
        self._remove_series = remove_series
        self._guard = threading.Condition()
        self._writing = threading.Lock()  # taken before the guard, never while it is held
        self._saved: list[JobRecord] = []
        self._is_closed = False
        self._remembers = False
        self._jobs: dict[str, Job] = {}
        self._runners = [
            threading.Thread(target=self._run, name=f"job-{number}", daemon=True)
            for number in range(runners)
        ]
        for runner in self._runners:
            runner.start()

    def remember(self) -> None:
        """Takes over what the journal holds of an earlier run: the server can be asked by now.

        What interrupted jobs have stored is removed.
        """
        with self._guard:
            earlier = {one.job_id: Job(one.interrupted(), None) for one in self._journal.load()}
            self._jobs = {**earlier, **self._jobs}
            self._remembers = True
        self._save()
        for job in earlier.values():
            if removed := self._undo(job):
                error = Sentence("ModelsRemoved", error=job.record.error, models=removed)
                with self._guard:
                    job.record = replace(job.record, error=error)
        self._save()

    def submit(
        self, kind: str, work: Work, priority: int = 0, *, is_repeatable: bool = True
    ) -> Ticket:
        """Puts work into the queue; what is not repeatable is let go when it has ended.

        Raises:
            Busy: the queue is full, or the server stops.
        """
        with self._guard:
            self._check_room()
            now = datetime.now(UTC)  # here, so that times tell the order in which jobs have come
            record = JobRecord(str(uuid4()), kind, priority, JobState.PENDING, 0, now)
            job = self._jobs[record.job_id] = Job(record, work, is_repeatable)
            self._guard.notify_all()
        self._save()
        return Ticket(job)

    def records(self) -> list[JobRecord]:
        """All jobs, in the order of their submission."""
        with self._guard:
            return [job.shown() for job in self._jobs.values()]

    def record(self, job_id: str) -> JobRecord:
        """One job.

        Raises:
            NotFound: no such job.
        """
        with self._guard:
            return self._job(job_id).shown()

    def cancel(self, job_id: str) -> None:
        """Stops a job; what it has stored is removed before it counts as failed.

        Raises:
            NotFound: no such job.
            Conflict: it has ended, or all that it makes is stored.
        """
        with self._guard:
            job = self._job(job_id)
            if job.record.is_finished:
                raise Conflict("JobHasEnded", job_id=job_id, state=job.record.state)
            if job.is_committed:
                raise Conflict("JobHasStored", job_id=job_id)
            job.stopped_by = Cancelled("JobCancelled", job_id=job_id)
            if job.record.state is JobState.RUNNING:
                return
            job.end(error=job.stopped_by)
        self._tell_end(job)

    def pause(self, job_id: str) -> None:
        """Keeps a waiting job from being started.

        Raises:
            NotFound: no such job.
            Conflict: it is not waiting.
        """
        self._move(job_id, JobState.PENDING, JobState.PAUSED, Sentence("OnlyPendingPaused"))

    def resume(self, job_id: str) -> None:
        """Lets a paused job wait again.

        Raises:
            NotFound: no such job.
            Conflict: it is not paused.
        """
        self._move(job_id, JobState.PAUSED, JobState.PENDING, Sentence("OnlyPausedResumed"))

    def resubmit(self, job_id: str) -> Ticket:
        """Puts a failed job into the queue again.

        Raises:
            NotFound: no such job.
            Conflict: it has not failed, or what was sent with it is not kept, or what it has stored
                cannot be removed.
            Busy: the queue is full, or the server stops.
        """
        self._check_undone(job_id)
        with self._guard:
            job = self._job(job_id)
            if job.record.state is not JobState.FAILURE:
                raise Conflict("JobNotFailed", job_id=job_id, state=job.record.state)
            if job.work is None:
                raise Conflict("JobNotRepeatable", job_id=job_id)
            self._check_room()
            fresh = replace(
                job.record, state=JobState.PENDING, progress=0, started_at=None, completed_at=None,
                error=None, is_cancelled=False,
            )  # fmt: skip
            again = self._jobs[job_id] = Job(fresh, job.work, is_repeatable=True)
            self._guard.notify_all()
        self._save()
        return Ticket(again)

    def forget(self, job_id: str) -> None:
        """Removes a finished job.

        Raises:
            NotFound: no such job.
            Conflict: it has not ended, or what it has stored cannot be removed.
        """
        self._check_undone(job_id)
        with self._guard:
            if not self._job(job_id).record.is_finished:
                raise Conflict("JobNotEnded", job_id=job_id)
            del self._jobs[job_id]
        self._save()

    def close(self) -> None:
        """Starts no more jobs, ends those that wait, stops the running ones and waits for them.

        They may have to remove what they have stored; one that hangs is not waited for.
        """
        with self._guard:
            self._is_closed = True
            unfinished = [job for job in self._jobs.values() if not job.record.is_finished]
            waiting = [job for job in unfinished if job.record.state is not JobState.RUNNING]
            for job in unfinished:
                if not job.is_committed and job.stopped_by is None:
                    job.stopped_by = Busy(job.record.interruption)
            for job in waiting:
                job.end(error=job.stopped_by)
            self._guard.notify_all()
        self._tell_end(*waiting)
        deadline = time.monotonic() + _END_S
        for runner in self._runners:
            runner.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while (taken := self._next()) is not None:
            self._save()
            self._carry_out(*taken)
            del taken  # an idle thread holds nothing of its last job

    def _carry_out(self, job: Job, work: Work) -> None:
        watch = Watch(job, self._guard)
        watch.start()
        try:
            result = work(watch)
            watch.commit()  # if the work has not: a cancellation that was accepted must hold
        except Exception as error:  # noqa: BLE001  # the job fails, the thread goes on
            if not isinstance(error, PluginError):
                _log.exception("job %s failed", job.record.job_id)
            self._undo(job)
            self._finish(job, error=error)
        else:
            self._finish(job, result=result)

    def _undo(self, job: Job) -> int:
        """Removes what a job has stored, or leaves that to later; how many models."""
        if not job.record.series_instance_uid:
            return 0
        try:
            removed = self._remove_series(job.record.series_instance_uid)
        except PluginError as error:
            _log.error(
                "what job %s has stored is left until it is deleted, or until a restart: %s",
                job.record.job_id,
                error,
            )
            return 0
        with self._guard:
            job.record = replace(job.record, series_instance_uid="")
        return removed

    def _check_undone(self, job_id: str) -> None:
        """Tries again what `_undo` could not do: without the job, nobody would know of it."""
        with self._guard:
            job = self._job(job_id)
        if job.record.is_finished and self._undo(job) == 0 and job.record.series_instance_uid:
            raise Conflict("JobModelsNotRemoved", job_id=job_id)

    def _next(self) -> tuple[Job, Work] | None:
        with self._guard:
            while not self._is_closed:
                waiting = [
                    (job, job.work)
                    for job in self._jobs.values()
                    if job.record.state is JobState.PENDING and job.work is not None
                ]
                if waiting:
                    job, work = max(waiting, key=lambda one: one[0].record.priority)
                    job.record = replace(
                        job.record,
                        state=JobState.RUNNING,
                        series_instance_uid=generate_uid(),  # noted before anything is stored
                    )
                    return job, work
                self._guard.wait()
            return None

    def _finish(self, job: Job, result: Any = None, error: BaseException | None = None) -> None:
        with self._guard:
            job.outcome = job.ended_with(error)
        self._save()  # before it is shown: what has succeeded for a client has for a restart too
        with self._guard:
            job.end(result, error)
        job.ended.set()

    def _tell_end(self, *jobs: Job) -> None:
        self._save()
        for job in jobs:
            job.ended.set()

    def _save(self) -> None:
        """Writes how the jobs are when it is its turn; the queue goes on meanwhile."""
        with self._writing:
            with self._guard:
                self._forget_oldest()
                if not self._remembers:
                    return
                records = [job.outcome or job.shown() for job in self._jobs.values()]
            if records != self._saved:
                self._journal.save(records)
                self._saved = records

    def _forget_oldest(self) -> None:
        ends = [one.outcome or one.record for one in self._jobs.values()]
        finished = [one for one in ends if one.is_finished and not one.series_instance_uid]
        finished.sort(key=lambda one: one.completed_at or _LONG_AGO)
        for record in finished[: max(0, len(finished) - self._kept)]:
            del self._jobs[record.job_id]

    def _check_room(self) -> None:
        if self._is_closed:
            raise Busy("ServerStopping")
        if sum(job.record.state in WAITING for job in self._jobs.values()) >= self._max_pending:
            raise Busy(
                "TooManyJobs",
                max_pending_jobs=self._max_pending,
                retry_after_s=_RETRY_AFTER_S,
            )

    def _job(self, job_id: str) -> Job:
        try:
            return self._jobs[job_id]
        except KeyError as error:
            raise NotFound("NoSuchJob", job_id=job_id) from error

    def _move(self, job_id: str, old: JobState, new: JobState, rule: Sentence) -> None:
        with self._guard:
            job = self._job(job_id)
            if job.record.state is not old:
                raise Conflict("JobStateForbids", job_id=job_id, state=job.record.state, rule=rule)
            job.record = replace(job.record, state=new)
            self._guard.notify_all()
        self._save()
