"""Contours of one plane that cross each other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.formats.contours.planes import PlaneStack, areas_mm2, entangled_planes

# The least part of the lesser of two contours that is shared, and that is not, where they cross:
# a hole that touches its outer contour, or two contours that touch, may overlap a little.
LEAST_PART: Final = 0.02
# Of more contours on a plane, the others are not looked at: it is told, not mended.
MOST_PAIRS: Final = 1000


def crossing_planes(stack: PlaneStack) -> int:
    """On how many planes contours overlap without one lying in the other."""
    several = replace(stack, loops=tuple(loops for loops in stack.loops if len(loops) > 1))
    if not several.loops:
        return 0
    return sum(_do_cross(several, several.loops[plane]) for plane in entangled_planes(several))


def _do_cross(stack: PlaneStack, loops: Sequence[NDArray[np.float64]]) -> bool:
    pairs = list(itertools.islice(_near_pairs(loops), MOST_PAIRS))
    if not pairs:
        return False
    # What is in both is half of what the exclusive disjunction lacks.
    drawn = [
        some
        for one, other in pairs
        for some in ((loops[one],), (loops[other],), (loops[one], loops[other]))
    ]
    areas = areas_mm2(replace(stack, loops=tuple(drawn))).reshape(-1, 3)
    shared = (areas[:, 0] + areas[:, 1] - areas[:, 2]) / 2
    lesser = areas[:, :2].min(axis=1)
    return bool((np.minimum(shared, lesser - shared) > LEAST_PART * lesser).any())


def _near_pairs(loops: Sequence[NDArray[np.float64]]) -> Iterator[tuple[int, int]]:
    """Two contours whose bounding rectangles overlap."""
    low = np.array([loop.min(axis=0) for loop in loops])
    high = np.array([loop.max(axis=0) for loop in loops])
    for one in range(len(loops) - 1):
        meets = (low[one] < high[one + 1 :]) & (high[one] > low[one + 1 :])
        for other in np.flatnonzero(meets.all(axis=1)).tolist():
            yield one, one + 1 + other
