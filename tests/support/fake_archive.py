"""An archive in memory, held to the same conformance suite as the real one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from pydicom.datadict import tag_for_keyword

from orthanc_stl_plugin.errors import ArchiveRefused, BadRequest, NotFound
from orthanc_stl_plugin.formats.dicom.encapsulated import PRIVATE_KEYWORD, STL_SOP_CLASS_UID
from orthanc_stl_plugin.model.geometry import ImagePlane
from orthanc_stl_plugin.services.ports.archive import SeriesRecord, StoredInstance


@dataclass
class FakeArchive:
    """Studies by identifier with their tags; instances with their tags and document.

    `full_after` instances it refuses to store more, as a full disk would; when it is locked it
    refuses to delete.
    """

    studies: dict[str, dict[str, object]] = field(default_factory=dict)
    instances: dict[str, tuple[dict[str, object], bytes | None]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    known_series: dict[str, SeriesRecord] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    known_source_images: dict[str, tuple[ImagePlane, ...]] = field(default_factory=dict)
    known_textured_models: dict[str, bytes] = field(default_factory=dict)
    full_after: int = 1000
    is_locked: bool = False

    def study_tags(self, study_id: str) -> Mapping[str, object]:
        if study_id not in self.studies:
            raise NotFound("NoSuchResource", level="study", id=study_id)
        return self.studies[study_id]

    def last_series_number(self, study_id: str) -> int:
        self.study_tags(study_id)
        own = [tags for one, (tags, _) in self.instances.items() if self.parents[one] == study_id]
        return max((int(str(tags.get("SeriesNumber", 0))) for tags in own), default=0)

    def instance_tags(self, instance_id: str) -> Mapping[str, object]:
        if instance_id not in self.instances:
            raise NotFound("NoSuchResource", level="instance", id=instance_id)
        return self.instances[instance_id][0]

    def study_of(self, instance_id: str) -> str:
        self.instance_tags(instance_id)
        return self.parents.get(instance_id, "")

    def series(self, series_id: str) -> SeriesRecord:
        if series_id not in self.known_series:
            raise NotFound("NoSuchResource", level="series", id=series_id)
        return self.known_series[series_id]

    def source_images(self, instance_id: str) -> tuple[ImagePlane, ...]:
        self.instance_tags(instance_id)
        return self.known_source_images.get(instance_id, ())

    def instance_file(self, instance_id: str) -> bytes:
        if instance_id not in self.files:
            raise NotFound("NoSuchResource", level="instance", id=instance_id)
        return self.files[instance_id]

    def encapsulated_document(self, instance_id: str) -> bytes:
        document = self.instances.get(instance_id, ({}, None))[1]
        if document is None:
            raise NotFound("DocumentMissing", instance_id=instance_id)
        return document + b"\0" * (len(document) % 2)

    def create_instance(
        self,
        parent_study: str,
        tags: Mapping[str, object],
        document: Path,
        media_type: str,
        textured_model: Path | None = None,
    ) -> StoredInstance:
        study = self.study_tags(parent_study)
        if unknown := [keyword for keyword in tags if tag_for_keyword(keyword) is None]:
            raise BadRequest("TagsRefused", reason=unknown)
        if len(self.instances) >= self.full_after:
            raise ArchiveRefused("InstanceNotStored", status="Full")
        instance_id = str(uuid4())
        self.parents[instance_id] = parent_study
        made = {
            "SOPClassUID": STL_SOP_CLASS_UID,
            "Modality": "M3D",
            "MIMETypeOfEncapsulatedDocument": media_type,
            "EncapsulatedDocument": None,
        }
        if textured_model is not None:
            made[PRIVATE_KEYWORD] = None
            self.known_textured_models[instance_id] = textured_model.read_bytes()
        self.instances[instance_id] = ({**study, **made, **tags}, document.read_bytes())
        answer = {
            "ID": instance_id,
            "Path": f"/instances/{instance_id}",
            "ParentStudy": parent_study,
            "Status": "Success",
        }
        return StoredInstance(instance_id, answer)

    def textured_model(self, instance_id: str) -> bytes:
        if instance_id not in self.known_textured_models:
            raise NotFound("NoSuchResource", level="glTF of instance", id=instance_id)
        content = self.known_textured_models[instance_id]
        return content + b"\0" * (len(content) % 2)

    def delete_series(self, series_instance_uid: str) -> int:
        if self.is_locked:
            raise ArchiveRefused("OrthancFailed", code=42, path="/series")
        own = [
            instance_id
            for instance_id, (tags, _) in self.instances.items()
            if tags.get("SeriesInstanceUID") == series_instance_uid
        ]
        for instance_id in own:
            del self.instances[instance_id]
        return len(own)
