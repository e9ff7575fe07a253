"""The port to the journal of jobs, which survives restarts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from orthanc_stl_plugin.model.job import JobRecord


class Journal(Protocol):
    """Stores job records over restarts."""

    def load(self) -> Sequence[JobRecord]:
        """The records saved last, oldest first; empty if they cannot be read."""
        ...

    def save(self, records: Sequence[JobRecord]) -> None:
        """Replaces the saved records."""
        ...
