"""A polygon of the plane -> triangles, by cutting off one corner after the other (ear clipping)."""

from __future__ import annotations

import heapq
import math
import sys
from collections import defaultdict
from typing import Final

import numpy as np
from numpy.typing import NDArray

Triangle = tuple[int, int, int]

_NEGLIGIBLE: Final = 1e-12


def triangles_of(points: NDArray[np.float64]) -> list[Triangle]:
    """The triangles of a polygon that runs counter-clockwise, (N, 2), as positions of its corners.

    Each runs counter-clockwise too, unless the polygon crosses itself: as few as may be, then.
    """
    ring = _Ring(points)
    return [ring.cut(ring.next_ear()) for _ in range(len(points) - 2)]


class _Ring:
    """The corners that are left, the least thin at hand.

    A corner may be cut off if its triangle holds no notch, a corner that is not convex. One that
    holds a notch waits until that is none any more: nothing is looked at in vain.
    """

    def __init__(self, points: NDArray[np.float64]) -> None:
        count = len(points)
        self._places: list[list[float]] = points.tolist()
        self._before, self._after = [count - 1, *range(count - 1)], [*range(1, count), 0]
        self._is_notch = np.zeros(count, dtype=np.bool_)
        self._order = np.argsort(points[:, 0], kind="stable")
        self._sorted = points[self._order]
        self._fatness = [math.nan] * count  # of those that were cut off, too
        self._convex: list[tuple[float, int]] = []
        self._any: list[tuple[float, int]] = []
        self._waiting: dict[int, list[tuple[float, int]]] = defaultdict(list)
        for corner in range(count):
            self._measure(corner)

    def next_ear(self) -> int:
        """The corner of the least thin triangle that holds no notch, else of the least thin."""
        while self._convex:
            thinness, corner = heapq.heappop(self._convex)
            if self._fatness[corner] == -thinness:
                notch = self._notch_in(corner)
                if notch is None:
                    return corner
                self._waiting[notch].append((thinness, corner))
        while True:
            thinness, corner = heapq.heappop(self._any)
            if self._fatness[corner] == -thinness:
                return corner

    def cut(self, corner: int) -> Triangle:
        """Takes a corner away; its triangle."""
        before, after = self._before[corner], self._after[corner]
        self._after[before], self._before[after] = after, before
        self._fatness[corner] = math.nan
        self._set_notch(corner, is_notch=False)
        self._measure(before)
        self._measure(after)
        return before, corner, after

    def _measure(self, corner: int) -> None:
        """Finds out how fat a corner's triangle is: its area by the square of its longest side."""
        ax, ay = self._places[self._before[corner]]
        bx, by = self._places[corner]
        cx, cy = self._places[self._after[corner]]
        area = (bx - ax) * (cy - by) - (by - ay) * (cx - bx)
        longest = max(
            (bx - ax) ** 2 + (by - ay) ** 2,
            (cx - bx) ** 2 + (cy - by) ** 2,
            (cx - ax) ** 2 + (cy - ay) ** 2,
        )
        fatness = area / max(longest, sys.float_info.min)
        self._fatness[corner] = fatness
        heapq.heappush(self._any, (-fatness, corner))
        if fatness > _NEGLIGIBLE:
            heapq.heappush(self._convex, (-fatness, corner))
        self._set_notch(corner, is_notch=area <= 0)

    def _set_notch(self, corner: int, *, is_notch: bool) -> None:
        self._is_notch[corner] = is_notch
        if not is_notch:
            for thinness, one in self._waiting.pop(corner, ()):
                if self._fatness[one] == -thinness:
                    heapq.heappush(self._convex, (thinness, one))

    def _notch_in(self, corner: int) -> int | None:
        """A notch in the triangle of a corner, or on its sides but elsewhere than its corners."""
        around = (self._before[corner], corner, self._after[corner])
        corners = [self._places[one] for one in around]
        first, last = min(x for x, _ in corners), max(x for x, _ in corners)
        start = np.searchsorted(self._sorted[:, 0], first)
        stop = np.searchsorted(self._sorted[:, 0], last, "right")
        found = start + np.flatnonzero(self._is_notch[self._order[start:stop]])
        x, y = self._sorted[found].T
        is_in = np.ones(len(found), dtype=np.bool_)
        for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
            is_in &= (bx - ax) * (y - by) - (by - ay) * (x - bx) >= 0
            is_in &= (x != ax) | (y != ay)
        inside = np.flatnonzero(is_in)
        return int(self._order[found[inside[0]]]) if inside.size else None
