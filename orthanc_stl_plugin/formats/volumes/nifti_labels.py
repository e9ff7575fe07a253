"""Label maps in NIfTI: their labels, names and voxels."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.volumes.label_boxes import label_boxes
from orthanc_stl_plugin.formats.volumes.nifti import NiftiVolume
from orthanc_stl_plugin.formats.volumes.nifti_mask import WHOLE, require_regions
from orthanc_stl_plugin.mesh import equal_blocks
from orthanc_stl_plugin.mesh.marching_cubes import Box
from orthanc_stl_plugin.model.labels import Segment, Structure, select

LARGEST_LABEL: Final = 65535
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap:
    """The labels of a volume.

    Attributes:
        numbers: (columns, rows, slices) the label of each voxel.
        boxes: around the voxels of each label that occurs.
        volume: that they come from.
    """

    numbers: NDArray[np.uint8 | np.uint16]
    boxes: Mapping[int, Box]
    volume: NiftiVolume


def label_map(volume: NiftiVolume) -> LabelMap:
    """The labels of a volume, and where they are.

    Raises:
        UnusableSource: see `label_numbers` and `require_regions`.
    """
    numbers = label_numbers(volume)
    require_regions(numbers)
    return LabelMap(numbers, label_boxes(numbers), volume)


def on_own_grid(labels: LabelMap) -> LabelMap:
    """The label map with one voxel for each block, if it was enlarged by nearest neighbour."""
    numbers, grid, notes = equal_blocks.on_own_grid(labels.numbers, labels.volume.grid)
    if not notes:
        return labels
    volume = replace(labels.volume, values=numbers, grid=grid, notes=labels.volume.notes + notes)
    return LabelMap(numbers, label_boxes(numbers), volume)


def segments(labels: LabelMap, given_names: Mapping[int, str]) -> list[Segment]:
    """The labels that occur or have a name, by number.

    A name comes from the label table of the header (the Caret extension that TotalSegmentator
    writes), else from `given_names`; otherwise it is like "Label 5".
    """
    names = {**given_names, **_names_in(labels.volume.extensions)}
    numbers = sorted({*labels.boxes, *names} - {0})
    return [Segment(number, names.get(number, f"Label {number}")) for number in numbers]


def present(labels: LabelMap, known: Sequence[Segment]) -> list[Segment]:
    """The known labels that have a voxel.

    Raises:
        UnusableSource: no label has a voxel.
    """
    found = [segment for segment in known if segment.number in labels.boxes]
    if not found:
        shape = " x ".join(map(str, labels.numbers.shape))
        raise UnusableSource("LabelMapEmpty", voxels=shape)
    return found


def chosen(known: Sequence[Segment], wanted: Sequence[int | str]) -> list[Segment]:
    """The requested ones of the known labels, by number or name.

    Raises:
        BadRequest: there is no such label; the message lists what there is.
    """
    return [select(known, one, "label") for one in wanted]


def structures(labels: LabelMap, wanted: Sequence[Segment]) -> Iterator[Structure]:
    """The voxels of each label, cropped.

    Raises:
        UnusableSource: a label has no voxel; raised before the first structure is yielded.
    """
    for part in wanted:
        if part.number not in labels.boxes:
            raise UnusableSource("LabelEmpty", number=part.number, name=part.name)
    for part in wanted:
        box = labels.boxes[part.number]
        first, second, third = (one.start for one in box)
        mask = labels.numbers[box] == part.number
        yield Structure(part, mask, labels.volume.grid.window((first, second, third), mask.shape))


def label_numbers(volume: NiftiVolume) -> NDArray[np.uint8 | np.uint16]:
    """The values as label numbers, (columns, rows, slices).

    Raises:
        UnusableSource: a value is not within 0.001 of an integer from 0 to 65535.
    """
    values: NDArray[Any] = volume.values
    if values.dtype in (np.uint8, np.uint16):
        return values
    lowest, highest = values.min(), values.max()
    if not (lowest >= -WHOLE and highest <= LARGEST_LABEL + WHOLE):
        raise UnusableSource(
            "LabelsOutOfRange",
            lowest=lowest,
            highest=highest,
            limit=LARGEST_LABEL,
        )
    if values.dtype.kind != "f":
        return values.astype(np.uint16)
    labels = np.rint(values).astype(np.uint16)
    off = np.abs(labels - values) > WHOLE
    if off.any():
        raise UnusableSource("LabelNotWhole", value=values[off][0])
    return labels


def _names_in(extensions: Sequence[bytes]) -> dict[int, str]:
    names: dict[int, str] = {}
    for content in extensions:
        text = content.rstrip(b"\0 \r\n\t")
        if b"<CaretExtension" not in text or b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            continue
        try:
            tree = ET.fromstring(text)  # noqa: S314  # without DTD there is nothing to expand
            labels = [(int(one.get("Key", "0")), one.text or "") for one in tree.iter("Label")]
        except (ET.ParseError, ValueError) as error:
            _log.warning("the label table of the NIfTI header is ignored: %s", error)
            continue
        names |= {
            number: name.strip()
            for number, name in labels
            if 0 < number <= LARGEST_LABEL and name.strip()
        }
    return names
