"""Random requests by wrk."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_MARK: Final = "measured"
_SCRIPT: Final = f"""
local requests = {{}}
function init(arguments)
  math.randomseed(tonumber(arguments[2]))
  for path in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("GET", path)
  end
end
function request() return requests[math.random(#requests)] end
function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print("{_MARK}", summary.requests, summary.duration, latency:percentile(99), failed)
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """The performance of a server under load.

    Attributes:
        requests: the number of answers.
        seconds: the duration.
        p99_ms: the 99th percentile of the time of an answer.
    """

    requests: int
    seconds: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def loaded(
    url: str,
    paths: Sequence[str],
    connections: int,
    seconds: int,
    seed: int = 1,
    host: str = "",
) -> Load:
    """Requests random paths from a server.

    Args:
        url: of the server.
        paths: below it.
        connections: the number of connections kept open.
        seconds: the duration.
        seed: of the choice of paths.
        host: the Host header; empty for the host in `url`.

    Raises:
        RuntimeError: it did not answer, or answered with an error.
    """
    with TemporaryDirectory() as folder:
        script, listed = Path(folder) / "random.lua", Path(folder) / "paths"
        script.write_text(_SCRIPT)
        listed.write_text("\n".join(paths))
        options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=10s", "-s", str(script)]
        options += [f"--header=Host: {host}"] * bool(host)
        command = ["wrk", *options, url, "--", str(listed), str(seed)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (found,) = [one.split() for one in printed.splitlines() if one.startswith(_MARK)]
    requests, duration_us, p99_us, failed = map(float, found[1:])
    if failed or not requests:
        raise RuntimeError(f"{failed:.0f} of {requests:.0f} requests to {url} failed")
    return Load(int(requests), duration_us / 1e6, p99_us / 1e3)
