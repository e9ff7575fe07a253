"""The canvases of single images and models, from the attributes of their instances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from pydicom import uid

from orthanc_stl_plugin.config import Texts
from orthanc_stl_plugin.config.texts import texts
from orthanc_stl_plugin.formats.dicom.attributes import stored_values
from orthanc_stl_plugin.formats.meshes.glb import MEDIA_TYPE as GLB
from orthanc_stl_plugin.formats.meshes.stl import MEDIA_TYPE as STL
from orthanc_stl_plugin.formats.pixels.frame_decoder import can_be_decoded
from orthanc_stl_plugin.iiif.presentation.addresses import Addresses
from orthanc_stl_plugin.iiif.presentation.canvas import (
    THUMBNAIL_PX,
    Canvas,
    Picture,
    Still,
    rendering,
)
from orthanc_stl_plugin.iiif.presentation.manifest import Range
from orthanc_stl_plugin.iiif.presentation.order import Placed, Point
from orthanc_stl_plugin.services.ports.catalogue import InstanceEntry, Tags
from orthanc_stl_plugin.services.presentation.descriptions import plain
from orthanc_stl_plugin.wsi.pyramid import Pyramid

# NumberOfFrames is among the main tags of an instance.
IMAGE_KEYWORDS: Final = ("Rows", "Columns", "ImageType")
MODEL_KEYWORDS: Final = ("ContentDescription", "DocumentTitle")
_PREVIEW_PX: Final = 1024
# The only objects with rows and columns that may have Float Pixel Data or Spectroscopy Data instead
# of Pixel Data (PS3.3 C.7.6.24, C.8.14.4).
_WITH_OTHER_DATA: Final = (uid.ParametricMapStorage, uid.MRSpectroscopyStorage)


def flat_range(address: str, label: Texts, canvases: Sequence[Canvas]) -> Range:
    """An entry of the table of contents, without parts."""
    return Range(address, label, tuple(canvas.address for canvas in canvases))


def frame_canvas(addresses: Addresses, image: InstanceEntry, frame: int, name: str) -> Canvas:
    """The canvas of a frame, counted from 0."""
    address = addresses.frame_canvas(image.instance_id, frame)
    return Canvas(address, texts(name), (frame_picture(addresses, image, frame),))


def frame_picture(addresses: Addresses, image: InstanceEntry, frame: int) -> Picture:
    """A frame, counted from 0."""
    service = addresses.frame_service(image.instance_id, frame)
    width, height = (number(image.tags, side) or 0 for side in ("Columns", "Rows"))
    return Picture(service, width, height)


def is_image(instance: InstanceEntry) -> bool:
    """Whether its pixels can be shown: no video, floating point numbers or spectra."""
    has_size = all((number(instance.tags, side) or 0) > 0 for side in ("Columns", "Rows"))
    syntax = instance.transfer_syntax_uid
    is_decoded = not syntax or can_be_decoded(syntax)
    has_others = instance.sop_class_uid in _WITH_OTHER_DATA and not instance.has_pixel_data
    return has_size and is_decoded and not has_others


def model_still(addresses: Addresses, instance_id: str) -> Still:
    """The picture of a model."""
    return Still(
        addresses.model_preview(instance_id, _PREVIEW_PX),
        addresses.model_preview(instance_id, THUMBNAIL_PX),
        "image/png",
        _PREVIEW_PX,
    )


def model_canvas(addresses: Addresses, instance_id: str, name: Texts) -> Canvas:
    """The canvas with the picture of a model."""
    renderings = (
        rendering(addresses.model_stl(instance_id), "Model", STL, _suffixed(name, "STL")),
        rendering(addresses.model_glb(instance_id), "Model", GLB, _suffixed(name, "GLB")),
    )
    return Canvas(
        addresses.model_canvas(instance_id),
        name,
        (model_still(addresses, instance_id),),
        renderings,
    )


def _suffixed(name: Texts, suffix: str) -> Texts:
    return Texts(
        tuple(
            (language, tuple(f"{value} ({suffix})" for value in values))
            for language, values in name.by_language
        )
    )


def model_name(model: InstanceEntry, series_label: Texts) -> Texts:
    """The name of a model, or else of its series."""
    for keyword in ("ContentDescription", "DocumentTitle"):
        if values := stored_values(model.tags, keyword):
            return texts(plain(values[0]))
    return series_label


def pyramid_name(pyramid: Pyramid, ordinal: int) -> Texts:
    """The name of a pyramid among those of its slide."""
    path, plane = pyramid.optical_path, pyramid.focal_plane
    name = path.label or (f"Optical path {path.identifier}" if path.identifier else "")
    if plane.number:
        name = f"{name}, focal plane {plane.number + 1}".removeprefix(", ")
    return texts(plain(name or f"Image {ordinal + 1}"))


def frame_count(image: InstanceEntry) -> int:
    """The number of frames, at least 1."""
    return max(1, number(image.tags, "NumberOfFrames") or 1)


def placed(image: InstanceEntry) -> Placed:
    """The position of the image in space and in its series."""
    position = _numbers(image.tags, "ImagePositionPatient", 3)
    directions = _numbers(image.tags, "ImageOrientationPatient", 6)
    return Placed(
        image.instance_id,
        number(image.tags, "InstanceNumber"),
        _point(position) if position else None,
        (_point(directions[:3]), _point(directions[3:])) if directions else None,
    )


def _point(values: Sequence[float]) -> Point:
    x, y, z = values
    return x, y, z


def number(tags: Tags, keyword: str) -> int | None:
    """The integer value of a keyword, or None."""
    values = stored_values(tags, keyword)
    try:
        return int(values[0]) if values else None
    except ValueError:
        return None


def _numbers(tags: Tags, keyword: str, count: int) -> tuple[float, ...] | None:
    try:
        values = tuple(float(value) for value in stored_values(tags, keyword))
    except ValueError:
        return None
    return values if len(values) == count and all(map(math.isfinite, values)) else None
