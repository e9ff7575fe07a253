"""Surfaces of label maps as VTK makes them: the rule of 3D Slicer, and SurfaceNets.

VTK is not among the development tools: `pip install --group bench`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Labels = NDArray[np.bool_ | np.uint8]


def vtk() -> Any:
    """The package."""
    return import_module("vtk")


def slicer_filter(labels: Labels, spacing_mm: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Any:
    """The filter, not yet run, for label 1 of (columns, rows, slices): points in mm from index 0.

    As 3D Slicer makes closed surfaces of segments by default: flying edges, then 20 steps of a
    windowed sinc filter whose pass band, .01, follows from its smoothing factor of .5.
    """
    package = vtk()
    edges = package.vtkDiscreteFlyingEdges3D()
    edges.SetInputData(image(labels, spacing_mm))
    edges.SetValue(0, 1)
    edges.ComputeNormalsOff()
    edges.ComputeGradientsOff()
    smoothing = package.vtkWindowedSincPolyDataFilter()
    smoothing.SetInputConnection(edges.GetOutputPort())
    smoothing.SetNumberOfIterations(20)
    smoothing.SetPassBand(0.01)
    smoothing.BoundarySmoothingOff()
    smoothing.FeatureEdgeSmoothingOff()
    smoothing.NonManifoldSmoothingOn()
    smoothing.NormalizeCoordinatesOn()
    return smoothing


def image(labels: Labels, spacing_mm: tuple[float, ...]) -> Any:
    """A vtkImageData with a copy of (columns, rows, slices) labels, and an empty margin."""
    support = import_module("vtkmodules.util.numpy_support")
    padded = np.pad(labels.view(np.uint8), 1)
    found = vtk().vtkImageData()
    found.SetDimensions(*padded.shape)
    found.SetSpacing(*spacing_mm)
    found.SetOrigin(*(-one for one in spacing_mm))
    found.GetPointData().SetScalars(support.numpy_to_vtk(padded.ravel(order="F"), deep=True))
    return found


def arrays(surface: Any) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """(V, 3) points and (F, 3) faces of a vtkPolyData of triangles."""
    support = import_module("vtkmodules.util.numpy_support")
    points = support.vtk_to_numpy(surface.GetPoints().GetData()).astype(np.float64)
    faces = support.vtk_to_numpy(surface.GetPolys().GetConnectivityArray())
    return points, faces.reshape(-1, 3).astype(np.int32)
