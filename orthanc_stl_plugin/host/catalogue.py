"""The catalogue port, implemented with the REST API of the Orthanc that runs this plugin."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orthanc

from orthanc_stl_plugin.config.section import LABEL
from orthanc_stl_plugin.errors import ArchiveRefused, NotFound
from orthanc_stl_plugin.services.ports.catalogue import (
    COUNTED_KEYWORDS,
    SERIES_COUNT_KEYWORD,
    InstanceEntry,
    Level,
    SeriesEntry,
    StudyChoice,
    StudyEntry,
    StudyState,
    Tags,
    modalities_of,
)

_IDENTIFIER: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")
_CLASSES_KEYWORD: Final = "SOPClassesInStudy"
_STUDY_CONTENT: Final = (
    "MainDicomTags", "Metadata", "Labels", "Children", "Parent", "RequestedTags"
)  # fmt: skip
_MISSING: Final = frozenset({orthanc.ErrorCode.UNKNOWN_RESOURCE, orthanc.ErrorCode.INEXISTENT_ITEM})


class OrthancCatalogue:
    """See the port `orthanc_stl_plugin.services.ports.catalogue.Catalogue`."""

    def study(self, study_id: str) -> StudyEntry:
        """See the port."""
        path = _path(Level.STUDY, study_id)
        study = _get(_asking(path, COUNTED_KEYWORDS), Level.STUDY, study_id)
        study["Metadata"] = _get(f"{path}/metadata?expand", Level.STUDY, study_id)
        return _study_entry(study)

    def studies(self, choice: StudyChoice) -> list[StudyEntry]:
        """See the port."""
        question = _with_label(choice.label) | {
            "ResponseContent": _STUDY_CONTENT,
            "RequestedTags": COUNTED_KEYWORDS,
            "OrderBy": [
                {"Type": "DicomTag", "Key": key, "Direction": "ASC"}
                for key in ("StudyDate", "StudyInstanceUID")
            ],
            "Since": choice.since,
            "Limit": choice.limit,
        }
        if choice.patient_id:
            if not _is_identifier(choice.patient_id):
                return []
            question["ParentPatient"] = choice.patient_id
        return [_study_entry(study) for study in _found("Study", question)]

    def study_count(self, label: str) -> int:
        """See the port."""
        question = {"Level": "Study", "Query": {}} | _with_label(label)
        return int(_post("/tools/count-resources", question)["Count"])

    def study_states(self, label: str) -> list[StudyState]:
        """See the port."""
        question = _with_label(label) | {
            "ResponseContent": ("Metadata", "RequestedTags"),
            "RequestedTags": COUNTED_KEYWORDS,
            # Both: else Orthanc's LimitFindResults cuts the answer.
            "Since": 0,
            "Limit": 0,
        }
        return [_study_state(study) for study in _found("Study", question)]

    def sop_classes(self, label: str) -> Mapping[str, tuple[str, ...]]:
        """See the port."""
        question = _with_label(label) | {
            "ResponseContent": ("RequestedTags",),
            "RequestedTags": (_CLASSES_KEYWORD,),
            "Since": 0,
            "Limit": 0,
        }
        return {
            study["ID"]: tuple(str(study["RequestedTags"].get(_CLASSES_KEYWORD) or "").split("\\"))
            for study in _found("Study", question)
        }

    def series_of(self, study_id: str, keywords: Sequence[str] = ()) -> list[SeriesEntry]:
        """See the port."""
        return [
            _series_entry(series, study_id)
            for series in _children(
                "Series", "ParentStudy", study_id, (*keywords, SERIES_COUNT_KEYWORD)
            )
        ]

    def instances_of(
        self, series_id: str, keywords: Sequence[str] = (), since: int = 0, limit: int = 0
    ) -> list[InstanceEntry]:
        """See the port."""
        found = _children("Instance", "ParentSeries", series_id, keywords, (since, limit))
        return [_instance_entry(instance) for instance in found]

    def instance(self, instance_id: str, keywords: Sequence[str] = ()) -> InstanceEntry:
        """See the port."""
        path = _path(Level.INSTANCE, instance_id)
        instance = _get(_asking(path, keywords), Level.INSTANCE, instance_id)
        instance["Metadata"] = _get(f"{path}/metadata?expand", Level.INSTANCE, instance_id)
        return _instance_entry(instance)

    def study_of(self, level: Level, identifier: str) -> str:
        """See the port."""
        path = _path(level, identifier)
        tail = "" if level is Level.STUDY else "/study"
        return str(_get(f"{path}{tail}", level, identifier)["ID"])

    def has_label(self, study_id: str, label: str) -> bool:
        """See the port."""
        if not _is_identifier(study_id) or re.fullmatch(LABEL, label) is None:
            return False
        try:
            orthanc.RestApiGet(f"/studies/{study_id}/labels/{label}")
        except orthanc.OrthancException as error:
            if error.args[0] in _MISSING:
                return False
            raise ArchiveRefused("OrthancFailedWithLabel", code=error.args[0]) from error
        return True


def _study_entry(study: Mapping[str, Any]) -> StudyEntry:
    tags = {**study.get("PatientMainDicomTags", {}), **_tags(study)}
    return StudyEntry(
        study_id=study["ID"],
        patient_id=study["ParentPatient"],
        series_ids=tuple(sorted(study["Series"])),
        labels=tuple(sorted(study["Labels"])),
        tags=tags,
        metadata=study["Metadata"],
        instance_count=int(tags.get("NumberOfStudyRelatedInstances") or 0),
    )


def _study_state(study: Mapping[str, Any]) -> StudyState:
    tags = study["RequestedTags"]
    count = int(tags.get("NumberOfStudyRelatedInstances") or 0)
    return StudyState(study["ID"], modalities_of(tags), study["Metadata"], count)


def _series_entry(series: Mapping[str, Any], study_id: str) -> SeriesEntry:
    tags = dict(_tags(series))
    count = int(str(tags.pop(SERIES_COUNT_KEYWORD, 0) or 0))
    return SeriesEntry(series["ID"], study_id, tags, count)


def _instance_entry(instance: Mapping[str, Any]) -> InstanceEntry:
    metadata = instance["Metadata"]
    return InstanceEntry(
        instance["ID"],
        instance["ParentSeries"],
        metadata.get("SopClassUid", ""),
        _tags(instance),
        metadata.get("TransferSyntax", ""),
        "PixelDataOffset" in metadata,
    )


def _asking(path: str, keywords: Sequence[str]) -> str:
    return f"{path}?requested-tags={';'.join(keywords)}" if keywords else path


def _tags(resource: Mapping[str, Any]) -> Tags:
    """Its main tags, and the requested tags that it has."""
    requested = resource.get("RequestedTags", {})
    present = {keyword: value for keyword, value in requested.items() if value is not None}
    return {**resource["MainDicomTags"], **present}


def _children(
    level: str,
    parent_field: str,
    parent_id: str,
    keywords: Sequence[str],
    part: tuple[int, int] = (0, 0),
) -> list[dict[str, Any]]:
    if not _is_identifier(parent_id):
        return []
    question = {
        parent_field: parent_id,
        "ResponseContent": ("MainDicomTags", "Metadata", "Parent", "RequestedTags"),
        "RequestedTags": tuple(keywords),
        "Since": part[0],
        "Limit": part[1],
    }
    return _found(level, question)


def _with_label(label: str) -> dict[str, object]:
    return {"Labels": (label,), "LabelsConstraint": "All"} if label else {}


def _found(level: str, question: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All results from Since on, up to Limit, in several requests if LimitFindResults is lower."""
    since, limit = question["Since"], question["Limit"]
    found: list[dict[str, Any]] = []
    while True:
        part = {"Since": since + len(found), "Limit": limit - len(found) if limit else 0}
        more: list[dict[str, Any]] = _post(
            "/tools/find",
            {"Level": level, "Query": {}, "CaseSensitive": True, **question, **part},
        )
        found += more
        if not limit or not more or len(found) == limit:
            return found


def _post(path: str, question: Mapping[str, object]) -> Any:
    try:
        return json.loads(orthanc.RestApiPost(path, json.dumps(question).encode()))
    except orthanc.OrthancException as error:
        raise ArchiveRefused("OrthancFailed", code=error.args[0], path=path) from error


def _is_identifier(identifier: str) -> bool:
    return _IDENTIFIER.fullmatch(identifier) is not None


def _path(level: Level, identifier: str) -> str:
    """The address of a resource; anything but an identifier could lead elsewhere."""
    if not _is_identifier(identifier):
        raise _missing(level, identifier)
    return f"/{level}/{identifier}"


def _missing(level: Level, identifier: str) -> NotFound:
    return NotFound("NothingBelow", level=level, id=identifier[:80])


def _get(path: str, level: Level, identifier: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(orthanc.RestApiGet(path))
    except orthanc.OrthancException as error:
        if error.args[0] in _MISSING:
            raise _missing(level, identifier) from error
        raise ArchiveRefused(
            "OrthancFailedWith", code=error.args[0], level=level, id=identifier
        ) from error
    return answer
