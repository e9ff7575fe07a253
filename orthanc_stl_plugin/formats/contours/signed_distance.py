"""Signed distances to the outline of an image of coverage, finer than its pixels."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

NEGLIGIBLE: Final = 1e-4


def signed_distance(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance of each pixel's centre to the outline of a coverage image, in pixels, > 0 inside.

    The outline runs through the pixels of partial coverage; in each of them it is taken as the
    straight line, normal to the gradient, that leaves that share of the pixel inside.
    """
    inside = image >= 0.5
    full, empty = image > 1 - NEGLIGIBLE, image < NEGLIGIBLE
    edge = ~(full | empty)
    edge |= (full & ndimage.binary_dilation(empty)) | (empty & ndimage.binary_dilation(full))
    gradient = np.stack([ndimage.sobel(image, axis) for axis in (0, 1)])
    length = np.hypot(gradient[0], gradient[1])
    edge &= length > 1e-6
    if not edge.any():
        return np.copysign(np.float32(np.inf), np.where(inside, 1, -1)).astype(np.float32)
    gradient /= np.maximum(length, 1e-6)
    offset = _edge_offset(image, np.abs(gradient))
    nearest = ndimage.distance_transform_edt(~edge, return_distances=False, return_indices=True)
    at = tuple(nearest)
    rows, columns = np.indices(image.shape, dtype=np.float32)
    feet = nearest.astype(np.float32) - (offset * gradient)[:, *at]
    squares = np.full(image.shape, np.inf, dtype=np.float32)
    padded = np.pad(feet, ((0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = image.shape
    for down, across in np.ndindex(3, 3):
        foot = padded[:, down : down + height, across : across + width]
        np.minimum(squares, (rows - foot[0]) ** 2 + (columns - foot[1]) ** 2, out=squares)
    return np.copysign(np.sqrt(squares), np.where(inside, 1, -1)).astype(np.float32)


def _edge_offset(image: NDArray[np.float32], direction: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far inside the line a pixel's centre lies, in pixels, given its coverage."""
    major, minor = direction.max(axis=0), direction.min(axis=0)
    share = np.minimum(image, 1 - image)
    corner = minor / np.maximum(2 * major, 1e-6)
    reach = (major + minor) / 2
    depth = np.where(
        share < corner,
        reach - np.sqrt(2 * major * minor * share),
        (0.5 - share) * major,
    )
    return np.where(image < 0.5, -depth, depth).astype(np.float32)
