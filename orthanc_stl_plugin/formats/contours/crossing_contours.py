"""Contours of a plane that cross each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from orthanc_stl_plugin.formats.contours.planes import PlaneStack, regions

# Contours cross where at least this part of the smaller one is shared, and this part is not: a hole
# that touches its outer contour, or two contours that touch, may overlap a little.
LEAST_PART: Final = 0.02
# More pairs of one plane are not examined: crossings are reported, not repaired.
MOST_PAIRS: Final = 1000


def crossing_planes(stack: PlaneStack) -> int:
    """The number of planes on which contours overlap without one lying in the other."""
    return sum(_do_cross(loops) for loops in stack.loops if len(loops) > 1)


def _do_cross(loops: Sequence[NDArray[np.float64]]) -> bool:
    found = regions(loops)
    pairs = shapely.STRtree(found).query(found, predicate="overlaps")
    one, other = found[pairs[:, pairs[0] < pairs[1]][:, :MOST_PAIRS]]
    shared = shapely.area(shapely.intersection(one, other))
    lesser = np.minimum(shapely.area(one), shapely.area(other))
    return bool((np.minimum(shared, lesser - shared) > LEAST_PART * lesser).any())
