"""How far a mesh is from the reference it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from orthanc_stl_plugin.mesh.self_intersections import count_intersections
from orthanc_stl_plugin.model.mesh import Mesh
from tests.support.voxelise import inside
from tools.report.reference import Reference

MEASURED_VERTICES: Final = 5000
NEAR_FACES: Final = 12
SMALL_VOXELS: Final = 500
MEDIUM_VOXELS: Final = 5000
DICE_TOLERANCE: Final = 0.002


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured.

    Attributes:
        voxels: of the reference.
        triangles: of the mesh.
        is_watertight: each edge lies in two triangles that run through it in opposite directions.
        dice: of the reference and the mesh voxelised on it.
        volume_error_percent: of the mesh, of the reference's volume.
        centroid_mm: distance of the centres of both volumes.
        centroid_limit_mm: what this may be.
        mean_mm: distance of the mesh's vertices to the faces of the reference, in the mean.
        max_mm: the same, the greatest.
        intersections: pairs of triangles that cross; None when there are too many to look at.
    """

    voxels: int
    triangles: int
    is_watertight: bool
    dice: float
    volume_error_percent: float
    centroid_mm: float
    centroid_limit_mm: float
    mean_mm: float
    max_mm: float
    intersections: int | None

    def broken(self, slicer_dice: float | None = None) -> tuple[str, ...]:
        """The limits that are broken, in words; `slicer_dice` is that of Slicer's surface."""
        dice = self._least_dice(slicer_dice)
        volume = 10.0 if self.voxels < MEDIUM_VOXELS else 2.0
        found = []
        if not self.is_watertight:
            found.append("not watertight")
        if not self.dice >= dice:
            found.append(f"Dice {self.dice:.4f} < {dice:.4f}")
        if not abs(self.volume_error_percent) <= volume:
            found.append(f"volume {self.volume_error_percent:+.2f} %, limit {volume:g} %")
        if not self.centroid_mm <= self.centroid_limit_mm:
            limit = self.centroid_limit_mm
            found.append(f"centroid {self.centroid_mm:.3f} mm, limit {limit:.3f} mm")
        return tuple(found)

    def _least_dice(self, slicer_dice: float | None) -> float:
        if slicer_dice is None:
            return 0.95 if self.voxels < SMALL_VOXELS else 0.98
        least = slicer_dice - DICE_TOLERANCE
        return least if self.voxels < MEDIUM_VOXELS else max(least, 0.98)


def measured(mesh: Mesh, reference: Reference) -> Figures:
    """The figures of a mesh whose equal coordinates are one vertex."""
    volume, centroid = _solid(mesh)
    distances = _distances_mm(mesh, reference)
    return Figures(
        voxels=reference.voxels,
        triangles=len(mesh.faces),
        is_watertight=_is_watertight(mesh.faces),
        dice=dice(mesh, reference),
        volume_error_percent=100 * (volume / reference.volume_mm3 - 1),
        centroid_mm=float(np.linalg.norm(centroid - reference.centroid_mm)),
        centroid_limit_mm=max(0.5, float(reference.voxel_size_mm.max()) / 3),
        mean_mm=float(distances.mean()),
        max_mm=float(distances.max()),
        intersections=count_intersections(reference.grid.to_index(mesh.vertices), mesh.faces),
    )


def dice(mesh: Mesh, reference: Reference) -> float:
    """The Dice coefficient of the reference and the mesh voxelised on it."""
    thickness = reference.upper - reference.lower
    found = inside(mesh, reference.grid, reference.layers)
    common, ours, theirs = (
        float(np.count_nonzero(one, axis=(0, 1)) @ thickness)
        for one in (found & reference.mask, found, reference.mask)
    )
    return 2 * common / (ours + theirs)


def _solid(mesh: Mesh) -> tuple[float, NDArray[np.float64]]:
    """Volume, positive when the triangles look outward, and its centre."""
    vertices = mesh.vertices.astype(np.float64)
    middle = vertices.mean(axis=0)
    a, b, c = np.moveaxis((vertices - middle)[mesh.faces], 1, 0)
    parts = np.einsum("fi,fi->f", a, np.cross(b, c)) / 6
    volume = float(parts.sum())
    return volume, middle + parts @ (a + b + c) / 4 / volume


def _is_watertight(faces: NDArray[np.int32]) -> bool:
    starts = faces.astype(np.int64).ravel()
    stops = np.roll(faces, -1, axis=1).astype(np.int64).ravel()
    count = int(faces.max()) + 1
    there, again = np.unique(starts * count + stops, return_counts=True)
    back = np.unique(stops * count + starts)
    return bool((again == 1).all() and np.array_equal(there, back) and (starts != stops).all())


def _distances_mm(mesh: Mesh, reference: Reference) -> NDArray[np.float64]:
    """(N,) distance of some vertices, evenly chosen, to the faces of the reference's voxels.

    Exact to the nearest of the faces whose middles are nearest, in voxels and in mm; it is measured
    along the axes of the grid as if they were perpendicular.
    """
    step = -(-len(mesh.vertices) // MEASURED_VERTICES)
    scale = np.array(reference.grid.voxel_size_mm)
    points = reference.grid.to_index(mesh.vertices[::step]) * scale
    middles, halves = (one * scale for one in _boundary_faces(reference))
    unit = reference.voxel_size_mm
    nearest = np.full(len(points), np.inf)
    for weights in (np.ones(3), 1 / unit):
        tree = cKDTree(middles * weights, balanced_tree=False, compact_nodes=False)
        count = min(NEAR_FACES, len(middles))
        found = tree.query(points * weights, k=np.arange(1, count + 1))[1]
        beyond = np.abs(points[:, np.newaxis] - middles[found]) - halves[found]
        away = np.linalg.norm(np.maximum(beyond, 0), axis=-1).min(axis=1)
        nearest = np.minimum(nearest, away)
    return nearest


def _boundary_faces(reference: Reference) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, 3) middles and half extents of the faces between inside and outside, as indices."""
    mask, low, high = reference.mask, reference.lower, reference.upper
    middle, half = (low + high) / 2, (high - low) / 2
    middles, halves = [], []
    for axis in (0, 1):
        places = np.argwhere(np.diff(mask, axis=axis, prepend=False, append=False))
        layer = places[:, 2]
        centre = places.astype(np.float64)
        centre[:, axis] -= 0.5
        centre[:, 2] = middle[layer]
        extent = np.full(centre.shape, 0.5)
        extent[:, axis] = 0
        extent[:, 2] = half[layer]
        middles.append(centre)
        halves.append(extent)
    is_joined = np.isclose(high[:-1], low[1:])
    for step, end in ((1, high), (-1, low)):
        beside = np.zeros_like(mask)
        inner = slice(None, -1) if step > 0 else slice(1, None)
        other = slice(1, None) if step > 0 else slice(None, -1)
        beside[:, :, inner] = mask[:, :, other] & is_joined
        places = np.argwhere(mask & ~beside)
        middles.append(np.column_stack([places[:, :2], end[places[:, 2]]]))
        halves.append(np.broadcast_to([0.5, 0.5, 0.0], places.shape))
    return np.concatenate(middles), np.concatenate(halves)
