"""The public state of a job, in Orthanc's terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from orthanc_stl_plugin.sentences import Sentence


class JobState(StrEnum):
    """Those of Orthanc's job states that our jobs use."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCESS = "Success"
    FAILURE = "Failure"
    PAUSED = "Paused"


WAITING: Final = frozenset({JobState.PENDING, JobState.PAUSED})
FINISHED: Final = frozenset({JobState.SUCCESS, JobState.FAILURE})


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job at one moment.

    Attributes:
        job_id: a UUID.
        kind: what it does, for example StlEncodeNifti.
        priority: jobs with a higher priority start first.
        state: its state.
        progress: 0-100; it never falls, unless the job is resubmitted.
        created_at: UTC.
        started_at: UTC, or None before it runs.
        completed_at: UTC, or None before it ends.
        error: why it failed, or None.
        is_cancelled: whether it failed because it was cancelled.
        series_instance_uid: of the series that holds its models, while these must be removed if the
            job fails or is interrupted; empty otherwise.
        content: stage, structures and instances made so far; plain values for JSON.
    """

    job_id: str
    kind: str
    priority: int
    state: JobState
    progress: int
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error: Sentence | None = None
    is_cancelled: bool = False
    series_instance_uid: str = ""
    content: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether it has succeeded or failed."""
        return self.state in FINISHED

    def interrupted(self) -> JobRecord:
        """The record after a restart: an unfinished job has failed, and says why."""
        if self.is_finished:
            return self
        return replace(
            self,
            state=JobState.FAILURE,
            completed_at=datetime.now(UTC),
            error=self.interruption,
        )

    @property
    def interruption(self) -> Sentence:
        """Why it has failed when the server stopped in its present state."""
        return Sentence("JobInterrupted", state=self.state.lower())

    def to_json(self) -> dict[str, object]:
        """Plain values for `from_json`."""
        plain = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }
        return plain | {"error": None if self.error is None else self.error.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> JobRecord:
        """The record that `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: the values are not from `to_json`.
        """
        times = {
            name: datetime.fromisoformat(value[name]) if value[name] else None
            for name in ("created_at", "started_at", "completed_at")
        }
        error = Sentence.from_json(value["error"]) if value["error"] else None
        return cls(**{**value, **times, "state": JobState(value["state"]), "error": error})
