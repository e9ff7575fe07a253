"""The segmentations among the shared data, and what each is to be held against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.services.models.sources import (
    NiftiSource,
    RtStructSource,
    SegSource,
    Source,
)
from tools.report import contours, masks
from tools.report.reference import Reference

DATA: Final = Path(__file__).parents[3] / "shared" / "data"
_MAX_BYTES: Final = Settings().max_volume_mib << 20
_OTHER_FOLDER: Final = {"seg/compressed/liver_rle.dcm": "seg/dcmqi_liver"}
"""A compressed file that the report cannot decode: the same voxels, uncompressed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One file, and one way to make models of it.

    Attributes:
        name: the path within the data.
        kind: "labels" or "foreground" of a NIfTI file, "rois" or "segments".
    """

    name: str
    kind: str

    @property
    def path(self) -> Path:
        return DATA / self.name

    def source(self, number: int | None = None) -> Source:
        """All of its structures apart, or one of them."""
        wanted = None if number is None else (number,)
        match self.kind:
            case "labels":
                return NiftiSource(self.path, _MAX_BYTES, wanted, split=True)
            case "foreground":
                return NiftiSource(self.path, _MAX_BYTES, title="(all that is not zero)")
            case "rois":
                return RtStructSource(self.path, wanted, split=True)
            case _:
                return SegSource(self.path, _MAX_BYTES, wanted)

    def references(self) -> dict[int, Reference]:
        """What each structure should be, by number."""
        match self.kind:
            case "labels":
                return masks.nifti_labels(self.path)
            case "foreground":
                return masks.nifti_foreground(self.path)
            case "rois":
                return contours.roi_references(self.path)
            case _:
                return masks.seg_segments(self.path) or self.given_references()

    def names(self) -> dict[int, str]:
        """Structures that the file lists, though they may have no voxel."""
        return contours.roi_names(self.path) if self.kind == "rois" else {}

    def given_references(self) -> dict[int, Reference]:
        """Masks of the same structures that the makers of the sample give."""
        folder = DATA / _OTHER_FOLDER[self.name] if self.name in _OTHER_FOLDER else self.path.parent
        found: dict[int, Reference] = {}
        if self.kind == "segments":
            for path in sorted(folder.rglob("reference*/*.nrrd")) + sorted(
                folder.glob("reference*.nrrd")
            ):
                found |= masks.nrrd_labels(path)
        elif self.kind == "rois" and (folder / "reference_mask.nii.gz").exists():
            (mask,) = masks.nifti_foreground(folder / "reference_mask.nii.gz").values()
            found = dict.fromkeys(contours.roi_references(self.path), mask)
        return found


def samples() -> list[Sample]:
    """All of them, by name."""
    found = []
    for folder in ("nifti", "totalsegmentator"):
        for path in [*(DATA / folder).rglob("*.nii"), *(DATA / folder).rglob("*.nii.gz")]:
            name = str(path.relative_to(DATA))
            found.append(Sample(name, "labels"))
            if not path.parent.name.startswith("example_seg_fast"):
                found.append(Sample(name, "foreground"))
    for folder, kind in (("rtstruct", "rois"), ("seg", "segments")):
        paths = (DATA / folder).glob("*/*.dcm")
        found += [Sample(str(path.relative_to(DATA)), kind) for path in paths]
    return sorted(found, key=lambda sample: (sample.name, sample.kind))
