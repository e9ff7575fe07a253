"""Rasterisation of planes of contours: the share of each voxel of a regular grid that is inside.

Between two joined planes the shape is interpolated from signed distances (Raya and Udupa, 1990).
The distances saturate at `SATURATION_GAPS` gaps, so that a part ending on a plane ends half-way to
the next one. A small offset, zero on the planes themselves, gives the space between them the volume
that follows from their areas.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.formats.contours.planes import PlaneStack, coverage, is_bridged, reaches_mm
from orthanc_stl_plugin.formats.contours.signed_distance import signed_distance
from orthanc_stl_plugin.model.geometry import Grid

FINEST_NEEDED_MM: Final = 0.5
FINE_PIXELS_ACROSS: Final = 64
SMALL_PIXEL_MM: Final = 0.15
LEAST_PIXELS_ACROSS: Final = 16
SMALLEST_RESOLUTION: Final = 16
MARGIN_PIXELS: Final = 2
SATURATION_GAPS: Final = 1.5
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
    """The space between two heights, filled with one interpolated shape.

    Attributes:
        start_mm: its lower face, along the normal.
        stop_mm: its upper face.
        plane: the plane at or below it.
        fraction: the position of its shape between that plane (0) and the next (1).
    """

    start_mm: float
    stop_mm: float
    plane: int
    fraction: float


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
) -> tuple[NDArray[np.float32], Grid]:
    """(columns, rows, slices) float32 share of each voxel that is inside, and the grid.

    A pixel is as fine as the smaller width of the structure needs (see `_needed_pixel_mm`), or as
    coarse as `resolution` requires; a slice is a similar whole fraction of the smallest spacing.

    Args:
        stack: the contours.
        spacings_mm: (P,) around each plane; a plane without neighbour extends by half of it.
        resolution: the most voxels along each axis.
        frame_of_reference_uid: of the contours.

    Raises:
        BadRequest: the resolution is too low to show anything.
    """
    if resolution < SMALLEST_RESOLUTION:
        raise BadRequest(f"resolution {resolution} is below the least, {SMALLEST_RESOLUTION}")
    raster = _raster(stack, spacings_mm, resolution)
    values = np.zeros((raster.slices, *raster.shape), dtype=np.float32)
    for layer, image in _layer_images(stack, spacings_mm, raster):
        _deposit(values, layer, image, raster)
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
    reach = reaches_mm(stack.positions_mm, spacings_mm)
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
    stack: PlaneStack, spacings_mm: NDArray[np.float64], raster: Raster
) -> Iterator[list[Layer]]:
    """For each plane, the layers from it to the next; those of the last extend to the end."""
    positions = stack.positions_mm.tolist()
    reach = reaches_mm(stack.positions_mm, spacings_mm).tolist()
    gaps = np.diff(stack.positions_mm)
    bridged = [*is_bridged(gaps, spacings_mm[:-1], spacings_mm[1:]).tolist(), False]
    yield [Layer(positions[0] - reach[0][0], positions[0], 0, 0.0)]
    for plane, position in enumerate(positions):
        if not bridged[plane]:
            yield [Layer(position, position + reach[plane][1], plane, 0.0)]
            if plane + 1 < len(positions):
                following = positions[plane + 1]
                yield [Layer(following - reach[plane + 1][0], following, plane + 1, 0.0)]
            continue
        gap = positions[plane + 1] - position
        parts = max(1, round(gap / raster.layer_mm))
        faces = position + gap * np.clip((np.arange(parts + 2) - 0.5) / parts, 0, 1)
        yield [
            Layer(float(faces[i]), float(faces[i + 1]), plane, i / parts) for i in range(parts + 1)
        ]


def _layer_images(
    stack: PlaneStack, spacings_mm: NDArray[np.float64], raster: Raster
) -> Iterator[tuple[Layer, NDArray[np.float32]]]:
    """Every layer and its (rows, columns) float32 coverage."""
    corner = raster.origin_mm - raster.pixel_mm / 2
    drawn: dict[int, DrawnPlane] = {}
    for layers in _layers(stack, spacings_mm, raster):
        plane = layers[0].plane
        needed = range(plane, plane + 1 if len(layers) == 1 else plane + 2)
        drawn = {
            index: drawn.get(index) or DrawnPlane(stack.loops[index], corner, raster)
            for index in needed
        }
        yield from _between(layers, drawn[plane], drawn[needed[-1]], raster)


def _between(
    layers: list[Layer], lower: DrawnPlane, upper: DrawnPlane, raster: Raster
) -> Iterator[tuple[Layer, NDArray[np.float32]]]:
    inner = [layer for layer in layers if 0 < layer.fraction < 1]
    for layer in layers:
        if layer.fraction in {0, 1}:
            yield layer, upper.image if layer.fraction else lower.image
    window = _window(np.maximum(lower.image, upper.image) > 0)
    if not inner or window is None:
        return
    gap = (layers[-1].stop_mm - layers[0].start_mm) / raster.pixel_mm
    limit = max(SATURATION_GAPS * gap, 2.0)
    below, above = (np.clip(plane.distance[window], -limit, limit) for plane in (lower, upper))
    fractions = np.array([layer.fraction for layer in inner], dtype=np.float32)[:, None, None]
    blend = below * (1 - fractions) + above * fractions
    weight = 4 * fractions * (1 - fractions)
    area = ((1 - fractions) * lower.image.sum() + fractions * upper.image.sum()).sum()
    for layer, image in zip(inner, _with_area(blend, weight, float(area)), strict=True):
        full = np.zeros(raster.shape, dtype=np.float32)
        full[window] = image
        yield layer, full


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
    distances: NDArray[np.float32], weight: NDArray[np.float32], area: float
) -> NDArray[np.float32]:
    """Coverage of signed distances in pixels, offset until it adds up to `area` pixels."""
    low, high, offset = -LARGEST_OFFSET_PIXELS, LARGEST_OFFSET_PIXELS, 0.0
    images: NDArray[np.float32] = np.clip(distances + 0.5, 0, 1)
    for _ in range(OFFSET_STEPS):
        missing = area - float(images.sum(dtype=np.float64))
        if abs(missing) < 1e-4 * area:
            break
        low, high = (offset, high) if missing > 0 else (low, offset)
        slope = float((((images > 0) & (images < 1)) * weight).sum(dtype=np.float64))
        newton = offset + missing / slope if slope > 0 else low
        offset = newton if low < newton < high else (low + high) / 2
        images = np.clip(distances + weight * offset + 0.5, 0, 1)
    return images


def _deposit(
    values: NDArray[np.float32], layer: Layer, image: NDArray[np.float32], raster: Raster
) -> None:
    """Adds a layer to the slices that it overlaps, weighted by the share of the slice it fills."""
    start = (layer.start_mm - raster.first_mm) / raster.step_mm
    stop = (layer.stop_mm - raster.first_mm) / raster.step_mm
    for index in range(max(0, int(start + 1e-6)), min(int(np.ceil(stop - 1e-6)), raster.slices)):
        share = min(stop, index + 1) - max(start, index)
        values[index] += np.float32(share) * image
