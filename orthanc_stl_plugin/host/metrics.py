"""The plugin's figures among Orthanc's own, under /tools/metrics-prometheus."""

from __future__ import annotations

import threading
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
    """How long answers took. Noting one asks nothing of Orthanc: that would slow down tiles."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._longest_s: dict[str, float] = {}
        self._figures: dict[str, float] = {}

    def note(self, name: str, seconds: float) -> None:
        """Adds one answer."""
        answers, total = f"{name}_answers", f"{name}_seconds"
        with self._guard:
            self._longest_s[name] = max(seconds, self._longest_s.get(name, 0.0))
            self._figures[answers] = self._figures.get(answers, 0) + 1
            self._figures[total] = self._figures.get(total, 0.0) + seconds

    def publish(self) -> None:
        """Hands over the sums, and the longest since the last call.

        Of several, Orthanc tells the longest of the last ten seconds.
        """
        with self._guard:
            longest_s, self._longest_s = self._longest_s, {}
            figures = dict(self._figures)
        publish(figures)
        for name, seconds in longest_s.items():
            milliseconds = seconds * 1000
            orthanc.SetMetricsValue(f"{_PREFIX}_{name}_ms", milliseconds, orthanc.MetricsType.TIMER)


def family(template: str) -> str | None:
    """The name under which the answers of a route are timed; None for those that may take long."""
    if template.endswith("/{region}/{size}/{rotation}/{file}"):
        return "iiif_image"
    return "iiif_document" if "/iiif/" in template and template.endswith(".json") else None


def job_figures(records: Iterable[JobRecord]) -> dict[str, float]:
    """How many jobs there are in each state."""
    states = [record.state for record in records]
    return {f"jobs_{state.lower()}": float(states.count(state)) for state in JobState}


def cache_figures(caches: Mapping[str, CacheCounts]) -> dict[str, float]:
    """What each cache has done since the start, and holds."""
    figures: dict[str, float] = {}
    for name, counts in caches.items():
        figures[f"{name}_cache_hits"] = counts.hits
        figures[f"{name}_cache_misses"] = counts.misses
        figures[f"{name}_cache_bytes"] = counts.byte_count
        figures[f"{name}_cache_max_bytes"] = counts.max_bytes
    return figures
