"""How long others wait while models are made, and what memory Orthanc keeps afterwards."""

from __future__ import annotations

import base64
import gzip
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final
from urllib.parse import urlsplit

import nibabel as nib
import numpy as np

from tests.benchmarks.inputs import body, organ
from tests.benchmarks.printing import head, line
from tests.demo import figurine
from tests.orthanc_server import OrthancServer

READERS: Final = 16
MAKERS: Final = 8
JOBS: Final = 20
LIMIT: Final = 10.0
COLUMNS: Final = (
    "route", "ms idle", "16 readers: median", "slowest", "and 20 jobs: reads", "median", "99 %",
    "slowest", "by idle", "limit", "met",
)  # fmt: skip
_PAUSE_S: Final = 0.1
# Orthanc keeps up to 128 MiB of what it has stored: that is no memory of ours.
_ANY: Final = '"HttpDescribeErrors" : true,'
_WITHOUT_CACHE: Final = {_ANY: f'{_ANY} "MaximumStorageCacheSize" : 0,'}
_QUIET_S: Final = 5.0
_IDLE_LOOKS: Final = 40

type Times = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Load:
    """Seconds of every read by route: alone, with other readers, with those and jobs; memory.

    Attributes:
        made_s: from the first order to the last model.
        mib: resident memory of Orthanc itself before the jobs, at the most, and afterwards.
    """

    idle: Times
    readers: Times
    jobs: Times
    made_s: float
    mib: tuple[float, float, float]


def print_table(_only: str, *, is_quick: bool) -> bool:
    """Prints the table, unless `is_quick`; whether no read took longer than its limit."""
    if is_quick:
        return True
    found = measured()
    before, most, after = found.mib
    print(
        f"\n{READERS} clients read while {MAKERS} others make {JOBS} models"
        f" ({found.made_s:.0f} s), with the default settings.\n\n"
        + "\n".join([head(COLUMNS, 1), *map(line, rows(found))])
        + f"\n\nMemory of Orthanc, its storage cache off: {before:.0f} MiB before,"
        f" {most:.0f} at the most, {after:.0f} two seconds after.",
        flush=True,
    )
    return all(cells[-1] == "yes" for cells in rows(found))


def measured() -> Load:
    """One run with the settings that everybody has."""
    with OrthancServer(_WITHOUT_CACHE) as server:
        image = server.upload(next(figurine.ct_series(figurine.scan())))
        study = image["ParentStudy"]
        small, large = (_order(study, voxels) for voxels in (organ(256), body(256)))
        _made(server.url, small)  # the workers are warm then
        routes = ("/system", "/studies", "/jobs?expand", f"/instances/{image['ID']}/tags")
        idle = _read(server.url, routes, _IDLE_LOOKS, pause_s=0.0)
        readers = _while_reading(server.url, routes, lambda: time.sleep(_QUIET_S))
        before = _mib(server.process.pid)
        _forget_peak(server.process.pid)
        orders = list(islice(cycle([small, small, small, large]), JOBS))
        start = time.perf_counter()

        def work() -> None:
            with ThreadPoolExecutor(MAKERS) as makers:
                list(makers.map(lambda order: _made(server.url, order), orders))

        jobs = _while_reading(server.url, routes, work)
        made_s = time.perf_counter() - start
        peak = _mib(server.process.pid, "VmHWM")
        time.sleep(2)
        return Load(idle, readers, jobs, made_s, (before, peak, _mib(server.process.pid)))


def rows(load: Load) -> list[list[str]]:
    """The table, a row for each route."""
    found: list[list[str]] = []
    for route, idle in load.idle.items():
        alone = median(idle)
        jobs = load.jobs[route]
        ratio = max(jobs) / alone
        name = "/instances/{id}/tags" if route.startswith("/instances/") else route
        found.append(
            [
                name, _ms(alone), _ms(median(load.readers[route])), _ms(max(load.readers[route])),
                str(len(jobs)), _ms(median(jobs)), _ms(quantiles(jobs, n=100)[-1]), _ms(max(jobs)),
                f"{ratio:.1f}", f"{LIMIT:g}", "yes" if ratio <= LIMIT else "NO",
            ]
        )  # fmt: skip
    return found


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"


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


def _while_reading(url: str, routes: Sequence[str], work: Any) -> Times:
    """What 16 readers, in a process of their own, measure while `work` goes on."""
    here, there = get_context("spawn").Pipe()
    reader = get_context("spawn").Process(target=_readers, args=(url, routes, there))
    reader.start()
    here.recv()
    work()
    here.send("stop")
    times: Times = here.recv()
    reader.join()
    return times


def _readers(url: str, routes: Sequence[str], parent: Connection) -> None:
    parent.send("ready")
    with ThreadPoolExecutor(READERS) as threads:
        stopped: list[bool] = []
        each = [
            threads.submit(_read, url, routes, sys.maxsize, _PAUSE_S, stopped)
            for _ in range(READERS)
        ]
        parent.recv()
        stopped.append(True)
        found = [one.result() for one in each]
    parent.send({route: [s for one in found for s in one[route]] for route in routes})


def _read(
    url: str,
    routes: Sequence[str],
    most: int,
    pause_s: float,
    stopped: Sequence[bool] = (),
) -> Times:
    connection = _connected(url)
    times: Times = {route: [] for route in routes}
    while not stopped and len(times[routes[0]]) < most:
        for route in routes:
            start = time.perf_counter()
            connection.request("GET", route)
            answer = connection.getresponse()
            answer.read()
            times[route].append(time.perf_counter() - start)
            if answer.status != 200:
                raise RuntimeError(f"{route} answers {answer.status}")
            time.sleep(pause_s)
    connection.close()
    return times


def _connected(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    return HTTPConnection(parts.hostname or "", parts.port, timeout=120)


def _mib(process: int, field: str = "VmRSS") -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field + ":"))


def _forget_peak(process: int) -> None:
    Path(f"/proc/{process}/clear_refs").write_text("5")
