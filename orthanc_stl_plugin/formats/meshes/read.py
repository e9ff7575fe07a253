"""Surfaces from files to attach: STL, OBJ, PLY and binary glTF, with their textures and colours."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import trimesh
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.meshes.glb import LPS_TO_GLTF
from orthanc_stl_plugin.formats.meshes.glb_container import Json
from orthanc_stl_plugin.formats.meshes.import_glb import check_glb, is_textured, placed
from orthanc_stl_plugin.formats.meshes.import_obj import plain_obj
from orthanc_stl_plugin.formats.meshes.import_ply import lowest_index, plain_ply
from orthanc_stl_plugin.formats.meshes.materials import no_pictures, read_paint, textured_parts
from orthanc_stl_plugin.formats.meshes.sidecar_files import SidecarFiles, unzipped
from orthanc_stl_plugin.formats.meshes.stl import check_count, read_stl, welded
from orthanc_stl_plugin.formats.meshes.textured_glb import (
    TexturedPart,
    has_paint,
    write_textured_glb,
)
from orthanc_stl_plugin.formats.meshes.textures import Textures
from orthanc_stl_plugin.model.mesh import Mesh

# What trimesh's readers raise for truncated or malformed files.
_MALFORMED: Final = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NameError, NotImplementedError,
    OSError, RecursionError, TypeError, ValueError, struct.error,
)  # fmt: skip

# The fewest float32 steps that the shape must extend over: with fewer, rounding moves its details
# and sides visibly.
_FEWEST_STEPS: Final = 4096


class MeshFormat(StrEnum):
    """The supported file formats; a ZIP archive holds a file in one of the others."""

    STL = "STL"
    OBJ = "OBJ"
    PLY = "PLY"
    GLB = "GLB"
    ZIP = "ZIP"


# glTF fixes the unit and the up axis (glTF 2.0 section 3.4); the other formats do not state them.
_MILLIMETRES: Final = {MeshFormat.GLB: 1000.0}
_Y_UP: Final = frozenset({MeshFormat.GLB})


@dataclass(frozen=True, slots=True)
class MeshFile:
    """A file as the client sent it.

    Attributes:
        content: its bytes.
        kind: its format.
        sidecar_files: files that it refers to: materials, pictures.
        millimetres_per_unit: the size of its unit; None for the default of its format.
        is_y_up: its y axis points up, else its z axis; None for the default of its format.
    """

    content: bytes
    kind: MeshFormat
    sidecar_files: SidecarFiles = field(default_factory=SidecarFiles)
    millimetres_per_unit: float | None = None
    is_y_up: bool | None = None


@dataclass(frozen=True, slots=True)
class MeshLimits:
    """The maximum number of triangles, of pixels in all textures, and of bytes in an archive."""

    triangles: int
    texture_pixels: int
    unpacked_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class ImportedModel:
    """A surface read from a file.

    Attributes:
        mesh: LPS mm; corners with equal coordinates are one vertex.
        write_textured: writes it with its textures and colours to a path, as binary glTF in metres
            with y up; None if it has neither.
        missing: names of files that it refers to and that were not sent with it.
    """

    mesh: Mesh
    write_textured: Callable[[Path], None] | None = None
    missing: tuple[str, ...] = ()


def read_mesh(file: MeshFile, limits: MeshLimits) -> ImportedModel:
    """The surface in a file; polygons become triangles.

    With z up, the axes are taken as LPS; with y up, they are turned as `glb.write_glb` writes them.

    Raises:
        TooLarge: it is above a limit.
        UnusableSource: it does not have that format, is truncated, has no triangle, or is so far
            from the origin that float32 would round its shape away.
    """
    if file.kind is MeshFormat.ZIP:
        file = _unpacked(file, limits)
    scale = file.millimetres_per_unit or _MILLIMETRES.get(file.kind, 1.0)
    is_y_up = file.is_y_up if file.is_y_up is not None else file.kind in _Y_UP
    mesh, write_textured, missing = _read(file, limits, scale / 1000, is_y_up=is_y_up)
    _check_place(mesh, file.kind)
    turned = Mesh(mesh.vertices @ LPS_TO_GLTF.astype(np.float32), mesh.faces) if is_y_up else mesh
    return ImportedModel(turned.scaled(scale), write_textured, missing)


def _read(
    file: MeshFile, limits: MeshLimits, metres_per_unit: float, *, is_y_up: bool
) -> tuple[Mesh, Callable[[Path], None] | None, tuple[str, ...]]:
    """The surface in the unit and axes of the file."""
    if file.kind is MeshFormat.STL:
        return read_stl(file.content, limits.triangles), None, ()
    textures = Textures(limits.texture_pixels)
    if file.kind is MeshFormat.GLB:
        document = _understood(file, lambda: check_glb(file.content, textures, limits.triangles))
        mesh = _joined(_parts(file, file.content, {}), file.kind, limits.triangles)
        has_appearance = _understood(file, lambda: is_textured(document))
        write = partial(_write_placed, file.content, document, metres_per_unit, is_y_up)
        return mesh, write if has_appearance else None, ()
    plain = plain_obj if file.kind is MeshFormat.OBJ else plain_ply
    content = _understood(file, lambda: plain(file.content))
    paint = read_paint(content, file.kind == MeshFormat.PLY, file.sidecar_files, textures)
    found = _parts(file, content, {"resolver": no_pictures(paint)})
    mesh = _joined(found, file.kind, limits.triangles)
    parts = _understood(file, lambda: textured_parts(found, paint))
    rotation = np.eye(3) if is_y_up else LPS_TO_GLTF
    write_parts = partial(_write_parts, parts, rotation, metres_per_unit)
    return mesh, write_parts if has_paint(parts) else None, paint.missing


def _write_placed(
    content: bytes, document: Json, metres_per_unit: float, is_y_up: bool, path: Path
) -> None:
    path.write_bytes(placed(content, document, metres_per_unit, is_y_up=is_y_up))


def _write_parts(
    parts: list[TexturedPart], rotation: NDArray[np.floating], metres_per_unit: float, path: Path
) -> None:
    write_textured_glb(parts, path, rotation, metres_per_unit)


def _understood[T](file: MeshFile, read: Callable[[], T]) -> T:
    try:
        return read()
    except _MALFORMED as error:
        raise UnusableSource(
            "ModelUnreadable", bytes=len(file.content), format=file.kind
        ) from error


def _parts(file: MeshFile, content: bytes, options: Mapping[str, Any]) -> list[trimesh.Trimesh]:
    """All parts of a file with that content, at their positions in its scene."""

    def load() -> list[trimesh.Trimesh]:
        stream = io.BytesIO(content)
        scene = trimesh.load_scene(stream, file_type=file.kind.lower(), process=False, **options)
        parts = [part for part in scene.dump() if isinstance(part, trimesh.Trimesh)]
        for part in parts:
            _check_indices(part, file.kind)
        return parts

    return _understood(file, load)


def _joined(parts: list[trimesh.Trimesh], kind: MeshFormat, max_triangles: int) -> Mesh:
    count = sum(len(part.faces) for part in parts)
    if not count:
        raise UnusableSource("ModelEmpty", format=kind)
    check_count(count, max_triangles, kind)
    corners = [part.vertices[part.faces].astype(np.float32) for part in parts]
    return welded(np.ascontiguousarray(np.concatenate(corners)), kind)


def _check_indices(part: trimesh.Trimesh, kind: MeshFormat) -> None:
    if part.vertices.ndim != 2 or part.vertices.shape[1] != 3:
        raise UnusableSource("ModelNotThreeDimensional", format=kind)
    lowest, highest = part.faces.min(initial=0), part.faces.max(initial=-1)
    if kind is MeshFormat.PLY:
        # With texture coordinates, trimesh has renumbered the vertices.
        lowest = min(lowest, lowest_index(part.metadata["_ply_raw"]))
    if lowest < 0 or highest >= len(part.vertices):
        wrong = lowest if lowest < 0 else highest
        raise UnusableSource(
            "ModelVertexMissing", format=kind, vertex=wrong, count=len(part.vertices)
        )


def _check_place(mesh: Mesh, kind: MeshFormat) -> None:
    extent = float(np.ptp(mesh.vertices, axis=0).max())
    largest = np.abs(mesh.vertices).max()
    if extent < _FEWEST_STEPS * float(np.spacing(largest)):
        raise UnusableSource(
            "ModelTooFarFromOrigin", format=kind, coordinate=largest, extent=extent
        )


def _unpacked(file: MeshFile, limits: MeshLimits) -> MeshFile:
    """The only model in an archive, with the files beside it."""
    files = unzipped(file.content, limits.unpacked_bytes)
    kinds = {name: PurePosixPath(name).suffix[1:].upper() for name in files}
    models = sorted(name for name in files if kinds[name] in MeshFormat and kinds[name] != "ZIP")
    if len(models) != 1:
        raise UnusableSource("ZipModelCount", count=len(models))
    [name] = models
    return MeshFile(
        files[name],
        MeshFormat(kinds[name]),
        SidecarFiles.of(files),
        file.millimetres_per_unit,
        file.is_y_up,
    )
