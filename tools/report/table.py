"""The report as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Final

from orthanc_stl_plugin.mesh.self_intersections import MOST_TRIANGLES
from tools.report.contours import PIXELS_ACROSS, PIXELS_ACROSS_LOOP
from tools.report.conversion import ALL, Row
from tools.report.figures import DICE_TOLERANCE, MEASURED_VERTICES, NEAR_FACES, Figures

_HEAD: Final = f"""\
# Conformance of the models

Every segmentation of the shared data, made into models with the default options, each structure
apart; of NIfTI files also all that is not zero as one. What is measured is the STL file, read back,
equal float32 coordinates welded.

- **Reference**: the voxels of the structure; for RT-STRUCT its contours, filled by the even-odd
  rule on {PIXELS_ACROSS} pixels across ({PIXELS_ACROSS_LOOP} across the typical contour, if finer),
  each plane a slab that reaches half-way to its neighbours (half a spacing at the ends and at gaps
  of more than two). All are read by code of the report. A contour finer than a pixel may be missed.
- **Dice**: of the reference and the mesh voxelised on the same grid: a voxel is inside when its
  centre is; for RT-STRUCT, the centre of a pixel on the plane of the contours.
- **Volume**: that of the mesh compared with that of the reference. **Centroid**: distance of both.
- **Mean, max**: distance of the mesh's vertices (at most {MEASURED_VERTICES}, evenly chosen) to the
  faces between inside and outside voxels of the reference, exact to the nearest of the
  {NEAR_FACES} faces whose middles are nearest. A smooth surface is not on them, but near.
- **Crossings**: pairs of triangles without a common vertex that cross; "-" above
  {MOST_TRIANGLES} triangles.
- **Slicer's**: the Dice coefficient of the surface that 3D Slicer's rule makes of the same voxels:
  flying edges, then a windowed sinc filter.
- **Limits**: watertight; Dice not lower than Slicer's by more than {DICE_TOLERANCE}, and of 5,000
  voxels and more 0.98; of contours 0.98, of less than 500 voxels 0.95; volume within 2 %, of less
  than 5,000 voxels 10 %; centroid within 0.5 mm or a third of the voxel's longest side.
"""
_COLUMNS: Final = (
    "file", "structure", "outcome", "voxels", "triangles", "watertight", "Dice", "Slicer's",
    "volume %", "centroid mm", "mean mm", "max mm", "crossings",
)  # fmt: skip
_MEASURES: Final[tuple[tuple[str, Callable[[Figures], float], str], ...]] = (
    ("Dice", lambda one: -one.dice, ".4f"),
    ("volume error, %", lambda one: abs(one.volume_error_percent), ".2f"),
    ("centroid, mm", lambda one: one.centroid_mm, ".3f"),
    ("mean distance, mm", lambda one: one.mean_mm, ".3f"),
    ("max distance, mm", lambda one: one.max_mm, ".3f"),
    ("triangles", lambda one: one.triangles, ".0f"),
    ("crossings", lambda one: one.intersections or 0, "g"),
)


def markdown(rows: Sequence[Row]) -> str:
    """All models, those beside other masks, and the summary."""
    parts = [_HEAD, "## Models\n", _table(_COLUMNS, map(_cells, rows))]
    given = [row for row in rows if row.given is not None]
    if given:
        parts += [
            "## Beside the masks that came with the samples\n",
            "Those of the MIM cases were drawn on the voxels of the images by other software:"
            " they are shown, but not held to the limits.\n",
            _table(_COLUMNS, (_cells(row, row.given) for row in given)),
        ]
    return "\n".join([*parts, "## Summary\n", *_summary(rows)])


def _table(
    columns: Sequence[str], lines: Iterable[Sequence[str]], words: Sequence[int] = (0, 1, 2)
) -> str:
    """A table; the columns of words are aligned to the left, those of numbers to the right."""
    marks = ["---" if place in words else "---:" for place in range(len(columns))]
    return "".join(f"| {' | '.join(one)} |\n" for one in (columns, marks, *lines))


def _cells(row: Row, figures: Figures | None = None) -> list[str]:
    figures = figures or row.figures
    if row.refusal is not None:
        outcome = f"refused: {row.refusal}"
    else:
        outcome = "; ".join(("failed" if row.figures is None else "accepted", *row.problems))
    texts = [row.file, row.structure, outcome]
    if figures is None:
        numbers = [""] * (len(_COLUMNS) - 3)
    else:
        numbers = [
            str(figures.voxels),
            str(figures.triangles),
            "yes" if figures.is_watertight else "NO",
            f"{figures.dice:.4f}",
            "" if row.slicer_dice is None else f"{row.slicer_dice:.4f}",
            f"{figures.volume_error_percent:+.2f}",
            f"{figures.centroid_mm:.3f}",
            f"{figures.mean_mm:.3f}",
            f"{figures.max_mm:.3f}",
            "-" if figures.intersections is None else str(figures.intersections),
        ]
    return [text.replace("|", r"\|") for text in (*texts, *numbers)]


def _summary(rows: Sequence[Row]) -> list[str]:
    measured = [(row, row.figures) for row in rows if row.figures is not None]
    refused = [row for row in rows if row.refusal is not None]
    files = len({row.file for row in rows})
    parts = [
        f"{files} files: {len(measured)} models accepted,"
        f" {len(refused)} refused"
        f" ({sum(row.structure == ALL for row in refused)} of them whole files),"
        f" {len(rows) - len(measured) - len(refused)} failed.\n"
    ]
    if refused:
        reasons = Counter(_reason(row) for row in refused).most_common()
        parts.append(_table(("refused", "for example", "because"), _reasons(refused, reasons)))
    if measured:
        parts.append(_table(("figure", "median", "worst", "of"), _extremes(measured), words=(0, 3)))
    gains = [
        figures.dice - row.slicer_dice for row, figures in measured if row.slicer_dice is not None
    ]
    if gains:
        lower = sum(gain < -DICE_TOLERANCE for gain in gains)
        parts.append(
            f"Dice is lower than Slicer's by more than {DICE_TOLERANCE} on {lower} of {len(gains)}"
            f" models, and higher by {median(gains):.4f} in the median.\n"
        )
    watertight = sum(figures.is_watertight for _, figures in measured)
    parts.append(f"{watertight} of {len(measured)} models are watertight.\n")
    parts.append(f"{sum(bool(row.problems) for row in rows)} break a limit.\n")
    parts += [
        f"- {row.file}, {row.structure}: {'; '.join(row.problems)}" for row in rows if row.problems
    ]
    return [*parts, ""]


def _reason(row: Row) -> str:
    """The sentence without its numbers and names, so that equal reasons are one."""
    words = (row.refusal or "").split()
    return " ".join("..." if any(c.isdigit() or c == "'" for c in word) else word for word in words)


def _reasons(
    refused: Sequence[Row], reasons: Iterable[tuple[str, int]]
) -> Iterable[tuple[str, str, str]]:
    for reason, count in reasons:
        first = next(row for row in refused if _reason(row) == reason)
        sentence = first.refusal or ""
        yield str(count), f"{first.file}, {first.structure}", sentence.replace("|", r"\|")


def _extremes(
    measured: Sequence[tuple[Row, Figures]],
) -> Iterable[tuple[str, str, str, str]]:
    for title, measure, form in _MEASURES:
        values = [measure(figures) for _, figures in measured]
        worst = max(range(len(values)), key=values.__getitem__)
        row = measured[worst][0]
        yield (
            title,
            f"{abs(median(values)):{form}}",
            f"{abs(values[worst]):{form}}",
            f"{row.file}, {row.structure}" if values[worst] else "",
        )
