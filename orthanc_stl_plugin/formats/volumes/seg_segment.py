"""Segments from the items of a Segment Sequence (PS3.3 C.8.20.4)."""

from __future__ import annotations

from pydicom.dataset import Dataset

from orthanc_stl_plugin.formats.dicom.cielab import rgb_from_cielab
from orthanc_stl_plugin.formats.dicom.dataset import items
from orthanc_stl_plugin.formats.dicom.names import name_of
from orthanc_stl_plugin.model.labels import Code, Segment


def segment_of(item: Dataset) -> Segment:
    """The segment in an item of the Segment Sequence."""
    number = int(item.SegmentNumber)
    lab = item.get("RecommendedDisplayCIELabValue")
    return Segment(
        number=number,
        name=name_of(item, "SegmentLabel") or f"Segment {number}",
        rgb=rgb_from_cielab([int(part) for part in lab]) if lab and len(lab) == 3 else None,
        category=_code(item, "SegmentedPropertyCategoryCodeSequence"),
        type=_code(item, "SegmentedPropertyTypeCodeSequence"),
    )


def _code(item: Dataset, keyword: str) -> Code | None:
    for code in items(item, keyword)[:1]:
        value = code.get("CodeValue") or code.get("LongCodeValue") or code.get("URNCodeValue")
        if value:
            scheme = str(code.get("CodingSchemeDesignator") or "")
            return Code(str(value), scheme, str(code.get("CodeMeaning") or ""))
    return None
