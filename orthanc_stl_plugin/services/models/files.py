"""Stored models as files of other formats, and as pictures: made by a worker, on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, Final, NamedTuple, ParamSpec

from PIL import Image

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.formats.meshes.glb import Material, write_glb
from orthanc_stl_plugin.formats.meshes.obj import write_obj
from orthanc_stl_plugin.formats.meshes.stl import read_stl
from orthanc_stl_plugin.mesh.preview import IVORY, shaded
from orthanc_stl_plugin.model.mesh import Mesh
from orthanc_stl_plugin.services.jobs.waiting_room import Readers
from orthanc_stl_plugin.services.models.stored import (
    GlbDocument,
    Look,
    StlDocument,
    StoredModel,
    glb_document,
    stl_document,
    stored_model,
)
from orthanc_stl_plugin.services.ports.archive import Archive

_P = ParamSpec("_P")


class Limits(NamedTuple):
    """The lowest and the highest value that are allowed."""

    lowest: int
    highest: int

    def __str__(self) -> str:
        return f"{self.lowest} to {self.highest}"


SIZES_PX: Final = Limits(16, 2048)
TURNS_DEGREES: Final = Limits(-360, 360)
TILTS_DEGREES: Final = Limits(-90, 90)


@dataclass(frozen=True, slots=True)
class View:
    """The direction of view, and the size of the square picture.

    Attributes:
        size_px: 16-2048.
        turn_degrees: around to the patient's left, -360 to 360; 0 is the front.
        tilt_degrees: upwards, to look down from above, -90 to 90.

    Raises:
        BadRequest: a value outside its limits.
    """

    size_px: int = 512
    turn_degrees: float = 0.0
    tilt_degrees: float = 0.0

    def __post_init__(self) -> None:
        _check("size", self.size_px, SIZES_PX, "pixels")
        _check("turn", self.turn_degrees, TURNS_DEGREES, "degrees")
        _check("tilt", self.tilt_degrees, TILTS_DEGREES, "degrees")


def _check(name: str, value: float, limits: Limits, unit: str) -> None:
    if not limits.lowest <= value <= limits.highest:
        raise BadRequest("ViewOutOfRange", name=name, value=value, limits=limits, unit=unit)


@dataclass(frozen=True, slots=True)
class ModelTask:
    """Turn the STL file `source` into the file `target`, within the limit."""

    source: Path
    target: Path
    look: Look
    max_triangles: int


class ModelFiles:
    """Converts the models of the archive to other formats."""

    def __init__(self, archive: Archive, readers: Readers, settings: Settings) -> None:
        self._archive = archive
        self._readers = readers
        self._settings = settings

    def stl(self, instance_id: str) -> StlDocument:
        """The STL file as it was stored; see `stl_document`."""
        return stl_document(self._archive, instance_id)

    def find(self, instance_id: str) -> StoredModel:
        """The model of an instance, for the methods below; see `stored_model`."""
        return stored_model(self._archive, instance_id)

    def stored_glb(self, instance_id: str) -> GlbDocument | None:
        """The binary glTF file that was stored with its textures; see `glb_document`."""
        return glb_document(self._archive, instance_id)

    def glb(self, model: StoredModel) -> bytes:
        """Binary glTF, in metres, y up.

        Raises:
            TooLarge: it has more triangles than MaxTriangles.
            UnusableSource: the document is no STL with triangles.
        """
        return self._made(model, stl_to_glb)

    def obj(self, model: StoredModel) -> bytes:
        """Wavefront OBJ, LPS millimetres; raises as `glb`."""
        return self._made(model, stl_to_obj)

    def preview(self, model: StoredModel, view: View) -> bytes:
        """A PNG picture, transparent around the model; raises as `glb`."""
        return self._made(model, stl_to_png, view)

    def _made(
        self,
        model: StoredModel,
        function: Callable[Concatenate[ModelTask, _P], None],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> bytes:
        with self._readers.task_folder() as folder:
            limit = self._settings.max_triangles
            task = ModelTask(folder / "source.stl", folder / "target", model.look, limit)
            task.source.write_bytes(model.document.content)
            self._readers.run(function, task, *args, **kwargs)
            return task.target.read_bytes()


def stl_to_glb(task: ModelTask) -> None:
    """Writes the binary glTF file."""
    material = Material(task.look.rgb or IVORY, task.look.opacity)
    write_glb(_mesh(task), task.target, task.look.name, material)


def stl_to_obj(task: ModelTask) -> None:
    """Writes the OBJ file."""
    write_obj(_mesh(task), task.target, task.look.name)


def stl_to_png(task: ModelTask, view: View) -> None:
    """Writes the picture."""
    picture = shaded(
        _mesh(task),
        size_px=view.size_px,
        turn_degrees=view.turn_degrees,
        tilt_degrees=view.tilt_degrees,
        rgb=task.look.rgb,
    )
    Image.fromarray(picture).save(task.target, "PNG")


def _mesh(task: ModelTask) -> Mesh:
    mesh = read_stl(task.source.read_bytes(), task.max_triangles)
    return mesh.scaled(task.look.millimetres_per_unit)
