"""The port to the catalogue: what the archive holds, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

Tags = Mapping[str, object]

# What the archive counts by itself, and gives with every study.
COUNTED_KEYWORDS: Final = ("ModalitiesInStudy", "NumberOfStudyRelatedInstances")
SERIES_COUNT_KEYWORD: Final = "NumberOfSeriesRelatedInstances"


class Level(StrEnum):
    """The levels of the archive, by the names that addresses give them."""

    PATIENT = "patients"
    STUDY = "studies"
    SERIES = "series"
    INSTANCE = "instances"


@dataclass(frozen=True, slots=True)
class StudyEntry:
    """What the archive knows of a study. Identifiers are Orthanc's.

    Attributes:
        study_id: its identifier.
        patient_id: that of its patient.
        series_ids: those of its series, sorted.
        labels: Orthanc's labels, sorted.
        tags: of the study, of its patient, and those counted: by keyword.
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
        """When an instance was last received: YYYYMMDDThhmmss in UTC; may be empty."""
        return self.metadata.get("LastUpdate", "")


@dataclass(frozen=True, slots=True)
class StudyChoice:
    """Which studies, and how many of them.

    Attributes:
        label: Orthanc's label that they carry; empty for all.
        patient_id: Orthanc's identifier of their patient; empty for all.
        since: how many to leave out at the beginning.
        limit: the most to give; 0 for all.
    """

    label: str = ""
    patient_id: str = ""
    since: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True)
class StudyState:
    """What tells whether a study has changed.

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
    """What the archive knows of a series.

    Attributes:
        series_id: its identifier.
        study_id: that of its study.
        tags: of the series, and those asked for: by keyword.
        instance_count: how many instances it has.
    """

    series_id: str
    study_id: str
    tags: Tags
    instance_count: int = 1


@dataclass(frozen=True, slots=True)
class InstanceEntry:
    """What the archive knows of an instance.

    Attributes:
        instance_id: its identifier.
        series_id: that of its series.
        sop_class_uid: what it is; may be empty.
        tags: of the instance, and those asked for: by keyword.
        transfer_syntax_uid: how it is written; may be empty.
        has_pixel_data: the archive knows where its Pixel Data begin, which are integers.
    """

    instance_id: str
    series_id: str
    sop_class_uid: str
    tags: Tags
    transfer_syntax_uid: str = ""
    has_pixel_data: bool = True


def modalities_of(tags: Tags) -> tuple[str, ...]:
    """Those of a study's series; one that is empty where none is known."""
    return tuple(str(tags.get("ModalitiesInStudy") or "").split("\\"))


class Catalogue(Protocol):
    """What the archive holds. One conformance suite runs on every implementation.

    `keywords` are those of tags wanted beside the archive's main ones; where the archive does not
    have them in its index, it reads them in the file of one instance of each resource.
    """

    def study(self, study_id: str) -> StudyEntry:
        """One study.

        Raises:
            NotFound: no such study.
        """
        ...

    def studies(self, choice: StudyChoice) -> list[StudyEntry]:
        """The chosen studies, by StudyDate, then by StudyInstanceUID."""
        ...

    def study_count(self, label: str) -> int:
        """How many studies there are; with a label, how many carry it."""
        ...

    def study_states(self, label: str) -> list[StudyState]:
        """The state of every study; with a label, of those that carry it."""
        ...

    def sop_classes(self, label: str) -> Mapping[str, tuple[str, ...]]:
        """The SOP classes of the instances of every study; with a label, of those that carry it.

        One question, however many studies; but it takes some microseconds for each instance.
        """
        ...

    def series_of(self, study_id: str, keywords: Sequence[str] = ()) -> list[SeriesEntry]:
        """The series of a study; none of an unknown one."""
        ...

    def instances_of(
        self, series_id: str, keywords: Sequence[str] = (), since: int = 0, limit: int = 0
    ) -> list[InstanceEntry]:
        """The instances of a series in the order they were stored, or a part of them.

        `since` are left out at the beginning; no more come than `limit`, unless it is 0. An unknown
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
        """The identifier of the study that a series or an instance belongs to, or the study's own.

        Raises:
            NotFound: no such resource.
        """
        ...

    def has_label(self, study_id: str, label: str) -> bool:
        """The study carries the label; an unknown study carries none."""
        ...
