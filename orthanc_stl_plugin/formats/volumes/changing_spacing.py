"""Series whose spacing changes along the way -> slices as fine as the finest part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.formats.volumes.slice_lattice import (
    LARGEST_DEVIATION,
    Lattice,
    slices_of_positions,
)
from orthanc_stl_plugin.sentences import Sentence

type Values = NDArray[np.int16] | NDArray[np.float32]

_LEAST_SLICES: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class ChangingSpacing:
    """Slices of two or more spacings, each of which lasts for two gaps or more.

    A single wider gap is none: there, slices are missing.

    Attributes:
        slice_of_frame: (frames,) the slice of each, from 0 upwards along the normal.
        heights_mm: (slices,) float64 along the normal.
        origin_mm: (3,) LPS of the first slice.
        direction: (3,) LPS millimetres for each along the normal, the shear included.
    """

    slice_of_frame: NDArray[np.intp]
    heights_mm: NDArray[np.float64]
    origin_mm: NDArray[np.float64]
    direction: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        positions_mm: NDArray[np.float64],
        orientation: NDArray[np.float64],
        spacing_mm: float | None,
        largest_drift_mm: float,
    ) -> Self | None:
        """The slices at these positions; None where their spacing does not change like this.

        Args:
            positions_mm: (frames, 3) ImagePositionPatient.
            orientation: (6,) of all of them.
            spacing_mm: what the series says of its spacing.
            largest_drift_mm: how far a position may be off its place in the plane.
        """
        normal = np.cross(orientation[:3], orientation[3:])
        slice_of_frame = slices_of_positions(positions_mm @ normal, spacing_mm, largest_drift_mm)
        count = int(slice_of_frame.max()) + 1
        if count < _LEAST_SLICES:
            return None
        positions = np.array(
            [positions_mm[slice_of_frame == number].mean(axis=0) for number in range(count)]
        )
        heights = positions @ normal
        gaps = np.diff(heights)
        is_next_alike = np.abs(gaps[1:] / gaps[:-1] - 1) <= LARGEST_DEVIATION
        has_fellow = np.append(is_next_alike, False) | np.append(False, is_next_alike)
        if is_next_alike.all() or not has_fellow.all():
            return None
        design = np.column_stack([np.ones(count), heights - heights[0]])
        origin, direction = np.linalg.lstsq(design, positions, rcond=None)[0]
        off = np.linalg.norm(positions - design @ np.array([origin, direction]), axis=1)
        if off.max() > largest_drift_mm:
            return None
        return cls(slice_of_frame, heights, origin, direction)

    @property
    def note(self) -> Sentence:
        """What was done, for people to read."""
        gaps = np.diff(self.heights_mm)
        return Sentence("SlicesInterpolated", shortest_mm=gaps.min(), longest_mm=gaps.max())

    @property
    def lattice(self) -> Lattice:
        """The slices after `resampled`; its indices are those of the frames before."""
        length = float(self.heights_mm[-1] - self.heights_mm[0])
        parts = round(length / float(np.diff(self.heights_mm).min()))
        step = self.direction * (length / parts)
        return Lattice(self.origin_mm, step, self.slice_of_frame, parts + 1)

    def resampled(
        self, values: Values, padding: NDArray[np.bool_] | None
    ) -> tuple[Values, NDArray[np.bool_] | None]:
        """(slices, rows, columns) values and padding on `lattice`, of such on the slices as stored.

        Values are interpolated linearly, where one of the two is padding the nearer one is taken.
        """
        count = self.lattice.count
        places = np.linspace(self.heights_mm[0], self.heights_mm[-1], count)
        below = np.searchsorted(self.heights_mm, places, side="right") - 1
        below = below.clip(0, len(self.heights_mm) - 2)
        share = (places - self.heights_mm[below]) / np.diff(self.heights_mm)[below]
        fine = np.empty((count, *values.shape[1:]), values.dtype)
        fine_padding = None if padding is None else np.zeros(fine.shape, dtype=np.bool_)
        for number, (level, part) in enumerate(zip(below.tolist(), share.tolist(), strict=True)):
            lower, upper = values[level].astype(np.float32), values[level + 1].astype(np.float32)
            mixed = lower + np.float32(part) * (upper - lower)
            if padding is not None and fine_padding is not None:
                nearest = level + int(part >= 0.5)
                is_padded = padding[level] | padding[level + 1]
                mixed = np.where(is_padded, values[nearest], mixed)
                fine_padding[number] = padding[nearest]
            fine[number] = np.rint(mixed) if values.dtype == np.int16 else mixed
        return fine, fine_padding
