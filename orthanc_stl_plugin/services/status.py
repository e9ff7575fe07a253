"""The status of the plugin for administrators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from orthanc_stl_plugin import __version__
from orthanc_stl_plugin.model.job import JobState
from orthanc_stl_plugin.services.byte_cache import CacheCounts
from orthanc_stl_plugin.services.jobs.job_queue import JobEngine
from orthanc_stl_plugin.services.jobs.worker_pool import Workers


class Host(Protocol):
    """The server that runs the plugin."""

    def name(self) -> str:
        """The name that its administrator chose; may be empty."""
        ...

    def version(self) -> str:
        """Its version."""
        ...

    def plugins(self) -> Sequence[str]:
        """The names of all loaded plugins."""
        ...


@dataclass(frozen=True, slots=True)
class Status:
    """The status of the plugin.

    Attributes:
        host: the server.
        workers: the pool of processes.
        jobs: the queue.
        jobs_path: the address of its jobs.
        caches: their statistics, by name.
        faults: in studies' own properties, by study.
        viewers: versions of the third-party viewers by name; empty if none is installed.
        official: the loaded official plugins whose addresses are ours too.
        published_label: the label of studies that the public sees; empty if it sees all.
    """

    host: Host
    workers: Workers
    jobs: JobEngine
    jobs_path: str
    caches: Callable[[], Mapping[str, CacheCounts]]
    faults: Callable[[], Mapping[str, list[str]]]
    viewers: Mapping[str, str]
    official: tuple[str, ...] = ()
    published_label: str = ""

    def report(self) -> dict[str, object]:
        """Plain values for JSON."""
        states = [record.state for record in self.jobs.records()]
        return {
            "Version": __version__,
            "Orthanc": {"Name": self.host.name(), "Version": self.host.version()},
            "Plugins": list(self.host.plugins()),
            "OfficialPlugins": list(self.official),
            "Workers": {"Count": self.workers.count, "Alive": self.workers.alive()},
            "Jobs": {str(state): states.count(state) for state in JobState},
            "JobsPath": self.jobs_path,
            "Caches": {name: _cache(counts) for name, counts in self.caches().items()},
            "MetadataFaults": dict(self.faults()),
            "Viewers": dict(self.viewers),
            "PublishedLabel": self.published_label,
        }


def _cache(counts: CacheCounts) -> dict[str, int]:
    return {
        "Hits": counts.hits,
        "Misses": counts.misses,
        "Bytes": counts.byte_count,
        "MaxBytes": counts.max_bytes,
    }
