"""What runs in a worker process: from the file of a segmentation to the file of a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orthanc_stl_plugin.errors import TooLarge, UnusableSource
from orthanc_stl_plugin.formats.nifti import foreground, read_nifti
from orthanc_stl_plugin.formats.stl import write_stl
from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.mesh.surface import mask_surface
from orthanc_stl_plugin.model.mesh import MeshOptions, MeshReport


@dataclass(frozen=True, slots=True)
class NiftiTask:
    """Turn the NIfTI file `source` into the STL file `target`, within the limits."""

    source: Path
    target: Path
    options: MeshOptions
    max_bytes: int
    max_triangles: int


def nifti_to_stl(task: NiftiTask) -> MeshReport:
    """Makes one model of all voxels that are set.

    Raises:
        TooLarge: the volume has more than `max_bytes`, or the surface more than `max_triangles`.
        UnusableSource: the file is no NIfTI mask, no voxel is set, or no closed surface came out.
    """
    volume = read_nifti(task.source.read_bytes(), task.max_bytes)
    mask = foreground(volume)
    if not mask.any():
        shape = " x ".join(map(str, volume.grid.shape))
        raise UnusableSource(f"the mask is empty: all of its {shape} voxels are zero")
    mesh = mask_surface(mask, volume.grid, task.options)
    if len(mesh.faces) > task.max_triangles:
        raise TooLarge(
            f"the surface has {len(mesh.faces)} triangles, above MaxTriangles ="
            f" {task.max_triangles}: a lower Resolution makes fewer"
        )
    made = report(mesh)
    if not made.is_watertight or made.volume_mm3 <= 0:
        raise UnusableSource(
            f"no closed surface could be made: {made.triangles} triangles"
            f" enclose {made.volume_mm3:g} mm3"
        )
    write_stl(mesh, task.target)
    return made
