"""What an engine of jobs needs, in memory; the journal writes and reads as the real one does."""

from __future__ import annotations

from collections.abc import Sequence

from orthanc_stl_plugin.model.job import JobRecord


def remove_nothing(series_instance_uid: str) -> int:
    return 0


class MemoryJournal:
    def __init__(self, records: Sequence[JobRecord] = ()) -> None:
        self.records = list(records)

    def load(self) -> Sequence[JobRecord]:
        return [JobRecord.from_json(record.to_json()) for record in self.records]

    def save(self, records: Sequence[JobRecord]) -> None:
        self.records = list(records)
