"""The routes that return stored models, as files and as pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from orthanc_stl_plugin.errors import BadRequest, quoted
from orthanc_stl_plugin.formats.meshes import glb, obj, stl
from orthanc_stl_plugin.services.models.files import (
    SIZES_PX,
    TILTS_DEGREES,
    TURNS_DEGREES,
    Limits,
    ModelFiles,
    View,
)
from orthanc_stl_plugin.web.conditional import conditional
from orthanc_stl_plugin.web.messages import ANY_ORIGIN, Request, Response
from orthanc_stl_plugin.web.route import Route, Shows

PNG_MEDIA_TYPE: Final = "image/png"
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,9}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{0,9})?")


def model_file_routes(files: ModelFiles) -> list[Route]:
    """The routes below /instances/{id}."""
    api = _ModelFileApi(files)
    return [
        Route(
            "/instances/{id}/stl",
            {"GET": api.stl},
            Shows.INSTANCE,
            summary="The STL file of an instance",
        ),
        Route(
            "/instances/{id}/glb",
            {"GET": api.glb},
            Shows.INSTANCE,
            summary="The model as binary glTF, in metres",
        ),
        Route(
            "/instances/{id}/obj",
            {"GET": api.obj},
            Shows.INSTANCE,
            summary="The model as Wavefront OBJ, in millimetres",
        ),
        Route(
            "/instances/{id}/preview-3d",
            {"GET": api.preview},
            Shows.INSTANCE,
            summary="A picture of the model, PNG",
        ),
    ]


class _ModelFileApi:
    def __init__(self, files: ModelFiles) -> None:
        self._files = files

    def stl(self, request: Request) -> Response:
        document = self._files.stl(request.groups[0])
        return _answer(
            request, document.digest, document.file_name, stl.MEDIA_TYPE, lambda: document.content
        )

    def glb(self, request: Request) -> Response:
        stored = self._files.stored_glb(request.groups[0])
        if stored is not None:
            return _answer(
                request, stored.digest, stored.file_name, glb.MEDIA_TYPE, lambda: stored.content
            )
        model = self._files.find(request.groups[0])
        name = _renamed(model.document.file_name, "glb")
        tag = f"{model.digest}-glb"
        return _answer(request, tag, name, glb.MEDIA_TYPE, lambda: self._files.glb(model))

    def obj(self, request: Request) -> Response:
        model = self._files.find(request.groups[0])
        name = _renamed(model.document.file_name, "obj")
        tag = f"{model.digest}-obj"
        return _answer(request, tag, name, obj.MEDIA_TYPE, lambda: self._files.obj(model))

    def preview(self, request: Request) -> Response:
        view = _view(request)
        model = self._files.find(request.groups[0])
        name = _renamed(model.document.file_name, "png")
        tag = f"{model.digest}-{view.size_px}-{view.turn_degrees}-{view.tilt_degrees}"
        return _answer(request, tag, name, PNG_MEDIA_TYPE, lambda: self._files.preview(model, view))


def _answer(
    request: Request, tag: str, name: str, media_type: str, content: Callable[[], bytes]
) -> Response:
    disposition = "inline" if media_type == PNG_MEDIA_TYPE else "attachment"
    named = {"Content-Disposition": f'{disposition}; filename="{name}"'}
    return conditional(
        request,
        tag,
        {**ANY_ORIGIN, "Cache-Control": "private, no-cache"},
        lambda: Response(content(), media_type, headers=named),
    )


def _renamed(stl_name: str, extension: str) -> str:
    return f"{stl_name.removesuffix('.stl')}.{extension}"


def _view(request: Request) -> View:
    """The arguments of a picture.

    Raises:
        BadRequest: one is no number, or outside its limits.
    """
    default = View()
    size = request.query.get("size", str(default.size_px))
    if _WHOLE.fullmatch(size) is None:
        raise BadRequest("SizeNotWhole", value=quoted(size), limits=SIZES_PX)
    return View(
        size_px=int(size),
        turn_degrees=_degrees(request, "turn", TURNS_DEGREES, default.turn_degrees),
        tilt_degrees=_degrees(request, "tilt", TILTS_DEGREES, default.tilt_degrees),
    )


def _degrees(request: Request, name: str, limits: Limits, default: float) -> float:
    text = request.query.get(name, str(default)).strip()  # a plus sign arrives as a space
    if _NUMBER.fullmatch(text) is None:
        raise BadRequest("AngleNotNumber", name=name, value=quoted(text), limits=limits)
    return float(text)
