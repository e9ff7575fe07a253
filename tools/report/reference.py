"""What a model is held against: the voxels of a structure, or the slabs of its contours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.model.geometry import Grid

MARGIN = 2


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A mask of layers, which need not be equally thick.

    Attributes:
        mask: (columns, rows, layers) bool, with an empty margin all around.
        grid: places columns and rows, and the slices that the layers are counted in.
        layers: (layers,) slice index at which each layer is seen.
        lower: (layers,) slice index at which it begins.
        upper: (layers,) slice index at which it ends.
    """

    mask: NDArray[np.bool_]
    grid: Grid
    layers: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    @property
    def voxels(self) -> int:
        return int(np.count_nonzero(self.mask))

    @property
    def volume_mm3(self) -> float:
        per_layer = np.count_nonzero(self.mask, axis=(0, 1))
        return float(per_layer @ (self.upper - self.lower)) * self.grid.voxel_volume_mm3

    @property
    def centroid_mm(self) -> NDArray[np.float64]:
        thickness = self.upper - self.lower
        by_row = np.count_nonzero(self.mask, axis=0)
        column = np.count_nonzero(self.mask, axis=1) @ thickness
        row = by_row @ thickness
        layer = by_row.sum(axis=0) * thickness
        middle = (self.lower + self.upper) / 2
        places = [np.arange(len(column)), np.arange(len(row)), middle]
        index = [
            place @ weights / weights.sum()
            for place, weights in zip(places, (column, row, layer), strict=True)
        ]
        return np.asarray(self.grid.to_world(np.array([index]))[0])

    @property
    def voxel_size_mm(self) -> NDArray[np.float64]:
        """(3,) the sides of a voxel; of the thickest layer."""
        return np.array(self.grid.voxel_size_mm) * [1, 1, (self.upper - self.lower).max()]


def voxel_reference(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> Reference:
    """The reference of a mask on a regular grid; `affine` is that of the grid, LPS mm."""
    columns, rows, slices = mask.shape
    grid = Grid((columns, rows, slices), affine).window(
        (-MARGIN, -MARGIN, -MARGIN),
        (columns + 2 * MARGIN, rows + 2 * MARGIN, slices + 2 * MARGIN),
    )
    layers = np.arange(grid.shape[2], dtype=np.float64)
    return Reference(np.pad(mask, MARGIN), grid, layers, layers - 0.5, layers + 0.5)


def cropped_reference(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> Reference:
    """The same, without what is empty around the mask."""
    bounds = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    box = tuple(slice(int(found[0]), int(found[-1]) + 1) for found in bounds)
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ [found[0] for found in bounds]
    return voxel_reference(mask[box], moved)
