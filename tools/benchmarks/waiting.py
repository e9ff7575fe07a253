"""The waiting time of others while models are made, and Orthanc's memory afterwards."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import nibabel as nib
import numpy as np

from tests.support.orthanc_server import OrthancServer
from tools.benchmarks import machine
from tools.benchmarks.inputs import body, organ
from tools.benchmarks.printing import head, line
from tools.benchmarks.readers import Waits, at_once, reading
from tools.demo import figurine

READERS: Final = 16
MAKERS: Final = 8
JOBS: Final = 20
LIMIT: Final = 10.0
COLUMNS: Final = (
    "route", "one reader: median ms", "16 readers: median", "99 %", "slowest",
    "and a busy process: slowest", "by 16's median",
    "and 20 jobs: reads", "median", "99 %", "slowest", "by one's median", "by 16's", "limit", "met",
)  # fmt: skip
_PAUSE_MS: Final = 100
# Orthanc caches up to 128 MiB of stored files, which is not our memory.
_ANY: Final = '"HttpDescribeErrors" : true,'
_WITHOUT_CACHE: Final = {_ANY: f'{_ANY} "MaximumStorageCacheSize" : 0,'}
_ALONE_S: Final = 2.0
_QUIET_S: Final = 20.0
_BUSY_S: Final = 11.0
# As busy as a worker and at its niceness, but unrelated to Orthanc.
_BUSY: Final = ("nice", "-n", "10", "timeout", f"{_BUSY_S}", sys.executable, "-c", "while True: 0")

type Reads = Mapping[str, Waits]


@dataclass(frozen=True, slots=True)
class Found:
    """The waiting times of readers for each route, and the memory.

    Attributes:
        one: of a single reader, without pauses.
        readers: of all readers.
        busy: of all readers beside a busy process unrelated to Orthanc.
        jobs: of all readers while models are made.
        made_s: from the first request to the last model.
        machine_ms: the longest delay caused by the machine itself, without models and while they
            were made; see `machine`.
        mib: resident memory of Orthanc itself before the jobs, at its peak, and afterwards.
    """

    one: Reads
    readers: Reads
    busy: Reads
    jobs: Reads
    made_s: float
    machine_ms: tuple[float, float]
    mib: tuple[float, float, float]


def print_table(_only: str, *, is_quick: bool) -> bool:
    """Prints the table, unless `is_quick`; returns whether every read met its limit."""
    if is_quick:
        return True
    found = measured()
    before, most, after = found.mib
    idle_ms, busy_ms = found.machine_ms
    print(
        f"\n{READERS} clients read, about ten times a second each, while {MAKERS} others make"
        f" {JOBS} models ({found.made_s:.0f} s), with the default settings. The limit is one of the"
        f" slowest read, by the median of the same {READERS} without jobs. The busy process beside"
        " them has nothing to do with Orthanc: it counts, at the niceness of a worker.\n\n"
        + "\n".join([head(COLUMNS, 1), *map(line, rows(found))])
        + f"\n\nMemory of Orthanc, its storage cache off: {before:.0f} MiB before,"
        f" {most:.0f} at the most, {after:.0f} two seconds after.\nThe machine let a thread"
        f" that comes before all others wait for up to {idle_ms:.1f} ms without jobs, and"
        f" {busy_ms:.1f} with them.",
        flush=True,
    )
    return all(cells[-1] == "yes" for cells in rows(found))


def measured() -> Found:
    """One run with the default settings."""
    with OrthancServer(_WITHOUT_CACHE, is_verbose=False) as server:
        image = server.upload(next(figurine.ct_series(figurine.scan())))
        study = image["ParentStudy"]
        small, large = (_order(study, voxels) for voxels in (organ(256), body(256)))
        _made(server.url, small)  # the workers are warm then
        routes = ("/system", "/studies", "/jobs?expand", f"/instances/{image['ID']}/tags")
        one = at_once(server.url, routes, _ALONE_S)
        with (
            machine.watched() as idle,
            reading(server.url, routes, READERS // len(routes), _PAUSE_MS) as readers,
        ):
            time.sleep(_QUIET_S)
        with reading(server.url, routes, READERS // len(routes), _PAUSE_MS) as beside_busy:
            subprocess.run(_BUSY, check=False)
        before = _mib(server.process.pid)
        _forget_peak(server.process.pid)
        orders = list(islice(cycle([small, small, small, large]), JOBS))
        with (
            machine.watched() as busy,
            reading(server.url, routes, READERS // len(routes), _PAUSE_MS) as jobs,
            ThreadPoolExecutor(MAKERS) as makers,
        ):
            start = time.perf_counter()
            list(makers.map(lambda order: _made(server.url, order), orders))
            made_s = time.perf_counter() - start
        peak = _mib(server.process.pid, "VmHWM")
        time.sleep(2)
        after = _mib(server.process.pid)
        delays = (idle.worst_ms, busy.worst_ms)
        return Found(one, readers, beside_busy, jobs, made_s, delays, (before, peak, after))


def rows(found: Found) -> list[list[str]]:
    """The table, a row for each route."""
    table: list[list[str]] = []
    for route, one in found.one.items():
        idle, busy, jobs = found.readers[route], found.busy[route], found.jobs[route]
        ratio = jobs.slowest_ms / idle.median_ms
        name = "/instances/{id}/tags" if route.startswith("/instances/") else route
        table.append(
            [
                name, f"{one.median_ms:.2f}",
                f"{idle.median_ms:.2f}", f"{idle.p99_ms:.1f}", f"{idle.slowest_ms:.1f}",
                f"{busy.slowest_ms:.1f}", f"{busy.slowest_ms / idle.median_ms:.1f}",
                str(jobs.reads),
                f"{jobs.median_ms:.2f}", f"{jobs.p99_ms:.1f}", f"{jobs.slowest_ms:.1f}",
                f"{jobs.slowest_ms / one.median_ms:.0f}", f"{ratio:.1f}", f"{LIMIT:g}",
                "yes" if ratio <= LIMIT else "NO",
            ]
        )  # fmt: skip
    return table


def _order(study: str, voxels: np.ndarray[Any, Any]) -> bytes:
    image = nib.Nifti1Image(np.asarray(voxels), np.diag([1.5, 1.5, 1.5, 1.0]))
    nifti = base64.b64encode(gzip.compress(image.to_bytes(), 1)).decode()
    return json.dumps({"Nifti": nifti, "ParentStudy": study}).encode()


def _made(url: str, order: bytes) -> None:
    connection = _connected(url)
    connection.request("POST", "/stl/encode-nifti", order)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(text.decode(errors="replace"))


def _connected(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    return HTTPConnection(parts.hostname or "", parts.port, timeout=120)


def _mib(process: int, field: str = "VmRSS") -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field + ":"))


def _forget_peak(process: int) -> None:
    Path(f"/proc/{process}/clear_refs").write_text("5")
