"""Scenes of 3D models (IIIF Presentation 4.0, draft)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orthanc_stl_plugin.config import Texts
from orthanc_stl_plugin.iiif.presentation.canvas import Json, Picture, Still, thumbnail_json
from orthanc_stl_plugin.iiif.presentation.descriptive import Description, description_json
from orthanc_stl_plugin.iiif.presentation.manifest import NO_LINKS, Links, links_json, written

CONTEXT: Final = "http://iiif.io/api/presentation/4/context.json"
MEDIA_TYPE: Final = f'application/ld+json;profile="{CONTEXT}"'
GLB: Final = "model/gltf-binary"


@dataclass(frozen=True, slots=True)
class Part:
    """A model in a scene; all models share its coordinates, in metres with y up.

    Attributes:
        address: of its binary glTF.
        label: its name.
    """

    address: str
    label: Texts


@dataclass(frozen=True, slots=True)
class Scene:
    """A manifest with one scene.

    Attributes:
        address: its identifier, at which it is served.
        description: its descriptive properties.
        parts: at least one.
        thumbnail: a picture of the first part.
        links: related resources.
    """

    address: str
    description: Description
    parts: tuple[Part, ...]
    thumbnail: Picture | Still
    links: Links = NO_LINKS


def write_scene(scene: Scene) -> bytes:
    """The JSON-LD of a manifest whose scene has one annotation for each part."""
    place = scene.address.removesuffix(".json")
    head: Json = {"@context": CONTEXT, "id": scene.address, "type": "Manifest"}
    head |= description_json(scene.description)
    head["thumbnail"] = [thumbnail_json(scene.thumbnail)]
    head |= links_json(scene.links)
    page = {
        "id": f"{place}/page",
        "type": "AnnotationPage",
        "items": [_painting(place, number, part) for number, part in enumerate(scene.parts, 1)],
    }
    space: Json = {
        "id": place,
        "type": "Scene",
        "label": scene.description.label.to_json(),
        "items": [page],
    }
    return written(head, [space])


def _painting(place: str, number: int, part: Part) -> Json:
    return {
        "id": f"{place}/part/{number}",
        "type": "Annotation",
        "motivation": ["painting"],
        "label": part.label.to_json(),
        "body": {
            "id": part.address,
            "type": "Model",
            "format": GLB,
            "label": part.label.to_json(),
        },
        "target": {"id": place, "type": "Scene"},
    }
