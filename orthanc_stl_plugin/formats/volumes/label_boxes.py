"""The boxes around all labels of a label map, found in one pass over its voxels."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.mesh.marching_cubes import Box, memory_order

VOXELS_AT_ONCE: Final = 1 << 18
"""Few enough for intermediate results to stay in the processor's cache."""


def label_boxes(labels: NDArray[np.uint8 | np.uint16]) -> dict[int, Box]:
    """The smallest box around the voxels of each label but 0, in a volume (n0, n1, n2)."""
    order = memory_order(labels)
    volume = labels.transpose(order)
    first = np.full((3, np.iinfo(labels.dtype).max + 1), np.iinfo(np.int64).max)
    last = np.full_like(first, -1)
    _, rows, columns = volume.shape
    planes = max(1, VOXELS_AT_ONCE // (rows * columns))
    for start in range(0, len(volume), planes):
        block = np.ascontiguousarray(volume[start : start + planes]).ravel()
        if block.any():
            _extend(first, last, block, start * rows, (rows, columns))
    boxes: dict[int, Box] = {}
    for number in np.flatnonzero(last[0] >= 0).tolist():
        sides = {
            axis: slice(int(first[k, number]), int(last[k, number]) + 1)
            for k, axis in enumerate(order)
        }
        boxes[number] = sides[0], sides[1], sides[2]
    return boxes


def _extend(
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    block: NDArray[np.uint8 | np.uint16],
    first_row: int,
    sizes: tuple[int, int],
) -> None:
    """Extends the (3, labels) bounds by whole planes, which begin at the row of that number.

    Their voxels form runs of one label. A run that goes beyond a row is in its last column and in
    the first one of the next; so it is with planes.
    """
    rows, columns = sizes
    starts = np.concatenate([[0], np.flatnonzero(block[1:] != block[:-1]) + 1])
    ends = np.append(starts[1:], block.size) - 1
    numbers = block[starts]
    is_label = numbers != 0
    starts, ends, numbers = starts[is_label], ends[is_label], numbers[is_label]
    first_rows, first_columns = np.divmod(starts, columns)
    last_rows, last_columns = np.divmod(ends, columns)
    is_beyond = first_rows != last_rows
    first_columns[is_beyond], last_columns[is_beyond] = 0, columns - 1
    first_planes, first_rows = np.divmod(first_rows + first_row, rows)
    last_planes, last_rows = np.divmod(last_rows + first_row, rows)
    is_beyond = first_planes != last_planes
    first_rows[is_beyond], last_rows[is_beyond] = 0, rows - 1
    for k, places in enumerate((first_planes, first_rows, first_columns)):
        np.minimum.at(first[k], numbers, places)
    for k, places in enumerate((last_planes, last_rows, last_columns)):
        np.maximum.at(last[k], numbers, places)
