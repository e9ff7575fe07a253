"""Connected parts of a volume: keeping the largest, filling cavities.

Parts touch by faces (6 neighbours). A volume is labelled slab by slab, twice: labels of all of it
would take four times the memory of the mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from orthanc_stl_plugin.mesh.marching_cubes import memory_order

SLAB_VOXELS: Final = 1 << 21


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """What the labels of all slabs, from 1 upwards, belong to; 0 is what has no label.

    Attributes:
        part: (L + 1,) int32 number of the part of each label.
        sizes: (L + 1,) voxels of each label.
        is_at_border: (L + 1,) bool whether a voxel of the label is at the border of the volume.
    """

    part: NDArray[np.int32]
    sizes: NDArray[np.int64]
    is_at_border: NDArray[np.bool_]


def outside_largest(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The voxels inside, of three axes, of all parts but the largest."""
    volume = inside.transpose(memory_order(inside))
    parts = _parts(volume, of=True)
    sizes = np.bincount(parts.part[1:], parts.sizes[1:], minlength=1)
    is_other = parts.part != sizes.argmax()
    return _marked(inside, is_other, of=True)


def cavities(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The voxels outside that no path by faces connects to the border of the volume."""
    volume = inside.transpose(memory_order(inside))
    parts = _parts(volume, of=False)
    is_open = np.zeros(parts.part.max(initial=0) + 1, dtype=np.bool_)
    is_open[parts.part[parts.is_at_border]] = True
    return _marked(inside, ~is_open[parts.part], of=False)


def _labelled(
    volume: NDArray[np.bool_], *, of: bool
) -> Iterator[tuple[slice, NDArray[np.int32], int]]:
    """Each slab of a volume, the labels of its voxels that are `of`, from 1, and how many."""
    thickness = max(1, SLAB_VOXELS // max(1, volume[0].size))
    for start in range(0, len(volume), thickness):
        slab = slice(start, start + thickness)
        labels, count = ndimage.label(volume[slab] == of)
        yield slab, labels, count


def _parts(volume: NDArray[np.bool_], *, of: bool) -> _Parts:
    sizes, borders, touching = [np.zeros(1, np.int64)], [np.zeros(1, np.bool_)], []
    before = total = 0
    below: NDArray[np.int32] | None = None
    for slab, labels, count in _labelled(volume, of=of):
        sizes.append(np.bincount(labels.ravel(), minlength=count + 1)[1:])
        is_at_border = np.zeros(count + 1, dtype=np.bool_)
        for side in (0, -1):
            is_at_border[labels[:, side]] = is_at_border[labels[:, :, side]] = True
        if below is None:
            is_at_border[labels[0]] = True
        else:
            meet = (below > 0) & (labels[0] > 0)
            pairs = np.stack([below[meet] + before, labels[0][meet] + total])
            touching.append(np.unique(pairs, axis=1))
        if slab.stop >= len(volume):
            is_at_border[labels[-1]] = True
        borders.append(is_at_border[1:])
        below, before, total = labels[-1].copy(), total, total + count
    ends = np.concatenate([np.zeros((2, 0), np.intp), *touching], axis=1)
    edges = sparse.coo_array((np.ones(ends.shape[1], np.bool_), ends), shape=(total + 1,) * 2)
    _, part = sparse.csgraph.connected_components(edges, directed=False)
    return _Parts(part, np.concatenate(sizes), np.concatenate(borders))


def _marked(
    inside: NDArray[np.bool_], is_marked: NDArray[np.bool_], *, of: bool
) -> NDArray[np.bool_]:
    """Which voxels have a label that is marked; none without a label is."""
    marked = np.empty_like(inside)
    order = memory_order(inside)
    volume, found = inside.transpose(order), marked.transpose(order)
    before = 0
    for slab, labels, count in _labelled(volume, of=of):
        own = np.append(False, is_marked[before + 1 : before + 1 + count])
        found[slab] = own.take(labels)
        before += count
    return marked
