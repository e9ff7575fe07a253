"""Reducing volumes: each voxel of the result is the mean of a block."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

type Voxels = NDArray[np.bool_ | np.integer | np.floating]
type Factors = tuple[int, int, int]

SLAB_VOXELS: Final = 1 << 21
"""So many are converted to floats at a time."""


def block_factors(shape: tuple[int, ...], resolution: int) -> Factors:
    """The smallest block for which no axis keeps more than `resolution` voxels."""
    first, second, third = (-(-size // resolution) for size in shape)
    return first, second, third


def block_occupancy(inside: NDArray[np.bool_], factors: Factors) -> NDArray[np.float32]:
    """float32 share 0-1 of each block that is inside; beyond the volume is outside."""
    size = int(np.prod(factors))
    dtype = np.uint8 if size < 2**8 else np.uint16 if size < 2**16 else np.uint32
    counts = _block_sums(inside, factors, np.dtype(dtype))
    return counts.astype(np.float32) / np.float32(size)


def block_means(
    values: Voxels, factors: Factors, absent: NDArray[np.bool_] | None = None
) -> NDArray[np.floating]:
    """The mean of the numbers in each block; NaN if fewer than half of its voxels are numbers.

    Args:
        values: of three axes, the slowest first.
        factors: voxels of a block along each axis.
        absent: the voxels whose value is none; None if all have one.
    """
    layers = factors[0] * max(1, SLAB_VOXELS // max(1, factors[0] * values[0].size))
    slabs = []
    for start in range(0, len(values), layers):
        slab = values[start : start + layers]
        if absent is not None:
            is_absent = absent[start : start + layers]
            slab = np.where(is_absent, np.float32(np.nan), slab)
        slabs.append(_slab_means(slab, factors))
    return slabs[0] if len(slabs) == 1 else np.concatenate(slabs)


def _slab_means(values: Voxels, factors: Factors) -> NDArray[np.floating]:
    dtype = np.result_type(values.dtype, np.float32)
    if factors == (1, 1, 1):
        return np.asarray(values, dtype)
    lengths = [_block_lengths(size, by) for size, by in zip(values.shape, factors, strict=True)]
    sizes = np.einsum("i,j,k->ijk", *lengths)
    if values.dtype.kind != "f":
        return np.asarray(_block_sums(values, factors, dtype) / sizes)
    is_number = ~np.isnan(values)
    counts = _block_sums(is_number, factors, np.dtype(np.float32))
    sums = _block_sums(np.where(is_number, values, 0), factors, dtype)
    return np.where(2 * counts >= sizes, sums / np.maximum(counts, 1), np.nan)


def _block_lengths(size: int, factor: int) -> NDArray[np.float32]:
    """The number of voxels of each block along an axis: the last may have fewer."""
    starts = np.arange(0, size, factor)
    return np.minimum(size - starts, factor).astype(np.float32)


def _block_sums(values: Voxels, factors: Factors, dtype: np.dtype[np.number]) -> NDArray[np.number]:
    """Reduces axis by axis, the slowest first: the last, with short strides, has the least work."""
    sums: NDArray[Any] = values
    for axis, factor in enumerate(factors):
        if factor > 1:
            moved = np.moveaxis(sums, axis, 0)
            total = moved[::factor].astype(dtype)
            for start in range(1, factor):
                part = moved[start::factor]
                total[: len(part)] += part
            sums = np.moveaxis(total, 0, axis)
    return sums.astype(dtype, copy=False)
