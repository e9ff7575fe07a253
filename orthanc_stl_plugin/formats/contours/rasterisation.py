"""Rasterisation of planes of contours: the share of each voxel of a regular grid that is inside.

Between two joined planes the shape is interpolated from signed distances, and where planes lie far
apart the ends are domes (see `mesh.shape_interpolation`). The distances saturate at
`SATURATION_GAPS` gaps, so that a part ending on a plane ends half-way to the next one. A small
offset, zero on the planes themselves, gives the space between them at least the volume that follows
from their areas; domes take the rest of the volume of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.formats.contours.planes import (
    COARSEST_SPACING_MM,
    PlaneStack,
    coverage,
    is_bridged,
    reaches_mm,
)
from orthanc_stl_plugin.formats.contours.signed_distance import signed_distance
from orthanc_stl_plugin.mesh.shape_interpolation import (
    HIGHEST_DOME,
    THICK,
    Dome,
    between,
    dome,
    growth,
    scale_of_domes,
)
from orthanc_stl_plugin.model.geometry import Grid

FINEST_NEEDED_MM: Final = 0.5
FINE_PIXELS_ACROSS: Final = 64
SMALL_PIXEL_MM: Final = 0.15
LEAST_PIXELS_ACROSS: Final = 16
SMALLEST_RESOLUTION: Final = 16
MARGIN_PIXELS: Final = 2
SATURATION_GAPS: Final = 1.5
FARTHEST_SLICES: Final = 4.0
LARGEST_SCALE: Final = 8.0
OFFSET_STEPS: Final = 8
LARGEST_OFFSET_PIXELS: Final = 4.0


class DrawnPlane:
    """The coverage of a plane, and its signed distances, computed at first use."""

    def __init__(
        self,
        loops: tuple[NDArray[np.float64], ...],
        corner: NDArray[np.float64],
        raster: Raster,
    ) -> None:
        self.image: NDArray[np.float32] = coverage([loops], corner, raster.pixel_mm, raster.shape)[
            0
        ]

    @cached_property
    def distance(self) -> NDArray[np.float32]:
        """Signed distance, (rows, columns) float32, of each pixel in pixels."""
        return signed_distance(self.image)


class Layer(NamedTuple):
    """The space between two heights, filled with one shape.

    Attributes:
        start_mm: its lower face, along the normal.
        stop_mm: its upper face.
        image: (rows, columns) float32 the share of each pixel that is inside.
    """

    start_mm: float
    stop_mm: float
    image: NDArray[np.float32]

    @property
    def volume(self) -> float:
        """What is inside, in mm times pixels."""
        return (self.stop_mm - self.start_mm) * float(self.image.sum(dtype=np.float64))


class End(NamedTuple):
    """What lies beyond a plane that has no neighbour on one side.

    Attributes:
        position_mm: of the plane, along the normal.
        step: 1 or -1, towards the missing neighbour.
        slice_mm: how far away that would be.
        dome: the shape between.
    """

    position_mm: float
    step: int
    slice_mm: float
    dome: Dome


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """The pixels of the planes and the slices of the volume.

    Attributes:
        origin_mm: (2,) in-plane centre of the first pixel.
        pixel_mm: its width and height.
        shape: rows and columns.
        first_mm: the lower face of the first slice, along the normal; it is empty, as is the last.
        step_mm: thickness of a slice.
        slices: their number.
        layer_mm: about the largest thickness of layers between two planes.
    """

    origin_mm: NDArray[np.float64]
    pixel_mm: float
    shape: tuple[int, int]
    first_mm: float
    step_mm: float
    slices: int
    layer_mm: float


def occupancy(
    stack: PlaneStack,
    spacings_mm: NDArray[np.float64],
    resolution: int,
    frame_of_reference_uid: str | None,
    *,
    are_ends_round: bool = True,
) -> tuple[NDArray[np.float32], Grid]:
    """(columns, rows, slices) float32 share of each voxel that is inside, and the grid.

    A pixel is as fine as the smaller width of the structure needs (see `_needed_pixel_mm`), or as
    coarse as `resolution` requires; a slice is a similar whole fraction of the smallest spacing.

    Args:
        stack: the contours.
        spacings_mm: (P,) around each plane; a plane without neighbour extends by half of it.
        resolution: the most voxels along each axis.
        frame_of_reference_uid: of the contours.
        are_ends_round: whether planes that lie far apart end in domes, or all half-way to where
            the next plane would be.

    Raises:
        BadRequest: the resolution is too low to show anything.
    """
    if resolution < SMALLEST_RESOLUTION:
        raise BadRequest("RasterTooCoarse", resolution=resolution, lowest=SMALLEST_RESOLUTION)
    raster = _raster(stack, spacings_mm, resolution)
    values = np.zeros((raster.slices, *raster.shape), dtype=np.float32)
    for layer in _layers(stack, spacings_mm, raster, are_ends_round=are_ends_round):
        _deposit(values, layer, raster)
    np.clip(values, 0, 1, out=values)
    affine = np.eye(4)
    sizes = np.array([raster.pixel_mm, raster.pixel_mm, raster.step_mm])
    affine[:3, :3] = stack.axes.T * sizes
    corner = np.append(raster.origin_mm, raster.first_mm + raster.step_mm / 2)
    affine[:3, 3] = corner @ stack.axes
    rows, columns = raster.shape
    return values.transpose(2, 1, 0), Grid(
        (columns, rows, raster.slices), affine, frame_of_reference_uid
    )


def _raster(stack: PlaneStack, spacings_mm: NDArray[np.float64], resolution: int) -> Raster:
    low, high = stack.bounds_mm
    extent = high - low
    spacing_mm = float(spacings_mm.min())
    reach = 2 * HIGHEST_DOME * reaches_mm(stack.positions_mm, spacings_mm)
    first = float(stack.positions_mm[0] - reach[0, 0])
    length = float(stack.positions_mm[-1] + reach[-1, 1]) - first
    pixel, layer = voxel_size_mm(extent, length, spacing_mm, resolution)
    columns, rows = (np.ceil(extent / pixel).astype(int) + 2 * MARGIN_PIXELS).tolist()
    step, most = layer, resolution - 2
    slices = int(np.ceil(length / step - 1e-3))
    if slices > most:
        slices, step = most, length / most
    return Raster(
        low + pixel * (0.5 - MARGIN_PIXELS),
        pixel,
        (rows, columns),
        first - step,
        step,
        slices + 2,
        layer,
    )


def voxel_size_mm(
    extent_mm: NDArray[np.float64], length_mm: float, spacing_mm: float, resolution: int
) -> tuple[float, float]:
    """The width of a pixel, and the thickness of the layers between planes.

    Args:
        extent_mm: (2,) of the structure in its planes.
        length_mm: along the normal.
        spacing_mm: of the planes, the least.
        resolution: the most voxels along each axis.
    """
    pixel = max(
        float(extent_mm.max()) / (resolution - 2 * MARGIN_PIXELS - 1),
        _needed_pixel_mm(float(extent_mm.min())),
    )
    planes = length_mm / spacing_mm
    parts = max(1, min(round(spacing_mm / pixel), int((resolution - 2) / planes)))
    return pixel, spacing_mm / parts


def _needed_pixel_mm(width_mm: float) -> float:
    """A 64th of the width, but not below 0.15 mm while 16 pixels remain across.

    So a speck takes few triangles, and a small structure is still resolved.
    """
    small = min(SMALL_PIXEL_MM, width_mm / LEAST_PIXELS_ACROSS)
    return min(FINEST_NEEDED_MM, max(width_mm / FINE_PIXELS_ACROSS, small))


def _layers(
    stack: PlaneStack, spacings_mm: NDArray[np.float64], raster: Raster, *, are_ends_round: bool
) -> Iterator[Layer]:
    """Every layer of the structure."""
    positions = stack.positions_mm.tolist()
    reach = reaches_mm(stack.positions_mm, spacings_mm).tolist()
    gaps = np.diff(stack.positions_mm)
    bridged = [False, *is_bridged(gaps, spacings_mm[:-1], spacings_mm[1:]).tolist(), False]
    ends: list[End] = []
    wanted = filled = 0.0
    planes = _drawn(stack, raster, bridged)
    for number, (before, plane, following, last) in enumerate(planes):
        position = positions[number]
        area = float(plane.image.sum(dtype=np.float64))
        for step, distance_mm in zip((-1, 1), reach[number], strict=True):
            wanted += distance_mm * area
            if bridged[number + (step > 0)]:
                continue
            is_thick = THICK * raster.layer_mm <= 2 * distance_mm <= COARSEST_SPACING_MM
            if not (are_ends_round and is_thick):
                faces = sorted((position, position + step * distance_mm))
                yield Layer(faces[0], faces[1], plane.image)
                filled += distance_mm * area
            else:
                neighbour = before if step > 0 else following
                ends.append(_end(position, step, 2 * distance_mm, plane, neighbour, raster))
        if following is not None:
            # The steps to the planes beyond, as if all gaps were as wide as this one.
            around = [
                None if one is None else (one, gaps[number] / gaps[at])
                for one, at in ((before, number - 1), (last, number + 1))
            ]
            faces_mm = (position, positions[number + 1])
            for layer in _between(
                faces_mm, plane, following, around, raster, may_be_larger=are_ends_round
            ):
                filled += layer.volume
                yield layer
    yield from _domes(ends, wanted - filled, raster)


def _drawn(
    stack: PlaneStack, raster: Raster, bridged: list[bool]
) -> Iterator[tuple[DrawnPlane | None, DrawnPlane, DrawnPlane | None, DrawnPlane | None]]:
    """Each plane with the one before and the two after it, None where they are not joined."""
    corner = raster.origin_mm - raster.pixel_mm / 2
    drawn: dict[int, DrawnPlane] = {}
    for number in range(len(stack.loops)):
        needed = [number]
        if bridged[number]:
            needed.append(number - 1)
        if bridged[number + 1]:
            needed.append(number + 1)
            if bridged[number + 2]:
                needed.append(number + 2)
        drawn = {
            index: drawn.get(index) or DrawnPlane(stack.loops[index], corner, raster)
            for index in needed
        }
        yield drawn.get(number - 1), drawn[number], drawn.get(number + 1), drawn.get(number + 2)


def _between(
    faces_mm: tuple[float, float],
    lower: DrawnPlane,
    upper: DrawnPlane,
    around: list[tuple[DrawnPlane, float] | None],
    raster: Raster,
    *,
    may_be_larger: bool,
) -> Iterator[Layer]:
    """The layers from one plane to the next.

    `around` holds the planes before and after the two, and by what their steps are multiplied. The
    volume is what follows from the areas of the two; with `may_be_larger`, that or more.
    """
    start, gap_mm = faces_mm[0], faces_mm[1] - faces_mm[0]
    parts = max(1, round(gap_mm / raster.layer_mm))
    faces = start + gap_mm * np.clip((np.arange(parts + 2) - 0.5) / parts, 0, 1)
    images = [lower.image, *[np.zeros_like(lower.image) for _ in range(parts - 1)], upper.image]
    window = _window(np.maximum(lower.image, upper.image) > 0)
    if parts > 1 and window is not None:
        gap = gap_mm / raster.pixel_mm
        limit = max(SATURATION_GAPS * gap, 2.0)

        def distance(plane: DrawnPlane) -> NDArray[np.float32]:
            return np.clip(plane.distance[window], -limit, limit)

        below, above = distance(lower), distance(upper)
        step = above - below
        before, after = around
        first = growth((below - distance(before[0])) * before[1] if before else None, step, gap)
        last = growth((distance(after[0]) - above) * after[1] if after else None, step, gap)
        shares = np.arange(1, parts) / parts
        blend = between((below, first), (above, last), shares)
        weight = (4 * shares * (1 - shares)).astype(np.float32)[:, np.newaxis, np.newaxis]
        area = ((1 - shares) * lower.image.sum() + shares * upper.image.sum()).sum()
        least = 0.0 if may_be_larger else -LARGEST_OFFSET_PIXELS
        inner = _with_area(blend, weight, float(area), least)
        for image, found in zip(images[1:-1], inner, strict=True):
            image[window] = found
    for index, image in enumerate(images):
        yield Layer(float(faces[index]), float(faces[index + 1]), image)


def _end(
    position_mm: float,
    step: int,
    slice_mm: float,
    plane: DrawnPlane,
    neighbour: DrawnPlane | None,
    raster: Raster,
) -> End:
    size = slice_mm / raster.pixel_mm
    limit = max(FARTHEST_SLICES * size, 2.0)
    distance = np.clip(plane.distance, -limit, limit)
    before = None if neighbour is None else np.clip(neighbour.distance, -limit, limit)
    return End(position_mm, step, slice_mm, dome(distance, before, size))


def _domes(ends: list[End], wanted: float, raster: Raster) -> Iterator[Layer]:
    """The layers beyond the last planes, which together fill `wanted` mm times pixels."""

    def layers(scale: float) -> Iterator[Layer]:
        for end in ends:
            parts = max(1, round(HIGHEST_DOME * end.slice_mm / raster.layer_mm))
            thickness = HIGHEST_DOME * end.slice_mm / parts
            heights = (np.arange(parts) + 0.5) * thickness / end.slice_mm
            images = _shares(end.dome.at(heights, scale, HIGHEST_DOME))
            for number, image in enumerate(images):
                near = end.position_mm + end.step * thickness * number
                far = near + end.step * thickness
                yield Layer(min(near, far), max(near, far), image)

    def filled(scale: float) -> float:
        return sum(layer.volume for layer in layers(scale))

    if ends:
        yield from layers(scale_of_domes(filled, wanted, LARGEST_SCALE))


def _shares(distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """(M, rows, columns) share of each voxel inside, from distances in pixels on M layers."""
    steep = np.abs(np.gradient(distances, axis=0)) if len(distances) > 1 else np.float32(0)
    return np.clip(distances / (1 + steep) + np.float32(0.5), 0, 1)


def _window(inside: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """The rows and columns that are inside, with a margin."""
    if not inside.any():
        return None
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    first_row, first_column = (max(0, int(found[0]) - MARGIN_PIXELS) for found in (rows, columns))
    return (
        slice(first_row, int(rows[-1]) + MARGIN_PIXELS + 1),
        slice(first_column, int(columns[-1]) + MARGIN_PIXELS + 1),
    )


def _with_area(
    distances: NDArray[np.float32], weight: NDArray[np.float32], area: float, least: float
) -> NDArray[np.float32]:
    """Coverage of distances in pixels, offset by `least` or more until it is `area` pixels."""
    low, high, offset = least, LARGEST_OFFSET_PIXELS, 0.0
    images = _shares(distances)
    for _ in range(OFFSET_STEPS):
        missing = area - float(images.sum(dtype=np.float64))
        if (missing < 0 and offset <= least) or abs(missing) < 1e-4 * area:
            break
        low, high = (offset, high) if missing > 0 else (low, offset)
        slope = float((((images > 0) & (images < 1)) * weight).sum(dtype=np.float64))
        newton = offset + missing / slope if slope > 0 else low
        offset = newton if low < newton < high else (low + high) / 2
        images = _shares(distances + weight * np.float32(offset))
    return images


def _deposit(values: NDArray[np.float32], layer: Layer, raster: Raster) -> None:
    """Adds a layer to the slices that it overlaps, weighted by the share of the slice it fills."""
    start = (layer.start_mm - raster.first_mm) / raster.step_mm
    stop = (layer.stop_mm - raster.first_mm) / raster.step_mm
    for index in range(max(0, int(start + 1e-6)), min(int(np.ceil(stop - 1e-6)), raster.slices)):
        share = min(stop, index + 1) - max(start, index)
        values[index] += np.float32(share) * layer.image
