"""DICOM Segmentations that are label maps: a voxel's value is the number of its segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.pixels.whole_dataset import PixelFrames
from orthanc_stl_plugin.formats.volumes.label_boxes import label_boxes
from orthanc_stl_plugin.formats.volumes.slice_stack import SliceStack
from orthanc_stl_plugin.model.labels import Segment, Structure

LARGEST_LABEL: Final = 65535


def background_of(dataset: Dataset) -> int:
    """PixelPaddingValue, or 0 if it is absent (PS3.3 C.8.20.2).

    Raises:
        UnusableSource: it is not a label.
    """
    padding = dataset.get("PixelPaddingValue")
    value = 0 if padding is None else int(padding)
    if not 0 <= value <= LARGEST_LABEL:
        raise UnusableSource("PaddingNotLabel", value=value, limit=LARGEST_LABEL)
    return value


def structures_of(
    background: int,
    frames: PixelFrames,
    wanted: Sequence[Segment],
    stack: SliceStack,
) -> Iterator[tuple[Segment, Structure | None]]:
    """Each wanted segment with its voxels, or None if it has none.

    Args:
        background: the value of the background.
        frames: the values of the voxels.
        wanted: the segments.
        stack: of all frames.

    Raises:
        UnusableSource: a value is not a valid segment number.
    """
    # Here 0 is the background; in return, the background's value stands for segment 0.
    columns, rows, _ = stack.grid.shape
    labels = np.zeros((len(stack.heights_mm), rows, columns), dtype=np.uint16)
    for index, level in enumerate(stack.slice_of_frame.tolist()):
        frame = _labels(frames.read(index))
        shown = np.where(frame, frame, background)
        labels[level] = np.where(frame == background, labels[level], shown)
    boxes = label_boxes(labels)
    for segment in wanted:
        label = segment.number or background
        box = boxes.get(label)
        if box is None:
            yield segment, None
            continue
        first = (box[2].start, box[1].start, box[0].start)
        mask = np.ascontiguousarray((labels[box] == label).transpose(2, 1, 0))
        yield segment, stack.structure(segment, mask, first)


def _labels(frame: NDArray[np.integer]) -> NDArray[np.uint16]:
    """The frame of a label map, which has 8 or 16 bits by the standard.

    Raises:
        UnusableSource: a value is not a valid segment number.
    """
    for value in (int(frame.min()), int(frame.max())):
        if not 0 <= value <= LARGEST_LABEL:
            raise UnusableSource("LabelNotSegmentNumber", value=value, limit=LARGEST_LABEL)
    return frame.astype(np.uint16)
