"""How long our models take, and how much memory, beside VTK as the official plugin uses it."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from tests.benchmarks.inputs import Case, cases
from tests.benchmarks.memory import peak_mib
from tests.benchmarks.pipelines import OURS, VTK, run, vtk

RUNS: Final = 5
LONG_RUNS: Final = 3
LONG_S: Final = 5.0
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # a file there costs no disk
_COLUMNS: Final = (
    "input", "voxels", "resolution", "triangles ours", "VTK", "s ours", "VTK", "ratio", "limit",
    "met", "peak MiB ours", "VTK",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measurement:
    """The seconds of every run, the triangles and the memory of both."""

    seconds: dict[str, list[float]]
    triangles: dict[str, int]
    peaks_mib: dict[str, float | None]
    shape: tuple[int, ...]

    @property
    def ratio(self) -> float:
        return median(self.seconds[OURS]) / median(self.seconds[VTK])


def main() -> int:
    """Prints the table; 1 when a limit is not met."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few inputs, few runs, no memory")
    parser.add_argument("--only", default="", help="inputs whose title holds this text")
    arguments = parser.parse_args()
    if find_spec("vtk") is None:
        print("The benchmarks compare with VTK: pip install --group bench", file=sys.stderr)
        return 2
    known = cases()
    chosen = [
        number
        for number, case in enumerate(known)
        if arguments.only in case.title and (case.is_quick or not arguments.quick)
    ]
    print(_head(LONG_RUNS if arguments.quick else RUNS), flush=True)
    is_met = True
    for number in chosen:
        measurement = _measured(known[number], number, arguments.quick)
        is_met &= measurement.ratio <= known[number].limit
        print(_line(_cells(known[number], measurement)), flush=True)
    return int(not is_met)


def _measured(case: Case, number: int, is_quick: bool) -> Measurement:
    voxels = case.voxels()
    seconds: dict[str, list[float]] = {OURS: [], VTK: []}
    triangles: dict[str, int] = {}
    runs = LONG_RUNS if is_quick else RUNS
    with TemporaryDirectory(dir=_SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None) as folder:
        while len(seconds[OURS]) < runs:
            for contender in (OURS, VTK):
                start = perf_counter()
                triangles[contender] = run(contender, case, voxels, Path(folder))
                seconds[contender].append(perf_counter() - start)
            if seconds[VTK][0] > LONG_S:
                runs = LONG_RUNS
    peaks = {one: None if is_quick else peak_mib(number, one) for one in (OURS, VTK)}
    return Measurement(seconds, triangles, peaks, voxels.shape)


def _head(runs: int) -> str:
    package = vtk()
    processor = platform.processor() or platform.machine()
    if (facts := Path("/proc/cpuinfo")).exists():
        models = [line for line in facts.read_text().splitlines() if line.startswith("model name")]
        processor = models[0].split(":", 1)[1].strip() if models else processor
    versions = ", ".join(f"{one} {version(one)}" for one in ("numpy", "scipy"))
    lines = [
        "# Benchmarks",
        "",
        f"{os.cpu_count()} cores, {processor}; Python {platform.python_version()}, {versions},"
        f" VTK {package.vtkVersion().GetVTKVersion()}"
        f" ({package.vtkMultiThreader.GetGlobalDefaultNumberOfThreads()} threads).",
        "",
        "From voxels in memory to an STL file: ours with the default options; VTK with the filters"
        " and parameters of the official plugin, which resizes all to a cube of the resolution."
        f" Medians of {runs} runs ({LONG_RUNS} when VTK takes more than {LONG_S:g} s), ours and"
        " VTK in turn; the ratio is that of the medians. Peak memory: what a fresh process takes"
        " above what it holds when the input is loaded.",
        "",
    ]
    marks = ["---", "---", *["---:"] * (len(_COLUMNS) - 2)]
    return "\n".join([*lines, _line(_COLUMNS), _line(marks)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(case: Case, found: Measurement) -> list[str]:
    peaks = [found.peaks_mib[one] for one in (OURS, VTK)]
    return [
        case.title,
        " x ".join(map(str, found.shape)),
        str(case.resolution),
        str(found.triangles[OURS]),
        str(found.triangles[VTK]),
        *(f"{median(found.seconds[one]):.3f}" for one in (OURS, VTK)),
        f"{found.ratio:.3f}",
        f"{case.limit:g}",
        "yes" if found.ratio <= case.limit else "NO",
        *("-" if peak is None else f"{peak:.0f}" for peak in peaks),
    ]


if __name__ == "__main__":
    sys.exit(main())
