"""Triangles of one mesh that cross each other."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

MOST_TRIANGLES: Final = 400_000
_PAIRS_AT_ONCE: Final = 500_000
_USUAL_REACHES: Final = 2.0
"""Triangles of a larger radius than so many medians are compared apart: they meet many others."""

_TOUCHING: Final = 1e-6
"""Rounding to float32 moves vertices about this far, in voxels."""

type Corners = NDArray[np.float64]


def count_intersections(vertices: Corners, faces: NDArray[np.int32]) -> int | None:
    """How many pairs of triangles without a common vertex cross; None above `MOST_TRIANGLES`.

    The vertices are best given as voxel indices: an affine map does not change the answer, and
    triangles of like extent along all axes have few neighbours. Triangles that lie in one plane,
    or merely touch, do not count.
    """
    if len(faces) > MOST_TRIANGLES:
        return None
    corners = vertices[faces]
    middles = corners.mean(axis=1)
    reach = np.linalg.norm(corners - middles[:, np.newaxis], axis=2).max(axis=1)
    pairs = _near_pairs(middles, reach)
    low, high = corners.min(axis=1), corners.max(axis=1)
    count = 0
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        first, second = pairs[start : start + _PAIRS_AT_ONCE].T
        is_near = (low[first] <= high[second]).all(axis=1) & (low[second] <= high[first]).all(
            axis=1
        )
        first, second = first[is_near], second[is_near]
        is_shared = (faces[first][:, :, np.newaxis] == faces[second][:, np.newaxis]).any(
            axis=(1, 2)
        )
        first, second = corners[first[~is_shared]], corners[second[~is_shared]]
        count += int(np.count_nonzero(_pierces(first, second) | _pierces(second, first)))
    return count


def _near_pairs(middles: Corners, reach: NDArray[np.float64]) -> NDArray[np.intp]:
    """(P, 2) pairs of triangles that may touch, by the radius around their middles."""
    usual = _USUAL_REACHES * float(np.median(reach))
    tree = cKDTree(middles)
    large = np.flatnonzero(reach > usual)
    small_pairs = tree.query_pairs(2 * min(usual, float(reach.max())), output_type="ndarray")
    around = tree.query_ball_point(middles[large], reach[large] + reach.max())
    counts = [len(one) for one in around]
    of_large = np.column_stack(
        [np.repeat(large, counts), np.concatenate([*around, []]).astype(np.intp)]
    )
    is_one_of_two = ~np.isin(of_large[:, 1], large) | (of_large[:, 0] < of_large[:, 1])
    is_small = (reach[small_pairs] <= usual).all(axis=1)
    return np.concatenate([small_pairs[is_small], of_large[is_one_of_two]])


def _pierces(first: Corners, second: Corners) -> NDArray[np.bool_]:
    """(N,) whether a side of the first triangle passes through the second; (N, 3, 3) each."""
    a, b, c = np.moveaxis(second, 1, 0)
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), np.finfo(float).tiny)
    height = np.einsum("nki,ni->nk", first - a[:, np.newaxis], normal)
    height[np.abs(height) < _TOUCHING] = 0
    found = np.zeros(len(first), dtype=np.bool_)
    for side in range(3):
        start, stop = height[:, side], height[:, (side + 1) % 3]
        chosen = np.flatnonzero(start * stop < 0)
        origin = first[chosen, side]
        way = first[chosen, (side + 1) % 3] - origin
        turns = [
            np.einsum("ni,ni->n", way, np.cross(one[chosen] - origin, other[chosen] - origin))
            for one, other in ((a, b), (b, c), (c, a))
        ]
        signs = np.sign(np.stack(turns))
        found[chosen] |= (signs > 0).all(axis=0) | (signs < 0).all(axis=0)
    return found
