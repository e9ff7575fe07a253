"""The plugin's figures among Orthanc's own, under /tools/metrics-prometheus."""

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


def publish_duration(name: str, seconds: float) -> None:
    """Adds one duration: Orthanc tells the longest of the last ten seconds, in milliseconds."""
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
    return figures
