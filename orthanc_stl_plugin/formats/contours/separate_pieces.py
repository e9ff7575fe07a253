"""Contours that belong together: the separate pieces of a region of interest.

A region may be a few dots far apart. Rasterised as a whole, its voxels would be as coarse as the
distance between the dots asks for; rasterised apart, they are as fine as each dot needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from orthanc_stl_plugin.formats.contours.planes import PlaneStack, is_bridged

_TOUCHING_MM: Final = 0.5


def pieces(
    stack: PlaneStack, spacings_mm: NDArray[np.float64]
) -> list[tuple[PlaneStack, NDArray[np.float64]]]:
    """The parts of a stack that no plane, and no two joined planes, connect, and their spacings.

    The order is stable; the spacings, here and there, are those around each plane.

    Two contours are connected when the rectangles around them, on one plane or on planes that
    interpolation bridges, come closer than half a millimetre.
    """
    planes = np.repeat(np.arange(len(stack.loops)), [len(plane) for plane in stack.loops])
    loops = [loop for plane in stack.loops for loop in plane]
    low = np.array([loop.min(axis=0) for loop in loops]) - _TOUCHING_MM / 2
    high = np.array([loop.max(axis=0) for loop in loops]) + _TOUCHING_MM / 2
    links = list(_links(stack.positions_mm, planes, low, high, spacings_mm))
    one, other = np.concatenate(links, axis=1) if links else np.empty((2, 0), dtype=np.intp)
    ones = np.ones(len(one), dtype=np.int8)
    graph = coo_array((ones, (one, other)), shape=(len(loops), len(loops)))
    count, piece_of = connected_components(graph, directed=False)
    if count == 1:
        return [(stack, spacings_mm)]
    return [
        _piece(stack, spacings_mm, planes, loops, piece_of == number) for number in range(count)
    ]


def _links(
    positions_mm: NDArray[np.float64],
    planes: NDArray[np.intp],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    spacings_mm: NDArray[np.float64],
) -> Iterator[NDArray[np.intp]]:
    """(2, N) pairs of contours whose rectangles overlap."""
    starts = np.searchsorted(planes, np.arange(len(positions_mm) + 1))
    for plane, position in enumerate(positions_mm):
        own = slice(starts[plane], starts[plane + 1])
        near = is_bridged(positions_mm[plane:] - position, spacings_mm[plane], spacings_mm[plane:])
        others = slice(starts[plane], starts[plane + int(np.argmin([*near, False]))])
        overlaps = (low[own, np.newaxis] <= high[others]) & (high[own, np.newaxis] >= low[others])
        first, second = np.nonzero(overlaps.all(axis=2))
        yield np.stack([first, second]) + starts[plane]


def _piece(
    stack: PlaneStack,
    spacings_mm: NDArray[np.float64],
    planes: NDArray[np.intp],
    loops: list[NDArray[np.float64]],
    is_member: NDArray[np.bool_],
) -> tuple[PlaneStack, NDArray[np.float64]]:
    used = np.unique(planes[is_member])
    members = [np.flatnonzero(is_member & (planes == plane)) for plane in used]
    piece = PlaneStack(
        stack.axes,
        stack.positions_mm[used],
        tuple(tuple(loops[index] for index in found) for found in members),
    )
    return piece, spacings_mm[used]
