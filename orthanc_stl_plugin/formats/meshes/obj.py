"""Wavefront OBJ: text, in the coordinates of the mesh."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin import __version__
from orthanc_stl_plugin.model.mesh import Mesh

MEDIA_TYPE: Final = "model/obj"
_LINES_AT_ONCE: Final = 1 << 16


def write_obj(mesh: Mesh, path: Path, name: str) -> None:
    """Writes `mesh` to `path` as the object `name`: LPS millimetres, exact to float32."""
    one_line = " ".join("".join(filter(str.isprintable, part)) for part in name.split())
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"# orthanc_stl_plugin {__version__}\n")
        file.write("# DICOM patient coordinates (LPS), millimetres: x to the patient's left,")
        file.write(" y to the back, z to the head\n")
        file.write(f"o {one_line or 'model'}\n")
        for vertices in _parts(mesh.vertices):
            file.write("v %.9g %.9g %.9g\n" * len(vertices) % tuple(vertices.ravel().tolist()))
        for faces in _parts(mesh.faces):
            file.write("f %d %d %d\n" * len(faces) % tuple((faces.ravel() + 1).tolist()))


def _parts(rows: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    return [rows[at : at + _LINES_AT_ONCE] for at in range(0, len(rows), _LINES_AT_ONCE)]
