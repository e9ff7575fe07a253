"""The header of a PLY file: which elements it has, of which properties."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

_END: Final = re.compile(rb"^end_header[^\n]*\n", re.MULTILINE)
_NAMES: Final = {
    "i1": ("char", "int8"),
    "u1": ("uchar", "uint8"),
    "i2": ("short", "int16"),
    "u2": ("ushort", "uint16"),
    "i4": ("int", "int32"),
    "u4": ("uint", "uint32"),
    "f4": ("float", "float32"),
    "f8": ("double", "float64"),
}
_TYPES: Final = {name: kind for kind, names in _NAMES.items() for name in names}


@dataclass(frozen=True, slots=True)
class PlyProperty:
    """A number of type `item`, or a list of such behind their count, whose type is `count`."""

    name: str
    item: np.dtype[np.number]
    count: np.dtype[np.number] | None = None


@dataclass(frozen=True, slots=True)
class PlyElement:
    """`count` rows of these properties."""

    name: str
    count: int
    properties: tuple[PlyProperty, ...]

    @property
    def lists(self) -> list[int]:
        """The numbers of the properties that are lists."""
        return [at for at, one in enumerate(self.properties) if one.count is not None]


@dataclass(frozen=True, slots=True)
class PlyHeader:
    """What comes before the rows, in `length` bytes."""

    is_ascii: bool
    elements: tuple[PlyElement, ...]
    length: int


def read_header(content: bytes) -> PlyHeader:
    """The header.

    Raises:
        ValueError, LookupError: it is malformed, or does not end.
    """
    end = _END.search(content)
    if end is None:
        raise ValueError("the header does not end")
    lines = content[: end.start()].decode("utf-8", "replace").splitlines()
    is_ascii = "ascii" in lines[1].lower()
    order = ">" if "big" in lines[1].lower() else "<"
    found: list[tuple[str, int, list[PlyProperty]]] = []
    for line in lines[2:]:
        match line.split():
            case ["element", name, count]:
                found.append((name, int(count), []))
            case ["property", "list", count, item, name]:
                kinds = (np.dtype(order + _TYPES[kind]) for kind in (item, count))
                found[-1][2].append(PlyProperty(name, *kinds))
            case ["property", item, name]:
                found[-1][2].append(PlyProperty(name, np.dtype(order + _TYPES[item])))
    elements = tuple(PlyElement(name, count, tuple(parts)) for name, count, parts in found)
    return PlyHeader(is_ascii, elements, end.end())
