"""Models in the archive, stored by any software."""

from __future__ import annotations

import hashlib
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orthanc_stl_plugin import __version__
from orthanc_stl_plugin.errors import NotFound, UnusableSource
from orthanc_stl_plugin.formats.dicom.cielab import rgb_from_cielab
from orthanc_stl_plugin.formats.dicom.encapsulated import (
    MILLIMETRES_PER_UNIT,
    PRIVATE_KEYWORD,
    STL_SOP_CLASS_UID,
)
from orthanc_stl_plugin.formats.meshes import stl
from orthanc_stl_plugin.formats.meshes.glb_container import glb_length, is_glb
from orthanc_stl_plugin.services.ports.archive import Archive

_NAMING_TAGS: Final = ("ContentDescription", "DocumentTitle", "SeriesDescription")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_log = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class GlbDocument:
    """A binary glTF file with pictures and colours, as it was stored beside the shape.

    Attributes:
        content: its bytes, without DICOM's padding.
        file_name: a safe name for a download, ending in .glb.
        digest: identifies `content`.
    """

    content: bytes
    file_name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Look:
    """The attributes of a model, from the tags of its instance.

    Attributes:
        name: of the structure or object.
        rgb: sRGB, 0-255 each, or None when no colour is recommended.
        opacity: 0 (invisible) to 1.
        millimetres_per_unit: the scale of the document's coordinates.
    """

    name: str
    rgb: tuple[int, int, int] | None
    opacity: float
    millimetres_per_unit: float


@dataclass(frozen=True, slots=True)
class StoredModel:
    """An STL document with the name, colour and unit from its instance."""

    document: StlDocument
    look: Look

    @property
    def digest(self) -> str:
        """Identifies files made from the model by this version of the plugin."""
        parts = repr((self.document.digest, self.look, __version__))
        return _digest(parts.encode())


def stl_document(archive: Archive, instance_id: str) -> StlDocument:
    """The STL file in an instance.

    Raises:
        NotFound: no such instance.
        UnusableSource: it holds no STL, or an empty one.
    """
    return _document(archive, instance_id, archive.instance_tags(instance_id))


def stored_model(archive: Archive, instance_id: str) -> StoredModel:
    """The STL file in an instance, its name, colour and unit.

    Raises:
        NotFound: no such instance.
        UnusableSource: it holds no STL, or an empty one, or its unit is unknown.
    """
    tags = archive.instance_tags(instance_id)
    document = _document(archive, instance_id, tags)
    look = Look(
        name=next(filter(None, (_text(tags, keyword) for keyword in _NAMING_TAGS)), "model"),
        rgb=_rgb(_text(tags, "RecommendedDisplayCIELabValue"), instance_id),
        opacity=_opacity(_text(tags, "RecommendedPresentationOpacity"), instance_id),
        millimetres_per_unit=_millimetres_per_unit(tags, instance_id),
    )
    return StoredModel(document, look)


def glb_document(archive: Archive, instance_id: str) -> GlbDocument | None:
    """The binary glTF of a textured model, or None if the instance holds the shape only.

    Raises:
        NotFound: no such instance.
    """
    tags = archive.instance_tags(instance_id)
    if PRIVATE_KEYWORD not in tags:
        return None
    try:
        padded = archive.textured_model(instance_id)
    except NotFound:  # a private element of other software
        return None
    if not is_glb(padded):
        return None
    content = padded[: glb_length(padded)]
    name = _file_name(tags).removesuffix(".stl")
    return GlbDocument(content, f"{name}.glb", _digest(content))


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _document(archive: Archive, instance_id: str, tags: Mapping[str, object]) -> StlDocument:
    media_type = str(tags.get("MIMETypeOfEncapsulatedDocument", ""))
    sop_class = str(tags.get("SOPClassUID", ""))
    if sop_class != STL_SOP_CLASS_UID and media_type.casefold() != stl.MEDIA_TYPE:
        raise UnusableSource(
            "NotStl",
            instance_id=instance_id,
            sop_class=sop_class or "absent",
            document_type=media_type or "absent",
        )
    if "EncapsulatedDocument" not in tags:
        raise UnusableSource("DocumentMissing", instance_id=instance_id)
    padded = archive.encapsulated_document(instance_id)
    content = _without_padding(padded, str(tags.get("EncapsulatedDocumentLength", "")))
    if not content:
        raise UnusableSource("StlEmpty", instance_id=instance_id)
    return StlDocument(content, _file_name(tags), _digest(content))


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


def _text(tags: Mapping[str, object], keyword: str) -> str:
    value = tags.get(keyword)
    return value.strip(" \0") if isinstance(value, str) else ""


def _rgb(value: str, instance_id: str) -> tuple[int, int, int] | None:
    parts = value.split("\\")
    if len(parts) == 3 and all(part.isascii() and part.isdigit() for part in parts):
        encoded = [int(part) for part in parts]
        if max(encoded) <= 0xFFFF:
            return rgb_from_cielab(encoded)
    if value:
        _log.warning("instance %s: its colour is ignored, it is not CIELab", instance_id)
    return None


def _opacity(value: str, instance_id: str) -> float:
    try:
        opacity = float(value) if value else 1.0
    except ValueError:
        opacity = math.nan
    if not 0 <= opacity <= 1:
        _log.warning("instance %s: its opacity is ignored, it is not in 0-1", instance_id)
        return 1.0
    return opacity


def _millimetres_per_unit(tags: Mapping[str, object], instance_id: str) -> float:
    items = tags.get("MeasurementUnitsCodeSequence")
    if not isinstance(items, list) or not items:
        return 1.0
    unit = _text(items[0], "CodeValue")
    if not unit:
        _log.warning("instance %s: its unit has no code, it is taken for mm", instance_id)
        return 1.0
    if unit not in MILLIMETRES_PER_UNIT:
        known = ", ".join(MILLIMETRES_PER_UNIT)
        raise UnusableSource("StoredUnitUnknown", instance_id=instance_id, unit=unit, known=known)
    return MILLIMETRES_PER_UNIT[unit]
