import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from scipy import ndimage

from orthanc_stl_plugin.formats.volumes import label_boxes as module
from orthanc_stl_plugin.formats.volumes.label_boxes import label_boxes

LABEL_MAPS = npst.arrays(
    st.sampled_from([np.uint8, np.uint16]),
    npst.array_shapes(min_dims=3, max_dims=3, max_side=6),
    elements=st.integers(0, 3),
)


def expected(labels: NDArray[np.integer]) -> dict[int, tuple[slice, ...]]:
    boxes = ndimage.find_objects(labels)
    return {number: box for number, box in enumerate(boxes, start=1) if box is not None}


@given(LABEL_MAPS, st.permutations(range(3)), st.sampled_from([1, 10, 1000]))
def test_each_label_has_the_smallest_box_whatever_the_order_of_memory(
    labels: NDArray[np.uint8], order: list[int], voxels_at_once: int
) -> None:
    turned = labels.transpose(order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "VOXELS_AT_ONCE", voxels_at_once)
        assert label_boxes(turned) == expected(turned)


def test_every_second_voxel_and_mirrored_axes_are_seen_as_they_are() -> None:
    labels = np.zeros((6, 7, 8), dtype=np.uint16)
    labels[1, 2:4, 3], labels[4, 6, 7] = 65535, 2
    assert label_boxes(labels[::-1, ::2, ::-1]) == {
        65535: (slice(4, 5), slice(1, 2), slice(4, 5)),
        2: (slice(1, 2), slice(3, 4), slice(0, 1)),
    }


def test_an_empty_label_map_has_no_boxes() -> None:
    assert label_boxes(np.zeros((2, 3, 4), dtype=np.uint8)) == {}
