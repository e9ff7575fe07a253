"""PLY files to attach: the checks that trimesh leaves out."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.meshes.ply_polygons import (
    CORNERS,
    PlyElement,
    PlyHeader,
    read_header,
    with_triangles,
)


def plain_ply(content: bytes) -> bytes:
    """The file, with triangles where trimesh would read polygons wrongly (see `with_triangles`).

    Raises:
        UnusableSource: a row that the header of an ASCII file announces is missing, or lacks
            numbers; see also `folded`.
        ValueError, LookupError: it is malformed.
    """
    header = read_header(content)
    if header.is_ascii:
        _check_rows(content, header)
    return with_triangles(content, header)


def _check_rows(content: bytes, header: PlyHeader) -> None:
    rows = io.BytesIO(content)
    rows.seek(header.length)
    for element in header.elements:
        for number in range(1, element.count + 1):
            if not _is_whole(element, next(rows, b"").split()):
                raise UnusableSource(
                    "PlyRowMissing", row=number, rows=element.count, element=element.name[:40]
                )


def _is_whole(element: PlyElement, row: list[bytes]) -> bool:
    at = 0
    for one in element.properties:
        if one.count is not None and at < len(row):
            at += int(float(row[at]))
        at += 1
    return at <= len(row)


def lowest_index(elements: Mapping[str, Any]) -> int:
    """The lowest vertex index in the faces, of the elements as trimesh has read them."""
    faces = elements.get("face", {}).get("data")
    if faces is None:
        return 0
    names = faces if isinstance(faces, dict) else faces.dtype.names
    corners = faces[next((name for name in CORNERS if name in names), next(iter(names)))]
    if corners.dtype.names:
        corners = corners["f1"]  # in a binary file, after their count
    if corners.dtype == object:
        corners = np.concatenate(corners)
    return int(corners.min(initial=0))
