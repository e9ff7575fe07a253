"""Triangle meshes, their measurements, and the options for making them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import BadRequest


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A surface.

    Attributes:
        vertices: (V, 3) float32, LPS millimetres.
        faces: (F, 3) int32 indices of vertices, counter-clockwise seen from outside.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]

    def __post_init__(self) -> None:
        if self.vertices.ndim != 2 or self.vertices.shape[1] != 3:
            raise ValueError(f"vertices of shape {self.vertices.shape}, not (V, 3)")
        if self.faces.ndim != 2 or self.faces.shape[1] != 3:
            raise ValueError(f"faces of shape {self.faces.shape}, not (F, 3)")
        if self.vertices.dtype != np.float32 or self.faces.dtype != np.int32:
            raise ValueError(f"dtypes {self.vertices.dtype}, {self.faces.dtype}")

    def scaled(self, factor: float) -> Mesh:
        """The mesh scaled by `factor`."""
        return Mesh(self.vertices * np.float32(factor), self.faces)


@dataclass(frozen=True, slots=True)
class MeshReport:
    """The measurements of a mesh.

    Attributes:
        triangles: number of faces.
        volume_mm3: signed enclosed volume, positive when the faces point outward.
        area_mm2: surface area.
        bounds_mm: the lowest and the highest LPS coordinates.
        centroid_mm: centre of the enclosed volume, LPS.
        is_watertight: after welding equal coordinates, each edge belongs to exactly two faces,
            which run along it in opposite directions.
    """

    triangles: int
    volume_mm3: float
    area_mm2: float
    bounds_mm: tuple[tuple[float, float, float], tuple[float, float, float]]
    centroid_mm: tuple[float, float, float]
    is_watertight: bool


class SmoothingMethod(StrEnum):
    """The methods of smoothing away the voxel staircase of a surface."""

    CONSTRAINED = "Constrained"
    TAUBIN = "Taubin"
    LAPLACIAN = "Laplacian"
    NONE = "None"


MIN_RESOLUTION = 2
MAX_RESOLUTION = 1024
MAX_ITERATIONS = 200
MIN_TRIANGLES = 100
MIN_ERROR_MM = 0.001
MAX_ERROR_MM = 100.0


@dataclass(frozen=True, slots=True)
class MeshOptions:
    """The options for making a surface.

    Attributes:
        resolution: the maximum number of voxels along an axis, after cropping; larger objects are
            reduced by block means, and nothing is ever enlarged.
        method: of the smoothing.
        iterations: of the smoothing, 0-200.
        triangles: the maximum number of triangles, or None.
        max_error_mm: as few triangles as lie within this distance of the surface before, or None.

    Raises:
        BadRequest: a value outside its limits, or two bounds that are alternatives.
    """

    resolution: int = 256
    method: SmoothingMethod = SmoothingMethod.CONSTRAINED
    iterations: int = 15
    triangles: int | None = None
    max_error_mm: float | None = None

    def __post_init__(self) -> None:
        if not MIN_RESOLUTION <= self.resolution <= MAX_RESOLUTION:
            raise BadRequest(
                "ResolutionOutOfRange",
                resolution=self.resolution,
                lowest=MIN_RESOLUTION,
                highest=MAX_RESOLUTION,
            )
        if not 0 <= self.iterations <= MAX_ITERATIONS:
            raise BadRequest(
                "IterationsOutOfRange", iterations=self.iterations, highest=MAX_ITERATIONS
            )
        if self.triangles is not None and self.triangles < MIN_TRIANGLES:
            raise BadRequest("TooFewTriangles", triangles=self.triangles, lowest=MIN_TRIANGLES)
        if self.max_error_mm is not None:
            self._check_max_error(self.max_error_mm)

    def _check_max_error(self, max_error_mm: float) -> None:
        if not MIN_ERROR_MM <= max_error_mm <= MAX_ERROR_MM:
            raise BadRequest(
                "MaxErrorOutOfRange",
                max_error_mm=max_error_mm,
                lowest=MIN_ERROR_MM,
                highest=MAX_ERROR_MM,
            )
        if self.triangles is not None:
            raise BadRequest("ReductionContradiction")

    @property
    def is_smooth(self) -> bool:
        """Whether the surface is to be anything but that of the voxels."""
        return self.method is not SmoothingMethod.NONE and self.iterations > 0
