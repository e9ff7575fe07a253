"""The archive of an Orthanc that runs `served_archive.py`, seen from outside."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orthanc_stl_plugin import errors
from orthanc_stl_plugin.model.geometry import ImagePlane
from orthanc_stl_plugin.sentences import Sentence
from orthanc_stl_plugin.services.ports.archive import SeriesRecord, StoredInstance
from orthanc_stl_plugin.services.ports.image_files import FileRecord
from tests.support.orthanc_server import OrthancServer


class RemoteArchive:
    """Every method of the port, called in the server."""

    def __init__(self, server: OrthancServer) -> None:
        self._server = server

    def study_tags(self, study_id: str) -> Mapping[str, object]:
        return dict(self._call("study_tags", study_id=study_id))

    def last_series_number(self, study_id: str) -> int:
        return int(self._call("last_series_number", study_id=study_id))

    def instance_tags(self, instance_id: str) -> Mapping[str, object]:
        return dict(self._call("instance_tags", instance_id=instance_id))

    def study_of(self, instance_id: str) -> str:
        return str(self._call("study_of", instance_id=instance_id))

    def series(self, series_id: str) -> SeriesRecord:
        record = self._call("series", series_id=series_id)
        record["instance_ids"] = tuple(record["instance_ids"])
        record["references"] = tuple(map(tuple, record["references"]))
        return SeriesRecord(**record)

    def source_images(self, instance_id: str) -> tuple[ImagePlane, ...]:
        planes = self._call("source_images", instance_id=instance_id)
        return tuple(image_plane(plane) for plane in planes)

    def instance_file(self, instance_id: str) -> bytes:
        return bytes(self._call("instance_file", instance_id=instance_id))

    def encapsulated_document(self, instance_id: str) -> bytes:
        return bytes(self._call("encapsulated_document", instance_id=instance_id))

    def create_instance(
        self,
        parent_study: str,
        tags: Mapping[str, object],
        document: Path,
        media_type: str,
        textured_model: Path | None = None,
    ) -> StoredInstance:
        answer = self._call(
            "create_instance",
            parent_study=parent_study,
            tags=dict(tags),
            document=str(document),
            media_type=media_type,
            textured_model=str(textured_model) if textured_model is not None else None,
        )
        return StoredInstance(answer["ID"], answer)

    def textured_model(self, instance_id: str) -> bytes:
        return bytes(self._call("textured_model", instance_id=instance_id))

    def delete_series(self, series_instance_uid: str) -> int:
        return int(self._call("delete_series", series_instance_uid=series_instance_uid))

    def _call(self, method: str, **arguments: object) -> Any:
        return called(self._server, "archive", method, **arguments)


class RemoteImageArchive:
    """Every method of the port of images, called in the server."""

    def __init__(self, server: OrthancServer) -> None:
        self._server = server

    def series_instances(self, series_id: str) -> tuple[str, ...]:
        return tuple(self._call("series_instances", series_id=series_id))

    def file_record(self, instance_id: str) -> FileRecord:
        record = self._call("file_record", instance_id=instance_id)
        return FileRecord(record["digest"], Path(record["path"]) if record["path"] else None)

    def instance_file(self, instance_id: str) -> bytes:
        return bytes(self._call("instance_file", instance_id=instance_id))

    def _call(self, method: str, **arguments: object) -> Any:
        return called(self._server, "images", method, **arguments)


def image_plane(told: Mapping[str, Any]) -> ImagePlane:
    """The plane in an answer, whose lists are tuples."""
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in told.items()
    }
    return ImagePlane(**fields)


def called(server: OrthancServer, port: str, method: str, **arguments: object) -> Any:
    """What a method of a port returns in the server, or its error."""
    order = {"port": port, "method": method, "arguments": arguments}
    answer = server.post("/conformance", order)
    answer.raise_for_status()
    value = answer.json()
    if "error" in value:
        raise getattr(errors, value["error"])(Sentence.from_json(value["sentence"]))
    return base64.b64decode(value["bytes"]) if "bytes" in value else value["result"]
