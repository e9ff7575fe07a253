"""Every model of a sample, as a worker of the plugin makes it, and its figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import PluginError
from orthanc_stl_plugin.formats.meshes.stl import read_stl
from orthanc_stl_plugin.model.mesh import Mesh, MeshOptions
from orthanc_stl_plugin.services.models.worker import ConversionTask, MadeModel, make_models
from tools.report.figures import Figures, dice, measured
from tools.report.masks import nifti_labels
from tools.report.reference import Reference
from tools.report.samples import Sample
from tools.vtk_surfaces import arrays, slicer_filter

ALL: Final = "(the file)"


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one structure.

    Attributes:
        file: its path within the data.
        structure: its number and name.
        refusal: why there is no model; None when there is one.
        figures: of the model, or None.
        given: the same beside a mask that came with the sample, or None.
        slicer_dice: Dice of the surface by Slicer's rule; None where there are no voxels.
        problems: what must not be.
    """

    file: str
    structure: str
    refusal: str | None = None
    figures: Figures | None = None
    given: Figures | None = None
    slicer_dice: float | None = None
    problems: tuple[str, ...] = ()


def rows(sample: Sample) -> list[Row]:
    """One row for each structure, and one for the file when it is refused as a whole."""
    references = sample.references()
    if sample.kind == "foreground" and len(nifti_labels(sample.path)) == 1:
        return []  # its one label is the same model
    given = sample.given_references()
    names = sample.names()
    found: list[Row] = []
    with TemporaryDirectory() as folder:
        made, refusal = _made(sample, None, Path(folder))
        if refusal is not None:
            problems = ("refused, though it has structures",) if references else ()
            found.append(Row(sample.name, ALL, refusal, problems=problems))
        found += [_row(sample, model, references, given) for model in made]
        missing = {*references, *names} - {model.segment.number for model in made}
        if sample.kind != "foreground":
            for number in sorted(missing):
                found += _alone(sample, number, references, given, names, Path(folder))
    return found


def _alone(
    sample: Sample,
    number: int,
    references: dict[int, Reference],
    given: dict[int, Reference],
    names: dict[int, str],
    folder: Path,
) -> Iterator[Row]:
    made, refusal = _made(sample, number, folder)
    yield from (_row(sample, model, references, given) for model in made)
    if refusal is not None:
        title = f"{number} {names.get(number, '')}".strip()
        reference = references.get(number)
        is_empty = reference is None
        problems = () if is_empty else ("refused, though it is not empty",)
        yield Row(sample.name, title, refusal, problems=problems)


def _made(sample: Sample, number: int | None, folder: Path) -> tuple[list[MadeModel], str | None]:
    task = ConversionTask(sample.source(number), folder, MeshOptions(), Settings().max_triangles)
    try:
        return make_models(task), None
    except PluginError as error:
        return [], f"{type(error).__name__}: {error}"


def _row(
    sample: Sample,
    model: MadeModel,
    references: dict[int, Reference],
    given: dict[int, Reference],
) -> Row:
    number = model.segment.number
    title = model.segment.name if sample.kind == "foreground" else f"{number} {model.segment.name}"
    if number not in references:
        return Row(sample.name, title, problems=("there is nothing to hold it against",))
    mesh = read_stl(model.path.read_bytes())
    figures = measured(mesh, references[number])
    beside = measured(mesh, given[number]) if number in given else None
    slicer_dice = None if sample.kind == "rois" else _slicer_dice(references[number])
    problems = figures.broken(slicer_dice)
    if beside is not None and sample.kind == "segments":
        problems += tuple(f"given reference: {one}" for one in beside.broken(slicer_dice))
    return Row(sample.name, title, None, figures, beside, slicer_dice, problems)


def _slicer_dice(reference: Reference) -> float:
    smoothing = slicer_filter(reference.mask)
    smoothing.Update()
    points, faces = arrays(smoothing.GetOutput())
    mesh = Mesh(reference.grid.to_world(points).astype(np.float32), faces)
    return dice(mesh, reference)
