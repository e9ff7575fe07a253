"""The fields common to all routes that make models: smoothing, size, tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydicom.config import RAISE
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.valuerep import STR_VR, validate_value

from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.formats.dicom.encapsulated import RESERVED_TAGS
from orthanc_stl_plugin.model.mesh import MeshOptions, SmoothingMethod
from orthanc_stl_plugin.services.models.orders import Making
from orthanc_stl_plugin.web.fields import Fields, quoted

MAKING_FIELDS: Final = (
    "Smooth", "Smoothing", "Resolution", "Triangles", "Tags",
    "Synchronous", "Asynchronous", "Priority",
)  # fmt: skip
_SMOOTHING_FIELDS: Final = ("Method", "Iterations")
_LONGEST_TAG: Final = 1024
_DEFAULTS: Final = MeshOptions()


def making(fields: Fields) -> Making:
    """The options of the surfaces, and the tags of the instances.

    Raises:
        BadRequest: a value of the wrong type or outside its range.
    """
    return Making(mesh_options(fields), instance_tags(fields.mapping("Tags")))


def mesh_options(fields: Fields) -> MeshOptions:
    """The options of a surface.

    Raises:
        BadRequest: a value of the wrong type or outside its range, or two that contradict.
    """
    smoothing = Fields(fields.mapping("Smoothing"), _SMOOTHING_FIELDS)
    smooth = fields.flag("Smooth", default=True)
    method = _method(smoothing) if smoothing.has("Method") else None
    if not smooth and method not in (None, SmoothingMethod.NONE):
        raise BadRequest(f'"Smooth" is false, but "Smoothing.Method" is {str(method)!r}')
    return MeshOptions(
        resolution=fields.whole("Resolution", _DEFAULTS.resolution),
        method=(method or _DEFAULTS.method) if smooth else SmoothingMethod.NONE,
        iterations=smoothing.whole("Iterations", _DEFAULTS.iterations),
        triangles=fields.optional_whole("Triangles"),
    )


def _method(smoothing: Fields) -> SmoothingMethod:
    name = smoothing.text("Method")
    try:
        return SmoothingMethod(name)
    except ValueError as error:
        known = ", ".join(SmoothingMethod)
        raise BadRequest(f'"Smoothing.Method" is {quoted(name)}: it is one of {known}') from error


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
            raise BadRequest(f'"Tags" may not set {keyword}: the study or the model decides it')
        if not isinstance(value, str) or len(value) > _LONGEST_TAG:
            raise BadRequest(
                f'"Tags.{keyword}" is {quoted(value)}:'
                f" it must be a text of at most {_LONGEST_TAG} characters"
            )
        _check_representation(keyword, value)
        checked[keyword] = value
    return checked


def _check_representation(keyword: str, value: str) -> None:
    representation = dictionary_VR(keyword)
    if representation not in STR_VR:
        raise BadRequest(f'"Tags" may not set {keyword}: a value of {representation} is no text')
    try:
        validate_value(representation, value, RAISE)
    except ValueError as error:
        raise BadRequest(
            f'"Tags.{keyword}" is {quoted(value)}: that is no value of {representation}'
            " (PS3.5 section 6.2)"
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
        raise BadRequest(f'"Tags" names {quoted(name)}: no such DICOM keyword or tag (gggg,eeee)')
    return keyword
