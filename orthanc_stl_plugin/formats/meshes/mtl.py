"""Wavefront MTL: the materials that an OBJ file refers to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_GREY: Final = (0.8, 0.8, 0.8)


@dataclass(frozen=True, slots=True)
class MtlMaterial:
    """A material.

    Attributes:
        rgb: its diffuse colour, sRGB, 0-1 each.
        texture: the text after map_Kd (options and the name of a picture); empty without one.
    """

    rgb: tuple[float, float, float] = _GREY
    texture: str = ""


def read_mtl(content: bytes) -> dict[str, MtlMaterial]:
    """The materials of a file by name; unknown lines are ignored."""
    materials: dict[str, MtlMaterial] = {}
    name = ""
    for line in content.decode("utf-8", "replace").splitlines():
        keyword, _, value = line.strip().replace("\t", " ").partition(" ")
        value = value.strip()
        known = materials.get(name, MtlMaterial())
        match keyword.lower():
            case "newmtl":
                name = value
                materials.setdefault(name, MtlMaterial())
            case "kd":
                materials[name] = MtlMaterial(_rgb(value) or known.rgb, known.texture)
            case "map_kd":
                materials[name] = MtlMaterial(known.rgb, value)
    return materials


def _rgb(value: str) -> tuple[float, float, float] | None:
    try:
        numbers = [min(max(float(one), 0.0), 1.0) for one in value.split()]
    except ValueError:
        return None
    match numbers:
        case [grey]:
            return grey, grey, grey
        case [red, green, blue, *_]:
            return red, green, blue
    return None
