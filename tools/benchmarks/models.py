"""Time and memory for models, compared with VTK as the official plugin uses it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from tools.benchmarks.inputs import Case, cases
from tools.benchmarks.memory import peak_mib
from tools.benchmarks.pipelines import OURS, VTK, run, vtk
from tools.benchmarks.printing import head, line, machine

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


def print_table(only: str, *, is_quick: bool) -> bool:
    """Prints the table; returns whether every limit is met.

    Args:
        only: inputs whose title contains this text.
        is_quick: few inputs, few runs, no memory.
    """
    if find_spec("vtk") is None:
        print("Models are compared with those of VTK: pip install --group bench", file=sys.stderr)
        return False
    known = cases()
    chosen = [
        number
        for number, case in enumerate(known)
        if only in case.title and (case.is_quick or not is_quick)
    ]
    print(_head(LONG_RUNS if is_quick else RUNS), flush=True)
    is_met = True
    for number in chosen:
        measurement = _measured(known[number], number, is_quick)
        is_met &= measurement.ratio <= known[number].limit
        print(line(_cells(known[number], measurement)), flush=True)
    return is_met


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
    versions = ", ".join(f"{one} {version(one)}" for one in ("numpy", "scipy"))
    return "\n".join(
        [
            "# Models",
            "",
            f"{machine()}, {versions}, VTK {package.vtkVersion().GetVTKVersion()}"
            f" ({package.vtkMultiThreader.GetGlobalDefaultNumberOfThreads()} threads).",
            "",
            "From voxels in memory to an STL file: ours with the default options; VTK with the"
            " filters and parameters of the official plugin, which resizes all to a cube of the"
            f" resolution. Medians of {runs} runs ({LONG_RUNS} when VTK takes more than"
            f" {LONG_S:g} s), ours and VTK in turn; the ratio is that of the medians. Peak memory:"
            " what a fresh process takes above what it holds when the input is loaded.",
            "",
            head(_COLUMNS, 2),
        ]
    )


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
