"""How long our models take beside VTK, how true progress is, how long others wait meanwhile."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from tests.benchmarks import load, progress
from tests.benchmarks.inputs import Case, cases
from tests.benchmarks.memory import peak_mib
from tests.benchmarks.pipelines import OURS, VTK, run, vtk

MODELS: Final = "models"
PROGRESS: Final = "progress"
LOAD: Final = "load"
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
    """Prints the tables; 1 when the limit of a model is not met."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few inputs, few runs, no memory")
    parser.add_argument("--only", default="", help="inputs whose title holds this text")
    parser.add_argument("--part", choices=[MODELS, PROGRESS, LOAD], help="one table of the three")
    arguments = parser.parse_args()
    parts = {arguments.part} if arguments.part else {MODELS, PROGRESS, LOAD}
    if MODELS in parts and find_spec("vtk") is None:
        print("The benchmarks compare with VTK: pip install --group bench", file=sys.stderr)
        return 2
    chosen = {
        number: case
        for number, case in enumerate(cases())
        if arguments.only in case.title and (case.is_quick or not arguments.quick)
    }
    is_met = True
    if MODELS in parts:
        is_met = _models(chosen, arguments.quick)
    if PROGRESS in parts:
        _progress(list(chosen.values()))
    if LOAD in parts and not arguments.quick:
        _load()
    return int(not is_met)


def _models(chosen: Mapping[int, Case], is_quick: bool) -> bool:
    print(_head(LONG_RUNS if is_quick else RUNS), flush=True)
    is_met = True
    for number, case in chosen.items():
        measurement = _measured(case, number, is_quick)
        is_met &= measurement.ratio <= case.limit
        print(_line(_cells(case, measurement)), flush=True)
    return is_met


def _progress(chosen: Sequence[Case]) -> None:
    print(
        "\nProgress of a job beside the share of its time that has gone, looked at every"
        f" {1000 * progress.LOOK_S:.0f} ms from a share of {progress.SMALLEST_SHARE:g} on, in a"
        f" real Orthanc; the median of the worst of {progress.RUNS} runs.\n\n"
        + _table_head(progress.COLUMNS, texts=1),
        flush=True,
    )
    for cells in progress.rows(chosen):
        print(_line(cells), flush=True)


def _load() -> None:
    found = load.measured()
    before, most, after = found.mib
    print(
        f"\n{load.READERS} clients read while {load.MAKERS} others make {load.JOBS} models"
        f" ({found.made_s:.0f} s), with the default settings.\n\n"
        + "\n".join([_table_head(load.COLUMNS, texts=1), *map(_line, load.rows(found))])
        + f"\n\nMemory of Orthanc, its storage cache off: {before:.0f} MiB before,"
        f" {most:.0f} at the most, {after:.0f} two seconds after.",
        flush=True,
    )


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
    return "\n".join([*lines, _table_head(_COLUMNS, texts=2)])


def _table_head(columns: Sequence[str], texts: int) -> str:
    marks = [*["---"] * texts, *["---:"] * (len(columns) - texts)]
    return "\n".join([_line(columns), _line(marks)])


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
