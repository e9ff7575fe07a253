"""The shape of triangles."""

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.model.mesh import Mesh


def smallest_angles_degrees(mesh: Mesh) -> NDArray[np.float64]:
    """(F,) the smallest angle of each triangle."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    angles = []
    for k in range(3):
        first, second = corners[:, k - 1] - corners[:, k], corners[:, k - 2] - corners[:, k]
        sizes = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        angles.append(np.arccos(np.clip((first * second).sum(axis=1) / sizes, -1, 1)))
    return np.asarray(np.degrees(np.min(angles, axis=0)))
