"""The port to the catalogue: the studies, series and instances in the archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

Tags = Mapping[str, object]

# Tags that the archive computes for every study.
COUNTED_KEYWORDS: Final = ("ModalitiesInStudy", "NumberOfStudyRelatedInstances")
SERIES_COUNT_KEYWORD: Final = "NumberOfSeriesRelatedInstances"


class Level(StrEnum):
    """The levels of the archive, as named in addresses."""

    PATIENT = "patients"
    STUDY = "studies"
    SERIES = "series"
    INSTANCE = "instances"


@dataclass(frozen=True, slots=True)
class StudyEntry:
    """A study in the archive. Identifiers are Orthanc's.

    Attributes:
        study_id: its identifier.
        patient_id: the identifier of its patient.
        series_ids: the identifiers of its series, sorted.
        labels: Orthanc's labels, sorted.
        tags: of the study and its patient, and computed ones, by keyword.
        metadata: Orthanc's metadata, by name.
        instance_count: of all its series.
    """

    study_id: str
    patient_id: str
    series_ids: tuple[str, ...]
    labels: tuple[str, ...]
    tags: Tags
    metadata: Mapping[str, str]
    instance_count: int

    @property
    def last_update(self) -> str:
        """The time at which an instance was last received: YYYYMMDDThhmmss in UTC, or empty."""
        return self.metadata.get("LastUpdate", "")


@dataclass(frozen=True, slots=True)
class StudyChoice:
    """A selection of studies.

    Attributes:
        label: their label in Orthanc; empty for all.
        patient_id: Orthanc's identifier of their patient; empty for all.
        since: the number of studies to skip.
        limit: the maximum number of studies; 0 for all.
    """

    label: str = ""
    patient_id: str = ""
    since: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True)
class StudyState:
    """The attributes that change whenever a study does.

    Attributes:
        study_id: its identifier.
        modalities: of its series.
        metadata: Orthanc's metadata, by name; LastUpdate among them.
        instance_count: of all its series.
    """

    study_id: str
    modalities: tuple[str, ...]
    metadata: Mapping[str, str]
    instance_count: int = 1


@dataclass(frozen=True, slots=True)
class SeriesEntry:
    """A series in the archive.

    Attributes:
        series_id: its identifier.
        study_id: the identifier of its study.
        tags: of the series, and requested ones, by keyword.
        instance_count: the number of its instances.
    """

    series_id: str
    study_id: str
    tags: Tags
    instance_count: int = 1


@dataclass(frozen=True, slots=True)
class InstanceEntry:
    """An instance in the archive.

    Attributes:
        instance_id: its identifier.
        series_id: the identifier of its series.
        sop_class_uid: its SOP class; may be empty.
        tags: of the instance, and requested ones, by keyword.
        transfer_syntax_uid: its transfer syntax; may be empty.
        has_pixel_data: whether the archive knows the offset of its Pixel Data, which are integers.
    """

    instance_id: str
    series_id: str
    sop_class_uid: str
    tags: Tags
    transfer_syntax_uid: str = ""
    has_pixel_data: bool = True


def modalities_of(tags: Tags) -> tuple[str, ...]:
    """The modalities of a study's series; a single empty text if none is known."""
    return tuple(str(tags.get("ModalitiesInStudy") or "").split("\\"))


class Catalogue(Protocol):
    """The content of the archive. One conformance suite tests every implementation.

    `keywords` are tags to return in addition to the archive's main ones. Tags that are not in its
    index are read from the file of one instance of each resource.
    """

    def study(self, study_id: str) -> StudyEntry:
        """One study.

        Raises:
            NotFound: no such study.
        """
        ...

    def studies(self, choice: StudyChoice) -> list[StudyEntry]:
        """The selected studies, sorted by StudyDate, then by StudyInstanceUID."""
        ...

    def study_count(self, label: str) -> int:
        """The number of studies, or of those with a label."""
        ...

    def study_states(self, label: str) -> list[StudyState]:
        """The state of every study, or of those with a label."""
        ...

    def sop_classes(self, label: str) -> Mapping[str, tuple[str, ...]]:
        """The SOP classes of the instances of every study, or of those with a label.

        A single query for all studies, which takes some microseconds for each instance.
        """
        ...

    def series_of(self, study_id: str, keywords: Sequence[str] = ()) -> list[SeriesEntry]:
        """The series of a study; empty for an unknown study."""
        ...

    def instances_of(
        self, series_id: str, keywords: Sequence[str] = (), since: int = 0, limit: int = 0
    ) -> list[InstanceEntry]:
        """The instances of a series in the order of storage, or a part of them.

        The first `since` are skipped, and at most `limit` are returned, unless it is 0. An unknown
        series has none.
        """
        ...

    def instance(self, instance_id: str, keywords: Sequence[str] = ()) -> InstanceEntry:
        """One instance.

        Raises:
            NotFound: no such instance.
        """
        ...

    def study_of(self, level: Level, identifier: str) -> str:
        """The identifier of the study of a series or an instance; for a study, its own.

        Raises:
            NotFound: no such resource.
        """
        ...

    def has_label(self, study_id: str, label: str) -> bool:
        """Whether the study has the label; an unknown study has none."""
        ...
