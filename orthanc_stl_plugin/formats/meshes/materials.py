"""Materials, textures and vertex colours of OBJ and PLY files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
import trimesh
from PIL import Image
from trimesh.resolvers import Resolver

from orthanc_stl_plugin.formats.meshes.mtl import MtlMaterial, read_mtl
from orthanc_stl_plugin.formats.meshes.sidecar_files import SidecarFiles
from orthanc_stl_plugin.formats.meshes.textured_glb import TexturedPart
from orthanc_stl_plugin.formats.meshes.textures import Texture, Textures
from orthanc_stl_plugin.model.mesh import Mesh

_LIBRARY: Final = re.compile(rb"^[ \t]*mtllib[ \t]+([^\r\n]+)", re.MULTILINE)
_PLY_HEADER_BYTES: Final = 1 << 16
_PLY_TEXTURE: Final = re.compile(rb"^comment[ \t]+TextureFile[ \t]+([^\r\n]+)", re.MULTILINE)
_PLY_MATERIAL: Final = ""
_LONGEST_NAME: Final = 80


@dataclass(frozen=True, slots=True)
class Paint:
    """The materials and textures that a file refers to.

    Attributes:
        materials: by name.
        pictures: by the name of their material.
        missing: names of files that were not sent with it.
    """

    materials: Mapping[str, MtlMaterial]
    pictures: Mapping[str, Texture]
    missing: tuple[str, ...]


def read_paint(
    content: bytes, is_ply: bool, sidecar_files: SidecarFiles, textures: Textures
) -> Paint:
    """The materials of an OBJ file, or the picture of a PLY file.

    Raises:
        TooLarge: the pictures have too many pixels.
        UnusableSource: one is not a picture, or is truncated.
    """
    missing: list[str] = []
    if is_ply:
        reference = _PLY_TEXTURE.search(content[:_PLY_HEADER_BYTES])
        named = reference[1].decode("utf-8", "replace") if reference else ""
        materials = {_PLY_MATERIAL: MtlMaterial(texture=named)}
    else:
        materials = _materials(content, sidecar_files, missing)
    pictures: dict[str, Texture] = {}
    known: dict[str, Texture] = {}
    for name, material in materials.items():
        file_name = material.texture.strip()
        picture = sidecar_files.find(file_name)
        if picture is not None:
            if file_name not in known:
                known[file_name] = textures.converted(picture, file_name[-_LONGEST_NAME:])
            pictures[name] = known[file_name]
        elif file_name:
            missing.append(file_name[-_LONGEST_NAME:])
    return Paint(materials, pictures, tuple(dict.fromkeys(missing)))


def _materials(
    content: bytes, sidecar_files: SidecarFiles, missing: list[str]
) -> dict[str, MtlMaterial]:
    materials: dict[str, MtlMaterial] = {}
    for library in dict.fromkeys(match[1] for match in _LIBRARY.finditer(content)):
        reference = library.decode("utf-8", "replace").strip()
        # Either one name, which may contain spaces, or several names.
        whole = sidecar_files.find(reference)
        names = reference.split() if whole is None else []
        found = [whole, *(sidecar_files.find(one) for one in names)]
        files = [one for one in found if one is not None]
        if not files:
            missing.append(reference[-_LONGEST_NAME:])
        for one in files:
            materials |= read_mtl(one)
    return materials


def no_pictures(paint: Paint) -> Resolver:
    """Gives trimesh the names of the materials, and one pixel for every picture."""
    pixel = BytesIO()
    Image.new("1", (1, 1)).save(pixel, "PNG")
    names = "".join(f"newmtl {name}\n" for name in paint.materials)
    return _Names(names.encode() if _PLY_MATERIAL not in paint.materials else pixel.getvalue())


def textured_parts(parts: Sequence[trimesh.Trimesh], paint: Paint) -> list[TexturedPart]:
    """The parts that trimesh has read with `no_pictures`, with their textures and colours."""
    return [_painted(part, paint) for part in parts if len(part.faces)]


def _painted(part: trimesh.Trimesh, paint: Paint) -> TexturedPart:
    mesh = Mesh(part.vertices.astype(np.float32), part.faces.astype(np.int32))
    visual: Any = part.visual
    if visual.kind == "vertex":
        return TexturedPart(mesh, colours=np.asarray(visual.vertex_colors)[:, :3].astype(np.uint8))
    if visual.kind != "texture":
        return TexturedPart(mesh)
    name = str(visual.material.name or "").strip()
    # A PLY file has one material, whatever trimesh calls it.
    known = name if name in paint.materials else next(iter(paint.materials), "")
    material = paint.materials.get(known, MtlMaterial())
    if visual.uv is None or known not in paint.pictures:
        return TexturedPart(mesh, rgb=material.rgb)
    return TexturedPart(mesh, np.asarray(visual.uv, dtype=np.float32), paint.pictures[known])


class _Names(Resolver):
    """A folder in which every name leads to the same file."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def get(self, name: str) -> bytes:  # noqa: ARG002 - for every name
        return self._content

    def write(self, name: str, data: Any) -> None:
        raise NotImplementedError

    def namespaced(self, namespace: str) -> Resolver:  # noqa: ARG002 - there is one
        return self

    def keys(self) -> list[str]:
        return []
