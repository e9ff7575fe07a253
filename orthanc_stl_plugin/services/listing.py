"""What a segmentation holds, as plain values for JSON; runs in a worker process."""

from __future__ import annotations

from pathlib import Path

from orthanc_stl_plugin.formats.dicomseg import read_seg
from orthanc_stl_plugin.formats.rtstruct import read_rtstruct
from orthanc_stl_plugin.model.labels import Code, Segment


def roi_list(path: Path) -> list[dict[str, object]]:
    """Number, name, contours, colour, volume of each ROI, and why one cannot be meshed.

    Raises:
        UnusableSource: the file at `path` is no readable RT Structure Set.
    """
    return [
        {
            **_identity(roi.segment),
            "Contours": roi.contour_count,
            "VolumeMm3": round(roi.volume_mm3, 1),
            "CanBeMeshed": roi.obstacle is None,
            "Reason": roi.obstacle or "",
        }
        for roi in read_rtstruct(path).rois
    ]


def segment_list(path: Path) -> list[dict[str, object]]:
    """Number, label, colour and codes of each segment.

    Raises:
        UnusableSource: the file at `path` is no readable Segmentation.
    """
    seg = read_seg(path)
    return [
        {
            **_identity(segment),
            "Category": _code(segment.category),
            "Type": _code(segment.type),
            "CanBeMeshed": seg.obstacle is None,
            "Reason": seg.obstacle or "",
        }
        for segment in seg.segments
    ]


def _identity(segment: Segment) -> dict[str, object]:
    colour = None if segment.rgb is None else "#" + bytes(segment.rgb).hex()
    return {"Number": segment.number, "Name": segment.name, "Color": colour}


def _code(code: Code | None) -> dict[str, str] | None:
    if code is None:
        return None
    return {
        "CodeValue": code.value,
        "CodingSchemeDesignator": code.scheme,
        "CodeMeaning": code.meaning,
    }
