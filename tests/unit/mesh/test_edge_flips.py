import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from orthanc_stl_plugin.mesh.edge_flips import SMALLEST_ANGLE_DEG, flipped
from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.mesh.surface import mask_surface
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import Mesh, MeshOptions, SmoothingMethod

# A roof over a square: its ridge runs from (0, 0) to (1, 1), and dips; the other diagonal does not.
ROOF = np.array([[0, 0, 0], [1, 0, 1], [1, 1, 0], [0, 1, 1], [0.5, 0.5, -3]], dtype=np.float32)
VALLEY = np.array(
    [[0, 1, 2], [0, 2, 3], [1, 0, 4], [2, 1, 4], [3, 2, 4], [0, 3, 4]], dtype=np.int32
)
MASKS = npst.arrays(
    np.bool_, npst.array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=7)
).filter(np.any)


def bends(mesh: Mesh) -> NDArray[np.float64]:
    """(E,) angles between neighbouring faces, in radians."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    ends = np.sort(np.concatenate([mesh.faces[:, [k, (k + 1) % 3]] for k in range(3)]), axis=1)
    order = np.lexsort(ends.T)
    first, second = np.tile(np.arange(len(mesh.faces)), 3)[order].reshape(-1, 2).T
    return np.asarray(np.arccos(np.clip((normals[first] * normals[second]).sum(axis=1), -1, 1)))


def smoothed(mask: NDArray[np.bool_]) -> Mesh:
    columns, rows, slices = mask.shape
    options = MeshOptions(method=SmoothingMethod.TAUBIN)
    return mask_surface(mask, Grid((columns, rows, slices), np.eye(4)), options)


def flips_of(mesh: Mesh) -> NDArray[np.int32]:
    """(F, 3) faces after flips."""
    corners = mesh.faces.T
    begin, end = corners.ravel().tolist(), np.roll(corners, -1, axis=0).ravel().tolist()
    number = {side: half_edge for half_edge, side in enumerate(zip(end, begin, strict=True))}
    opposite = np.array([number[side] for side in zip(begin, end, strict=True)], dtype=np.int32)
    found = flipped(corners, opposite.reshape(3, -1), np.ascontiguousarray(mesh.vertices.T))
    return np.ascontiguousarray(found.T)


@pytest.mark.parametrize("turns", range(3))
def test_an_edge_in_a_valley_becomes_the_other_diagonal(turns: int) -> None:
    raised = ROOF * [4, 4, 1]
    mesh = Mesh(raised.astype(np.float32), np.roll(VALLEY, turns, axis=1))
    faces = flips_of(mesh)
    edges = {tuple(sorted((face[k - 1], face[k]))) for face in faces.tolist() for k in range(3)}
    assert (1, 3) in edges
    assert (0, 2) not in edges
    assert report(Mesh(mesh.vertices, faces)).is_watertight


@settings(max_examples=60)
@given(MASKS)
def test_flips_keep_a_surface_closed_and_make_it_smoother(mask: NDArray[np.bool_]) -> None:
    before = smoothed(mask)
    after = Mesh(before.vertices, flips_of(before))
    assert report(after).is_watertight
    assert len(after.faces) == len(before.faces)
    assert np.sum(bends(after) ** 2) <= np.sum(bends(before) ** 2) + 1e-3


@settings(max_examples=60)
@given(MASKS)
def test_flips_make_no_slivers(mask: NDArray[np.bool_]) -> None:
    before = smoothed(mask)
    faces = flips_of(before)
    known = {tuple(sorted(face)) for face in before.faces.tolist()}
    new = np.array([face for face in faces.tolist() if tuple(sorted(face)) not in known], int)
    corners = before.vertices[new.reshape(-1, 3)].astype(np.float64)
    for k in range(3):
        first, second = corners[:, k - 1] - corners[:, k], corners[:, k - 2] - corners[:, k]
        sizes = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        angles = np.degrees(np.arccos(np.clip((first * second).sum(axis=1) / sizes, -1, 1)))
        assert (angles > SMALLEST_ANGLE_DEG - 0.1).all()
