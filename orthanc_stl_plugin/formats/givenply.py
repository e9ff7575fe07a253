"""PLY files that others made: what trimesh reads without a look at it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from orthanc_stl_plugin.errors import UnusableSource

_CORNERS: Final = ("vertex_index", "vertex_indices")


def check_rows(content: bytes) -> None:
    """Does nothing when each row that the header of an ASCII file tells of is there, and whole.

    Raises:
        UnusableSource: one is not, or lacks numbers.
    """
    rows = io.BytesIO(content)
    next(rows, b"")
    if b"ascii" not in next(rows, b"").lower():
        return
    for element in _elements(rows):
        for number in range(1, element.count + 1):
            if not element.is_whole(next(rows, b"").split()):
                raise UnusableSource(
                    f"the ASCII PLY document is truncated: number {number} of the {element.count}"
                    f" {element.name} rows is missing, or lacks numbers"
                )


def _elements(header: Iterable[bytes]) -> list[_Element]:
    elements: list[_Element] = []
    for line in header:
        match line.split():
            case [b"end_header", *_]:
                break
            case [b"element", name, count]:
                elements.append(_Element(name.decode("utf-8", "replace")[:40], int(count)))
            case [b"property", kind, *_]:
                elements[-1].has_lists.append(kind == b"list")
    return elements


@dataclass(frozen=True, slots=True)
class _Element:
    """What the header tells of an element; of each property, whether it is a list."""

    name: str
    count: int
    has_lists: list[bool] = field(default_factory=list)

    def is_whole(self, row: list[bytes]) -> bool:
        at = 0
        for is_list in self.has_lists:
            if is_list and at < len(row):
                at += int(float(row[at]))
            at += 1
        return at <= len(row)


def lowest_index(elements: Mapping[str, Any]) -> int:
    """The lowest number of a vertex that a face names, of the elements as trimesh has read them."""
    faces = elements.get("face", {}).get("data")
    if faces is None:
        return 0
    names = faces if isinstance(faces, dict) else faces.dtype.names
    corners = faces[next((name for name in _CORNERS if name in names), next(iter(names)))]
    if corners.dtype.names:
        corners = corners["f1"]  # of a binary file, behind their count
    if corners.dtype == object:
        corners = np.concatenate(corners)
    return int(corners.min(initial=0))
