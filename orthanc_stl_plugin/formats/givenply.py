"""PLY files that others made: what trimesh reads without a look at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

_CORNERS: Final = ("vertex_index", "vertex_indices")


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
