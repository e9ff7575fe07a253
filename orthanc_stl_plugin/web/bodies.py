"""The JSON bodies of the routes that make models: every field with its type, default and meaning.

One declaration reads requests and describes them in OpenAPI. msgspec decodes a body of 20 MB in a
tenth of the time that json and checks of our own took, and never recurses deeper than the
declaration; `schema.read` says what is wrong with a body that it refuses. Limits that a value of
the model layer checks (`MeshOptions`) are described here, and enforced there.
"""

from __future__ import annotations

import base64
import binascii
import json
from functools import cache
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from orthanc_stl_plugin import schema
from orthanc_stl_plugin.errors import BadRequest, TooLarge, quoted
from orthanc_stl_plugin.formats.dicom.encapsulated import MILLIMETRES_PER_UNIT
from orthanc_stl_plugin.formats.meshes.read import MeshFormat
from orthanc_stl_plugin.model.json_text import read_json
from orthanc_stl_plugin.model.mesh import (
    MAX_ERROR_MM,
    MAX_ITERATIONS,
    MAX_RESOLUTION,
    MIN_ERROR_MM,
    MIN_RESOLUTION,
    MIN_TRIANGLES,
    MeshOptions,
    SmoothingMethod,
)
from orthanc_stl_plugin.schema import that_must
from orthanc_stl_plugin.sentences import Sentence

OTSU: Final = "Otsu"
UP_AXES: Final = ("y", "z")
_DEFAULTS: Final = MeshOptions()

Text = Annotated[str, Meta(min_length=1)]
Base64 = Annotated[Text, Meta(description="Base64 (RFC 4648), or a data URI in base64 (RFC 2397).")]
Identifier = Annotated[Text, Meta(description="Orthanc identifier.")]
Finite = Annotated[float, that_must("be a finite number")]
Wanted = Annotated[
    list[int | str],
    Meta(min_length=1),
    that_must("be a list of numbers or names that is not empty"),
]


class _Body(Struct, rename="pascal", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Fields as they stand in JSON: ParentStudy for `parent_study`."""


class SmoothingFields(_Body, frozen=True, kw_only=True):
    """How the staircase of the voxels is smoothed away."""

    method: SmoothingMethod | UnsetType = UNSET
    iterations: Annotated[
        int, Meta(extra_json_schema={"minimum": 0, "maximum": MAX_ITERATIONS})
    ] = _DEFAULTS.iterations


class OrderFields(_Body, frozen=True, kw_only=True):
    """The fields of every request that makes models."""

    tags: Annotated[
        dict[str, str],
        Meta(description="DICOM tags of the instances, by keyword or gggg,eeee."),
    ] = {}
    synchronous: bool | UnsetType = UNSET
    asynchronous: Annotated[
        bool | UnsetType, Meta(description="Answers at once with the ID and Path of a job.")
    ] = UNSET
    priority: Annotated[int, Meta(description="Jobs of higher priority are started first.")] = 0

    def is_asynchronous(self) -> bool:
        """Whether the answer is a job.

        Raises:
            BadRequest: Synchronous and Asynchronous contradict each other.
        """
        asynchronous = self.asynchronous or False
        if self.synchronous is UNSET:
            return asynchronous
        if self.asynchronous is not UNSET and self.synchronous == asynchronous:
            raise BadRequest("SynchronousContradiction")
        return not self.synchronous


class SurfaceFields(OrderFields, frozen=True, kw_only=True):
    """The fields of every request that makes surfaces."""

    smooth: Annotated[bool, Meta(description="false is the smoothing method None.")] = True
    smoothing: SmoothingFields = SmoothingFields()
    resolution: Annotated[
        int,
        Meta(
            description="The most voxels along one axis; larger objects are reduced first.",
            extra_json_schema={"minimum": MIN_RESOLUTION, "maximum": MAX_RESOLUTION},
        ),
    ] = _DEFAULTS.resolution
    triangles: Annotated[
        int | UnsetType,
        Meta(
            description="Upper bound of the triangles of each model.",
            extra_json_schema={"minimum": MIN_TRIANGLES},
        ),
    ] = UNSET
    max_error_mm: Annotated[
        Finite | UnsetType,
        Meta(
            description="As few triangles as lie within this distance of the full surface.",
            extra_json_schema={"minimum": MIN_ERROR_MM, "maximum": MAX_ERROR_MM},
        ),
    ] = UNSET

    def mesh_options(self) -> MeshOptions:
        """The options of a surface.

        Raises:
            BadRequest: a value is outside its range, or two contradict each other.
        """
        method = given(self.smoothing.method)
        if not self.smooth and method not in (None, SmoothingMethod.NONE):
            raise BadRequest("SmoothContradiction", method=str(method))
        return MeshOptions(
            resolution=self.resolution,
            method=(method or _DEFAULTS.method) if self.smooth else SmoothingMethod.NONE,
            iterations=self.smoothing.iterations,
            triangles=given(self.triangles),
            max_error_mm=given(self.max_error_mm),
        )


class EncodeNifti(SurfaceFields, frozen=True, kw_only=True):
    """Models of a NIfTI mask or label map, in a study."""

    nifti: Annotated[Base64, Meta(title="A .nii or .nii.gz file.")]
    parent_study: Annotated[Identifier, Meta(title="The study that receives the models.")]
    labels: Annotated[Wanted | UnsetType, Meta(description="Labels by number or name.")] = UNSET
    label_names: Annotated[
        dict[str, str], Meta(description='Names by number: {"5": "Liver"}.')
    ] = {}
    split: Annotated[
        bool | UnsetType,
        Meta(description="One model for each label; true by default where Labels are given."),
    ] = UNSET
    reference_series: Annotated[
        Identifier | UnsetType, Meta(title="The image series that was segmented.")
    ] = UNSET


class EncodeRtStruct(SurfaceFields, frozen=True, kw_only=True):
    """Models of the ROIs of an RT-STRUCT, in its study."""

    instance: Annotated[Identifier, Meta(title="The RT-STRUCT instance.")]
    roi_names: Annotated[Wanted | UnsetType, Meta(description="ROIs by name or number.")] = UNSET
    split: Annotated[
        bool | UnsetType,
        Meta(description="One model for each ROI; true by default unless RoiNames are given."),
    ] = UNSET
    strict: Annotated[bool, Meta(description="The official plugin's; it changes nothing.")] = True


class EncodeSeg(SurfaceFields, frozen=True, kw_only=True):
    """Models of the segments of a DICOM SEG, in its study."""

    instance: Annotated[Identifier, Meta(title="The SEG instance.")]
    segments: Annotated[Wanted | UnsetType, Meta(description="By number or label.")] = UNSET
    split: Annotated[bool, Meta(description="One model for each segment.")] = True


class EncodeSeries(SurfaceFields, frozen=True, kw_only=True):
    """A model of an image series by threshold, in its study."""

    series: Annotated[Identifier, Meta(title="A CT, micro-CT or MR series.")]
    threshold: Annotated[
        float | str,
        that_must(f'be a finite number or "{OTSU}"'),
        Meta(description=f'The lowest value inside, in rescaled units, or "{OTSU}".'),
    ] = OTSU
    upper: Annotated[Finite | UnsetType, Meta(description="The highest value inside.")] = UNSET
    keep_largest: Annotated[bool, Meta(description="Only the largest connected part.")] = False
    fill_holes: Annotated[bool, Meta(description="Without enclosed cavities.")] = False


class Attach(OrderFields, frozen=True, kw_only=True):
    """A finished surface, with its textures, as a model in a study."""

    file: Base64
    format: Annotated[Text, Meta(extra_json_schema={"enum": [str(one) for one in MeshFormat]})]
    files: Annotated[
        dict[str, Base64], Meta(description="The files that an OBJ or PLY names, by name.")
    ] = {}
    unit: Annotated[
        Text | UnsetType, Meta(extra_json_schema={"enum": list(MILLIMETRES_PER_UNIT)})
    ] = UNSET
    up: Annotated[
        Text | UnsetType,
        Meta(description="The axis that points up.", extra_json_schema={"enum": list(UP_AXES)}),
    ] = UNSET
    name: Text = "Model"
    parent_study: Annotated[Identifier, Meta(title="The study that receives the model.")]
    reference_series: Annotated[
        Identifier | UnsetType, Meta(title="The image series whose coordinates it is in.")
    ] = UNSET


def given[T](value: T | UnsetType) -> T | None:
    """The value of a field; None where it is absent."""
    return None if isinstance(value, UnsetType) else value


def read_body[T: Struct](kind: type[T], content: bytes) -> T:
    """The fields of a JSON object in UTF-8.

    Raises:
        BadRequest: it is not JSON, a field is unknown, missing or of another type; the message
            names the field, its value, and the nearest right name.
    """
    try:
        fields: T = _decoder(kind).decode(content)
    except msgspec.ValidationError as error:
        raise BadRequest(_sentence(kind, content)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest("BodyNotJson", reason=error) from error
    return fields


def binary(name: str, text: str, max_bytes: int) -> bytes:
    """The bytes of a data URI (RFC 2397) in base64, or of plain base64 (RFC 4648).

    Raises:
        BadRequest: it is neither, or holds no bytes.
        TooLarge: it would be more bytes than `max_bytes`; nothing is decoded then.
    """
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise BadRequest("FieldNotDataUri", field=name, value=quoted(head))
    if len(text) // 4 * 3 > max_bytes:
        raise TooLarge(
            "FieldTooLarge",
            field=name,
            mib=len(text) // 4 * 3 >> 20,
            max_volume_mib=max_bytes >> 20,
        )
    try:
        decoded = _decoded(text)
    except (UnicodeEncodeError, ValueError) as error:
        raise BadRequest("FieldNotBase64", field=name, value=quoted(text)) from error
    if not decoded:
        raise BadRequest("FieldEmpty", field=name)
    return decoded


def _decoded(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:  # it may have line breaks
        plain = text.encode("ascii").translate(None, b" \t\r\n")
        return base64.b64decode(plain, validate=True)


@cache
def _decoder(kind: type[Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _sentence(kind: type[Struct], content: bytes) -> Sentence:
    """What is wrong with a body that msgspec has refused."""
    try:
        body = read_json(content)
        json.loads(content, object_pairs_hook=_once)
    except _Repeated as error:
        return Sentence("FieldTwice", field=quoted(error.name))
    except ValueError as error:
        return Sentence("BodyNotJson", reason=error)
    return _mismatch(kind, body)


def _mismatch(kind: type[Struct], body: object) -> Sentence:
    try:
        schema.read(kind, body)
    except schema.UnknownName as error:
        name, nearest = quoted(error.name), error.nearest
        if nearest:
            return Sentence("FieldMisspelt", field=name, nearest=nearest)
        return Sentence("FieldUnknown", field=name, known=", ".join(sorted(error.known)))
    except schema.MissingName as error:
        return Sentence("FieldMissing", field=error.name)
    except schema.Invalid as error:
        value = quoted(error.value)
        if not error.path:
            return Sentence("BodyInvalid", value=value, must=error.must)
        return Sentence("FieldInvalid", field=".".join(error.path), value=value, must=error.must)
    return Sentence("BodyUndocumented")


class _Repeated(Exception):  # no error of ours: the sentence is
    """A name stands twice in an object: its values cannot be told apart."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise _Repeated(name)
        found[name] = value
    return found
