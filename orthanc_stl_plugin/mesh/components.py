"""Connected parts of a volume: keeping the largest, filling cavities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def outside_largest(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The voxels of all parts but the largest; parts touch by faces (6 neighbours)."""
    labels, count = ndimage.label(inside)
    if count < 2:
        return np.zeros(inside.shape, dtype=bool)
    sizes = np.bincount(labels.ravel(order="K"))
    sizes[0] = 0
    return np.asarray(inside & (labels != sizes.argmax()))


def cavities(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The voxels outside that no path by faces connects to the border of the volume."""
    labels, count = ndimage.label(~inside)
    is_cavity = np.ones(count + 1, dtype=bool)
    is_cavity[0] = False  # the inside
    for axis in range(inside.ndim):
        for side in (0, -1):
            is_cavity[labels.take(side, axis)] = False
    return np.asarray(is_cavity[labels])
