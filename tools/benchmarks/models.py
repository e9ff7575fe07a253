"""Time, memory and shape of models, beside SurfaceNets, Slicer's rule and the official plugin's."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Final

import numpy as np

from tools.benchmarks.inputs import Case, Voxels, cases
from tools.benchmarks.memory import peak_mib
from tools.benchmarks.pipelines import CONTENDERS, NETS, OURS, SLICER, meshes, run
from tools.benchmarks.printing import head, line, machine
from tools.benchmarks.shape import Shape, shape
from tools.vtk_surfaces import vtk

RUNS: Final = 5
LONG_RUNS: Final = 2
LONG_S: Final = 3.0
LABELS_LIMIT: Final = 1.0
"""Of our time on label maps, as a fraction of that of SurfaceNets."""

MASK_LIMIT: Final = 0.8
"""Of our time on masks, as a fraction of that of Slicer's rule."""

LEAST_VOXELS: Final = 500
"""Smaller labels do not count where the shape is told."""

_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # a file there costs no disk


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured of each contender.

    Attributes:
        wall_s: the least of all runs.
        cpu_s: the least of all runs, all threads together.
        peaks_mib: the peak memory, or None.
        shapes: of its surfaces that have voxels enough.
        shape: of the input.
    """

    wall_s: dict[str, float]
    cpu_s: dict[str, float]
    peaks_mib: dict[str, float | None]
    shapes: dict[str, list[Shape]]
    shape: tuple[int, ...]

    def ratios(self, other: str) -> tuple[float, float]:
        """Our wall and CPU time, as fractions of those of another."""
        return self.wall_s[OURS] / self.wall_s[other], self.cpu_s[OURS] / self.cpu_s[other]


def print_table(only: str, *, is_quick: bool) -> bool:
    """Prints the tables; returns whether every limit is met.

    Args:
        only: inputs whose title contains this text.
        is_quick: few inputs, few runs, no memory.
    """
    if find_spec("vtk") is None:
        print("Models are compared with those of VTK: pip install --group bench", file=sys.stderr)
        return False
    found = [
        (case, _measured(case, number, is_quick))
        for number, case in enumerate(cases())
        if only in case.title and (case.is_quick or not is_quick)
    ]
    print(_introduction(LONG_RUNS if is_quick else RUNS))
    names = CONTENDERS
    print(head(("input", "voxels", *names, "ratio", "limit", "met"), 2))
    for case, one in found:
        print(line(_time_cells(case, one)))
    print("\nPeak memory, MiB, and triangles:\n")
    columns = (*(f"MiB {one}" for one in names), *(f"triangles {one}" for one in names))
    print(head(("input", *columns), 1))
    for case, one in found:
        print(line([case.title, *_memory_cells(one), *_triangle_cells(one)]))
    print("\nVolume error, %; 5th percentile of the smallest angles of triangles, degrees:\n")
    columns = (*(f"volume {one}" for one in names), *(f"angle {one}" for one in names))
    print(head(("input", *columns), 1))
    for case, one in found:
        volumes = _shape_cells(one, "volume_error_percent", "+.2f")
        print(line([case.title, *volumes, *_shape_cells(one, "angle_deg", ".0f")]))
    print("\nRoughness: 95th percentile of the angles between neighbouring faces, degrees:\n")
    print(head(("input", *names), 1))
    for case, one in found:
        print(line([case.title, *_shape_cells(one, "roughness_deg", ".1f")]))
    return all(_is_met(case, one) for case, one in found)


def _measured(case: Case, number: int, is_quick: bool) -> Measurement:
    print(f"{case.title} ...", file=sys.stderr)
    voxels = case.voxels()
    wall_s = dict.fromkeys(CONTENDERS, np.inf)
    cpu_s = dict.fromkeys(CONTENDERS, np.inf)
    runs, done = RUNS, 0
    with TemporaryDirectory(dir=_SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None) as folder:
        while done < runs:
            for one in CONTENDERS:
                start, begun = perf_counter(), process_time()
                run(one, case, voxels, Path(folder))
                wall_s[one] = min(wall_s[one], perf_counter() - start)
                cpu_s[one] = min(cpu_s[one], process_time() - begun)
            if is_quick or max(wall_s.values()) > LONG_S:
                runs = LONG_RUNS
            done += 1
    peaks = {one: None if is_quick else peak_mib(number, one) for one in CONTENDERS}
    shapes = {one: _shapes(one, case, voxels) for one in CONTENDERS}
    return Measurement(wall_s, cpu_s, peaks, shapes, voxels.shape)


def _shapes(contender: str, case: Case, voxels: Voxels) -> list[Shape]:
    counts = np.bincount(voxels.ravel(order="K"))
    voxel_mm3 = float(np.prod(case.spacing_mm))
    return [
        shape(mesh, counts[number] * voxel_mm3)
        for number, mesh in meshes(contender, case, voxels)
        if counts[number] >= LEAST_VOXELS
    ]


def _is_met(case: Case, found: Measurement) -> bool:
    if case.is_labels:
        return max(found.ratios(NETS)) <= LABELS_LIMIT
    return max(found.ratios(SLICER)) <= MASK_LIMIT


def _introduction(runs: int) -> str:
    package = vtk()
    versions = ", ".join(f"{one} {version(one)}" for one in ("numpy", "scipy"))
    return "\n".join(
        [
            "# Models",
            "",
            f"{machine()}, {versions}, VTK {package.vtkVersion().GetVTKVersion()}"
            f" ({package.vtkMultiThreader.GetGlobalDefaultNumberOfThreads()} threads).",
            "",
            "From voxels in memory to STL files, all written by our writer, which is faster than"
            " VTK's: ours with the default options; vtkSurfaceNets3D for all labels in one pass,"
            " split by label; the rule of 3D Slicer (flying edges, then a windowed sinc filter) for"
            " each label within its bounds; VTK with the filters and parameters of the official"
            " plugin, which resizes all to a cube (of 256, or 512 where the input is as large)."
            f" Wall / CPU time in seconds, the least of {runs} runs ({LONG_RUNS} where one takes"
            f" more than {LONG_S:g} s), in turn. The ratio is that of our times to those of"
            f" Slicer's rule (limit {MASK_LIMIT:g}), for label maps to those of SurfaceNets (limit"
            f" {LABELS_LIMIT:g}). Peak memory is what a fresh process takes above what it holds"
            " when the input is loaded. The figures of labels are medians of those of"
            f" {LEAST_VOXELS} voxels and more; their triangles are summed.",
            "",
        ]
    )


def _time_cells(case: Case, found: Measurement) -> list[str]:
    wall, cpu = found.ratios(NETS if case.is_labels else SLICER)
    return [
        case.title,
        " x ".join(map(str, found.shape)),
        *(f"{found.wall_s[one]:.3f} / {found.cpu_s[one]:.3f}" for one in CONTENDERS),
        f"{wall:.2f} / {cpu:.2f}",
        f"{LABELS_LIMIT if case.is_labels else MASK_LIMIT:g}",
        "yes" if _is_met(case, found) else "NO",
    ]


def _memory_cells(found: Measurement) -> list[str]:
    peaks = [found.peaks_mib[one] for one in CONTENDERS]
    return ["-" if peak is None else f"{peak:.0f}" for peak in peaks]


def _triangle_cells(found: Measurement) -> list[str]:
    return [str(sum(one.triangles for one in found.shapes[name])) for name in CONTENDERS]


def _shape_cells(found: Measurement, name: str, form: str) -> list[str]:
    values = [[getattr(one, name) for one in found.shapes[contender]] for contender in CONTENDERS]
    return [f"{median(one):{form}}" if one else "-" for one in values]
