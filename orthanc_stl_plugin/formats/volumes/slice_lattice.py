"""The regular lattice of slice positions, sheared if the gantry was tilted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource

LARGEST_DEVIATION: Final = 0.1
LARGEST_DRIFT_PIXELS: Final = 0.25
SAME_SLICE_FRACTION: Final = 0.02
LARGEST_UNEVENNESS_DRIFTS: Final = 0.5
LEAST_UNEVEN_RATIO: Final = 4
MOST_PARTS_OF_A_GAP: Final = 5
LEAST_ABSENT_RATIO: Final = 2.5


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Regular positions along a direction.

    Attributes:
        origin_mm: (3,) float64 LPS position of slice 0.
        step_mm: (3,) float64 from a slice to the next; along the normal, plus the shear.
        indices: (N,) slice of each given position.
        count: the number of slices from the first occupied one to the last.
    """

    origin_mm: NDArray[np.float64]
    step_mm: NDArray[np.float64]
    indices: NDArray[np.intp]
    count: int

    def affine(
        self, orientation: NDArray[np.float64], pixel_spacing_mm: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(4, 4) float64, voxel index (column, row, slice) -> LPS mm (PS3.3 C.7.6.2.1.1)."""
        affine = np.eye(4)
        affine[:3, 0] = orientation[:3] * pixel_spacing_mm[1]
        affine[:3, 1] = orientation[3:] * pixel_spacing_mm[0]
        affine[:3, 2] = self.step_mm
        affine[:3, 3] = self.origin_mm
        return affine


def fit_lattice(
    positions_mm: NDArray[np.float64],
    orientation: NDArray[np.float64],
    spacing_mm: float | None,
    largest_drift_mm: float,
    *,
    is_sparse: bool = False,
    between_slices_mm: float | None = None,
) -> Lattice:
    """The lattice of slices through image positions, ascending along the normal.

    Its spacing is the smallest gap. If that does not explain all positions of a sparse stack, it
    is `spacing_mm`, else a part of the smallest gap. `spacing_mm` is not asked first because it is
    often wrong in real files. `between_slices_mm` goes first where every gap is a whole number of
    it, three or more: the slices between were left out, being empty.

    Args:
        positions_mm: (N, 3) ImagePositionPatient.
        orientation: (6,) of all of them.
        spacing_mm: as stated by the source; decisive if there is only one slice.
        largest_drift_mm: the allowed deviation of a position in the plane.
        is_sparse: whether slices may be missing such that no two neighbours remain.
        between_slices_mm: SpacingBetweenSlices of a sparse stack (PS3.3 C.7.6.16.2.1), if known.

    Raises:
        UnusableSource: no spacing explains the positions.
    """
    normal = np.cross(orientation[:3], orientation[3:])
    level = slices_of_positions(positions_mm @ normal, spacing_mm, largest_drift_mm)
    count = int(level.max()) + 1
    if count == 1:
        if spacing_mm is None:
            raise UnusableSource("SliceThicknessMissing")
        return Lattice(positions_mm.mean(axis=0), normal * spacing_mm, level, 1)
    levels = np.array([positions_mm[level == index].mean(axis=0) for index in range(count)])
    found = None
    candidates = _candidates(np.diff(levels @ normal), spacing_mm, between_slices_mm)
    for candidate in candidates if is_sparse else candidates[:1]:
        found = _fit(levels, normal, candidate, largest_drift_mm)
        if found is not None:
            break
    if found is None:
        steps = np.diff(levels @ normal)
        raise UnusableSource(
            "SliceSpacingIrregular", slices=count, shortest_mm=steps.min(), longest_mm=steps.max()
        )
    origin, step, index = found
    return Lattice(origin, step, index[level], int(index[-1]) + 1)


def slices_of_positions(
    heights_mm: NDArray[np.float64], spacing_mm: float | None, largest_drift_mm: float
) -> NDArray[np.intp]:
    """(N,) the slice of each height along the normal, from 0 upwards; see `fit_lattice`."""
    order = np.argsort(heights_mm, kind="stable")
    gaps = np.diff(heights_mm[order])
    limit = _same_slice_mm(gaps, spacing_mm, LARGEST_UNEVENNESS_DRIFTS * largest_drift_mm)
    level = np.zeros(len(heights_mm), dtype=np.intp)
    level[order[1:]] = np.cumsum(gaps > limit)
    return level


def _same_slice_mm(gaps: NDArray[np.float64], spacing_mm: float | None, uneven_mm: float) -> float:
    """The largest gap between positions of the same slice, which frames may state unevenly.

    Gaps up to `uneven_mm` are within a slice if all others, or else the stated spacing, are far
    wider: frames of many segments have more such gaps than there are slices.
    """
    gaps = gaps[gaps > 1e-6]
    if not gaps.size:
        return 1
    near, wide = gaps[gaps <= uneven_mm], gaps[gaps > uneven_mm]
    next_mm = float(wide.min()) if wide.size else spacing_mm or 0
    if near.size and next_mm >= LEAST_UNEVEN_RATIO * near.max():
        return float(near.max())
    return SAME_SLICE_FRACTION * float(np.median(gaps))


def _candidates(
    gaps: NDArray[np.float64], spacing_mm: float | None, between_slices_mm: float | None
) -> Sequence[float]:
    smallest = float(np.median(gaps[gaps < 1.5 * gaps.min()]))
    first = []
    if between_slices_mm and smallest >= LEAST_ABSENT_RATIO * between_slices_mm:
        slices = gaps / between_slices_mm
        if np.abs(slices - np.rint(slices)).max() <= LARGEST_DEVIATION:
            first.append(between_slices_mm)
    stated = [spacing_mm] if spacing_mm and spacing_mm < smallest else []
    return [
        *first,
        smallest,
        *stated,
        *(smallest / part for part in range(2, MOST_PARTS_OF_A_GAP + 1)),
    ]


def _fit(
    levels: NDArray[np.float64], normal: NDArray[np.float64], spacing_mm: float, drift_mm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]] | None:
    steps = np.rint(np.diff(levels @ normal) / spacing_mm).astype(np.intp)
    index = np.concatenate([[0], np.cumsum(steps)])
    design = np.column_stack([np.ones(len(index)), index])
    origin, step = np.linalg.lstsq(design, levels, rcond=None)[0]
    off = levels - origin - index[:, np.newaxis] * step
    along = off @ normal
    across = np.linalg.norm(off - along[:, np.newaxis] * normal, axis=1)
    if np.abs(along).max() > LARGEST_DEVIATION * spacing_mm or across.max() > drift_mm:
        return None
    return origin, step, index
