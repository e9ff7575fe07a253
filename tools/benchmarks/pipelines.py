"""The pipelines to compare: from voxels in memory to STL files."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.ndimage import find_objects

from orthanc_stl_plugin.formats.meshes.stl import write_stl
from orthanc_stl_plugin.formats.volumes.nifti import NiftiVolume
from orthanc_stl_plugin.formats.volumes.nifti_labels import (
    label_map,
    present,
    segments,
    structures,
)
from orthanc_stl_plugin.mesh.marching_cubes import bounding_box
from orthanc_stl_plugin.mesh.surface import (
    groups,
    mask_surface,
    raw_mask_surface,
    smoothed_together,
)
from orthanc_stl_plugin.model.mesh import Mesh, MeshOptions
from tools.benchmarks.inputs import Case, Voxels
from tools.vtk_surfaces import arrays, image, slicer_filter, vtk

OURS: Final = "ours"
NETS: Final = "SurfaceNets"
SLICER: Final = "Slicer"
OFFICIAL: Final = "official"
CONTENDERS: Final = (OURS, NETS, SLICER, OFFICIAL)


def run(contender: str, case: Case, voxels: Voxels, folder: Path) -> None:
    """Writes the model, or one for each label, as STL files: all by the same writer, ours."""
    for number, mesh in meshes(contender, case, voxels):
        write_stl(mesh, folder / f"{contender}-{number}.stl")


def meshes(contender: str, case: Case, voxels: Voxels) -> Iterator[tuple[int, Mesh]]:
    """The surfaces of a contender with their labels."""
    match contender:
        case "ours":
            return _ours(case, voxels)
        case "SurfaceNets":
            return _surface_nets(case, voxels)
        case "Slicer":
            return _slicer(case, voxels)
        case _:
            return _official(case, voxels)


def labels_of(voxels: Voxels) -> list[int]:
    """The numbers of the labels present."""
    return (np.flatnonzero(np.bincount(voxels.ravel(order="K"))[1:]) + 1).tolist()


def _ours(case: Case, voxels: Voxels) -> Iterator[tuple[int, Mesh]]:
    """As `services.models.surfaces` does."""
    options = MeshOptions(resolution=case.resolution)
    grid = case.grid(voxels)
    if not case.is_labels:
        yield 1, mask_surface(voxels, grid, options)
        return
    labels = label_map(NiftiVolume(voxels, grid))
    wanted = present(labels, segments(labels, {}))
    numbers = iter([segment.number for segment in wanted])
    parts = structures(labels, wanted)
    raw = (raw_mask_surface(part.mask, part.grid, options) for part in parts)
    for group in groups(raw):
        for mesh in smoothed_together(group, options):
            yield next(numbers), mesh


def _surface_nets(case: Case, voxels: Voxels) -> Iterator[tuple[int, Mesh]]:
    """All labels in one pass with VTK's default smoothing, then split by label."""
    support = import_module("vtkmodules.util.numpy_support")
    numbers = labels_of(voxels)
    filt = vtk().vtkSurfaceNets3D()
    filt.SetInputData(image(voxels, case.spacing_mm))
    for place, number in enumerate(numbers):
        filt.SetValue(place, number)
    filt.SetOutputMeshTypeToTriangles()
    filt.Update()
    surface = filt.GetOutput()
    points, faces = arrays(surface)
    points = points.astype(np.float32)
    beside = support.vtk_to_numpy(surface.GetCellData().GetArray("BoundaryLabels"))
    for number in numbers:
        inner, outer = (faces[beside[:, side] == number] for side in (0, 1))
        own = np.concatenate([inner, outer[:, ::-1]])
        used, corners = np.unique(own, return_inverse=True)
        yield number, Mesh(points[used], corners.reshape(-1, 3).astype(np.int32))


def _slicer(case: Case, voxels: Voxels) -> Iterator[tuple[int, Mesh]]:
    """The rule of 3D Slicer for each label within its bounds; see `slicer_filter`."""
    boxes = find_objects(voxels) if case.is_labels else [bounding_box(voxels.T)[::-1]]
    for number, box in enumerate(boxes, start=1):
        if box is not None:
            smoothing = slicer_filter(voxels[box] == number, case.spacing_mm)
            smoothing.Update()
            points, faces = arrays(smoothing.GetOutput())
            first = np.array([side.start for side in box]) * case.spacing_mm
            yield number, Mesh((points + first).astype(np.float32), faces)


def _official(case: Case, voxels: Voxels) -> Iterator[tuple[int, Mesh]]:
    for number in labels_of(voxels):
        points, faces = arrays(_official_surface(case, (voxels == number).view(np.uint8)))
        yield number, Mesh(points.astype(np.float32), faces)


def _official_surface(case: Case, mask: Voxels) -> Any:
    """The filters and parameters of Orthanc's official STL plugin, as of 2026.

    It resizes to a cube of the resolution, pads by one voxel, takes the middle of the range as
    level and smooths by 15 steps of 0.1; all else is VTK's default, the number of threads too.
    """
    package = vtk()
    numpy_support = import_module("vtkmodules.util.numpy_support")
    size = case.resolution
    volume = package.vtkImageData()
    volume.SetDimensions(*mask.shape)
    volume.SetSpacing(*case.spacing_mm)
    volume.GetPointData().SetScalars(numpy_support.numpy_to_vtk(mask.ravel(order="F"), deep=False))

    resize = package.vtkImageResize()
    resize.SetInputData(volume)
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
    normals.Update()
    return normals.GetOutput()
