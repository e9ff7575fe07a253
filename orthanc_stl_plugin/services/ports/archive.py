"""The port to the DICOM archive: what making models needs from Orthanc."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orthanc_stl_plugin.model.geometry import ImagePlane


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An instance that the archive has just stored.

    Attributes:
        instance_id: its Orthanc identifier.
        answer: the whole answer of /tools/create-dicom (ID, Path, ParentStudy, ...).
    """

    instance_id: str
    answer: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SeriesRecord:
    """A series in the archive.

    Attributes:
        series_id: its Orthanc identifier.
        series_instance_uid: its UID.
        study_id: the Orthanc identifier of its study.
        instance_ids: the Orthanc identifiers of its instances.
        references: SOP class and instance UIDs of its instances that have both.
        modality: CT, MR, ...
        description: SeriesDescription; may be empty.
        frame_of_reference_uid: of its first instance, or None.
    """

    series_id: str
    series_instance_uid: str
    study_id: str
    instance_ids: tuple[str, ...]
    references: tuple[tuple[str, str], ...]
    modality: str
    description: str
    frame_of_reference_uid: str | None


class Archive(Protocol):
    """A DICOM archive. One conformance suite tests every implementation.

    Identifiers are Orthanc's. Tags are mapped by keyword to a text, or to a list of such mappings
    for a sequence (PS3.5 section 7.5).
    """

    def study_tags(self, study_id: str) -> Mapping[str, object]:
        """The main tags of a study and of its patient.

        Raises:
            NotFound: no such study.
        """
        ...

    def last_series_number(self, study_id: str) -> int:
        """The highest SeriesNumber in a study; 0 if no series has one.

        Raises:
            NotFound: no such study.
        """
        ...

    def instance_tags(self, instance_id: str) -> Mapping[str, object]:
        """The tags of an instance; binary values are absent or empty.

        Raises:
            NotFound: no such instance.
        """
        ...

    def study_of(self, instance_id: str) -> str:
        """The Orthanc identifier of an instance's study.

        Raises:
            NotFound: no such instance.
        """
        ...

    def series(self, series_id: str) -> SeriesRecord:
        """The series.

        Raises:
            NotFound: no such series.
        """
        ...

    def source_images(self, instance_id: str) -> tuple[ImagePlane, ...]:
        """The images of the series that a SEG or an RT Structure Set refers to.

        Only stored images with a position are included; size, spacing and thickness are those of
        the first image of a series. It is empty for other instances.

        Raises:
            NotFound: no such instance.
        """
        ...

    def instance_file(self, instance_id: str) -> bytes:
        """The DICOM file of an instance.

        Raises:
            NotFound: no such instance.
        """
        ...

    def encapsulated_document(self, instance_id: str) -> bytes:
        """The value of EncapsulatedDocument (0042,0011) as stored, padding included.

        Raises:
            NotFound: no such instance, or it has no such element.
        """
        ...

    def create_instance(
        self,
        parent_study: str,
        tags: Mapping[str, object],
        document: Path,
        media_type: str,
        textured_model: Path | None = None,
    ) -> StoredInstance:
        """Stores the file `document` as a new encapsulated instance of the study `parent_study`.

        `textured_model` is a file of binary glTF to store in a private element of the instance,
        whose tags then have `formats.encapsulated.PRIVATE_KEYWORD`.

        Raises:
            NotFound: no such study.
            BadRequest: the tags were refused; nothing is stored.
            ArchiveRefused: it failed for another reason; nothing is stored.
        """
        ...

    def textured_model(self, instance_id: str) -> bytes:
        """The binary glTF stored with an instance, including DICOM's padding.

        Raises:
            NotFound: no such instance, or it has no binary glTF.
        """
        ...

    def delete_series(self, series_instance_uid: str) -> int:
        """Removes a series and returns the number of its instances; 0 if there is no such series.

        Raises:
            ArchiveRefused: removing failed.
        """
        ...


def write_instance(archive: Archive, instance_id: str, folder: Path) -> Path:
    """Writes the DICOM file of an instance into a folder; raises as `Archive.instance_file`."""
    path = folder / f"{instance_id}.dcm"
    path.write_bytes(archive.instance_file(instance_id))
    return path
