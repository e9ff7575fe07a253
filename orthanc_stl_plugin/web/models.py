"""The routes of 3D models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydicom.config import RAISE
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.valuerep import STR_VR, validate_value

from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.formats import stl
from orthanc_stl_plugin.formats.encapsulated import RESERVED_TAGS
from orthanc_stl_plugin.model.mesh import MeshOptions, SmoothingMethod
from orthanc_stl_plugin.services.archive import Archive
from orthanc_stl_plugin.services.encode import Encoder, NiftiOrder
from orthanc_stl_plugin.services.stored_models import stl_document
from orthanc_stl_plugin.web.fields import Fields, quoted
from orthanc_stl_plugin.web.messages import Request, Response, json_response
from orthanc_stl_plugin.web.router import Route

_NIFTI_FIELDS: Final = ("Nifti", "ParentStudy", "Smooth", "Resolution", "Tags")
_LONGEST_TAG: Final = 1024
_DEFAULTS: Final = MeshOptions()


def model_routes(archive: Archive, encoder: Encoder) -> list[Route]:
    """The routes that make models and give them back."""
    api = _ModelApi(archive, encoder)
    return [
        Route("/stl/encode-nifti", {"POST": api.encode_nifti}),
        Route("/instances/{id}/stl", {"GET": api.stl}),
    ]


class _ModelApi:
    def __init__(self, archive: Archive, encoder: Encoder) -> None:
        self._archive = archive
        self._encoder = encoder

    def encode_nifti(self, request: Request) -> Response:
        fields = Fields(request.json_object(), _NIFTI_FIELDS)
        order = NiftiOrder(
            parent_study=fields.text("ParentStudy"),
            options=mesh_options(fields),
            tags=instance_tags(fields.mapping("Tags")),
            nifti=fields.binary("Nifti"),
        )
        return json_response(self._encoder.encode_nifti(order).answer)

    def stl(self, request: Request) -> Response:
        document = stl_document(self._archive, request.groups[0])
        etag = f'"{document.digest}"'
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status=304, headers=headers)
        headers["Content-Disposition"] = f'attachment; filename="{document.file_name}"'
        return Response(document.content, stl.MEDIA_TYPE, headers=headers)


def mesh_options(fields: Fields) -> MeshOptions:
    """The fields that tell how to make a surface.

    Raises:
        BadRequest: a value of the wrong type or outside its range.
    """
    smooth = fields.flag("Smooth", default=True)
    return MeshOptions(
        resolution=fields.whole("Resolution", _DEFAULTS.resolution),
        method=SmoothingMethod.TAUBIN if smooth else SmoothingMethod.NONE,
    )


def instance_tags(tags: Mapping[str, object]) -> dict[str, object]:
    """The tags that a client wants in the new instance, by keyword.

    Raises:
        BadRequest: a tag that DICOM does not know, that is not the client's to choose, or whose
            value is no text.
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
