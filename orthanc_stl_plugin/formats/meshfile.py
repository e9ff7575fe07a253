"""Surfaces that others made: STL, OBJ, PLY and binary glTF files -> Mesh."""

from __future__ import annotations

import io
import struct
from enum import StrEnum
from typing import Final

import numpy as np
import trimesh
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.glb import LPS_TO_GLTF
from orthanc_stl_plugin.formats.stl import check_count, read_stl, welded
from orthanc_stl_plugin.model.mesh import Mesh

# What the readers of trimesh raise on files that are cut or malformed.
_MALFORMED: Final = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError,
    OSError, RecursionError, TypeError, ValueError, struct.error,
)  # fmt: skip


class MeshFormat(StrEnum):
    """The file formats that are read."""

    STL = "STL"
    OBJ = "OBJ"
    PLY = "PLY"
    GLB = "GLB"


def read_mesh(content: bytes, kind: MeshFormat, max_triangles: int) -> Mesh:
    """The surface in a file, in its own unit; polygons become triangles, colours are left out.

    Axes are those of the file, but for glTF, whose y axis is up (glTF 2.0 section 3.4): they
    become LPS, as `glb.write_glb` has them. Corners of equal coordinates become one vertex.

    Raises:
        TooLarge: it has more than `max_triangles`.
        UnusableSource: it is not of that format, is truncated, or has no triangle.
    """
    if kind is MeshFormat.STL:
        return read_stl(content, max_triangles)
    corners = _corners(content, kind)
    check_count(len(corners), max_triangles, kind)
    if kind is MeshFormat.GLB:
        corners = corners @ LPS_TO_GLTF.astype(np.float32)
    return welded(np.ascontiguousarray(corners), kind)


def _corners(content: bytes, kind: MeshFormat) -> NDArray[np.float32]:
    """(F, 3, 3) float32 corners of all parts, where the scene of the file puts them."""
    try:
        scene = trimesh.load_scene(io.BytesIO(content), file_type=kind.lower(), process=False)
        parts = [part for part in scene.dump() if isinstance(part, trimesh.Trimesh)]
        corners = [part.vertices[part.faces].astype(np.float32) for part in parts]
    except _MALFORMED as error:
        raise UnusableSource(
            f"the document of {len(content)} bytes is no {kind}, or is truncated"
        ) from error
    if not sum(map(len, corners)):
        raise UnusableSource(f"the {kind} document has no triangle")
    return np.concatenate(corners)
