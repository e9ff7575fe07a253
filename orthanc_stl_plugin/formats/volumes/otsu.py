"""Histograms of grey values, and Otsu's threshold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource

OTSU_BINS: Final = 1024
_MOST_DISTINCT: Final = 1 << 16


class GreyHistogram:
    """The counted values of a volume of (columns, rows, slices), except those in `left_out`.

    Integers of a small range are counted value by value, several times faster than sorting them
    into bins.
    """

    def __init__(
        self,
        values: NDArray[np.integer] | NDArray[np.floating],
        left_out: NDArray[np.bool_] | None = None,
    ) -> None:
        self._values, self._left_out = values, left_out
        ends = [(float(part.min()), float(part.max())) for part in self._slices() if part.size]
        self.low, self.high = min(low for low, _ in ends), max(high for _, high in ends)
        self._counts: NDArray[np.int64] | None = None
        is_whole = np.issubdtype(values.dtype, np.integer)
        if is_whole and self.high - self.low < _MOST_DISTINCT:
            distinct = int(self.high - self.low) + 1
            self._counts = np.zeros(distinct, dtype=np.int64)
            for part in self._slices():
                above = part.astype(np.int64) - int(self.low)
                self._counts += np.bincount(above, minlength=distinct)

    def _slices(self) -> Iterator[NDArray[np.integer] | NDArray[np.floating]]:
        """The values of each slice that are not left out, in the order of memory."""
        for index in range(self._values.shape[-1]):
            part = self._values[..., index]
            if self._left_out is None:
                yield part.ravel(order="K")
            else:
                yield part[~self._left_out[..., index]]

    def counts(self, bins: int) -> NDArray[np.int64]:
        """(bins,) the number of values in bins of equal width, from the lowest to the highest."""
        bounds = (self.low, self.high)
        if self._counts is not None:
            distinct = np.arange(len(self._counts)) + self.low
            counts: NDArray[np.int64] = np.histogram(distinct, bins, bounds, weights=self._counts)[
                0
            ]
            return counts
        counts = np.zeros(bins, dtype=np.int64)
        for part in self._slices():
            counts += np.histogram(part, bins, bounds)[0]
        return counts

    def otsu(self) -> float:
        """The value that divides the voxels into two classes of least variance (Otsu, 1979).

        Raises:
            UnusableSource: there are not two different values.
        """
        low, high = self.low, self.high
        if not np.isfinite([low, high]).all() or low >= high:
            raise UnusableSource("NoThreshold", lowest=low, highest=high)
        counts = self.counts(OTSU_BINS).astype(np.float64)
        edges = np.linspace(low, high, OTSU_BINS + 1)
        centres = (edges[:-1] + edges[1:]) / 2
        below, moment = np.cumsum(counts), np.cumsum(counts * centres)
        above = below[-1] - below
        is_split = (below > 0) & (above > 0)
        separation = np.zeros(OTSU_BINS)
        means = moment[is_split] / below[is_split]
        others = (moment[-1] - moment[is_split]) / above[is_split]
        separation[is_split] = below[is_split] * above[is_split] * (means - others) ** 2
        best = np.flatnonzero(separation >= separation.max() * (1 - 1e-9))
        return float((edges[best[0] + 1] + edges[best[-1] + 1]) / 2)
