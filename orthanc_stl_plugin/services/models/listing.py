"""The structures of a segmentation, as plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.contours.rtstruct import read_rtstruct
from orthanc_stl_plugin.formats.volumes.seg import SegFile, read_seg, structures
from orthanc_stl_plugin.model.labels import Code, Segment
from orthanc_stl_plugin.sentences import Sentence
from orthanc_stl_plugin.services.jobs.waiting_room import Readers
from orthanc_stl_plugin.services.ports.archive import Archive, write_instance


class Listing:
    """Lists the structures from which models can be made.

    The methods raise NotFound for an instance that does not exist, and what the workers raise.
    """

    def __init__(self, archive: Archive, readers: Readers, settings: Settings) -> None:
        self._archive = archive
        self._readers = readers
        self._max_bytes = settings.max_volume_mib << 20

    def rois(self, instance_id: str) -> list[dict[str, object]]:
        """The ROIs of an RT Structure Set; see `roi_list`."""
        with self._spooled(instance_id) as path:
            return self._readers.run(roi_list, path)

    def segments(self, instance_id: str, *, with_volumes: bool) -> list[dict[str, object]]:
        """The segments of a DICOM Segmentation; see `segment_list`."""
        with self._spooled(instance_id) as path:
            return self._readers.run(segment_list, path, self._max_bytes, with_volumes)

    @contextmanager
    def _spooled(self, instance_id: str) -> Iterator[Path]:
        with self._readers.task_folder() as folder:
            yield write_instance(self._archive, instance_id, folder)


def roi_list(path: Path) -> list[dict[str, object]]:
    """Number, name, contours, colour, volume of each ROI, and why one cannot be meshed.

    Runs in a worker process, as the next.

    Raises:
        UnusableSource: the file at `path` is no readable RT Structure Set.
    """
    return [
        {
            **_identity(roi.segment),
            "Contours": roi.contour_count,
            "VolumeMm3": _rounded(roi.volume_mm3),
            **_usability(roi.obstacle),
        }
        for roi in read_rtstruct(path).rois
    ]


def segment_list(path: Path, max_bytes: int, with_volumes: bool) -> list[dict[str, object]]:
    """Number, label, colour and codes of each segment; the volume takes reading all pixels.

    Raises:
        TooLarge: with volumes, there are more than `max_bytes` voxels.
        UnusableSource: the file at `path` is no readable Segmentation.
    """
    seg = read_seg(path)
    volumes = _volumes_mm3(seg, max_bytes) if with_volumes and seg.obstacle is None else {}
    return [
        {
            **_identity(segment),
            "Category": _code(segment.category),
            "Type": _code(segment.type),
            **({"VolumeMm3": volumes.get(segment.number, 0.0)} if with_volumes else {}),
            **_usability(_obstacle(seg, segment, volumes)),
        }
        for segment in seg.segments
    ]


def _volumes_mm3(seg: SegFile, max_bytes: int) -> dict[int, float]:
    """By segment number; empty ones are absent."""
    try:
        return {
            part.segment.number: _rounded(int(part.mask.sum()) * part.grid.voxel_volume_mm3)
            for part in structures(seg, None, max_bytes)
        }
    except UnusableSource:  # all are empty, or they form no volume: making models reports it
        return {}


def _rounded(volume_mm3: float) -> float:
    """The volume to five digits: micro-CT specimens are far below a cubic millimetre."""
    return float(f"{volume_mm3:.5g}")


def _obstacle(seg: SegFile, segment: Segment, volumes: dict[int, float]) -> Sentence | None:
    if seg.obstacle is None and volumes and segment.number not in volumes:
        return Sentence("NamedSegmentEmpty", name=segment.name)
    return seg.obstacle


def _usability(obstacle: Sentence | None) -> dict[str, object]:
    return {
        "CanBeMeshed": obstacle is None,
        "Reason": obstacle or "",
        "ReasonDetails": None if obstacle is None else obstacle.to_json(),
    }


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
