"""Masks and label maps enlarged by nearest neighbour: every block of voxels has one value."""

from __future__ import annotations

import itertools
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.mesh.block_means import Factors
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.sentences import Sentence

LEAST_FACES: Final = 5
LEAST_SHARE: Final = 0.5
"""Least number, and share, of the planes between blocks on which values change.

A box changes on two planes along each axis: it is no enlarged voxel.
"""


def on_own_grid[Kind: np.generic](
    values: NDArray[Kind], grid: Grid
) -> tuple[NDArray[Kind], Grid, tuple[Sentence, ...]]:
    """One voxel for each block of equal ones, their grid, and a sentence about it.

    The blocks may have other numbers of voxels along each axis, and begin anywhere; empty ones
    around the inside are left out. Values that were not enlarged are returned as they are, without
    a sentence.
    """
    first, second, third = (_blocks(np.moveaxis(values, axis, 0)) for axis in range(3))
    if first is None or second is None or third is None:
        return values, grid, ()
    starts, stops, (columns, rows, slices) = zip(first, second, third, strict=True)
    factors: Factors = (columns, rows, slices)
    if max(factors) == 1:
        return values, grid, ()
    shape = np.subtract(stops, starts).tolist()
    window = grid.window(starts, (shape[0], shape[1], shape[2]))
    blocks = " x ".join(map(str, factors))
    note = Sentence("VoxelsEnlarged", blocks=blocks)
    return values[slice(*first), slice(*second), slice(*third)], window.reduced(factors), (note,)


def _blocks(planes: NDArray[np.generic]) -> tuple[int, int, int] | None:
    """Start, stop and size of the blocks along the first axis; all of it, and 1, without any.

    None if a block that is inside is cut by the border of the volume.
    """
    count = len(planes)
    middle = max(count // 2, 1)
    faces: list[int] = []
    size = 0
    # From the middle, where a volume that was not enlarged shows it at once.
    for place in itertools.chain(range(middle, count), range(1, middle)):
        if not np.array_equal(planes[place - 1], planes[place]):
            faces.append(place)
            size = gcd(size, place - faces[0])
            if size == 1:
                return 0, count, 1
    if size == 0:
        return 0, count, 1
    faces += [place for place, plane in ((0, planes[0]), (count, planes[-1])) if plane.any()]
    if any((place - faces[0]) % size for place in faces):
        return None
    start, stop = min(faces), max(faces)
    if len(faces) < max(LEAST_FACES, LEAST_SHARE * ((stop - start) // size + 1)):
        return 0, count, 1
    return start, stop, size
