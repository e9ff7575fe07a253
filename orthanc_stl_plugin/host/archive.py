"""The archive port, on the REST API of the Orthanc that runs this plugin."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orthanc

from orthanc_stl_plugin.errors import ArchiveRefused, BadRequest, NotFound, PluginError
from orthanc_stl_plugin.services.archive import SeriesRecord, StoredInstance

_ENCAPSULATED_DOCUMENT: Final = "0042-0011"
_MISSING: Final = frozenset(
    {
        orthanc.ErrorCode.UNKNOWN_RESOURCE,
        orthanc.ErrorCode.INEXISTENT_ITEM,
        orthanc.ErrorCode.INEXISTENT_TAG,
        orthanc.ErrorCode.CREATE_DICOM_BAD_PARENT,
    }
)
_TAGS_REFUSED: Final = frozenset(
    {
        orthanc.ErrorCode.BAD_REQUEST,
        orthanc.ErrorCode.BAD_PARAMETER_TYPE,
        orthanc.ErrorCode.PARAMETER_OUT_OF_RANGE,
        orthanc.ErrorCode.UNKNOWN_DICOM_TAG,
        orthanc.ErrorCode.CREATE_DICOM_NOT_STRING,
        orthanc.ErrorCode.CREATE_DICOM_OVERRIDE_TAG,
        orthanc.ErrorCode.CREATE_DICOM_PARENT_ENCODING,
    }
)


class OrthancArchive:
    """See the port `orthanc_stl_plugin.services.archive.Archive`."""

    def study_tags(self, study_id: str) -> Mapping[str, object]:
        """See the port."""
        study = _get_json(f"/studies/{study_id}", f"study {study_id!r}")
        return {**study["PatientMainDicomTags"], **study["MainDicomTags"]}

    def instance_tags(self, instance_id: str) -> Mapping[str, object]:
        """See the port."""
        uri = f"/instances/{instance_id}/simplified-tags"
        tags: dict[str, object] = _get_json(uri, f"instance {instance_id!r}")
        return tags

    def study_of(self, instance_id: str) -> str:
        """See the port."""
        return str(_get_json(f"/instances/{instance_id}/study", f"instance {instance_id!r}")["ID"])

    def series(self, series_id: str) -> SeriesRecord:
        """See the port."""
        series = _get_json(f"/series/{series_id}", f"series {series_id!r}")
        find = {
            "Level": "Instance",
            "Query": {},
            "ParentSeries": series_id,
            "ResponseContent": ["MainDicomTags", "Metadata"],
        }
        instances = json.loads(orthanc.RestApiPost("/tools/find", json.dumps(find).encode()))
        first = self.instance_tags(series["Instances"][0])
        tags = series["MainDicomTags"]
        return SeriesRecord(
            series_id=series_id,
            series_instance_uid=tags["SeriesInstanceUID"],
            study_id=series["ParentStudy"],
            instance_ids=tuple(one["ID"] for one in instances),
            references=tuple(
                (one["Metadata"]["SopClassUid"], one["MainDicomTags"]["SOPInstanceUID"])
                for one in instances
            ),
            modality=tags.get("Modality", ""),
            description=tags.get("SeriesDescription", ""),
            frame_of_reference_uid=str(first.get("FrameOfReferenceUID") or "") or None,
        )

    def instance_file(self, instance_id: str) -> bytes:
        """See the port."""
        return _get(f"/instances/{instance_id}/file", f"instance {instance_id!r}")

    def encapsulated_document(self, instance_id: str) -> bytes:
        """See the port."""
        uri = f"/instances/{instance_id}/content/{_ENCAPSULATED_DOCUMENT}"
        return _get(uri, f"encapsulated document of instance {instance_id!r}")

    def create_instance(
        self, parent_study: str, tags: Mapping[str, object], document: Path, media_type: str
    ) -> StoredInstance:
        """See the port."""
        # Force allows the SeriesInstanceUID that the parts of an assembly share.
        fields = json.dumps({"Parent": parent_study, "Tags": tags, "Force": True}).encode()
        # The document is large: its base64 goes into the body without a detour through json.
        encoded = base64.b64encode(document.read_bytes())
        head = b'{"Content":"data:' + media_type.encode() + b";base64,"
        body = b"".join((head, encoded, b'",', fields[1:]))
        del encoded
        try:
            answer = json.loads(orthanc.RestApiPost("/tools/create-dicom", body))
        except orthanc.OrthancException as error:
            raise _refusal(error, f"study {parent_study!r}") from error
        return StoredInstance(answer["ID"], answer)

    def delete_instance(self, instance_id: str) -> None:
        """See the port."""
        try:
            orthanc.RestApiDelete(f"/instances/{instance_id}")
        except orthanc.OrthancException as error:
            raise _refusal(error, f"instance {instance_id!r}") from error


def _get(uri: str, what: str) -> bytes:
    try:
        return orthanc.RestApiGet(uri)
    except orthanc.OrthancException as error:
        raise _refusal(error, what) from error


def _get_json(uri: str, what: str) -> Any:
    return json.loads(_get(uri, what))


def _refusal(error: orthanc.OrthancException, what: str) -> PluginError:
    code, message = error.args
    if code in _MISSING:
        return NotFound(f"there is no {what}")
    if code in _TAGS_REFUSED:
        return BadRequest(f"Orthanc refuses the tags of the new instance: {message}")
    return ArchiveRefused(f"Orthanc error {code} with {what}: {message}")
