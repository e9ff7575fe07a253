"""NIfTI volumes as a single mask: from masks, label maps and probability maps."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.volumes.nifti import NiftiVolume, foreground
from orthanc_stl_plugin.sentences import Sentence

WHOLE: Final = 1e-3
"""How far a value may differ from its integer, because scale factors are rounded."""

_INSIDE: Final = 0.5
_FEW_VALUES: Final = 16
_MOST_UNLIKE: Final = 0.5
_SAMPLED_VOXELS: Final = 1 << 22


def mask_of(volume: NiftiVolume) -> tuple[NDArray[np.bool_], tuple[Sentence, ...]]:
    """(columns, rows, slices) whether a voxel is set, and sentences about how this was decided.

    In a probability map, which has fractions from 0 to 1, values of at least one half are set; in
    other volumes, values that are neither zero nor NaN.

    Raises:
        UnusableSource: it is a grey image, or no probability reaches one half.
    """
    values = volume.values
    if values.dtype.kind == "f" and _has_fractions(values):
        few = _few_values(values)
        lowest, highest = float(np.nanmin(values)), float(np.nanmax(values))
        if lowest >= -WHOLE and highest <= 1 + WHOLE and len(few) != 1:
            return _probable(values, highest)
        if not few.size:
            raise UnusableSource("MaskHasFractions", lowest=lowest, highest=highest)
        return foreground(volume), ()
    require_regions(values)
    if values.dtype.kind == "f":  # integers apart from rounding: a zero may not be exact
        return np.abs(values) > WHOLE, ()
    return foreground(volume), ()


def require_regions(values: NDArray[Any]) -> None:
    """Checks that most neighbouring voxels have equal values, as labels do.

    Raises:
        UnusableSource: they do not, or there are negative values among many.
    """
    lowest, highest = np.nanmin(values), np.nanmax(values)
    if not (np.isfinite(lowest) and np.isfinite(highest)) or highest - lowest <= _FEW_VALUES:
        return
    slices = values.shape[2]
    step = max(1, values.size // _SAMPLED_VOXELS)
    sample = values[:, :, slices // 2 % step : slices : step]
    if lowest < 0 and not _few_values(sample).size:
        raise UnusableSource("MaskHasManyValues", lowest=lowest, highest=highest)
    one, other = sample[1:], sample[:-1]
    are_set = (one != 0) & (other != 0)
    pairs = np.count_nonzero(are_set)
    unlike = np.count_nonzero((one != other) & are_set)
    if unlike > _MOST_UNLIKE * pairs and not _few_values(sample).size:
        raise UnusableSource(
            "MaskNotUniform",
            percent=100 * unlike / pairs,
            lowest=lowest,
            highest=highest,
        )


def _probable(
    values: NDArray[np.floating], highest: float
) -> tuple[NDArray[np.bool_], tuple[Sentence, ...]]:
    mask: NDArray[np.bool_] = values >= _INSIDE
    if not mask.any():
        raise UnusableSource("ProbabilitiesTooLow", highest=highest)
    return mask, (Sentence("ValuesAreProbabilities"),)


def _has_fractions(values: NDArray[np.floating]) -> bool:
    for level in range(values.shape[2]):
        one = values[:, :, level]
        if (np.abs(one - np.rint(one)) > WHOLE).any():  # NaN is not
            return True
    return False


def _few_values(values: NDArray[Any]) -> NDArray[Any]:
    """The distinct values other than 0 and NaN; none if there are more than a few."""
    found: NDArray[Any] = np.zeros(0, dtype=values.dtype)
    for level in range(values.shape[2]):
        found = np.union1d(found, values[:, :, level])
        found = found[(found != 0) & ~np.isnan(found)]
        if len(found) > _FEW_VALUES:
            return found[:0]
    return found
