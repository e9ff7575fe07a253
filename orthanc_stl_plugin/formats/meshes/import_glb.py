"""Binary glTF files to attach: their materials and textures are kept byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from orthanc_stl_plugin.errors import TooLarge, UnusableSource
from orthanc_stl_plugin.formats.meshes.glb import LPS_TO_GLTF
from orthanc_stl_plugin.formats.meshes.glb_container import Json, read_container, with_document
from orthanc_stl_plugin.formats.meshes.textures import Textures

# Extensions that a file may require: materials, and another picture format. Compressed geometry is
# not among them: neither trimesh nor the viewer reads it.
_KNOWN_EXTENSIONS: Final = ("KHR_materials_", "KHR_texture_transform", "EXT_texture_webp")
_INSTANCES: Final = "EXT_mesh_gpu_instancing"
_TRIANGLE_FAN: Final = 6


def check_glb(content: bytes, textures: Textures, max_triangles: int) -> Json:
    """The document of a self-contained file.

    Raises:
        TooLarge: it has too many pixels in textures, or numbers in accessors without bytes.
        UnusableSource: it is not binary glTF, refers to other files, requires an unknown extension,
            or stores its shape in ways that trimesh ignores.
    """
    document, binary = read_container(content)
    required = [str(one) for one in document.get("extensionsRequired", [])]
    unknown = [one for one in required if not one.startswith(_KNOWN_EXTENSIONS)]
    if unknown:
        raise UnusableSource("GlbExtensionsUnknown", extensions=", ".join(unknown)[:200])
    for kind in ("buffers", "images"):
        if any("uri" in one for one in document.get(kind, [])):
            raise UnusableSource("GlbNotSelfContained", part=kind)
    _check_zeros(document, max_triangles)
    _check_shape(document)
    views = document.get("bufferViews", [])
    for number, image in enumerate(document.get("images", []), start=1):
        view = views[image["bufferView"]]
        start = view.get("byteOffset", 0)
        textures.checked(binary[start : start + view["byteLength"]], f"number {number}")
    return document


def is_textured(document: Json) -> bool:
    """Whether it has textures or more than one colour."""
    primitives = list(_primitives(document))
    used = {primitive.get("material") for primitive in primitives} - {None}
    materials = [document["materials"][index] for index in used]
    return (
        len(materials) > 1
        or any("COLOR_0" in primitive["attributes"] for primitive in primitives)
        or any(_has_picture(material) for material in materials)
    )


def placed(content: bytes, document: Json, metres_per_unit: float, *, is_y_up: bool) -> bytes:
    """The file in metres with y up: where it differs, everything goes below a new root node."""
    if metres_per_unit == 1 and is_y_up:
        return content
    turned = np.eye(4)
    turned[:3, :3] = metres_per_unit * (np.eye(3) if is_y_up else LPS_TO_GLTF)
    nodes = list(document.get("nodes", []))
    scenes = []
    for scene in document["scenes"]:
        scenes.append({**scene, "nodes": [len(nodes)]})
        # Column by column (glTF 2.0 section 3.5.3).
        nodes.append({"matrix": turned.T.ravel().tolist(), "children": scene.get("nodes", [])})
    return with_document(content, {**document, "nodes": nodes, "scenes": scenes})


def _check_zeros(document: Json, max_triangles: int) -> None:
    """Limits accessors without bytes, which stand for zeros (glTF 2.0 section 3.6.2.3)."""
    accessors = document.get("accessors", [])
    count = sum(max(0, one["count"]) for one in accessors if "bufferView" not in one)
    if count > 3 * max_triangles:
        raise TooLarge("GlbTooManyZeros", zeros=count, max_triangles=max_triangles)


def _check_shape(document: Json) -> None:
    """Refuses features that trimesh ignores, since it would read another shape."""
    nodes, meshes = document.get("nodes", []), document.get("meshes", [])
    primitives = list(_primitives(document))
    used = {one["attributes"].get("POSITION") for one in primitives}
    used |= {one.get("indices") for one in primitives}
    passed_over = {
        "sparse accessors": any(
            "sparse" in document["accessors"][index] for index in used - {None}
        ),
        "fans of triangles": any(one.get("mode") == _TRIANGLE_FAN for one in primitives),
        "a skin on a skeleton": any("skin" in node for node in nodes),
        "a shape that is morphed": any(any(one.get("weights", [])) for one in [*nodes, *meshes]),
        "instances of a mesh": any(_INSTANCES in node.get("extensions", {}) for node in nodes),
    }
    found = [feature for feature, is_there in passed_over.items() if is_there]
    if found:
        raise UnusableSource("GlbNotPlainTriangles", features=", ".join(found))


def _primitives(document: Json) -> Iterator[Json]:
    for mesh in document.get("meshes", []):
        yield from mesh["primitives"]


def _has_picture(material: Json) -> bool:
    shine = material.get("pbrMetallicRoughness", {})
    return "baseColorTexture" in shine or "emissiveTexture" in material
