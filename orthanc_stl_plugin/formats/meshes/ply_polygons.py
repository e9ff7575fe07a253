"""PLY files: their headers, and triangles for polygons that trimesh would fold or not read."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.meshes.polygons import folded

CORNERS: Final = ("vertex_index", "vertex_indices")
_FACES: Final = re.compile(rb"^element[ \t]+face[ \t]+\d+", re.MULTILINE)
_COORDINATES: Final = ("x", "y", "z")
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
    """A number of type `item`, or a list of them after its length, whose type is `count`."""

    name: str
    item: np.dtype[np.number]
    count: np.dtype[np.number] | None = None


@dataclass(frozen=True, slots=True)
class PlyElement:
    """An element: `count` rows of these properties."""

    name: str
    count: int
    properties: tuple[PlyProperty, ...]

    @property
    def lists(self) -> list[int]:
        """The positions of the properties that are lists."""
        return [at for at, one in enumerate(self.properties) if one.count is not None]


@dataclass(frozen=True, slots=True)
class PlyHeader:
    """The part of the file before the rows, `length` bytes."""

    is_ascii: bool
    elements: tuple[PlyElement, ...]
    length: int


@dataclass(frozen=True, slots=True)
class _Face:
    """A row: the bytes before its list of corners, the corners, the bytes after them."""

    before: bytes
    corners: Sequence[int]
    behind: bytes


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """(V, 3) vertices, the faces, and where the faces start and end in the file."""

    vertices: NDArray[np.float64]
    faces: Sequence[_Face]
    start: int
    stop: int


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


def with_triangles(content: bytes, header: PlyHeader) -> bytes:
    """The same file, with triangles if a fan would fold a face or if a binary file mixes sizes.

    Files whose faces have further lists beside their corners are returned unchanged.

    Raises:
        UnusableSource: a face of a binary file has a negative number of corners; see also `folded`.
        ValueError, LookupError: the file is truncated or malformed.
    """
    if [element.name for element in header.elements[:2]] != ["vertex", "face"]:
        return content
    vertex, face = header.elements[:2]
    lists = [face.properties[at].name for at in face.lists]
    if vertex.lists or len(lists) != 1 or lists[0] not in CORNERS:
        return content
    read = _text if header.is_ascii else _binary
    shape = read(content, header.length, vertex, face)
    polygons = [one.corners for one in shape.faces]
    lengths = set(map(len, polygons))
    if lengths <= {3}:
        return content
    concave = folded(shape.vertices, polygons)
    if not concave and (header.is_ascii or len(lengths) == 1):
        return content
    kind = None if header.is_ascii else face.properties[face.lists[0]]
    rows = []
    for number, one in enumerate(shape.faces):
        fan = ((0, at, at + 1) for at in range(1, len(one.corners) - 1))
        for triangle in concave.get(number, fan):
            corners = [one.corners[at] for at in triangle]
            if kind is None or kind.count is None:
                written = b"3 %d %d %d" % tuple(corners)
            else:
                written = kind.count.type(3).tobytes() + np.array(corners, kind.item).tobytes()
            rows.append(one.before + written + one.behind)
    head = _FACES.sub(b"element face %d" % len(rows), content[: header.length])
    between = content[header.length : shape.start]
    return b"".join([head, between, *rows, content[shape.stop :]])


def _text(content: bytes, start: int, vertex: PlyElement, face: PlyElement) -> _Shape:
    rows = io.BytesIO(content)
    rows.seek(start)
    vertex_rows = list(itertools.islice(rows, vertex.count))
    start = rows.tell()
    face_rows = list(itertools.islice(rows, face.count))
    at = face.lists[0]
    if all(row.split(None, at + 1)[at] == b"3" for row in face_rows):
        return _Shape(np.empty((0, 3)), [], start, start)
    columns = [[one.name for one in vertex.properties].index(name) for name in _COORDINATES]
    vertices = [[float(row.split()[column]) for column in columns] for row in vertex_rows]
    faces = []
    for row in face_rows:
        parts = row.split()
        stop = at + 1 + int(float(parts[at]))
        before, behind = (b" ".join(some) for some in (parts[:at], parts[stop:]))
        corners = [int(part) for part in parts[at + 1 : stop]]
        faces.append(_Face(before + b" ", corners, b" " + behind + b"\n"))
    return _Shape(np.array(vertices).reshape(-1, 3), faces, start, rows.tell())


def _binary(content: bytes, start: int, vertex: PlyElement, face: PlyElement) -> _Shape:
    row = np.dtype([(one.name, one.item) for one in vertex.properties])
    table = np.frombuffer(content, row, vertex.count, start)
    vertices = np.column_stack([table[name].astype(np.float64) for name in _COORDINATES])
    start += table.nbytes
    at = face.lists[0]
    kind = face.properties[at]
    if kind.count is None:
        raise ValueError("no list")
    before = sum(one.item.itemsize for one in face.properties[:at])
    behind = sum(one.item.itemsize for one in face.properties[at + 1 :])
    faces: list[_Face] = []
    stop = start
    if not _are_triangles(content, start + before, face.count, kind, before + behind):
        for _ in range(face.count):
            first = stop + before + kind.count.itemsize
            [corners] = np.frombuffer(content, kind.count, 1, stop + before).tolist()
            if (
                corners < 0
            ):  # for a negative number, numpy would read the rest of the file for each face
                raise UnusableSource("PlyFaceCorners", corners=corners)
            last = first + corners * kind.item.itemsize
            names = np.frombuffer(content, kind.item, corners, first).tolist()
            end = last + behind
            faces.append(_Face(content[stop : stop + before], names, content[last:end]))
            stop = end
    return _Shape(vertices, faces, start, stop)


def _are_triangles(
    content: bytes, start: int, count: int, kind: PlyProperty, other_bytes: int
) -> bool:
    """Whether all lists, the first at `start`, have three items: the faces are triangles then."""
    if kind.count is None:
        return False
    row = kind.count.itemsize + 3 * kind.item.itemsize + other_bytes
    if len(content) < start + row * count:
        return False
    lengths = np.ndarray((count,), kind.count, content, start, (row,))
    return bool((lengths == 3).all())
