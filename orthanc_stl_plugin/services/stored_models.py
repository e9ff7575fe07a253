"""Models that lie in the archive, whoever stored them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats import stl
from orthanc_stl_plugin.formats.encapsulated import STL_SOP_CLASS_UID
from orthanc_stl_plugin.services.archive import Archive

_NAMING_TAGS: Final = ("ContentDescription", "DocumentTitle", "SeriesDescription")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class StlDocument:
    """An STL file as it was before it was encapsulated.

    Attributes:
        content: its bytes, without DICOM's padding.
        file_name: a safe name for a download, ending in .stl.
        digest: identifies `content`.
    """

    content: bytes
    file_name: str
    digest: str


def stl_document(archive: Archive, instance_id: str) -> StlDocument:
    """The STL file in an instance.

    Raises:
        NotFound: no such instance.
        UnusableSource: it holds no STL, or an empty one.
    """
    tags = archive.instance_tags(instance_id)
    media_type = str(tags.get("MIMETypeOfEncapsulatedDocument", ""))
    sop_class = str(tags.get("SOPClassUID", ""))
    if sop_class != STL_SOP_CLASS_UID and media_type.casefold() != stl.MEDIA_TYPE:
        raise UnusableSource(
            f"instance {instance_id} holds no STL: its SOP class is {sop_class or 'absent'},"
            f" its document type {media_type or 'absent'}"
        )
    if "EncapsulatedDocument" not in tags:
        raise UnusableSource(f"instance {instance_id} has no EncapsulatedDocument")
    padded = archive.encapsulated_document(instance_id)
    content = _without_padding(padded, str(tags.get("EncapsulatedDocumentLength", "")))
    if not content:
        raise UnusableSource(f"instance {instance_id} holds an empty STL document")
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    return StlDocument(content, _file_name(tags), digest)


def _without_padding(padded: bytes, length: str) -> bytes:
    """PS3.5 section 8.2: a value of odd length is stored with one zero byte behind it."""
    if length.isdigit() and len(padded) - int(length) in (0, 1):
        return padded[: int(length)]
    if padded[-1:] == b"\0" and not stl.is_binary(padded):
        return padded[:-1]
    return padded


def _file_name(tags: Mapping[str, object]) -> str:
    for keyword in _NAMING_TAGS:
        name = _UNSAFE.sub("_", str(tags.get(keyword, ""))).strip("._")
        if name:
            return f"{name[:64]}.stl"
    return "model.stl"
