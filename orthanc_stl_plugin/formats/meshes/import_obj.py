"""OBJ files to attach, rewritten into the form that trimesh reads correctly."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from typing import Final

import numpy as np

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.meshes.polygons import folded

_BLANKS: Final = bytes.maketrans(b"\t\v\f", b"   ")
_INDENTED: Final = re.compile(rb"\n +")
_REMARK_LINE: Final = re.compile(rb"\n#[^\n]*")
_REMARK: Final = re.compile(rb"(\n(?:v|vt|vn|f) [^\n#]*+)#[^\n]*")
_FROM_END: Final = re.compile(rb"\nf [^\n-]*+-")
_VERTEX_ZERO: Final = re.compile(rb"\nf(?: ++(?!0++[ /\n])[^ \n]++)*+ ++0")
_VERTEX: Final = re.compile(rb"\nv +([^ \n]+) +([^ \n]+) +([^ \n]+)")
_POLYGON: Final = re.compile(rb"\nf(?: ++[^ \n]++){4,}+")
# The order of the indices in a corner of a face: vertex, texture coordinate, normal.
_COUNTED: Final = (b"v", b"vt", b"vn")


def plain_obj(content: bytes) -> bytes:
    """The same lines, each starting with its keyword and a space, and all indices counted from 1.

    Comments after vertices and faces are removed, continued lines are joined, and concave polygons
    are triangulated, because trimesh would turn them into fans.

    Raises:
        UnusableSource: a face names the vertex 0, or one before the first; see also `folded`.
    """
    text = b"\n" + content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n") + b"\n"
    text = _INDENTED.sub(b"\n", text.replace(b"\r", b"\n").translate(_BLANKS))
    text = _REMARK_LINE.sub(b"", text).replace(b"\\\n", b" ")
    text = _REMARK.sub(rb"\1", text)
    if _FROM_END.search(text):
        text = b"".join(_counted_from_start(text))
    if _VERTEX_ZERO.search(text):
        raise UnusableSource("ObjVertexZero")
    return _without_concave(text)


def _without_concave(text: bytes) -> bytes:
    lines = [match[0].split()[1:] for match in _POLYGON.finditer(text)]
    if not lines:
        return text
    vertices = np.array(_VERTEX.findall(text)).reshape(-1, 3).astype(np.float64)
    polygons = [[int(corner.partition(b"/")[0]) - 1 for corner in line] for line in lines]
    concave = folded(vertices, polygons)
    if not concave:
        return text
    numbers = itertools.count()

    def written(match: re.Match[bytes]) -> bytes:
        number = next(numbers)
        corners = lines[number]
        return (
            b"".join(
                b"\nf " + b" ".join(corners[at] for at in triangle)
                for triangle in concave.get(number, ())
            )
            or match[0]
        )

    return _POLYGON.sub(written, text)


def _counted_from_start(text: bytes) -> Iterator[bytes]:
    """The lines; a negative index counts back from the last element before its face."""
    counts = dict.fromkeys(_COUNTED, 0)
    for line in io.BytesIO(text):
        keyword = line.partition(b" ")[0]
        if keyword in counts:
            counts[keyword] += 1
        yield _resolved(line, tuple(counts.values())) if keyword == b"f" else line


def _resolved(line: bytes, counts: tuple[int, ...]) -> bytes:
    if b"-" not in line:
        return line
    corners = (
        b"/".join(
            _resolved_index(index, count)
            for index, count in zip(corner.split(b"/"), counts, strict=False)
        )
        for corner in line.split()[1:]
    )
    return b"f " + b" ".join(corners) + b"\n"


def _resolved_index(index: bytes, count: int) -> bytes:
    if not index.startswith(b"-"):
        return index
    number = count + 1 + int(index)
    if not 0 < number <= count:
        raise UnusableSource("ObjElementMissing", element=int(index), count=count)
    return b"%d" % number
