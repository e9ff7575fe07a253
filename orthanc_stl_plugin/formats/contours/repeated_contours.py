"""Closed contours of a plane: those without area, and those stored twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import KDTree

from orthanc_stl_plugin.errors import UnusableSource

SAME_POINT_DECIMALS: Final = 3
THINNEST_MM: Final = 0.02
THINNEST_FRACTION: Final = 1e-3
# Two outlines nearer than these, or this part of their width, are one; those between could be.
SAME_OUTLINE_MM: Final = 0.02
THINNEST_WALL_MM: Final = 0.25
SAME_OUTLINE_FRACTION: Final = 0.01


def is_line(contour: NDArray[np.float64]) -> bool:
    """Whether the points, (N, 3) millimetres, lie on a line or coincide, apart from rounding."""
    centred = contour - contour.mean(axis=0)
    extents = np.linalg.svd(centred, compute_uv=False) / np.sqrt(len(contour))
    return bool(extents[1] <= max(THINNEST_MM, THINNEST_FRACTION * extents[0]))


def without_repeats(
    loops: Sequence[NDArray[np.float64]],
) -> tuple[NDArray[np.float64], ...]:
    """The distinct loops, (N, 2) millimetres each: two equal ones would cancel out (even-odd).

    Raises:
        UnusableSource: two are so close to each other all along that they may be one or two.
    """
    once = list({_edge_key(loop): loop for loop in loops}.values())
    if len(once) == 1:
        return tuple(once)
    bounds = np.array([(*loop.min(axis=0), *loop.max(axis=0)) for loop in once])
    pairs = KDTree(bounds).query_pairs(THINNEST_WALL_MM, p=np.inf)
    widths = np.minimum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])
    repeats = {
        max(pair) for pair in pairs if _is_one(once[pair[0]], once[pair[1]], widths[[*pair]].min())
    }
    return tuple(loop for number, loop in enumerate(once) if number not in repeats)


def _is_one(one: NDArray[np.float64], other: NDArray[np.float64], width_mm: float) -> bool:
    # Between corners and midpoints of edges.
    apart = float(shapely.hausdorff_distance(*map(shapely.linearrings, (one, other)), densify=0.5))
    if apart <= min(SAME_OUTLINE_MM, SAME_OUTLINE_FRACTION * width_mm):
        return True
    limit = min(THINNEST_WALL_MM, SAME_OUTLINE_FRACTION * width_mm)
    if apart <= limit:
        raise UnusableSource("ContoursNearlyCoincide", apart_mm=apart, limit_mm=limit)
    return False


def _edge_key(loop: NDArray[np.float64]) -> bytes:
    """A key that is equal for loops with the same edges, whatever their start and direction."""
    rounded = np.round(loop, SAME_POINT_DECIMALS) + 0.0
    points = np.ascontiguousarray(rounded).view(np.complex128)[:, 0]
    edges = np.sort(np.column_stack([points, np.roll(points, -1)]), axis=1)
    return edges[np.lexsort((edges[:, 1], edges[:, 0]))].tobytes()
