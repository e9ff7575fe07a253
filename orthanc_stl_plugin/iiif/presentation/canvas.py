"""Canvases: one image, or a choice of several (IIIF Presentation 3.0 section 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orthanc_stl_plugin.config import NO_TEXTS, Texts
from orthanc_stl_plugin.iiif.image.resolve import fitted_to_area

JPEG: Final = "image/jpeg"
THUMBNAIL_PX: Final = 200
# Viewers use the service; other clients fetch the image itself and must not get gigapixels.
STILL_PX: Final = 2000

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Picture:
    """An image with an IIIF service.

    Attributes:
        service: the base address of its service, version 3, level 2.
        width: pixels.
        height: pixels.
        label: its name among the options of a choice; may be empty.
    """

    service: str
    width: int
    height: int
    label: Texts = NO_TEXTS


@dataclass(frozen=True, slots=True)
class Still:
    """An image without a service.

    Attributes:
        address: of the image itself.
        thumbnail: of the same image at `THUMBNAIL_PX`, a square.
        media_type: of both.
        side_px: width and height of the image.
    """

    address: str
    thumbnail: str
    media_type: str
    side_px: int


@dataclass(frozen=True, slots=True)
class Canvas:
    """A canvas.

    Attributes:
        address: its identifier.
        label: the caption in a viewer.
        pictures: at least one; alternatives of equal size, the default first.
        renderings: the same content to download, see `rendering`.
    """

    address: str
    label: Texts
    pictures: tuple[Picture, ...] | tuple[Still]
    renderings: tuple[Json, ...] = ()


def canvas_json(canvas: Canvas, max_pixels: int) -> Json:
    """The canvas with one page that paints its image, or a Choice of images (cookbook 0033).

    No address asks a service for more than `max_pixels`, its limit.
    """
    first = canvas.pictures[0]
    width, height = _size(first)
    bodies = [_body(picture, max_pixels) for picture in canvas.pictures]
    annotation = {
        "id": f"{canvas.address}/annotation",
        "type": "Annotation",
        "motivation": "painting",
        "body": bodies[0] if len(bodies) == 1 else {"type": "Choice", "items": bodies},
        "target": canvas.address,
    }
    page = {"id": f"{canvas.address}/page", "type": "AnnotationPage", "items": [annotation]}
    described: Json = {
        "id": canvas.address,
        "type": "Canvas",
        "label": canvas.label.to_json(),
        "height": height,
        "width": width,
        "thumbnail": [thumbnail_json(first)],
    }
    if canvas.renderings:
        described["rendering"] = list(canvas.renderings)
    return described | {"items": [page]}


def thumbnail_json(picture: Picture | Still) -> Json:
    """A small image, with a service for other sizes, which lists the small one first.

    If a side is smaller than the thumbnail, the service is left out: Mirador would request a size
    larger than the image.
    """
    if isinstance(picture, Picture):
        thumbnail = _scaled(picture, *fitted(picture.width, picture.height, THUMBNAIL_PX))
        if min(picture.width, picture.height) >= THUMBNAIL_PX:
            size = {"height": thumbnail["height"], "width": thumbnail["width"]}
            thumbnail["service"] = [_service(picture) | {"sizes": [size]}]
        return thumbnail
    return {
        "id": picture.thumbnail,
        "type": "Image",
        "format": picture.media_type,
        "height": THUMBNAIL_PX,
        "width": THUMBNAIL_PX,
    }


def rendering(address: str, kind: str, media_type: str, label: Texts) -> Json:
    """Another form of a resource (section 3.3, rendering and seeAlso)."""
    return {"id": address, "type": kind, "label": label.to_json(), "format": media_type}


def fitted(width: int, height: int, limit_px: int) -> tuple[int, int]:
    """The size within a square of that limit, proportions kept, at least 1; never enlarged."""
    longest = max(width, height)
    if longest <= limit_px:
        return width, height
    # Rounded half up in integers: the same on every machine.
    scaled = ((2 * side * limit_px + longest) // (2 * longest) for side in (width, height))
    small_width, small_height = (max(1, side) for side in scaled)
    return small_width, small_height


def _size(picture: Picture | Still) -> tuple[int, int]:
    if isinstance(picture, Picture):
        return picture.width, picture.height
    return picture.side_px, picture.side_px


def _body(picture: Picture | Still, max_pixels: int) -> Json:
    if isinstance(picture, Picture):
        label = {"label": picture.label.to_json()} if picture.label else {}
        return _still(picture, max_pixels) | {"service": [_service(picture)]} | label
    return {
        "id": picture.address,
        "type": "Image",
        "format": picture.media_type,
        "height": picture.side_px,
        "width": picture.side_px,
    }


def _still(picture: Picture, max_pixels: int) -> Json:
    width, height = fitted(picture.width, picture.height, STILL_PX)
    if width * height <= max_pixels:
        return _scaled(picture, width, height)
    # The canonical address of the full size is "max".
    width, height = fitted_to_area(picture.width, picture.height, max_pixels)
    return _image(picture, "max", width, height)


def _scaled(picture: Picture, width: int, height: int) -> Json:
    whole = (width, height) == (picture.width, picture.height)
    return _image(picture, "max" if whole else f"{width},{height}", width, height)


def _image(picture: Picture, size: str, width: int, height: int) -> Json:
    """The image at a size, by its canonical address (IIIF Image 3.0 section 4.7)."""
    return {
        "id": f"{picture.service}/full/{size}/0/default.jpg",
        "type": "Image",
        "format": JPEG,
        "height": height,
        "width": width,
    }


def _service(picture: Picture) -> Json:
    return {
        "id": picture.service,
        "type": "ImageService3",
        "profile": "level2",
        "height": picture.height,
        "width": picture.width,
    }
