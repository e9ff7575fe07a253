"""The plugin's metrics among Orthanc's own, under /tools/metrics-prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import orthanc

from orthanc_stl_plugin.model.job import JobRecord, JobState
from orthanc_stl_plugin.services.byte_cache import CacheCounts

_PREFIX: Final = "orthanc_stl"


def publish(figures: Mapping[str, float]) -> None:
    """Replaces these figures."""
    for name, value in figures.items():
        orthanc.SetMetricsValue(f"{_PREFIX}_{name}", value, orthanc.MetricsType.DEFAULT)


class Durations:
    """The duration of answers of one kind.

    Since tiles are many, recording one neither calls Orthanc nor takes a lock: when two threads
    record at once, one of them may be missed.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._answers = 0
        self._total_s = 0.0
        self._longest_s = 0.0

    def note(self, seconds: float) -> None:
        """Records an answer."""
        self._answers += 1
        self._total_s += seconds
        if seconds > self._longest_s:  # noqa: PLR1730 - max() takes longer than all the rest
            self._longest_s = seconds

    def publish(self) -> None:
        """Reports the sums, and the longest answer since the last call, if there was any.

        Orthanc shows the longest of the last ten seconds.
        """
        longest_s, self._longest_s = self._longest_s, 0.0
        if self._answers:
            publish(
                {
                    f"{self._name}_answers": float(self._answers),
                    f"{self._name}_seconds": self._total_s,
                }
            )
        if longest_s:
            name = f"{_PREFIX}_{self._name}_ms"
            orthanc.SetMetricsValue(name, longest_s * 1000, orthanc.MetricsType.TIMER)


class AnswerTimes:
    """The duration of IIIF answers."""

    def __init__(self) -> None:
        self._images = Durations("iiif_image")
        self._documents = Durations("iiif_document")

    def of(self, template: str) -> Durations | None:
        """Where the answers of a route are recorded; None for routes that may take long."""
        if template.endswith("/{region}/{size}/{rotation}/{file}"):
            return self._images
        is_document = "/iiif/" in template and template.endswith(".json")
        return self._documents if is_document else None

    def publish(self) -> None:
        """Reports the durations."""
        self._images.publish()
        self._documents.publish()


def job_figures(records: Iterable[JobRecord]) -> dict[str, float]:
    """Reports the number of jobs in each state."""
    states = [record.state for record in records]
    return {f"jobs_{state.lower()}": float(states.count(state)) for state in JobState}


def cache_figures(caches: Mapping[str, CacheCounts]) -> dict[str, float]:
    """Reports the statistics of each cache since the start."""
    figures: dict[str, float] = {}
    for name, counts in caches.items():
        figures[f"{name}_cache_hits"] = counts.hits
        figures[f"{name}_cache_misses"] = counts.misses
        figures[f"{name}_cache_bytes"] = counts.byte_count
        figures[f"{name}_cache_max_bytes"] = counts.max_bytes
    return figures
