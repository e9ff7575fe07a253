"""Where voxels lie in the patient: an affine to LPS millimetres, at voxel centres."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import TooLarge, UnusableSource

SMALLEST_VOXEL_MM: Final = 1e-6
LARGEST_COORDINATE_MM: Final = 1e7
UNBOUNDED: Final = 1 << 62
"""More bytes than any volume has; see `Grid.require_at_most`."""


@dataclass(frozen=True, slots=True)
class ImagePlane:
    """The position of a stored image that a segmentation was made from.

    Attributes:
        sop_instance_uid: its UID.
        series_instance_uid: the UID of its series.
        position_mm: ImagePositionPatient, LPS.
        orientation: ImageOrientationPatient.
        pixel_spacing_mm: between rows, then between columns; None where it is not known.
        shape: rows and columns; None where they are not known.
        thickness_mm: SliceThickness, or None.
    """

    sop_instance_uid: str
    series_instance_uid: str
    position_mm: tuple[float, float, float]
    orientation: tuple[float, float, float, float, float, float]
    pixel_spacing_mm: tuple[float, float] | None = None
    shape: tuple[int, int] | None = None
    thickness_mm: float | None = None

    @property
    def normal(self) -> NDArray[np.float64]:
        """(3,) float64: the direction across it."""
        return np.cross(self.orientation[:3], self.orientation[3:])


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A regular grid of voxels in patient space.

    Attributes:
        shape: number of voxels as (columns, rows, slices).
        affine: (4, 4) float64, maps a voxel index (column, row, slice, 1) to LPS millimetres;
            integers are voxel centres (PS3.3 C.7.6.2.1.1).
        frame_of_reference_uid: the frame of reference of these millimetres, or None.

    Raises:
        UnusableSource: the affine is not finite or is singular, or a voxel has no extent.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    frame_of_reference_uid: str | None = None

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise UnusableSource("VolumeWithoutInside", shape=self.shape)
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise UnusableSource("AffineNotFinite")
        if np.abs(affine).max() > LARGEST_COORDINATE_MM:
            raise UnusableSource(
                "AffineTooLarge", value=np.abs(affine).max(), limit_mm=LARGEST_COORDINATE_MM
            )
        sizes = np.linalg.norm(affine[:3, :3], axis=0)
        if sizes.min() < SMALLEST_VOXEL_MM:
            raise UnusableSource(
                "VoxelWithoutExtent", width_mm=sizes[0], height_mm=sizes[1], depth_mm=sizes[2]
            )
        if abs(np.linalg.det(affine[:3, :3] / sizes)) < 1e-6:
            raise UnusableSource("AffineSingular")
        affine.flags.writeable = False
        object.__setattr__(self, "affine", affine)

    @property
    def voxel_size_mm(self) -> tuple[float, float, float]:
        """The distance between neighbouring voxel centres along columns, rows and slices."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def voxel_volume_mm3(self) -> float:
        """The volume of one voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def is_mirrored(self) -> bool:
        """Whether the voxel axes are left-handed, which reverses the winding of triangles."""
        return bool(np.linalg.det(self.affine[:3, :3]) < 0)

    def require_at_most(self, max_bytes: int, bytes_per_voxel: int) -> None:
        """Checks the size of the voxels in memory.

        Raises:
            TooLarge: they take more than `max_bytes`.
        """
        columns, rows, slices = self.shape
        needed = columns * rows * slices * bytes_per_voxel
        if needed > max_bytes:
            raise TooLarge(
                "VolumeTooLarge",
                columns=columns,
                rows=rows,
                slices=slices,
                needed_bytes=needed,
                limit_bytes=max_bytes,
                max_volume_mib=max_bytes >> 20,
            )

    def require_memory(self, bytes_per_voxel: int) -> None:
        """Checks that work on the voxels fits into the memory that this process may have.

        Raises:
            TooLarge: it does not.
        """
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        columns, rows, slices = self.shape
        needed = columns * rows * slices * bytes_per_voxel
        if limit != resource.RLIM_INFINITY and needed > limit:
            raise TooLarge(
                "VolumeAboveMemory",
                columns=columns,
                rows=rows,
                slices=slices,
                needed_mib=needed >> 20,
                limit_mib=limit >> 20,
            )

    def to_world(self, indices: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 3) LPS millimetres from (N, 3) voxel indices."""
        matrix = self.affine[:3, :3]
        return np.asarray(indices, dtype=np.float64) @ matrix.T + self.affine[:3, 3]

    def to_index(self, points_mm: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 3) fractional voxel indices from (N, 3) LPS millimetres."""
        offset = np.asarray(points_mm, dtype=np.float64) - self.affine[:3, 3]
        return np.asarray(np.linalg.solve(self.affine[:3, :3], offset.T).T)

    def window(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Grid:
        """The grid of a block of `shape` voxels that starts at `start`, which may be negative."""
        affine = self.affine.copy()
        affine[:3, 3] = self.to_world(np.array([start], dtype=np.float64))[0]
        return Grid(shape, affine, self.frame_of_reference_uid)

    def reduced(self, factors: tuple[int, int, int]) -> Grid:
        """The grid whose voxels each cover `factors` voxels; the last may extend beyond this."""
        scale = np.array(factors, dtype=np.float64)
        affine = self.affine.copy()
        affine[:3, :3] = self.affine[:3, :3] * scale
        affine[:3, 3] = self.to_world(((scale - 1) / 2)[np.newaxis])[0]
        columns, rows, slices = (
            -(-size // factor) for size, factor in zip(self.shape, factors, strict=True)
        )
        return Grid((columns, rows, slices), affine, self.frame_of_reference_uid)
