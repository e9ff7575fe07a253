"""Solids whose surface, volume and centre are known exactly, and grids to sample them on.

A solid's distance is in mm, negative inside, exact near the surface; its points are LPS mm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import Mesh

type Points = NDArray[np.float64]
type Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Solid:
    """A body in patient space.

    Attributes:
        distance_mm: (..., 3) LPS mm -> (...) mm to the surface, negative inside.
        volume_mm3: its volume.
        centroid_mm: the centre of its volume, LPS.
    """

    distance_mm: Callable[[Points], Points]
    volume_mm3: float
    centroid_mm: Vector


def sphere(radius_mm: float, centre_mm: Vector = (0, 0, 0)) -> Solid:
    def distance(points: Points) -> Points:
        return np.asarray(np.linalg.norm(points - np.array(centre_mm), axis=-1) - radius_mm)

    return Solid(distance, 4 / 3 * np.pi * radius_mm**3, centre_mm)


def torus(ring_mm: float, tube_mm: float, centre_mm: Vector = (0, 0, 0)) -> Solid:
    """A ring around the z axis."""

    def distance(points: Points) -> Points:
        x, y, z = np.moveaxis(points - np.array(centre_mm), -1, 0)
        return np.asarray(np.hypot(np.hypot(x, y) - ring_mm, z) - tube_mm)

    return Solid(distance, 2 * np.pi**2 * ring_mm * tube_mm**2, centre_mm)


def shell(radius_mm: float, thickness_mm: float, centre_mm: Vector = (0, 0, 0)) -> Solid:
    """A hollow sphere; `radius_mm` is that of the middle of its wall."""

    def distance(points: Points) -> Points:
        away = np.linalg.norm(points - np.array(centre_mm), axis=-1)
        return np.asarray(np.abs(away - radius_mm) - thickness_mm / 2)

    outer, inner = radius_mm + thickness_mm / 2, radius_mm - thickness_mm / 2
    return Solid(distance, 4 / 3 * np.pi * (outer**3 - inner**3), centre_mm)


def tilted_cylinder(radius_mm: float, tilt_degrees: float, length_mm: float) -> Solid:
    """A rod through the origin whose axis leans from z towards x; its ends are flat."""
    tilt = np.radians(tilt_degrees)
    axis = np.array([np.sin(tilt), 0, np.cos(tilt)])

    def distance(points: Points) -> Points:
        along = points @ axis
        away = np.linalg.norm(points - along[..., np.newaxis] * axis, axis=-1)
        return np.asarray(np.maximum(away - radius_mm, np.abs(along) - length_mm / 2))

    return Solid(distance, np.pi * radius_mm**2 * length_mm, (0, 0, 0))


LETTER_F_BOXES = (
    ((0.0, 0.0, 0.0), (9.0, 12.0, 44.0)),
    ((9.0, 0.0, 34.0), (34.0, 8.0, 44.0)),
    ((9.0, 0.0, 16.0), (22.0, 12.0, 25.0)),
)
"""Stem, long arm at the top, short arm: no rotation turns this F into its mirror image."""


def letter_f(corner_mm: Vector = (0, 0, 0)) -> Solid:
    """An F that stands along z, its arms along x, with arms of different length and depth."""
    corner = np.array(corner_mm)
    boxes = [(np.array(low), np.array(high)) for low, high in LETTER_F_BOXES]

    def distance(points: Points) -> Points:
        local = points - corner
        distances = [_box_distance(local, low, high) for low, high in boxes]
        return np.asarray(np.min(distances, axis=0), dtype=np.float64)

    volumes = np.array([np.prod(high - low) for low, high in boxes])
    middles = np.array([(high + low) / 2 for low, high in boxes])
    x, y, z = corner + volumes @ middles / volumes.sum()
    return Solid(distance, float(volumes.sum()), (float(x), float(y), float(z)))


def _box_distance(points: Points, low: Points, high: Points) -> Points:
    beyond = np.abs(points - (low + high) / 2) - (high - low) / 2
    outside = np.linalg.norm(np.maximum(beyond, 0), axis=-1)
    return np.asarray(outside + np.minimum(beyond.max(axis=-1), 0))


def tilted_grid(
    spacing_mm: Vector,
    extent_mm: float,
    *,
    angles_degrees: Vector = (17, -23, 31),
    is_left_handed: bool = False,
    centre_mm: Vector = (0, 0, 0),
) -> Grid:
    """A cube of `extent_mm` around a centre, turned by three angles about x, y and z.

    The centre lies off the voxel centres by odd fractions, so that nothing is symmetric by chance.
    """
    turn = np.eye(3)
    for axis, angle in enumerate(np.radians(angles_degrees)):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        about = np.eye(3)
        about[first, first] = about[second, second] = np.cos(angle)
        about[first, second], about[second, first] = -np.sin(angle), np.sin(angle)
        turn = about @ turn
    matrix = turn * np.array(spacing_mm)
    if is_left_handed:
        matrix[:, 1] = -matrix[:, 1]
    columns, rows, slices = (int(np.ceil(extent_mm / size)) + 1 for size in spacing_mm)
    middle = np.array([columns, rows, slices]) / 2 - np.array([0.37, 0.69, 0.28])
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = np.array(centre_mm) - matrix @ middle
    return Grid((columns, rows, slices), affine)


def voxel_centres_mm(grid: Grid) -> Points:
    """(columns, rows, slices, 3) LPS mm."""
    indices = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3)
    return grid.to_world(indices.astype(np.float64)).reshape(*grid.shape, 3)


def upright_grid(spacing_mm: Vector, extent_mm: Vector, shift: float = 0.28) -> Grid:
    """A box of `extent_mm` around the origin; `shift` moves it along z, in voxels."""
    sizes = np.array(spacing_mm)
    columns, rows, slices = (np.ceil(np.array(extent_mm) / sizes).astype(int) + 4).tolist()
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = -sizes * (np.array([columns, rows, slices]) / 2 - [0.37, 0.69, shift])
    return Grid((columns, rows, slices), affine)


def sampled(solid: Solid, grid: Grid) -> NDArray[np.bool_]:
    """The (columns, rows, slices) mask of the voxel centres within a solid."""
    return np.asarray(solid.distance_mm(voxel_centres_mm(grid)) < 0)


def mean_distance_mm(mesh: Mesh, solid: Solid, within_mm: float = np.inf) -> float:
    """From the surface to that of the solid, up to this height above and below the origin."""
    middles, areas, _ = _faces(mesh, within_mm)
    return float(np.average(np.abs(solid.distance_mm(middles)), weights=areas))


def mean_deviation_degrees(mesh: Mesh, solid: Solid, within_mm: float = np.inf) -> float:
    """Of the surface's normals from those of the solid, up to this height."""
    middles, areas, normals = _faces(mesh, within_mm)
    steps = 1e-3 * np.eye(3)
    gradient = np.stack(
        [solid.distance_mm(middles + s) - solid.distance_mm(middles - s) for s in steps], axis=1
    )
    gradient /= np.linalg.norm(gradient, axis=1)[:, np.newaxis]
    cosines = np.clip((normals * gradient).sum(axis=1), -1, 1)
    return float(np.average(np.degrees(np.arccos(cosines)), weights=areas))


def _faces(mesh: Mesh, within_mm: float) -> tuple[Points, Points, Points]:
    """The middles, areas and normals of the faces up to a height above and below the origin."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    middles = corners.mean(axis=1)
    corners, middles = (part[np.abs(middles[:, 2]) < within_mm] for part in (corners, middles))
    vectors = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(vectors, axis=1)
    return middles, areas, vectors / np.maximum(areas, 1e-30)[:, np.newaxis]
