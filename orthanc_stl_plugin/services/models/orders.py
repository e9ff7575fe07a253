"""Orders: what a client requests, from which source, with which options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orthanc_stl_plugin.formats.meshes.read import MeshFile
from orthanc_stl_plugin.model.mesh import MeshOptions
from orthanc_stl_plugin.services.models.sources import Inside, Wanted


@dataclass(frozen=True, slots=True)
class Making:
    """The options common to all orders.

    Attributes:
        options: for making the surfaces.
        tags: of the new instances, by keyword; they override the tags made here.
    """

    options: MeshOptions = field(default_factory=MeshOptions)
    tags: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NiftiOrder:
    """Models of a NIfTI mask or label map, in a study.

    Attributes:
        nifti: the bytes of a .nii or .nii.gz file.
        parent_study: Orthanc identifier of the study that receives the models.
        wanted: labels by number or name; None for all.
        split: whether each label becomes a model, instead of all becoming one.
        label_names: names of labels that the file does not name.
        reference_series: Orthanc identifier of the series whose coordinates the file is in.
    """

    nifti: bytes
    parent_study: str
    wanted: Wanted = None
    split: bool = False
    label_names: Mapping[int, str] = field(default_factory=dict)
    reference_series: str | None = None


@dataclass(frozen=True, slots=True)
class StructuresOrder:
    """Models of the ROIs of an RT-STRUCT, or of the segments of a SEG, by Orthanc identifier."""

    instance: str
    wanted: Wanted = None
    split: bool = False


@dataclass(frozen=True, slots=True)
class SeriesOrder:
    """A model of an image series, by Orthanc identifier."""

    series: str
    inside: Inside


@dataclass(frozen=True, slots=True)
class AttachOrder:
    """An existing model to attach to a study.

    Attributes:
        file: its file, and the files that it refers to.
        name: its name.
        parent_study: Orthanc identifier of the study that receives it.
        reference_series: Orthanc identifier of the series whose coordinates it is in.
    """

    file: MeshFile
    name: str
    parent_study: str
    reference_series: str | None = None
