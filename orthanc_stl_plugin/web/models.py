"""The routes that make 3D models."""

from __future__ import annotations

from functools import partial
from typing import Final

from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.formats.dicom.encapsulated import MILLIMETRES_PER_UNIT
from orthanc_stl_plugin.formats.meshes.read import MeshFile, MeshFormat
from orthanc_stl_plugin.formats.meshes.sidecar_files import SidecarFiles
from orthanc_stl_plugin.services.jobs.job import Work
from orthanc_stl_plugin.services.jobs.job_queue import JobEngine
from orthanc_stl_plugin.services.jobs.waiting_room import WaitingRoom
from orthanc_stl_plugin.services.models.encode import Encoder, NamedInstance
from orthanc_stl_plugin.services.models.orders import (
    AttachOrder,
    Making,
    NiftiOrder,
    SeriesOrder,
    StructuresOrder,
)
from orthanc_stl_plugin.services.models.sources import Inside
from orthanc_stl_plugin.web.fields import Fields, quoted
from orthanc_stl_plugin.web.making import MAKING_FIELDS, instance_tags, making
from orthanc_stl_plugin.web.messages import Request, Response, json_response
from orthanc_stl_plugin.web.route import Route

_NIFTI_FIELDS: Final = (
    "Nifti", "ParentStudy", "Labels", "LabelNames", "Split", "ReferenceSeries", *MAKING_FIELDS,
)  # fmt: skip
_RTSTRUCT_FIELDS: Final = ("Instance", "RoiNames", "Split", "Strict", *MAKING_FIELDS)
_SEG_FIELDS: Final = ("Instance", "Segments", "Split", *MAKING_FIELDS)
_SERIES_FIELDS: Final = (
    "Series", "Threshold", "Upper", "KeepLargest", "FillHoles", *MAKING_FIELDS,
)  # fmt: skip
_ATTACH_FIELDS: Final = (
    "File", "Files", "Format", "Unit", "Up", "Name", "ParentStudy", "ReferenceSeries",
    "Tags", "Synchronous", "Asynchronous", "Priority",
)  # fmt: skip
_Y_IS_UP: Final = {"y": True, "z": False}
_OTSU: Final = "Otsu"


def model_routes(
    encoder: Encoder, jobs: JobEngine, jobs_path: str, room: WaitingRoom
) -> list[Route]:
    """The routes that make models."""
    api = _ModelApi(encoder, jobs, jobs_path, room)
    return [
        Route("/stl/encode-nifti", {"POST": api.encode_nifti}),
        Route("/stl/encode-rtstruct", {"POST": api.encode_rtstruct}),
        Route("/stl/encode-seg", {"POST": api.encode_seg}),
        Route("/stl/encode-series", {"POST": api.encode_series}),
        Route("/stl/attach", {"POST": api.attach}),
    ]


class _ModelApi:
    def __init__(
        self, encoder: Encoder, jobs: JobEngine, jobs_path: str, room: WaitingRoom
    ) -> None:
        self._encoder = encoder
        self._jobs = jobs
        self._jobs_path = jobs_path
        self._room = room

    def encode_nifti(self, request: Request) -> Response:
        fields = Fields(request.json_object(), _NIFTI_FIELDS)
        wanted = fields.choice("Labels")
        order = NiftiOrder(
            parent_study=fields.text("ParentStudy"),
            wanted=wanted,
            split=fields.flag("Split", default=wanted is not None),
            label_names=_label_names(fields.mapping("LabelNames")),
            reference_series=fields.optional_text("ReferenceSeries"),
            nifti=fields.binary("Nifti"),
        )
        return self._made("StlEncodeNifti", fields, self._encoder.nifti(order, making(fields)))

    def encode_rtstruct(self, request: Request) -> Response:
        fields = Fields(request.json_object(), _RTSTRUCT_FIELDS)
        fields.flag("Strict", default=True)  # the official plugin's: here every source is checked
        wanted = fields.choice("RoiNames")
        order = StructuresOrder(
            instance=fields.text("Instance"),
            wanted=wanted,
            split=fields.flag("Split", default=wanted is None),
        )
        return self._made(
            "StlEncodeRtStruct", fields, self._encoder.rtstruct(order, making(fields))
        )

    def encode_seg(self, request: Request) -> Response:
        fields = Fields(request.json_object(), _SEG_FIELDS)
        order = StructuresOrder(
            instance=fields.text("Instance"),
            wanted=fields.choice("Segments"),
            split=fields.flag("Split", default=True),
        )
        return self._made("StlEncodeSeg", fields, self._encoder.seg(order, making(fields)))

    def encode_series(self, request: Request) -> Response:
        fields = Fields(request.json_object(), _SERIES_FIELDS)
        series = fields.text("Series")
        inside = Inside(
            threshold=_threshold(fields),
            upper=fields.optional_number("Upper"),
            keep_largest=fields.flag("KeepLargest", default=False),
            fill_holes=fields.flag("FillHoles", default=False),
        )
        if inside.upper is not None and inside.threshold is not None:
            _check_bounds(inside.threshold, inside.upper)
        order = SeriesOrder(series, inside)
        return self._made("StlEncodeSeries", fields, self._encoder.series(order, making(fields)))

    def attach(self, request: Request) -> Response:
        fields = Fields(request.json_object(), _ATTACH_FIELDS)
        files = Fields(fields.mapping("Files"), tuple(fields.mapping("Files")))
        file = MeshFile(
            content=fields.binary("File"),
            kind=_format(fields.text("Format")),
            sidecar_files=SidecarFiles.of({name: files.binary(name) for name in files.names}),
            millimetres_per_unit=_millimetres(fields),
            is_y_up=_is_y_up(fields),
        )
        order = AttachOrder(
            file,
            name=fields.optional_text("Name") or "Model",
            parent_study=fields.text("ParentStudy"),
            reference_series=fields.optional_text("ReferenceSeries"),
        )
        made_as = Making(tags=instance_tags(fields.mapping("Tags")))
        return self._made("StlAttach", fields, self._encoder.attached(order, made_as))

    def _made(self, kind: str, fields: Fields, work: Work) -> Response:
        """Waits for the models, or answers at once with their job."""
        is_asynchronous = _is_asynchronous(fields)
        submit = partial(
            self._jobs.submit,
            kind,
            work,
            fields.whole("Priority", 0),
            is_repeatable=not _has_file(fields),
        )
        if is_asynchronous:
            job_id = submit().job_id
            return json_response({"ID": job_id, "Path": f"{self._jobs_path}/{job_id}"})
        with self._room.place():
            return _answer(submit().wait())


def _answer(models: list[NamedInstance]) -> Response:
    """The answer of /tools/create-dicom for the first model; with several, also the list."""
    answer = models[0].answer
    if len(models) > 1:
        answer["Instances"] = [{**one.answer, "Name": one.name} for one in models]
    return json_response(answer)


def _is_asynchronous(fields: Fields) -> bool:
    synchronous = fields.flag("Synchronous", default=not fields.flag("Asynchronous", default=False))
    if fields.has("Asynchronous") and fields.flag("Asynchronous", default=False) == synchronous:
        raise BadRequest('"Synchronous" and "Asynchronous" contradict each other')
    return not synchronous


def _has_file(fields: Fields) -> bool:
    return fields.has("Nifti") or fields.has("File")


def _format(name: str) -> MeshFormat:
    try:
        return MeshFormat(name.upper())
    except ValueError as error:
        known = ", ".join(MeshFormat)
        raise BadRequest(f'"Format" is {quoted(name)}: it is one of {known}') from error


def _millimetres(fields: Fields) -> float | None:
    """The size of the unit; None for the default of the format."""
    unit = fields.optional_text("Unit")
    if unit is None:
        return None
    if unit not in MILLIMETRES_PER_UNIT:
        known = ", ".join(MILLIMETRES_PER_UNIT)
        raise BadRequest(f'"Unit" is {quoted(unit)}: it is one of {known}')
    return MILLIMETRES_PER_UNIT[unit]


def _is_y_up(fields: Fields) -> bool | None:
    """Whether the y axis points up; None for the default of the format."""
    axis = fields.optional_text("Up")
    if axis is not None and axis not in _Y_IS_UP:
        raise BadRequest(f'"Up" is {quoted(axis)}: it is one of {", ".join(_Y_IS_UP)}')
    return _Y_IS_UP[axis] if axis is not None else None


def _label_names(names: dict[str, object]) -> dict[int, str]:
    checked: dict[int, str] = {}
    for number, name in names.items():
        is_whole = number.isascii() and number.isdigit() and len(number) <= 5
        if not (is_whole and 1 <= int(number) <= 65535):
            raise BadRequest(f'"LabelNames" has the key {quoted(number)}: it must be 1-65535')
        if not isinstance(name, str) or not name.strip():
            raise BadRequest(f'"LabelNames.{number}" is {quoted(name)}: it must be a name')
        checked[int(number)] = name.strip()
    return checked


def _threshold(fields: Fields) -> float | None:
    """The number, or None for Otsu's method."""
    if fields.has("Threshold") and fields.is_text("Threshold"):
        if fields.text("Threshold") != _OTSU:
            raise BadRequest(
                f'"Threshold" is {quoted(fields.text("Threshold"))}: a number or "{_OTSU}"'
            )
        return None
    return fields.optional_number("Threshold")


def _check_bounds(threshold: float, upper: float) -> None:
    if upper <= threshold:
        raise BadRequest(f'"Upper" is {upper:g}: it must be above "Threshold" = {threshold:g}')
