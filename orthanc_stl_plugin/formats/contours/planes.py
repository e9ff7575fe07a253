"""Closed planar contours, sorted into parallel planes, with their areas and thicknesses.

The planes are those of the contours, whatever the images. On a plane, a point is inside if a ray
from it crosses an odd number of edges, whatever the winding: nested contours are holes, and
keyholes close (PS3.3 C.8.8.6.3). Along the normal:

- two planes no further apart than `BRIDGED_SPACINGS` spacings are joined, the shape between them
being interpolated from their signed distances; a wider gap splits the structure;
- the spacing may change along the structure: two wider gaps in a row that are alike are one, up to
`COARSEST_SPACING_MM`;
- where nothing is joined, a plane reaches half a spacing beyond itself;
- so a plane is as thick as half of what separates it from either neighbour, and the volume is the
sum of area times thickness.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.contours.repeated_contours import without_repeats

BRIDGED_SPACINGS: Final = 2.05
ALIKE_GAPS: Final = 0.25
FARTHEST_MM: Final = 1e9  # beyond, squares and cubes of coordinates lose precision in float64
COARSEST_SPACING_MM: Final = 10.5
DEFAULT_SPACING_MM: Final = 3.0
MERGED_FRACTION: Final = 0.1
MERGED_MM: Final = 0.15
SCANLINES_PER_ROW: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class PlaneStack:
    """Closed contours, sorted into parallel planes.

    Attributes:
        axes: (3, 3) float64, orthonormal and right-handed; its rows are the LPS directions of
            columns, rows and the normal.
        positions_mm: (P,) float64, ascending, of the planes along the normal.
        loops: for each plane its contours, (N, 2) float64 millimetres along the first two axes.
    """

    axes: NDArray[np.float64]
    positions_mm: NDArray[np.float64]
    loops: tuple[tuple[NDArray[np.float64], ...], ...]

    @property
    def bounds_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The in-plane bounds: lowest and highest coordinates, (2,) each."""
        points = np.concatenate([loop for plane in self.loops for loop in plane])
        return points.min(axis=0), points.max(axis=0)


def stack_planes(contours: Sequence[NDArray[np.float64]]) -> PlaneStack:
    """The planes of closed contours, (N, 3) LPS millimetres each; repeated contours count once.

    Raises:
        UnusableSource: they enclose no area, do not lie on parallel planes, or lie too far away.
    """
    farthest_mm = max(float(np.abs(contour).max()) for contour in contours)
    if farthest_mm > FARTHEST_MM:
        raise UnusableSource("ContoursTooFarOut", farthest_mm=farthest_mm, limit_mm=FARTHEST_MM)
    axes = _axes(_common_normal(contours))
    local = [contour @ axes.T for contour in contours]
    spreads = np.array([np.ptp(points[:, 2]) for points in local])
    extent = max(float(np.ptp(points[:, :2], axis=0).max()) for points in local)
    tolerance = float(np.clip(0.01 * extent, 0.02, 0.5))
    if spreads.max() > tolerance:
        raise UnusableSource(
            "ContoursNotOnParallelPlanes", spread_mm=spreads.max(), limit_mm=tolerance
        )
    heights = np.array([points[:, 2].mean() for points in local])
    plane_of = _cluster(heights, spreads)
    count = int(plane_of.max()) + 1
    loops = tuple(
        without_repeats([local[i][:, :2] for i in np.flatnonzero(plane_of == plane)])
        for plane in range(count)
    )
    positions = np.array([heights[plane_of == plane].mean() for plane in range(count)])
    return PlaneStack(axes, positions, loops)


def _common_normal(contours: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The direction along which each contour extends least, with arbitrary sign.

    The area vector of a contour would give it too, but is zero for a figure of eight.
    """
    scatter = np.zeros((3, 3))
    for contour in contours:
        centred = contour - contour.mean(axis=0)
        scatter += centred.T @ centred / len(contour)
    sizes, directions = np.linalg.eigh(scatter)
    if sizes[1] < 1e-9:
        raise UnusableSource("ContoursEncloseNoArea")
    normal = np.asarray(directions[:, 0], dtype=np.float64)
    main = int(np.abs(normal).argmax())
    if abs(normal[main]) > 1 - 1e-12:
        normal = np.eye(3)[main]
    return np.asarray(normal * np.sign(normal[main]))


def _axes(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    reference = np.eye(3)[1 if abs(normal[0]) > 0.9 else 0]
    column = reference - (reference @ normal) * normal
    column /= np.linalg.norm(column)
    return np.array([column, np.cross(normal, column), normal])


def _cluster(heights: NDArray[np.float64], spreads_mm: NDArray[np.float64]) -> NDArray[np.intp]:
    """The plane number of each height.

    Heights within a tenth of the typical gap, up to `MERGED_MM`, are one plane: they may be
    rounded. So are heights whose difference the unevenness of their contours explains, up to half
    of the typical gap.
    """
    order = np.argsort(heights, kind="stable")
    gaps = np.diff(heights[order])
    noise = spreads_mm[order[1:]] + spreads_mm[order[:-1]]
    wide = gaps[gaps > np.maximum(1e-3, noise / 2)]
    typical = float(np.quantile(wide, 0.75)) if wide.size else np.inf
    rounding = max(1e-3, min(MERGED_FRACTION * typical, MERGED_MM))
    limit = np.maximum(np.minimum(noise, typical / 2), rounding)
    plane_of = np.zeros(len(heights), dtype=np.intp)
    plane_of[order[1:]] = np.cumsum(gaps > limit)
    return plane_of


def typical_gap_mm(positions_mm: NDArray[np.float64]) -> float | None:
    """The spacing of planes: the lower median of their gaps, averaged over those 5 % around it.

    None for a single plane.
    """
    gaps = np.sort(np.diff(positions_mm))
    if not gaps.size:
        return None
    median = gaps[(len(gaps) - 1) // 2]
    return float(gaps[np.abs(gaps - median) <= 0.05 * median].mean())


def local_spacings_mm(positions_mm: NDArray[np.float64], spacing_mm: float) -> NDArray[np.float64]:
    """(P,) float64: the spacing of the planes around each, `spacing_mm` or a wider regular one."""
    gaps = np.diff(positions_mm)
    local = np.full(len(positions_mm), spacing_mm)
    for below, above in itertools.pairwise(range(len(gaps))):
        wider, narrower = max(gaps[below], gaps[above]), min(gaps[below], gaps[above])
        if wider <= min(COARSEST_SPACING_MM, (1 + ALIKE_GAPS) * narrower):
            local[below : above + 2] = np.maximum(local[below : above + 2], wider)
    return local


def reaches_mm(
    positions_mm: NDArray[np.float64], spacings_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(P, 2) float64: how far each plane extends down and up.

    That is half of the gap to a joined neighbour, else half of the spacing around it.
    """
    gaps = np.diff(positions_mm)
    bridged = is_bridged(gaps, spacings_mm[:-1], spacings_mm[1:])
    last = gaps[[0, -1]] if gaps.size else spacings_mm[[0, 0]]
    down = np.where(bridged, gaps, np.minimum(spacings_mm[1:], gaps))
    up = np.where(bridged, gaps, np.minimum(spacings_mm[:-1], gaps))
    first, end = np.minimum(spacings_mm[[0, -1]], last)
    return np.column_stack([np.append(first, down), np.append(up, end)]) / 2


def is_bridged(
    gaps_mm: NDArray[np.float64],
    spacings_mm: NDArray[np.float64] | float,
    others_mm: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Whether the planes on both sides of each gap, with those spacings, are joined."""
    return np.asarray(gaps_mm <= BRIDGED_SPACINGS * np.minimum(spacings_mm, others_mm))


def is_facing(stack: PlaneStack) -> NDArray[np.bool_]:
    """(P - 1,) whether the rectangles around the contours of a plane and of the next overlap."""
    points = [np.concatenate(loops) for loops in stack.loops]
    low = np.array([plane.min(axis=0) for plane in points])
    high = np.array([plane.max(axis=0) for plane in points])
    return np.asarray(((low[:-1] <= high[1:]) & (high[:-1] >= low[1:])).all(axis=1))


def coverage(
    planes: Sequence[Sequence[NDArray[np.float64]]],
    origin_mm: NDArray[np.float64],
    pixel_mm: float,
    shape: tuple[int, int],
    scanlines: int = SCANLINES_PER_ROW,
) -> NDArray[np.float32]:
    """(planes, rows, columns) float32: the share of each pixel that is inside, even-odd.

    It is exact along a row and sampled by `scanlines` lines across it.

    Args:
        planes: for each plane its closed loops, (N, 2) millimetres as (column, row) direction.
        origin_mm: (2,) the outer corner of the first pixel; no loop may reach beyond the image.
        pixel_mm: width and height of a pixel.
        shape: rows and columns.
        scanlines: number of lines for each row of pixels.
    """
    rows, columns = shape
    lines_per_plane = rows * scanlines
    starts, stops, bases = _edges(planes, lines_per_plane)
    if not len(starts):
        return np.zeros((len(planes), rows, columns), dtype=np.float32)
    unit = np.array([pixel_mm, pixel_mm / scanlines])
    shift = np.array([0.0, 0.5])
    line, x = _crossings(
        (starts - origin_mm) / unit - shift, (stops - origin_mm) / unit - shift, bases
    )
    order = np.lexsort((x, line))
    line, x = line[order], x[order]
    enters = np.where(np.arange(len(x)) % 2 == 0, 1.0, -1.0)
    column = np.floor(x).astype(np.intp)
    inside = x - column
    cell = (line // scanlines) * (columns + 1) + column
    size = len(planes) * rows * (columns + 1) + 1
    steps = np.bincount(cell, enters * (1 - inside), size)
    steps += np.bincount(cell + 1, enters * inside, size)
    grid = steps[:-1].reshape(len(planes), rows, columns + 1)[:, :, :-1]
    return np.clip(np.cumsum(grid, axis=2) / scanlines, 0, 1).astype(np.float32)


def _edges(
    planes: Sequence[Sequence[NDArray[np.float64]]], lines_per_plane: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Both ends of every edge, (E, 2) each, and the first scanline of the edge's plane, (E,)."""
    loops = [(loop, plane) for plane, loops in enumerate(planes) for loop in loops]
    if not loops:
        return np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, dtype=np.intp)
    starts = np.concatenate([loop for loop, _ in loops])
    stops = np.concatenate([np.roll(loop, -1, axis=0) for loop, _ in loops])
    plane_of = np.repeat([plane for _, plane in loops], [len(loop) for loop, _ in loops])
    return starts, stops, plane_of * lines_per_plane


def _crossings(
    starts: NDArray[np.float64], stops: NDArray[np.float64], bases: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Line number and x of each crossing of an edge and a scanline at integer y.

    An edge includes its lower end but not its upper one: a loop crosses a line an even number of
    times.
    """
    first = np.ceil(np.minimum(starts[:, 1], stops[:, 1])).astype(np.intp)
    counts = np.ceil(np.maximum(starts[:, 1], stops[:, 1])).astype(np.intp) - first
    edge = np.repeat(np.arange(len(starts)), counts)
    within = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    y = first[edge] + within
    rise = (stops - starts)[edge]
    part = np.clip((y - starts[edge, 1]) / rise[:, 1], 0, 1)
    x = starts[edge, 0] + part * rise[:, 0]
    return bases[edge] + y, x


def regions(loops: Sequence[NDArray[np.float64]]) -> NDArray[np.object_]:
    """(N,) shapely polygons: the even-odd interior of each closed loop, (M, 2) millimetres."""
    loop_of = np.repeat(np.arange(len(loops)), [len(loop) for loop in loops])
    found = shapely.polygons(shapely.linearrings(np.concatenate(loops), indices=loop_of))
    for number in np.flatnonzero(~shapely.is_valid(found)).tolist():
        found[number] = _even_odd(loops[number])
    return np.asarray(found)


def _even_odd(loop: NDArray[np.float64]) -> shapely.Geometry:
    """The even-odd interior of a loop that crosses, touches or retraces itself.

    `shapely.make_valid` treats edges that are drawn twice differently.
    """
    lines = shapely.node(shapely.linearrings(loop))
    faces = shapely.get_parts(shapely.polygonize([lines]))
    x, y = shapely.get_coordinates(shapely.point_on_surface(faces))[:, :, np.newaxis].swapaxes(0, 1)
    (x1, y1), (x2, y2) = loop.T, np.roll(loop, -1, axis=0).T
    with np.errstate(divide="ignore", invalid="ignore"):
        is_crossed = ((y1 > y) != (y2 > y)) & (x1 + (y - y1) / (y2 - y1) * (x2 - x1) > x)
    return shapely.union_all(faces[is_crossed.sum(axis=1) % 2 == 1])


def areas_mm2(stack: PlaneStack) -> NDArray[np.float64]:
    """(P,) float64: the even-odd area enclosed by the contours of each plane."""
    areas = np.zeros(len(stack.loops))
    for plane, loops in enumerate(stack.loops):
        inside = regions(loops)
        while len(inside) > 1:
            pairs = shapely.symmetric_difference(inside[:-1:2], inside[1::2])
            inside = np.append(pairs, inside[2 * len(pairs) :])
        areas[plane] = shapely.area(inside[0])
    return areas


def volume_mm3(stack: PlaneStack, spacings_mm: NDArray[np.float64]) -> float:
    """Sum over the planes of enclosed area times thickness."""
    return float(areas_mm2(stack) @ reaches_mm(stack.positions_mm, spacings_mm).sum(axis=1))
