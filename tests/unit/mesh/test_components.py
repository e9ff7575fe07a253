"""Connected parts of volumes that are labelled slab by slab."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from orthanc_stl_plugin.mesh import components


def random_mask(share: float, seed: int, order: str) -> NDArray[np.bool_]:
    dice = np.random.default_rng(seed)
    shape = tuple(dice.integers(1, 9, 3))
    mask = np.asarray(dice.random(shape) < share)
    return np.asfortranarray(mask) if order == "F" else mask


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_slabs_have_the_same_parts_and_cavities_as_the_whole(
    share: float, order: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(components, "SLAB_VOXELS", 40)
    for seed in range(40):
        mask = random_mask(share, seed, order)
        before = mask.copy()
        labels, count = ndimage.label(mask)
        sizes = np.bincount(labels.ravel(), minlength=2)[1:]
        kept = mask & ~components.outside_largest(mask)
        assert np.count_nonzero(kept) == sizes.max()
        assert len(np.unique(labels[kept])) == min(count, 1)
        expected = ndimage.binary_fill_holes(mask) & ~mask
        assert np.array_equal(components.cavities(mask), expected)
        assert np.array_equal(mask, before)
