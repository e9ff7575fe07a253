"""Sources of models, as passed to a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orthanc_stl_plugin.formats.meshes.read import MeshFile, MeshFormat, MeshLimits
from orthanc_stl_plugin.formats.meshes.sidecar_files import SidecarFiles
from orthanc_stl_plugin.model.geometry import ImagePlane

Wanted = tuple[int | str, ...] | None


@dataclass(frozen=True, slots=True)
class NiftiSource:
    """A NIfTI file. Without wanted labels and split, all voxels other than zero make one model."""

    path: Path
    max_bytes: int
    wanted: Wanted = None
    split: bool = False
    label_names: Mapping[int, str] = field(default_factory=dict)
    title: str = "Model from NIfTI"


@dataclass(frozen=True, slots=True)
class RtStructSource:
    """An RT Structure Set. Without wanted ROIs, all that can be meshed are used.

    `images` are the stored ones on which it was drawn.
    """

    path: Path
    wanted: Wanted = None
    split: bool = False
    images: tuple[ImagePlane, ...] = ()


@dataclass(frozen=True, slots=True)
class SegSource:
    """A DICOM Segmentation. Without wanted segments, all that have a voxel are used.

    `images` are the stored ones that it was made from.
    """

    path: Path
    max_bytes: int
    wanted: Wanted = None
    split: bool = True
    images: tuple[ImagePlane, ...] = ()


@dataclass(frozen=True, slots=True)
class Inside:
    """Which voxels of an image series are inside.

    Attributes:
        threshold: the lowest value inside, in the rescaled unit; None for Otsu's threshold.
        upper: the highest value inside, or None.
        keep_largest: whether to keep the largest connected part only.
        fill_holes: whether to fill cavities.
    """

    threshold: float | None = None
    upper: float | None = None
    keep_largest: bool = False
    fill_holes: bool = False


@dataclass(frozen=True, slots=True)
class SeriesSource:
    """The files of an image series, and which of its voxels are inside.

    Attributes:
        paths: one file for each instance.
        max_bytes: the most bytes of the volume.
        inside: the rule for voxels inside.
        series_instance_uid: of the series.
        title: the name of the model.
    """

    paths: tuple[Path, ...]
    max_bytes: int
    inside: Inside
    series_instance_uid: str | None = None
    title: str = "Surface"


@dataclass(frozen=True, slots=True)
class MeshFileSource:
    """A file that holds a surface already; see `MeshFile`. `sidecar_files` are paths by name."""

    path: Path
    kind: MeshFormat
    limits: MeshLimits
    title: str
    sidecar_files: Mapping[str, Path] = field(default_factory=dict)
    millimetres_per_unit: float | None = None
    is_y_up: bool | None = None

    def file(self) -> MeshFile:
        """The files at the paths."""
        return MeshFile(
            self.path.read_bytes(),
            self.kind,
            SidecarFiles.of({name: path.read_bytes() for name, path in self.sidecar_files.items()}),
            self.millimetres_per_unit,
            self.is_y_up,
        )


Source = NiftiSource | RtStructSource | SegSource | SeriesSource | MeshFileSource
