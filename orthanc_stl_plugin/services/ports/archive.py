"""The port to the DICOM archive: the few things that the use cases ask of Orthanc."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orthanc_stl_plugin.model.geometry import ImagePlane


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """What the archive tells of an instance that it has just stored.

    Attributes:
        instance_id: its Orthanc identifier.
        answer: the whole answer of /tools/create-dicom (ID, Path, ParentStudy, ...).
    """

    instance_id: str
    answer: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SeriesRecord:
    """What the archive knows of a series.

    Attributes:
        series_id: its Orthanc identifier.
        series_instance_uid: its UID.
        study_id: that of its study.
        instance_ids: those of its instances.
        references: SOP class and instance UIDs of its instances.
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
    """A DICOM archive. One conformance suite runs on every implementation.

    Identifiers are Orthanc's. Tags come by keyword: a text, or a list of such mappings for a
    sequence (PS3.5 section 7.5).
    """

    def study_tags(self, study_id: str) -> Mapping[str, object]:
        """The main tags of a study and of its patient.

        Raises:
            NotFound: no such study.
        """
        ...

    def last_series_number(self, study_id: str) -> int:
        """The highest SeriesNumber in a study; 0 where no series has one.

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
        """What is known of a series.

        Raises:
            NotFound: no such series.
        """
        ...

    def source_images(self, instance_id: str) -> tuple[ImagePlane, ...]:
        """The images of the series that a SEG or an RT Structure Set refers to.

        That is as far as they are stored and have a position; the size, the spacing and the
        thickness are those of the first image of a series. It is empty for other instances.

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
        looks: Path | None = None,
    ) -> StoredInstance:
        """Encapsulates the file `document` in a new instance of the study `parent_study`.

        `looks` is a file of binary glTF that goes along in the instance, in a private element: its
        tags then have `formats.encapsulated.PRIVATE_KEYWORD`.

        Raises:
            NotFound: no such study.
            BadRequest: the tags were refused; nothing is stored.
            ArchiveRefused: it failed for another reason; nothing is stored.
        """
        ...

    def looks(self, instance_id: str) -> bytes:
        """The binary glTF that an instance was stored with; DICOM's padding included.

        Raises:
            NotFound: no such instance, or it has none.
        """
        ...

    def delete_series(self, series_instance_uid: str) -> int:
        """Removes a series with all its instances, and tells how many; 0 where there is none.

        Raises:
            ArchiveRefused: it failed.
        """
        ...


def write_instance(archive: Archive, instance_id: str, folder: Path) -> Path:
    """Writes the file of an instance into a folder; raises as `Archive.instance_file`."""
    path = folder / f"{instance_id}.dcm"
    path.write_bytes(archive.instance_file(instance_id))
    return path
