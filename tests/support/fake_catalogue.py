"""A catalogue in memory, held to the same conformance suite as the real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.services.ports.catalogue import (
    InstanceEntry,
    Level,
    SeriesEntry,
    StudyChoice,
    StudyEntry,
    StudyState,
    modalities_of,
)


@dataclass
class FakeCatalogue:
    """Studies, series and instances by identifier; the tags asked for are always among theirs.

    `asked` counts the questions, to prove what a cache has spared; `compared` those about the
    states of all studies.
    """

    known_studies: dict[str, StudyEntry] = field(default_factory=dict)
    known_series: dict[str, SeriesEntry] = field(default_factory=dict)
    known_instances: dict[str, list[InstanceEntry]] = field(default_factory=dict)
    asked: int = 0
    compared: int = 0

    def label(self, study_id: str, *labels: str) -> None:
        study = self.known_studies[study_id]
        self.known_studies[study_id] = replace(study, labels=tuple(sorted(labels)))

    def study(self, study_id: str) -> StudyEntry:
        self.asked += 1
        if study_id not in self.known_studies:
            raise NotFound("NothingBelow", level="studies", id=study_id)
        return self.known_studies[study_id]

    def studies(self, choice: StudyChoice) -> list[StudyEntry]:
        self.asked += 1
        chosen = [
            study
            for study in self._labelled(choice.label)
            if choice.patient_id in {"", study.patient_id}
        ]
        chosen.sort(key=_by_date)
        end = choice.since + choice.limit if choice.limit else None
        return chosen[choice.since : end]

    def study_count(self, label: str) -> int:
        return len(self._labelled(label))

    def study_states(self, label: str) -> list[StudyState]:
        self.compared += 1
        return [
            StudyState(
                study.study_id,
                modalities_of(study.tags),
                study.metadata,
                study.instance_count,
            )
            for study in self._labelled(label)
        ]

    def sop_classes(self, label: str) -> dict[str, tuple[str, ...]]:
        self.asked += 1
        return {
            study.study_id: tuple(
                sorted(
                    {
                        instance.sop_class_uid
                        for series_id, series in self.known_series.items()
                        if series.study_id == study.study_id
                        for instance in self.known_instances.get(series_id, [])
                    }
                )
            )
            for study in self._labelled(label)
        }

    def series_of(self, study_id: str, keywords: Sequence[str] = ()) -> list[SeriesEntry]:
        self.asked += 1
        return [
            replace(one, instance_count=len(self.known_instances.get(one.series_id, ())))
            for one in self.known_series.values()
            if one.study_id == study_id
        ]

    def instances_of(
        self, series_id: str, keywords: Sequence[str] = (), since: int = 0, limit: int = 0
    ) -> list[InstanceEntry]:
        self.asked += 1
        known = self.known_instances.get(series_id, [])
        return known[since : since + limit if limit else None]

    def instance(self, instance_id: str, keywords: Sequence[str] = ()) -> InstanceEntry:
        self.asked += 1
        for instances in self.known_instances.values():
            for one in instances:
                if one.instance_id == instance_id:
                    return one
        raise NotFound("NothingBelow", level="instances", id=instance_id)

    def study_of(self, level: Level, identifier: str) -> str:
        if level is Level.STUDY and identifier in self.known_studies:
            return identifier
        if level is Level.SERIES and identifier in self.known_series:
            return self.known_series[identifier].study_id
        if level is Level.INSTANCE:
            for series_id, instances in self.known_instances.items():
                if any(one.instance_id == identifier for one in instances):
                    return self.known_series[series_id].study_id
        raise NotFound("NothingBelow", level=level, id=identifier)

    def has_label(self, study_id: str, label: str) -> bool:
        study = self.known_studies.get(study_id)
        return study is not None and label in study.labels

    def _labelled(self, label: str) -> list[StudyEntry]:
        return [
            study for study in self.known_studies.values() if not label or label in study.labels
        ]


def _by_date(study: StudyEntry) -> tuple[str, str]:
    return str(study.tags.get("StudyDate", "")), str(study.tags["StudyInstanceUID"])
