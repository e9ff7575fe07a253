"""What all requests for models have in common, checked: options of surfaces, DICOM tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydicom.config import RAISE
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.valuerep import STR_VR, validate_value

from orthanc_stl_plugin.errors import BadRequest, quoted
from orthanc_stl_plugin.formats.dicom.encapsulated import RESERVED_TAGS
from orthanc_stl_plugin.services.models.orders import Making
from orthanc_stl_plugin.web.bodies import SurfaceFields

_LONGEST_TAG: Final = 1024


def making(body: SurfaceFields) -> Making:
    """The options of the surfaces, and the tags of the instances.

    Raises:
        BadRequest: a value is outside its range.
    """
    return Making(body.mesh_options(), instance_tags(body.tags))


def instance_tags(tags: Mapping[str, object]) -> dict[str, object]:
    """The tags that a client wants in the new instance, by keyword.

    Raises:
        BadRequest: a tag is unknown to DICOM, may not be set by clients, or has a value that is not
            a text.
    """
    checked: dict[str, object] = {}
    for name, value in tags.items():
        keyword = _keyword(name)
        if keyword in RESERVED_TAGS:
            raise BadRequest("TagNotSettable", keyword=keyword)
        if not isinstance(value, str) or len(value) > _LONGEST_TAG:
            raise BadRequest("TagTooLong", keyword=keyword, value=quoted(value), limit=_LONGEST_TAG)
        _check_representation(keyword, value)
        checked[keyword] = value
    return checked


def _check_representation(keyword: str, value: str) -> None:
    representation = dictionary_VR(keyword)
    if representation not in STR_VR:
        raise BadRequest("TagNotText", keyword=keyword, representation=representation)
    try:
        validate_value(representation, value, RAISE)
    except ValueError as error:
        raise BadRequest(
            "TagValueInvalid", keyword=keyword, value=quoted(value), representation=representation
        ) from error


def _keyword(name: str) -> str:
    if name and tag_for_keyword(name) is not None:
        return name
    digits = name.replace(",", "").replace("-", "")
    try:
        keyword = keyword_for_tag(int(digits, 16)) if len(digits) == 8 else ""
    except (ValueError, OverflowError):
        keyword = ""
    if not keyword:
        raise BadRequest("TagUnknown", name=quoted(name))
    return keyword
