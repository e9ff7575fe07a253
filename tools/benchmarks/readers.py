"""Clients that read now and then, by wrk, and the time of each answer."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_MARK: Final = "measured"
_SCRIPT: Final = f"""
function init(arguments)
  local most_ms = 2 * tonumber(arguments[1])
  math.randomseed(tonumber(arguments[2]))
  function delay() return math.random(0, most_ms) end
end
function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local median, p99 = latency:percentile(50), latency:percentile(99)
  print("{_MARK}", summary.requests, failed, median, p99, latency.max)
end
"""
_LONGEST_S: Final = 3600
# A reader stands for another machine, which takes an answer at once even when the processors here
# are busy. wrk works for some microseconds per answer only, so it hardly delays others.
_AT_ONCE: Final = ("chrt", "--rr", "1")


@dataclass(frozen=True, slots=True)
class Waits:
    """The time of a route's answers, as seen by its readers, in milliseconds."""

    reads: int
    median_ms: float
    p99_ms: float
    slowest_ms: float


@contextmanager
def reading(
    url: str, routes: Sequence[str], readers: int, pause_ms: int
) -> Iterator[dict[str, Waits]]:
    """Reads each route with that many readers and that average pause until the block ends.

    The dictionary is filled in then, in the order of the routes.

    Raises:
        RuntimeError: an answer was not successful.
    """
    found: dict[str, Waits] = {}
    with TemporaryDirectory() as folder:
        script = Path(folder) / "readers.lua"
        script.write_text(_SCRIPT)
        running = {
            route: _started(url + route, script, readers, pause_ms, seed)
            for seed, route in enumerate(routes)
        }
        try:
            yield found
        finally:
            for process in running.values():
                process.send_signal(signal.SIGINT)  # wrk ends and prints its measurements
            printed = {route: process.communicate()[0] for route, process in running.items()}
        found |= {route: _waits(route, text) for route, text in printed.items()}


def at_once(url: str, routes: Sequence[str], seconds: float) -> Mapping[str, Waits]:
    """The waiting time of a single reader, who requests each route in turn without pause."""
    found: dict[str, Waits] = {}
    for route in routes:
        with reading(url, [route], readers=1, pause_ms=0) as waits:
            time.sleep(seconds)
        found |= waits
    return found


def _started(
    address: str, script: Path, readers: int, pause_ms: int, seed: int
) -> subprocess.Popen[str]:
    options = ["-t1", f"-c{readers}", f"-d{_LONGEST_S}s", "--timeout=60s", "-s", str(script)]
    command = [*_AT_ONCE, "wrk", *options, address, "--", str(pause_ms), str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _waits(route: str, printed: str) -> Waits:
    lines = [one.split() for one in printed.splitlines() if one.startswith(_MARK)]
    if len(lines) != 1:
        raise RuntimeError(f"wrk has not measured {route}: {printed}")
    reads, failed, median_us, p99_us, slowest_us = map(float, lines[0][1:])
    if failed or not reads:
        raise RuntimeError(f"{failed:.0f} of {reads:.0f} reads of {route} failed")
    return Waits(int(reads), median_us / 1000, p99_us / 1000, slowest_us / 1000)
