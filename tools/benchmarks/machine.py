"""Delays caused by the machine itself, measured by a thread of the highest priority."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

# No other process delays this thread, only the hardware or other virtual machines.
_FIRST_OF_ALL: Final = ("chrt", "--rr", "99")
_TICKER: Final = """
import select, sys, time
worst = 0.0
print(flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    begun = time.perf_counter()
    time.sleep(0.002)
    worst = max(worst, time.perf_counter() - begun - 0.002)
print(1000 * worst)
"""


@dataclass(slots=True)
class Delay:
    """The longest time that the machine kept a ready thread waiting, in milliseconds."""

    worst_ms: float = 0.0


@contextmanager
def watched() -> Iterator[Delay]:
    """A delay that is filled in when the block ends."""
    delay = Delay()
    command = [*_FIRST_OF_ALL, sys.executable, "-c", _TICKER]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as ticker:
        if ticker.stdout is None:
            raise RuntimeError("the ticker has no output")
        ticker.stdout.readline()
        try:
            yield delay
        finally:
            output, _ = ticker.communicate("\n")
    delay.worst_ms = float(output)
