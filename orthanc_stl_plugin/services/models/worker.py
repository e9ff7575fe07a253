"""The task of a worker process: from the file of a source to files of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orthanc_stl_plugin.errors import TooLarge, UnusableSource
from orthanc_stl_plugin.formats.dicom.encapsulated import parameters_text
from orthanc_stl_plugin.formats.dicom.icon import ICON_PX, icon_item
from orthanc_stl_plugin.formats.meshes.stl import write_stl
from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.mesh.preview import shaded
from orthanc_stl_plugin.model.identity import Reference
from orthanc_stl_plugin.model.labels import Segment
from orthanc_stl_plugin.model.mesh import Mesh, MeshOptions, MeshReport
from orthanc_stl_plugin.model.progress import Stage
from orthanc_stl_plugin.sentences import Sentence
from orthanc_stl_plugin.services.models.progress import WorkerProgress
from orthanc_stl_plugin.services.models.sources import Source
from orthanc_stl_plugin.services.models.surfaces import Surface, surfaces


@dataclass(frozen=True, slots=True)
class ConversionTask:
    """Turn `source` into STL files in `folder`, each of at most `max_triangles`."""

    source: Source
    folder: Path
    options: MeshOptions
    max_triangles: int


@dataclass(frozen=True, slots=True)
class MadeModel:
    """A model in a file, and its description; see `Surface`.

    `parameters` says how the surface was made; it is empty for an attached model.
    `textured_model` is the model with its textures and colours, as binary glTF; None if it has
    neither. `missing` names missing files of textures and materials; `notes` says what was left out
    of the source or filled in.
    """

    path: Path
    report: MeshReport
    segment: Segment
    frame_of_reference_uid: str | None
    references: tuple[Reference, ...]
    modality: str | None
    parameters: str
    icon: Mapping[str, str]
    textured_model: Path | None = None
    missing: tuple[str, ...] = ()
    notes: tuple[Sentence, ...] = ()

    @property
    def warnings(self) -> tuple[Sentence, ...]:
        """Sentences for who wants to print it: made surfaces are closed, a given one may not be."""
        name = self.segment.name
        found = [Sentence("FileMissing", file=file, model=name) for file in self.missing]
        found += self.notes
        if not self.report.is_watertight:
            found.append(Sentence("SurfaceOpen", name=name))
        elif self.report.volume_mm3 <= 0:
            found.append(Sentence("FacesInward", name=name))
        return tuple(found)


def make_models(task: ConversionTask) -> list[MadeModel]:
    """Makes every model of the source.

    Raises:
        BadRequest: a requested structure does not exist.
        TooLarge: the source or a surface exceeds its limit.
        UnusableSource: the source cannot be read, a structure is empty, or no closed surface could
            be made; the message names the structure.
    """
    models: list[MadeModel] = []
    progress = WorkerProgress(task.folder)
    for number, surface in enumerate(surfaces(task.source, task.options, progress), start=1):
        progress.begin(Stage.FINISHING)
        models.append(_written(task, number, surface))
        progress.made(surface.segment.name)
    return models


def _written(task: ConversionTask, number: int, surface: Surface) -> MadeModel:
    name, mesh = surface.segment.name, surface.mesh
    if len(mesh.faces) > task.max_triangles:
        raise TooLarge(
            "SurfaceTooLarge",
            name=name,
            triangles=len(mesh.faces),
            max_triangles=task.max_triangles,
        )
    path = task.folder / f"{number}.stl"
    measured = report(mesh) if surface.is_imported else _checked(mesh, name)
    write_stl(mesh, path)
    textured_model = path.with_suffix(".glb") if surface.write_textured is not None else None
    if surface.write_textured is not None and textured_model is not None:
        surface.write_textured(textured_model)
    note = f"{surface.note}, " if surface.note else ""
    return MadeModel(
        path=path,
        report=measured,
        segment=surface.segment,
        frame_of_reference_uid=surface.frame_of_reference_uid,
        references=surface.references,
        modality=surface.modality,
        parameters="" if surface.is_imported else note + parameters_text(task.options),
        icon=icon_item(shaded(mesh, size_px=ICON_PX, rgb=surface.segment.rgb)),
        textured_model=textured_model,
        missing=surface.missing,
        notes=surface.notes,
    )


def _checked(mesh: Mesh, name: str) -> MeshReport:
    measured = report(mesh)
    if not measured.is_watertight or measured.volume_mm3 <= 0:
        raise UnusableSource(
            "SurfaceNotClosed",
            name=name,
            triangles=measured.triangles,
            volume_mm3=measured.volume_mm3,
        )
    return measured
