"""STL, binary: 80 bytes of header, a count, then 50 bytes for each triangle."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from orthanc_stl_plugin.model.mesh import Mesh

MEDIA_TYPE: Final = "model/stl"
HEADER_BYTES: Final = 84
_HEADER: Final = b"binary STL, DICOM patient coordinates (LPS), millimetres"
_TRIANGLE: Final = np.dtype(
    [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")]
)


def write_stl(mesh: Mesh, path: Path) -> None:
    """Writes `mesh` to `path`: LPS millimetres, unit normals outward."""
    triangles = np.zeros(len(mesh.faces), dtype=_TRIANGLE)
    corners = mesh.vertices[mesh.faces]
    triangles["corners"] = corners
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    np.divide(normals, lengths, out=triangles["normal"], where=lengths > 0)
    with path.open("wb") as file:
        file.write(_HEADER.ljust(80))
        file.write(np.uint32(len(triangles)).tobytes())
        triangles.tofile(file)


def is_binary(content: bytes) -> bool:
    """True when the length of `content` is what the count in a binary header asks for."""
    if len(content) < HEADER_BYTES:
        return False
    triangles = int.from_bytes(content[80:HEADER_BYTES], "little")
    return len(content) == HEADER_BYTES + triangles * _TRIANGLE.itemsize
