"""The archive port, implemented with the REST API of the Orthanc that runs this plugin."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import orthanc

from orthanc_stl_plugin.errors import ArchiveRefused, BadRequest, NotFound, PluginError
from orthanc_stl_plugin.formats.dicom.encapsulated import (
    TEXTURED_MODEL_CREATOR,
    TEXTURED_MODEL_CREATOR_ELEMENT,
    TEXTURED_MODEL_ELEMENT,
    TEXTURED_MODEL_GROUP,
)
from orthanc_stl_plugin.formats.dicom.icon import with_numbers
from orthanc_stl_plugin.model.geometry import ImagePlane
from orthanc_stl_plugin.services.ports.archive import SeriesRecord, StoredInstance
from orthanc_stl_plugin.services.ports.image_files import FileRecord

# A multiple of three: base64 of the pieces is that of all. While one is encoded, 0.15 ms, no other
# Python runs in Orthanc.
_PIECE_BYTES: Final = 3 << 16
_STORED: Final = "Success"
_ANY_BYTES: Final = "application/octet-stream"
_NUMBERS_SINCE: Final = 1, 13, 0
_ENCAPSULATED_DOCUMENT: Final = "0042-0011"
_IDENTIFIER: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")
_ONE: Final = {"instances": "instance", "series": "series", "studies": "study"}
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

_NUMBERS: Final = {
    "ImagePositionPatient": 3,
    "ImageOrientationPatient": 6,
    "PixelSpacing": 2,
    "SliceThickness": 1,
}
_PLACE: Final = ("ImagePositionPatient", "ImageOrientationPatient")
_SERIES_UID: Final = "0020-000e"
# ReferencedSeriesSequence of a SEG; ReferencedFrameOfReferenceSequence, RTReferencedStudySequence
# and RTReferencedSeriesSequence of an RT Structure Set.
_SOURCE_SERIES: Final = ("0008-1115", "3006-0010/0/3006-0012/0/3006-0014")
_MOST_SOURCE_SERIES: Final = 8
# DerivationImageSequence and SourceImageSequence of the first frame of a SEG.
_SOURCE_IMAGE: Final = "5200-9230/0/0008-9124/0/0008-2112/0/0008-1155"


class OrthancArchive:
    """See the port `orthanc_stl_plugin.services.ports.archive.Archive`."""

    def study_tags(self, study_id: str) -> Mapping[str, object]:
        """See the port."""
        study = json.loads(_get("studies", study_id))
        return {**study["PatientMainDicomTags"], **study["MainDicomTags"]}

    def last_series_number(self, study_id: str) -> int:
        """See the port."""
        series = json.loads(_get("studies", study_id, "/series"))
        numbers = [str(one["MainDicomTags"].get("SeriesNumber", "")).strip() for one in series]
        return max((int(number) for number in numbers if number.isdecimal()), default=0)

    def instance_tags(self, instance_id: str) -> Mapping[str, object]:
        """See the port."""
        tags: dict[str, object] = json.loads(_get("instances", instance_id, "/simplified-tags"))
        return tags

    def study_of(self, instance_id: str) -> str:
        """See the port."""
        return str(json.loads(_get("instances", instance_id, "/study"))["ID"])

    def series(self, series_id: str) -> SeriesRecord:
        """See the port."""
        series = json.loads(_get("series", series_id))
        find = {
            "Level": "Instance",
            "Query": {},
            "ParentSeries": series_id,
            "ResponseContent": ["MainDicomTags", "Metadata"],
            # Both: else Orthanc's LimitFindInstances cuts the answer.
            "Since": 0,
            "Limit": 0,
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
                if "SopClassUid"
                in one["Metadata"]  # a photograph from /tools/create-dicom has none
            ),
            modality=tags.get("Modality", ""),
            description=tags.get("SeriesDescription", ""),
            frame_of_reference_uid=str(first.get("FrameOfReferenceUID") or "") or None,
        )

    def source_images(self, instance_id: str) -> tuple[ImagePlane, ...]:
        """See the port."""
        _get("instances", instance_id)
        uids = next(filter(None, (_series_uids(instance_id, one) for one in _SOURCE_SERIES)), [])
        ids = [one for uid in uids for one in _found(uid, "Series")]
        if not ids:
            image = _element(instance_id, _SOURCE_IMAGE) or ""
            ids = [
                json.loads(_get("instances", one))["ParentSeries"]
                for one in _found(image, "Instance")
            ]
        return tuple(plane for series_id in dict.fromkeys(ids) for plane in _planes(series_id))

    def instance_file(self, instance_id: str) -> bytes:
        """See the port."""
        return _get("instances", instance_id, "/file")

    def encapsulated_document(self, instance_id: str) -> bytes:
        """See the port."""
        return _get("instances", instance_id, f"/content/{_ENCAPSULATED_DOCUMENT}")

    def create_instance(
        self,
        parent_study: str,
        tags: Mapping[str, object],
        document: Path,
        media_type: str,
        textured_model: Path | None = None,
    ) -> StoredInstance:
        """See the port."""
        # Force allows the SeriesInstanceUID that the parts of an assembly share.
        fields: dict[str, object] = {"Force": True}
        taken = dict(_as_taken(tags))
        # Orthanc stores in the character set of a Parent, which may lack letters of the names.
        if own := _tags_of_parent(parent_study, self.study_tags(parent_study)):
            taken = own | taken
        else:
            fields["Parent"] = parent_study
        head = json.dumps(fields).encode()[:-1]
        pieces: list[bytes | Path] = [head, b',"Content":"', _data(media_type), document]
        if textured_model is None:
            pieces += [b'","Tags":', json.dumps(taken).encode(), b"}"]
        else:
            taken[_tag(TEXTURED_MODEL_GROUP, TEXTURED_MODEL_CREATOR_ELEMENT)] = (
                TEXTURED_MODEL_CREATOR
            )
            place = f'","Tags":{{"{_tag(TEXTURED_MODEL_GROUP, TEXTURED_MODEL_ELEMENT)}":"'.encode()
            pieces += [
                place,
                _data(_ANY_BYTES),
                textured_model,
                b'",',
                json.dumps(taken).encode()[1:],
                b"}",
            ]
        body = _put_together(document.with_suffix(".body"), pieces)
        try:
            answer = json.loads(orthanc.RestApiPost("/tools/create-dicom", body))
        except orthanc.OrthancException as error:
            raise _refusal(error, "studies", parent_study) from error
        if answer["Status"] != _STORED:  # a filter of Orthanc's, in Lua or Python, has its say
            raise ArchiveRefused("InstanceNotStored", status=answer["Status"])
        return StoredInstance(answer["ID"], answer)

    def textured_model(self, instance_id: str) -> bytes:
        """See the port."""
        return _get(
            "instances",
            instance_id,
            f"/content/{_tag(TEXTURED_MODEL_GROUP, TEXTURED_MODEL_ELEMENT)}",
        )

    def delete_series(self, series_instance_uid: str) -> int:
        """See the port."""
        removed = 0
        try:
            known = json.loads(orthanc.RestApiPost("/tools/lookup", series_instance_uid.encode()))
            for series_id in [one["ID"] for one in known if one["Type"] == "Series"]:
                instances = json.loads(orthanc.RestApiGet(_uri("series", series_id)))["Instances"]
                orthanc.RestApiDelete(_uri("series", series_id))
                removed += len(instances)
        except orthanc.OrthancException as error:
            if error.args[0] not in _MISSING:  # deleted meanwhile by another request
                raise _refusal(error, "series", series_instance_uid) from error
        return removed


class OrthancImages:
    """See the port `orthanc_stl_plugin.services.ports.image_files.ImageArchive`.

    Args:
        storage_directory: Orthanc's StorageDirectory.
    """

    def __init__(self, storage_directory: str) -> None:
        self._storage = Path(storage_directory)

    def series_instances(self, series_id: str) -> tuple[str, ...]:
        """See the port."""
        return tuple(json.loads(_get("series", series_id))["Instances"])

    def file_record(self, instance_id: str) -> FileRecord:
        """See the port."""
        info = json.loads(_get("instances", instance_id, "/attachments/dicom/info"))
        uuid = str(info["Uuid"])
        path = self._storage / uuid[:2] / uuid[2:4] / uuid
        size = int(info["UncompressedSize"])
        is_plain = size == int(info["CompressedSize"])
        is_local = is_plain and _file_bytes(path) == size
        return FileRecord(info.get("UncompressedMD5") or uuid, path if is_local else None)

    def instance_file(self, instance_id: str) -> bytes:
        """See the port."""
        return _get("instances", instance_id, "/file")


def _tags_of_parent(study_id: str, tags: Mapping[str, object]) -> dict[str, object]:
    """The tags that assign an instance to a study; none if they would assign it to another."""
    own = {keyword: value for keyword, value in tags.items() if isinstance(value, str)}
    own.setdefault("PatientID", "")
    names = "|".join(own.get(keyword, "").strip() for keyword in ("PatientID", "StudyInstanceUID"))
    digest = hashlib.sha1(names.encode(), usedforsecurity=False).hexdigest()
    found = "-".join(digest[start : start + 8] for start in range(0, 40, 8))
    return dict(own) if found == study_id else {}


def _series_uids(instance_id: str, sequence: str) -> list[str]:
    """The UIDs of the series that a sequence lists."""
    uids: list[str] = []
    while len(uids) < _MOST_SOURCE_SERIES:
        uid = _element(instance_id, f"{sequence}/{len(uids)}/{_SERIES_UID}")
        if not uid:
            break
        uids.append(uid)
    return uids


def _element(instance_id: str, path: str) -> str | None:
    """The text of an element, or None."""
    try:
        content: bytes = orthanc.RestApiGet(f"{_uri('instances', instance_id)}/content/{path}")
    except orthanc.OrthancException:
        return None
    return content.decode("ascii", "replace").strip("\0 ")


def _found(uid: str, level: str) -> list[str]:
    """The identifiers of resources with that UID."""
    known = json.loads(orthanc.RestApiPost("/tools/lookup", uid.encode())) if uid else []
    return [one["ID"] for one in known if one["Type"] == level]


def _planes(series_id: str) -> list[ImagePlane]:
    """The planes of the images of a series that have a position."""
    find = {
        "Level": "Instance",
        "Query": {},
        "ParentSeries": series_id,
        "ResponseContent": ["RequestedTags"],
        "RequestedTags": ["SOPInstanceUID", "SeriesInstanceUID", *_PLACE],
        "Since": 0,
        "Limit": 0,
    }
    found = json.loads(orthanc.RestApiPost("/tools/find", json.dumps(find).encode()))
    placed = [one for one in found if all(_floats(one["RequestedTags"], name) for name in _PLACE)]
    if not placed:
        return []
    first = json.loads(_get("instances", placed[0]["ID"], "/simplified-tags"))
    rows, columns = first.get("Rows"), first.get("Columns")
    spacing, thickness = (_floats(first, name) for name in ("PixelSpacing", "SliceThickness"))
    planes = []
    for tags in (one["RequestedTags"] for one in placed):
        x, y, z = _floats(tags, "ImagePositionPatient")
        a, b, c, d, e, f = _floats(tags, "ImageOrientationPatient")
        planes.append(
            ImagePlane(
                tags["SOPInstanceUID"],
                tags["SeriesInstanceUID"],
                (x, y, z),
                (a, b, c, d, e, f),
                (spacing[0], spacing[1]) if spacing else None,
                (int(rows), int(columns)) if rows and columns else None,
                thickness[0] if thickness else None,
            )
        )
    return planes


def _floats(tags: Mapping[str, object], keyword: str) -> list[float]:
    """The numbers of a tag; none unless they are finite and as many as expected."""
    try:
        numbers = [float(part) for part in str(tags.get(keyword) or "").split("\\")]
    except ValueError:
        return []
    is_whole = len(numbers) == _NUMBERS[keyword] and all(map(math.isfinite, numbers))
    return numbers if is_whole else []


def _file_bytes(path: Path) -> int | None:
    """None if there is no file: it may be stored elsewhere, or just have been deleted."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _data(media_type: str) -> bytes:
    return f"data:{media_type};base64,".encode()


def _tag(group: int, element: int) -> str:
    return f"{group:04x}-{element:04x}"


def _put_together(path: Path, pieces: Iterable[bytes | Path]) -> bytes:
    """A body of texts and of files, the files in base64.

    It is assembled piece by piece in the file `path` and then read at once: encoding everything in
    one call would block the interpreter for other requests.
    """
    with path.open("wb") as body:
        for piece in pieces:
            if isinstance(piece, bytes):
                body.write(piece)
                continue
            with piece.open("rb") as plain:
                while part := plain.read(_PIECE_BYTES):
                    body.write(base64.b64encode(part))
    whole = path.read_bytes()
    path.unlink()
    return whole


def _as_taken(tags: Mapping[str, object]) -> Mapping[str, object]:
    """The tags in the form for this version of Orthanc.

    Since 1.13.0 it requires numbers for a palette's lookup tables and refuses bytes; earlier
    versions stored the digits of numbers as bytes.
    """
    icons = tags.get("IconImageSequence")
    if not isinstance(icons, list) or not orthanc.CheckVersionAdvanced(*_NUMBERS_SINCE):
        return tags
    return {**tags, "IconImageSequence": [with_numbers(icon) for icon in icons]}


def _uri(level: str, identifier: str) -> str:
    """The address of a resource; anything but an identifier could lead elsewhere."""
    if not _IDENTIFIER.fullmatch(identifier):
        raise _missing(level, identifier)
    return f"/{level}/{identifier}"


def _get(level: str, identifier: str, tail: str = "") -> bytes:
    try:
        return orthanc.RestApiGet(_uri(level, identifier) + tail)
    except orthanc.OrthancException as error:
        raise _refusal(error, level, identifier) from error


def _missing(level: str, identifier: str) -> NotFound:
    return NotFound("NoSuchResource", level=_ONE[level], id=identifier[:80])


def _refusal(error: orthanc.OrthancException, level: str, identifier: str) -> PluginError:
    code, message = error.args
    if code in _MISSING:
        return _missing(level, identifier)
    if code in _TAGS_REFUSED:
        return BadRequest("TagsRefused", reason=message)
    return ArchiveRefused(
        "OrthancRefused", code=code, level=_ONE[level], id=identifier, reason=message
    )
