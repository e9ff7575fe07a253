"""The port to the memory of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from orthanc_stl_plugin.model.job import JobRecord


class Journal(Protocol):
    """Where records are kept over a restart."""

    def load(self) -> Sequence[JobRecord]:
        """What was saved last, oldest first; empty when nothing can be read."""
        ...

    def save(self, records: Sequence[JobRecord]) -> None:
        """Replaces what was saved."""
        ...
