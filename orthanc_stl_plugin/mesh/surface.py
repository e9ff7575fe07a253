"""Meshes of masks and of grey values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.mesh.block_means import Voxels, block_factors, block_means, block_occupancy
from orthanc_stl_plugin.mesh.constrained_smoothing import constrained
from orthanc_stl_plugin.mesh.decimate import simplify, simplify_within
from orthanc_stl_plugin.mesh.laplacian_smoothing import laplacian, taubin
from orthanc_stl_plugin.mesh.marching_cubes import (
    Box,
    Crossings,
    bounding_box,
    crossings,
    memory_order,
    united,
)
from orthanc_stl_plugin.mesh.marching_cubes_tables import MAX_TRIANGLES, cell_tables
from orthanc_stl_plugin.mesh.shape_interpolation import interpolated_slices
from orthanc_stl_plugin.mesh.shared_walls import SharedWalls
from orthanc_stl_plugin.mesh.surface_operators import (
    Floats,
    SurfaceOperators,
    surface_operators,
)
from orthanc_stl_plugin.mesh.vertex_bounds import (
    MARGIN,
    VertexBounds,
    parted,
    untangled,
    vertex_bounds,
)
from orthanc_stl_plugin.mesh.volume_balance import enclosed_volume
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import Mesh, MeshOptions, SmoothingMethod

GREY_REACH = 0.2
"""The limit for smoothing of vertices placed by grey values, as a fraction of the edge."""

BLOCK_REACH = 0.4
"""The same for shares of blocks, which have coarser steps."""

FACES_TOGETHER: Final = 1 << 16
"""The most faces of small surfaces that are smoothed at once: their arrays fit into the cache."""


@dataclass(frozen=True, slots=True, eq=False)
class RawSurface:
    """A surface before smoothing.

    Attributes:
        crossings: its faces, and the edges of the grid that its vertices lie on.
        start: (V,) float32 positions on these edges.
        grid: of the voxels.
        reach: how far constrained smoothing may move a vertex along its normal, as a fraction of
            the shortest edge; None where it is free.
        volume_voxels: what the surface should enclose, or None: what it encloses at the start or,
            where that is the middle of every edge, the voxels within.
    """

    crossings: Crossings
    start: Floats
    grid: Grid
    reach: float | None
    volume_voxels: float | None = None

    def is_like(self, other: RawSurface) -> bool:
        """Whether both can be smoothed at once, as surfaces of masks on the same grid can."""
        same_steps = np.array_equal(self.grid.affine[:, :3], other.grid.affine[:, :3])
        return same_steps and self.is_of_mask and other.is_of_mask

    @property
    def is_of_mask(self) -> bool:
        """Whether the vertices lie in the middle of edges between voxels."""
        return self.reach is None and self.volume_voxels is None


def mask_surface(mask: NDArray[np.bool_ | np.integer], grid: Grid, options: MeshOptions) -> Mesh:
    """The closed surface around the non-zero voxels of a (columns, rows, slices) mask.

    No vertex lies farther than half a voxel, along each axis, from where marching cubes put it. By
    default the volume is that of the voxels, unless the mask had to be reduced to
    `options.resolution`.

    Raises:
        UnusableSource: the mask is empty, or float32 cannot tell neighbouring vertices apart.
    """
    raw = raw_mask_surface(mask, grid, options)
    return reduced(smoothed(raw, options), options)[0]


def isosurface(
    values: Voxels,
    level: float,
    grid: Grid,
    options: MeshOptions,
    upper: float | None = None,
) -> Mesh:
    """The closed surface of where (columns, rows, slices) grey values reach `level`.

    Inside are values of at least `level`, and at most `upper`; NaN is outside. Between voxel
    centres the surface lies where linear interpolation meets the limit; at the border of the volume
    it is closed half a voxel beyond the last centres.

    Raises:
        UnusableSource: no value is inside, or float32 cannot tell neighbouring vertices apart.
    """
    fitted_values, fitted_grid = fitted(values, level, grid, options.resolution, upper)
    raw = raw_isosurface(fitted_values, level, fitted_grid, upper)
    return reduced(smoothed(raw, options), options)[0]


def raw_mask_surface(
    mask: NDArray[np.bool_ | np.integer], grid: Grid, options: MeshOptions
) -> RawSurface:
    """The first step of `mask_surface`.

    Raises:
        UnusableSource: as there.
    """
    volume, grid = _by_memory(mask, grid)
    box = bounding_box(volume)
    # A mask of bool is taken as it lies in memory: a copy of a large one costs much.
    inside, grid = np.asarray(volume[box], dtype=np.bool_), _window(grid, box)
    factors = block_factors(inside.shape, options.resolution)
    if max(factors) == 1:
        finer = interpolated_slices(inside, grid) if options.is_smooth else None
        if finer is not None:
            return _raw_of_slices(*finer, np.count_nonzero(inside) * grid.voxel_volume_mm3)
        surface = crossings(inside)
        return _raw(surface, np.full(surface.axis.size, 0.5, dtype=np.float32), grid, None)
    occupancy = block_occupancy(inside, factors)
    level = min(0.5, float(occupancy.max()) / 2)
    surface = crossings(occupancy >= level)
    start = _interpolated(surface, occupancy, level, None)
    return _raw(surface, start, grid.reduced(factors), BLOCK_REACH)


def _raw_of_slices(distances_mm: Voxels, grid: Grid, volume_mm3: float) -> RawSurface:
    """The surface of a mask whose slices are interpolated: it is as large as the mask."""
    surface = crossings(distances_mm >= 0)
    start = _interpolated(surface, distances_mm, 0, None)
    _check_resolution(grid)
    return RawSurface(surface, start, grid, None, volume_mm3 / grid.voxel_volume_mm3)


def within(values: Voxels, level: float, upper: float | None) -> NDArray[np.bool_]:
    """Which values are inside, see `isosurface`."""
    inside = values >= level
    if upper is not None:
        for index, slab in enumerate(values):
            inside[index] &= slab <= upper
    return inside


def fitted(
    values: Voxels,
    level: float,
    grid: Grid,
    resolution: int,
    upper: float | None = None,
    absent: NDArray[np.bool_] | None = None,
) -> tuple[Voxels, Grid]:
    """What surrounds the inside, see `isosurface`, with as few voxels as `resolution` asks for.

    Their means may join parts that were apart, part what was one, and open cavities or close them.
    Voxels that are `absent` have no value: they are NaN, and beside others no part of a mean.

    Raises:
        UnusableSource: no value is inside.
    """
    volume, grid = _by_memory(values, grid)
    inside = within(volume, level, upper)
    if absent is not None:
        absent = absent.transpose(memory_order(values))
        np.greater(inside, absent, out=inside)
    if not inside.any():
        if upper is None:
            raise UnusableSource("NoVoxelFrom", lowest=level)
        raise UnusableSource("NoVoxelBetween", lowest=level, highest=upper)
    box = bounding_box(inside)
    factors = block_factors(tuple(s.stop - s.start for s in box), resolution)
    del inside  # half as large as 16-bit values
    wide = _widened(box, factors, volume.shape)
    grid, volume = _window(grid, wide), volume[wide]
    absent = absent[wide] if absent is not None else None
    if max(factors) > 1 or absent is not None:
        volume, grid = block_means(volume, factors, absent), grid.reduced(factors)
        if not within(volume, level, upper).any():
            raise UnusableSource("ResolutionTooLow", resolution=resolution)
    return volume, grid


def raw_isosurface(
    values: Voxels, level: float, grid: Grid, upper: float | None = None
) -> RawSurface:
    """The surface of `isosurface` before smoothing, for values that are `fitted`.

    Raises:
        UnusableSource: float32 cannot tell neighbouring vertices apart.
    """
    surface = crossings(within(values, level, upper))
    return _raw(surface, _interpolated(surface, values, level, upper), grid, GREY_REACH)


def smoothed(raw: RawSurface, options: MeshOptions) -> Mesh:
    """The mesh of a surface, smoothed according to the options, with all of its triangles."""
    return smoothed_together([raw], options)[0]


def groups(surfaces: Iterable[RawSurface]) -> Iterator[list[RawSurface]]:
    """The surfaces in groups of such that `smoothed_together` takes, in the same order."""
    group: list[RawSurface] = []
    size = 0
    for surface in surfaces:
        count = len(surface.crossings.faces)
        if group and (size + count > FACES_TOGETHER or not group[0].is_like(surface)):
            yield group
            group, size = [], 0
        group.append(surface)
        size += count
    if group:
        yield group


def smoothed_together(
    surfaces: Sequence[RawSurface], options: MeshOptions, walls: SharedWalls | None = None
) -> list[Mesh]:
    """The meshes of several surfaces as `smoothed` makes them, in less time if they are small.

    With `walls`, those of masks on one lattice have the walls in common by which they touch.
    """
    together = _together(surfaces)
    bounds = vertex_bounds(together.crossings, together.start)
    edges = None
    if walls is not None and together.is_of_mask and options.is_smooth:
        edges = walls.edges([(one.crossings, one.grid) for one in surfaces])
    if walls is None or edges is None:
        points, faces = _smoothed(together, bounds, options)
    else:
        shared = walls.shared(edges, together.crossings.faces, bounds.start)
        points, faces = _smoothed(together, replace(bounds, shared=shared), options)
        walls.keep(edges, bounds.start, points)
    meshes: list[Mesh] = []
    first = face = 0
    for raw in surfaces:
        last, end = first + raw.start.size, face + len(raw.crossings.faces)
        own = parted(points[:, first:last], bounds.start[:, first:last])
        corners = faces[face:end] - np.int32(first)
        if raw.grid.is_mirrored:
            corners = corners.take([0, 2, 1], axis=1)
        meshes.append(Mesh(_in_mm(own, raw.grid), corners))
        first, face = last, end
    return meshes


def _together(surfaces: Sequence[RawSurface]) -> RawSurface:
    """Surfaces that are alike as one; the grid is that of the first, which is as good as another.

    They have no vertices in common: neither do they touch.
    """
    if len(surfaces) == 1:
        return surfaces[0]
    crossed = united([one.crossings for one in surfaces])
    start = np.concatenate([one.start for one in surfaces])
    return replace(surfaces[0], crossings=crossed, start=start)


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """Several meshes as one, without shared vertices."""
    if len(meshes) == 1:
        return meshes[0]
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)]
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate(faces).astype(np.int32),
    )


def reduced(mesh: Mesh, options: MeshOptions) -> tuple[Mesh, float | None]:
    """The mesh with as many triangles as the options allow, and how far it is from it before, mm.

    The distance is measured if `options.max_error_mm` is given.

    Raises:
        UnusableSource: see `simplify`.
    """
    if options.max_error_mm is not None:
        return simplify_within(mesh, options.max_error_mm)
    if options.triangles is not None:
        return simplify(mesh, options.triangles), None
    return mesh, None


def _raw(surface: Crossings, start: Floats, grid: Grid, reach: float | None) -> RawSurface:
    _check_resolution(grid)
    return RawSurface(surface, start, grid, reach)


def _in_mm(points: Floats, grid: Grid) -> Floats:
    """(V, 3) float32 LPS mm of (3, V) float32 points."""
    vertices = np.empty(points.shape[::-1], dtype=np.float32)
    indices = points.astype(np.float64)
    for row in range(3):
        first, second, third, offset = grid.affine[row]
        vertices[:, row] = first * indices[0] + second * indices[1] + third * indices[2] + offset
    return vertices


def _smoothed(
    raw: RawSurface, bounds: VertexBounds, options: MeshOptions
) -> tuple[Floats, NDArray[np.int32]]:
    """(3, V) float32 points in voxel indices, and (F, 3) int32 faces."""
    surface, iterations = raw.crossings, options.iterations
    if not options.is_smooth:
        return bounds.start, surface.faces
    operators = surface_operators(surface.faces, raw.grid.affine[:3, :3])
    match options.method:
        case SmoothingMethod.LAPLACIAN:
            points = bounds.confined(laplacian(bounds.start, operators, iterations))
        case SmoothingMethod.TAUBIN:
            points = bounds.confined(taubin(bounds.start, operators, iterations))
        case _:
            missing = _missing_volumes(raw, operators, bounds.start)
            return constrained(operators, surface.opposite, bounds, missing, iterations, raw.reach)
    areas = operators.area_vectors(bounds.start)
    return untangled(operators, points, bounds.start, areas), surface.faces


def _missing_volumes(raw: RawSurface, operators: SurfaceOperators, start: Floats) -> Floats:
    """(V,) float32 volume, in voxels, enclosed too little at the start near each vertex."""
    if raw.volume_voxels is not None:
        missing = raw.volume_voxels - enclosed_volume(operators, start)
        return np.full(start.shape[1], missing / start.shape[1], dtype=np.float32)
    if raw.reach is not None:
        return np.zeros(start.shape[1], dtype=np.float32)
    of_face = cell_tables().missing_volume.take(raw.crossings.shape // MAX_TRIANGLES)
    missing_volumes: Floats = operators.around @ of_face
    return missing_volumes / np.float32(3)


def _interpolated(surface: Crossings, values: Voxels, level: float, upper: float | None) -> Floats:
    """(V,) float32 positions where the values meet the limit; the middle where one is missing."""
    step = (surface.axis == np.arange(3)[:, np.newaxis]).astype(np.int32)
    lower, higher = (_values_at(values, nodes) for nodes in (surface.lower, surface.lower + step))
    outside = np.where(surface.is_lower_inside, higher, lower)
    limit = np.full(lower.shape, level)
    if upper is not None:
        limit[outside > upper] = upper
    with np.errstate(all="ignore"):
        position = (limit - lower) / (higher - lower)
    position[~np.isfinite(position)] = 0.5
    return np.clip(position, MARGIN, 1 - MARGIN).astype(np.float32)


def _values_at(values: Voxels, nodes: NDArray[np.int32]) -> NDArray[np.float64]:
    """The values at (3, N) nodes, NaN beyond the volume."""
    last = np.array(values.shape)[:, np.newaxis] - 1
    first, second, third = np.clip(nodes, 0, last)
    is_beyond = ((nodes < 0) | (nodes > last)).any(axis=0)
    return np.where(is_beyond, np.nan, values[first, second, third].astype(np.float64))


def _by_memory(values: Voxels, grid: Grid) -> tuple[Voxels, Grid]:
    """The volume and its grid with their axes in the order of memory."""
    if values.shape != grid.shape:
        raise ValueError(f"a volume of {values.shape} voxels on a grid of {grid.shape}")
    order = memory_order(values)
    first, second, third = (grid.shape[axis] for axis in order)
    affine = grid.affine[:, [*order, 3]]
    return values.transpose(order), Grid(
        (first, second, third), affine, grid.frame_of_reference_uid
    )


def _window(grid: Grid, box: Box) -> Grid:
    first, second, third = box
    start = (first.start, second.start, third.start)
    shape = tuple(s.stop - s.start for s in box)
    return grid.window(start, (shape[0], shape[1], shape[2]))


def _widened(box: Box, margins: tuple[int, int, int], shape: tuple[int, ...]) -> Box:
    first, second, third = (
        slice(max(s.start - margin, 0), min(s.stop + margin, size))
        for s, margin, size in zip(box, margins, shape, strict=True)
    )
    return first, second, third


def _check_resolution(grid: Grid) -> None:
    """Vertices at the margin of an edge must keep their distance when rounded to float32."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(grid.shape) + 1) - 1
    farthest = np.abs(grid.to_world(corners.astype(np.float64))).max()
    step = float(np.spacing(np.float32(farthest)))
    smallest = min(grid.voxel_size_mm)
    if smallest * MARGIN < 2 * step:
        raise UnusableSource("VoxelsTooFine", voxel_mm=smallest, distance_mm=farthest, step_mm=step)
