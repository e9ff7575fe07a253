"""The two pipelines to compare: from voxels in memory to an STL file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from orthanc_stl_plugin.formats.meshes.stl import write_stl
from orthanc_stl_plugin.formats.volumes.nifti import NiftiVolume
from orthanc_stl_plugin.formats.volumes.nifti_labels import (
    label_map,
    present,
    segments,
    structures,
)
from orthanc_stl_plugin.mesh.surface import (
    groups,
    mask_surface,
    raw_mask_surface,
    smoothed_together,
)
from orthanc_stl_plugin.model.mesh import MeshOptions
from tools.benchmarks.inputs import Case, Voxels

OURS: Final = "ours"
VTK: Final = "VTK"


def run(contender: str, case: Case, voxels: Voxels, folder: Path) -> int:
    """Writes the model, or one for each label, and returns the number of triangles."""
    pipeline = _ours if contender == OURS else _vtk
    return pipeline(case, voxels, folder)


def vtk() -> Any:
    """The package, which is not among the development tools."""
    return import_module("vtk")


def _ours(case: Case, voxels: Voxels, folder: Path) -> int:
    """As `services.surfaces` and `services.convert` do."""
    options = MeshOptions(resolution=case.resolution)
    grid = case.grid(voxels)
    if not case.is_labels:
        mesh = mask_surface(voxels, grid, options)
        write_stl(mesh, folder / "ours.stl")
        return len(mesh.faces)
    labels = label_map(NiftiVolume(voxels, grid))
    parts = structures(labels, present(labels, segments(labels, {})))
    raw = (raw_mask_surface(part.mask, part.grid, options) for part in parts)
    meshes = (mesh for group in groups(raw) for mesh in smoothed_together(group, options))
    triangles = 0
    for number, mesh in enumerate(meshes):
        write_stl(mesh, folder / f"ours-{number}.stl")
        triangles += len(mesh.faces)
    return triangles


def _vtk(case: Case, voxels: Voxels, folder: Path) -> int:
    if not case.is_labels:
        return _official(case, voxels, folder / "vtk.stl")
    triangles = 0
    for number in set(np.flatnonzero(np.bincount(voxels.ravel(order="K")))) - {0}:
        mask = (voxels == number).view(np.uint8)
        triangles += _official(case, mask, folder / f"vtk-{number}.stl")
    return triangles


def _official(case: Case, mask: Voxels, path: Path) -> int:
    """The filters and parameters of Orthanc's official STL plugin, as of 2026.

    It resizes to a cube of the resolution, pads by one voxel, takes the middle of the range as
    level and smooths by 15 steps of 0.1; all else is VTK's default, the number of threads too. Its
    own STL writer is slower than VTK's, which is used here.
    """
    package = vtk()
    numpy_support = import_module("vtkmodules.util.numpy_support")
    size = case.resolution
    image = package.vtkImageData()
    image.SetDimensions(*mask.shape)
    image.SetSpacing(*case.spacing_mm)
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(mask.ravel(order="F"), deep=False))

    resize = package.vtkImageResize()
    resize.SetInputData(image)
    resize.SetOutputDimensions(size, size, size)
    resize.Update()

    padding = package.vtkImageConstantPad()
    padding.SetInputData(resize.GetOutput())
    padding.SetConstant(0)
    padding.SetOutputNumberOfScalarComponents(1)
    padding.SetOutputWholeExtent(-1, size, -1, size, -1, size)
    padding.Update()

    surface = package.vtkMarchingCubes()
    surface.SetInputData(padding.GetOutput())
    surface.ComputeNormalsOn()
    surface.SetValue(0, sum(padding.GetOutput().GetScalarRange()) / 2)

    smoothing = package.vtkSmoothPolyDataFilter()
    smoothing.SetInputConnection(surface.GetOutputPort())
    smoothing.SetNumberOfIterations(15)
    smoothing.SetRelaxationFactor(0.1)
    smoothing.FeatureEdgeSmoothingOff()
    smoothing.BoundarySmoothingOn()

    normals = package.vtkPolyDataNormals()
    normals.SetInputConnection(smoothing.GetOutputPort())
    normals.ComputePointNormalsOn()
    normals.ComputeCellNormalsOn()

    writer = package.vtkSTLWriter()
    writer.SetInputConnection(normals.GetOutputPort())
    writer.SetFileTypeToBinary()
    writer.SetFileName(str(path))
    writer.Write()
    return int(normals.GetOutput().GetNumberOfPolys())
