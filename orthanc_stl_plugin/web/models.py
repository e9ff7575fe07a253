"""The routes that make 3D models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from msgspec import UNSET, UnsetType

from orthanc_stl_plugin.errors import BadRequest, quoted
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
from orthanc_stl_plugin.services.models.sources import Inside, Wanted
from orthanc_stl_plugin.web.bodies import (
    OTSU,
    UP_AXES,
    Attach,
    EncodeNifti,
    EncodeRtStruct,
    EncodeSeg,
    EncodeSeries,
    OrderFields,
    binary,
    given,
    read_body,
)
from orthanc_stl_plugin.web.making import instance_tags, making
from orthanc_stl_plugin.web.messages import Request, Response, json_response
from orthanc_stl_plugin.web.route import Route

_Y_IS_UP: Final = dict(zip(UP_AXES, (True, False), strict=True))


def model_routes(
    encoder: Encoder, jobs: JobEngine, jobs_path: str, room: WaitingRoom, max_bytes: int
) -> list[Route]:
    """The routes that make models; files that are sent have at most `max_bytes`."""
    api = _ModelApi(encoder, jobs, jobs_path, room, max_bytes)
    return [
        Route(
            "/stl/encode-nifti",
            {"POST": api.encode_nifti},
            summary="Makes models of a NIfTI mask or label map, in a study",
            body=EncodeNifti,
        ),
        Route(
            "/stl/encode-rtstruct",
            {"POST": api.encode_rtstruct},
            summary="Makes models of the ROIs of an RT-STRUCT, in its study",
            body=EncodeRtStruct,
        ),
        Route(
            "/stl/encode-seg",
            {"POST": api.encode_seg},
            summary="Makes models of the segments of a DICOM SEG, in its study",
            body=EncodeSeg,
        ),
        Route(
            "/stl/encode-series",
            {"POST": api.encode_series},
            summary="Makes a model of an image series by threshold, in its study",
            body=EncodeSeries,
        ),
        Route(
            "/stl/attach",
            {"POST": api.attach},
            summary="Stores an STL, OBJ, PLY or GLB file as a model, with its textures, in a study",
            body=Attach,
        ),
    ]


class _ModelApi:
    def __init__(
        self,
        encoder: Encoder,
        jobs: JobEngine,
        jobs_path: str,
        room: WaitingRoom,
        max_bytes: int,
    ) -> None:
        self._encoder = encoder
        self._jobs = jobs
        self._jobs_path = jobs_path
        self._room = room
        self._max_bytes = max_bytes

    def encode_nifti(self, request: Request) -> Response:
        body = read_body(EncodeNifti, request.body)
        made_as = making(body)
        label_names = _label_names(body.label_names)
        # Before megabytes are decoded.
        self._encoder.receiving(body.parent_study, given(body.reference_series))
        order = NiftiOrder(
            nifti=binary("Nifti", body.nifti, self._max_bytes),
            parent_study=body.parent_study,
            wanted=_wanted("Labels", body.labels),
            split=body.labels is not UNSET if body.split is UNSET else body.split,
            label_names=label_names,
            reference_series=given(body.reference_series),
        )
        work = self._encoder.nifti(order, made_as)
        return self._made("StlEncodeNifti", body, work, is_repeatable=False)

    def encode_rtstruct(self, request: Request) -> Response:
        body = read_body(EncodeRtStruct, request.body)
        order = StructuresOrder(
            instance=body.instance,
            wanted=_wanted("RoiNames", body.roi_names),
            split=body.roi_names is UNSET if body.split is UNSET else body.split,
        )
        return self._made("StlEncodeRtStruct", body, self._encoder.rtstruct(order, making(body)))

    def encode_seg(self, request: Request) -> Response:
        body = read_body(EncodeSeg, request.body)
        wanted = _wanted("Segments", body.segments)
        order = StructuresOrder(instance=body.instance, wanted=wanted, split=body.split)
        return self._made("StlEncodeSeg", body, self._encoder.seg(order, making(body)))

    def encode_series(self, request: Request) -> Response:
        body = read_body(EncodeSeries, request.body)
        inside = Inside(
            threshold=_threshold(body.threshold),
            upper=given(body.upper),
            keep_largest=body.keep_largest,
            fill_holes=body.fill_holes,
        )
        if inside.upper is not None and inside.threshold is not None:
            _check_bounds(inside.threshold, inside.upper)
        order = SeriesOrder(body.series, inside)
        return self._made("StlEncodeSeries", body, self._encoder.series(order, making(body)))

    def attach(self, request: Request) -> Response:
        body = read_body(Attach, request.body)
        made_as = Making(tags=instance_tags(body.tags))
        kind, unit, is_y_up = _format(body.format), _millimetres(body), _is_y_up(body)
        self._encoder.receiving(body.parent_study, given(body.reference_series))
        files = {name: binary(name, text, self._max_bytes) for name, text in body.files.items()}
        file = MeshFile(
            content=binary("File", body.file, self._max_bytes),
            kind=kind,
            sidecar_files=SidecarFiles.of(files),
            millimetres_per_unit=unit,
            is_y_up=is_y_up,
        )
        order = AttachOrder(
            file,
            name=body.name,
            parent_study=body.parent_study,
            reference_series=given(body.reference_series),
        )
        work = self._encoder.attached(order, made_as)
        return self._made("StlAttach", body, work, is_repeatable=False)

    def _made(
        self, kind: str, body: OrderFields, work: Work, *, is_repeatable: bool = True
    ) -> Response:
        """Waits for the models, or tells at once which job makes them."""
        is_asynchronous = body.is_asynchronous()
        submit = partial(self._jobs.submit, kind, work, body.priority, is_repeatable=is_repeatable)
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


def _wanted(name: str, chosen: list[int | str] | UnsetType) -> Wanted:
    """The structures to make, by number or name; None for all."""
    if isinstance(chosen, UnsetType):
        return None
    if len(set(chosen)) < len(chosen):
        raise BadRequest("NamedTwice", name=name, value=quoted(chosen))
    return tuple(chosen)


def _format(name: str) -> MeshFormat:
    try:
        return MeshFormat(name.upper())
    except ValueError as error:
        known = ", ".join(MeshFormat)
        raise BadRequest("ModelFormatUnknown", value=quoted(name), known=known) from error


def _millimetres(body: Attach) -> float | None:
    """The size of the unit; None for the one that the format has."""
    unit = given(body.unit)
    if unit is None:
        return None
    if unit not in MILLIMETRES_PER_UNIT:
        known = ", ".join(MILLIMETRES_PER_UNIT)
        raise BadRequest("UnitInvalid", value=quoted(unit), known=known)
    return MILLIMETRES_PER_UNIT[unit]


def _is_y_up(body: Attach) -> bool | None:
    """Whether the y axis points up; None for what the format has."""
    axis = given(body.up)
    if axis is not None and axis not in _Y_IS_UP:
        raise BadRequest("UpInvalid", value=quoted(axis), known=", ".join(_Y_IS_UP))
    return _Y_IS_UP[axis] if axis is not None else None


def _label_names(names: Mapping[str, str]) -> dict[int, str]:
    checked: dict[int, str] = {}
    for number, name in names.items():
        is_whole = number.isascii() and number.isdigit() and len(number) <= 5
        if not (is_whole and 1 <= int(number) <= 65535):
            raise BadRequest("LabelNumberInvalid", value=quoted(number))
        if not name.strip():
            raise BadRequest("LabelNameInvalid", number=number, value=quoted(name))
        checked[int(number)] = name.strip()
    return checked


def _threshold(value: float | str) -> float | None:
    """The number, or None for Otsu's method."""
    if isinstance(value, str):
        if value != OTSU:
            raise BadRequest("ThresholdInvalid", value=quoted(value), otsu=OTSU)
        return None
    return float(value)


def _check_bounds(threshold: float, upper: float) -> None:
    if upper <= threshold:
        raise BadRequest("UpperBelowThreshold", upper=upper, threshold=threshold)
