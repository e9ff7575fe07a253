"""The peak memory of a pipeline, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from tools.benchmarks.inputs import Case, cases
from tools.benchmarks.pipelines import run

_STATUS: Final = Path("/proc/self/status")
_CLEAR: Final = Path("/proc/self/clear_refs")
_FORGET_PEAK: Final = "5"


def peak_mib(number: int, contender: str) -> float | None:
    """MiB above the memory of the process before; None if the system does not report it.

    Args:
        number: of the case, from 0.
        contender: the pipeline.
    """
    if not _CLEAR.exists():
        return None
    command = [sys.executable, "-m", "tools.benchmarks.memory", str(number), contender]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _measured(case: Case, contender: str) -> float:
    """The peak resident set of the run, minus that before it with the input in memory.

    A small run comes first, so that libraries and tables do not count. The value is the kernel's
    high-water mark of this process: ru_maxrss would include that of the parent.
    """
    voxels = case.voxels()
    small = np.zeros((12, 12, 12), dtype=np.uint8, order="F")
    small[3:9, 3:9, 3:9] = 1
    with TemporaryDirectory() as folder:
        tiny = Case("warm-up", lambda: small, case.spacing_mm, 16)
        run(contender, tiny, small, Path(folder))
        before = _kib("VmRSS")
        _CLEAR.write_text(_FORGET_PEAK)
        run(contender, case, voxels, Path(folder))
        return (_kib("VmHWM") - before) / 1024


def _kib(field: str) -> int:
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(lines[field].split()[0])


if __name__ == "__main__":
    print(_measured(cases()[int(sys.argv[1])], sys.argv[2]))
