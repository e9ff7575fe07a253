"""Manifests (IIIF Presentation 3.0 section 5.2), written canvas by canvas."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from orthanc_stl_plugin.config import Texts
from orthanc_stl_plugin.iiif.presentation.canvas import Canvas, Json, canvas_json, thumbnail_json
from orthanc_stl_plugin.iiif.presentation.descriptive import Description, description_json

CONTEXT: Final = "http://iiif.io/api/presentation/3/context.json"
MEDIA_TYPE: Final = f'application/ld+json;profile="{CONTEXT}"'
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Range:
    """A part of the table of contents (section 5.4).

    Attributes:
        address: its identifier.
        label: its name.
        canvases: addresses of canvases, in order.
        parts: ranges inside it; then `canvases` is empty.
    """

    address: str
    label: Texts
    canvases: tuple[str, ...] = ()
    parts: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    """The collection or manifest that a resource belongs to.

    Attributes:
        address: its identifier.
        label: its name.
        is_collection: whether it is a collection; otherwise a manifest.
    """

    address: str
    label: Texts
    is_collection: bool = True


@dataclass(frozen=True, slots=True)
class Links:
    """The resources linked to a resource.

    Attributes:
        see_also: for machines.
        rendering: for people.
        part_of: the collection or manifest that it belongs to, or None.
    """

    see_also: tuple[Json, ...] = ()
    rendering: tuple[Json, ...] = ()
    part_of: Whole | None = None


NO_LINKS: Final = Links()


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest.

    Attributes:
        address: its identifier, at which it is served.
        description: its descriptive properties.
        canvases: at least one.
        ranges: its table of contents; may be empty.
        links: related resources.
        viewing_direction: the order of the canvases in space; empty for the default.
        start: the canvas that represents the object and is opened first, counted from 0.
    """

    address: str
    description: Description
    canvases: tuple[Canvas, ...]
    ranges: tuple[Range, ...] = ()
    links: Links = NO_LINKS
    viewing_direction: str = ""
    start: int = 0


def write_manifest(manifest: Manifest, max_pixels: int) -> bytes:
    """The JSON-LD of a manifest, without two copies of more than one canvas in memory.

    `max_pixels` is the limit of an image service for one answer.
    """
    head: Json = {"@context": CONTEXT, "id": manifest.address, "type": "Manifest"}
    head |= description_json(manifest.description)
    first = manifest.canvases[manifest.start]
    head["thumbnail"] = [thumbnail_json(first.pictures[0])]
    head |= links_json(manifest.links)
    if len(manifest.canvases) > 1:
        head["behavior"] = ["individuals"]
    if manifest.viewing_direction:
        head["viewingDirection"] = manifest.viewing_direction
    if manifest.start:
        head["start"] = {"id": first.address, "type": "Canvas"}
    tail: Json = {}
    if manifest.ranges:
        tail["structures"] = [_range_json(part) for part in manifest.ranges]
    canvases = (canvas_json(canvas, max_pixels) for canvas in manifest.canvases)
    return written(head, canvases, tail)


def links_json(links: Links) -> Json:
    """The properties that are not empty."""
    properties: Json = {}
    if links.see_also:
        properties["seeAlso"] = list(links.see_also)
    if links.rendering:
        properties["rendering"] = list(links.rendering)
    if whole := links.part_of:
        kind = "Collection" if whole.is_collection else "Manifest"
        label = whole.label.to_json()
        properties["partOf"] = [{"id": whole.address, "type": kind, "label": label}]
    return properties


def written(head: Json, items: Iterable[Json], tail: Json | None = None) -> bytes:
    """The JSON, in UTF-8, of `head`, `items` and `tail` in one object."""
    stream = io.BytesIO()
    stream.write(_utf8(head)[:-1])
    stream.write(b',"items":[')
    for piece in _separated(items):
        stream.write(piece)
    stream.write(b"]")
    if tail:
        stream.write(b"," + _utf8(tail)[1:-1])
    stream.write(b"}")
    return stream.getvalue()


def _separated(items: Iterable[Json]) -> Iterator[bytes]:
    for count, item in enumerate(items):
        if count:
            yield b","
        yield _utf8(item)


def _range_json(part: Range) -> Json:
    inside: list[Json] = [_range_json(one) for one in part.parts]
    inside += [{"id": canvas, "type": "Canvas"} for canvas in part.canvases]
    return {"id": part.address, "type": "Range", "label": part.label.to_json(), "items": inside}


def _utf8(value: Json) -> bytes:
    """JSON in UTF-8; a lone surrogate, which UTF-8 cannot encode, becomes a question mark."""
    return _ENCODER.encode(value).encode("utf-8", "replace")
