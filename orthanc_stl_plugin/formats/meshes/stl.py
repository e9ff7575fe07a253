"""STL: binary (80-byte header, a count, then 50 bytes for each triangle); ASCII is read only."""

from __future__ import annotations

import re
from itertools import batched
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import TooLarge, UnusableSource
from orthanc_stl_plugin.mesh.measure import welded_faces
from orthanc_stl_plugin.mesh.surface_operators import cross, dots
from orthanc_stl_plugin.model.mesh import Mesh

MEDIA_TYPE: Final = "model/stl"
HEADER_BYTES: Final = 84
MOST_TRIANGLES: Final = 40_000_000
LARGEST_COORDINATE: Final = 1e9
_HEADER: Final = b"binary STL, DICOM patient coordinates (LPS), millimetres"
_TRIANGLE: Final = np.dtype(
    [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")]
)
_FACETS_AT_ONCE: Final = 20_000
# Below 1 MiB: while Linux finds memory for a write of 64 MiB, it may block a processor for 100 ms.
_TRIANGLES_AT_ONCE: Final = 16_384
# Possessive and bounded: the time stays linear in the length of any document.
_VERTEX: Final = rb"vertex" + rb"\s++(\S{1,48}+)" * 3 + rb"\s++"
_FACET: Final = re.compile(rb"\bouter\s++loop\s++" + _VERTEX * 3 + rb"endloop\b", re.IGNORECASE)
_END_OF_LOOP: Final = re.compile(rb"\bendloop\b", re.IGNORECASE)
_END_OF_SOLID: Final = re.compile(rb"\bendsolid\b", re.IGNORECASE)


def write_stl(mesh: Mesh, path: Path) -> None:
    """Writes `mesh` to `path`: LPS millimetres, unit normals outward."""
    with path.open("wb") as file:
        file.write(_HEADER.ljust(80))
        file.write(np.uint32(len(mesh.faces)).tobytes())
        for start in range(0, len(mesh.faces), _TRIANGLES_AT_ONCE):
            corners = mesh.vertices.take(mesh.faces[start : start + _TRIANGLES_AT_ONCE], axis=0)
            # unlike tofile, this raises when the disk is full
            file.write(_triangles(corners).view(np.uint8).data)


def _triangles(corners: NDArray[np.float32]) -> NDArray[np.void]:
    triangles = np.zeros(len(corners), dtype=_TRIANGLE)
    triangles["corners"] = corners
    first, second, third = np.ascontiguousarray(corners.transpose(1, 2, 0))
    normals = cross(second - first, third - first)
    lengths = np.sqrt(dots(normals, normals))
    lengths[lengths == 0] = 1
    triangles["normal"] = (normals / lengths).T
    return triangles


def is_binary(content: bytes) -> bool:
    """Whether the length of `content` matches the count in a binary header."""
    if len(content) < HEADER_BYTES:
        return False
    triangles = int.from_bytes(content[80:HEADER_BYTES], "little")
    return len(content) == HEADER_BYTES + triangles * _TRIANGLE.itemsize


def read_stl(content: bytes, max_triangles: int = MOST_TRIANGLES) -> Mesh:
    """The surface in an STL file, binary or ASCII, in the unit and axes of the file.

    Corners with equal coordinates become one vertex, in order of appearance; triangles with two
    equal corners are dropped.

    Raises:
        TooLarge: it has more than `max_triangles`.
        UnusableSource: it is not STL, is truncated, has no triangle, or has a coordinate that is
            not finite or is above `LARGEST_COORDINATE`.
    """
    if _is_text(content):
        corners = _text_corners(content, max_triangles)
    else:
        corners = _binary_corners(content, max_triangles)
    return welded(corners, "STL")


def _is_text(content: bytes) -> bool:
    """Whether it is ASCII; binary files may start with "solid" too, followed by zero bytes."""
    start = content[:HEADER_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith(b"solid") and b"\0" not in start and not is_binary(content)


def _binary_corners(content: bytes, max_triangles: int) -> NDArray[np.float32]:
    """(F, 3, 3) float32 corners."""
    if len(content) < HEADER_BYTES:
        raise UnusableSource("StlTooShort", bytes=len(content), header_bytes=HEADER_BYTES)
    count = int.from_bytes(content[80:HEADER_BYTES], "little")
    if not is_binary(content):
        raise UnusableSource(
            "StlTruncated",
            bytes=len(content),
            triangles=count,
            needed_bytes=HEADER_BYTES + count * _TRIANGLE.itemsize,
        )
    check_count(count, max_triangles)
    triangles = np.frombuffer(content, dtype=_TRIANGLE, offset=HEADER_BYTES)
    return triangles["corners"].astype(np.float32)


def _text_corners(content: bytes, max_triangles: int) -> NDArray[np.float32]:
    """(F, 3, 3) float32 corners."""
    parts = [np.empty((0, 3, 3), dtype=np.float32)]
    count, end = 0, 0
    for facets in batched(_FACET.finditer(content), _FACETS_AT_ONCE):
        count, end = count + len(facets), facets[-1].end()
        check_count(count, max_triangles)
        try:
            numbers = np.array([facet.groups() for facet in facets]).astype(np.float64)
        except ValueError as error:
            raise UnusableSource("StlCoordinateNotNumber") from error
        with np.errstate(over="ignore"):
            parts.append(numbers.astype(np.float32).reshape(-1, 3, 3))
    loops = sum(1 for _ in _END_OF_LOOP.finditer(content))
    if loops != count:
        raise UnusableSource("StlFacetsNotTriangles", wrong=loops - count, facets=loops)
    if _END_OF_SOLID.search(content, end) is None:
        raise UnusableSource("StlEndMissing", triangles=count)
    return np.concatenate(parts)


def check_count(count: int, max_triangles: int, kind: str = "STL") -> None:
    """Checks the number of triangles.

    Raises:
        TooLarge: there are more than `max_triangles`.
    """
    if count > max_triangles:
        raise TooLarge(
            "TooManyTriangles", format=kind, triangles=count, max_triangles=max_triangles
        )


def welded(corners: NDArray[np.float32], kind: str) -> Mesh:
    """The surface of (F, 3, 3) corners from a document of that kind; see `read_stl`.

    Raises:
        UnusableSource: no triangle has an area, or a coordinate is not finite or is above
            `LARGEST_COORDINATE`.
    """
    is_sound = np.isfinite(corners).all(axis=(1, 2))
    if not is_sound.all():
        raise UnusableSource(
            "CoordinatesNotFinite",
            wrong=np.count_nonzero(~is_sound),
            triangles=len(corners),
            format=kind,
        )
    if np.abs(corners).max(initial=0) > LARGEST_COORDINATE:
        raise UnusableSource(
            "CoordinateTooLarge",
            format=kind,
            coordinate=np.abs(corners).max(),
            limit=LARGEST_COORDINATE,
        )
    soup = Mesh(corners.reshape(-1, 3), np.arange(len(corners) * 3, dtype=np.int32).reshape(-1, 3))
    faces = welded_faces(soup) if len(corners) else soup.faces
    is_triangle = (faces != faces[:, [1, 2, 0]]).all(axis=1)
    if not is_triangle.any():
        raise UnusableSource("TrianglesWithoutArea", format=kind, triangles=len(faces))
    numbers, first, place = np.unique(
        faces[is_triangle].ravel(), return_index=True, return_inverse=True
    )
    order = np.argsort(first)
    rank = np.empty(len(numbers), dtype=np.int32)
    rank[order] = np.arange(len(numbers), dtype=np.int32)
    vertices = corners[is_triangle].reshape(-1, 3)[first[order]]
    return Mesh(vertices, rank[place].reshape(-1, 3))
