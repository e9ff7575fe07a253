"""The catalogue of an Orthanc that runs `served_catalogue.py`, seen from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from orthanc_stl_plugin import errors
from orthanc_stl_plugin.sentences import Sentence
from orthanc_stl_plugin.services.ports.catalogue import (
    InstanceEntry,
    Level,
    SeriesEntry,
    StudyChoice,
    StudyEntry,
    StudyState,
)
from tests.support.orthanc_server import OrthancServer


class RemoteCatalogue:
    """Every method of the port, called in the server."""

    def __init__(self, server: OrthancServer) -> None:
        self._server = server

    def study(self, study_id: str) -> StudyEntry:
        return _study(self._call("study", study_id=study_id))

    def studies(self, choice: StudyChoice) -> list[StudyEntry]:
        return [_study(one) for one in self._call("studies", choice=asdict(choice))]

    def study_count(self, label: str) -> int:
        return int(self._call("study_count", label=label))

    def study_states(self, label: str) -> list[StudyState]:
        return [
            StudyState(**{**one, "modalities": tuple(one["modalities"])})
            for one in self._call("study_states", label=label)
        ]

    def sop_classes(self, label: str) -> dict[str, tuple[str, ...]]:
        return {
            one: tuple(classes) for one, classes in self._call("sop_classes", label=label).items()
        }

    def series_of(self, study_id: str, keywords: Sequence[str] = ()) -> list[SeriesEntry]:
        found = self._call("series_of", study_id=study_id, keywords=list(keywords))
        return [SeriesEntry(**one) for one in found]

    def instances_of(
        self, series_id: str, keywords: Sequence[str] = (), since: int = 0, limit: int = 0
    ) -> list[InstanceEntry]:
        found = self._call(
            "instances_of", series_id=series_id, keywords=list(keywords), since=since, limit=limit
        )
        return [InstanceEntry(**one) for one in found]

    def instance(self, instance_id: str, keywords: Sequence[str] = ()) -> InstanceEntry:
        return InstanceEntry(
            **self._call("instance", instance_id=instance_id, keywords=list(keywords))
        )

    def study_of(self, level: Level, identifier: str) -> str:
        return str(self._call("study_of", level=level.value, identifier=identifier))

    def has_label(self, study_id: str, label: str) -> bool:
        return bool(self._call("has_label", study_id=study_id, label=label))

    def _call(self, method: str, **arguments: object) -> Any:
        answer = self._server.post("/conformance", {"method": method, "arguments": arguments})
        answer.raise_for_status()
        value = answer.json()
        if "error" in value:
            raise getattr(errors, value["error"])(Sentence.from_json(value["sentence"]))
        return value["result"]


def _study(value: dict[str, Any]) -> StudyEntry:
    lists = {name: tuple(value[name]) for name in ("series_ids", "labels")}
    return StudyEntry(**{**value, **lists})
