"""Structures of one label map fit: what one loses the other has."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.mesh.shared_walls import SharedWalls
from orthanc_stl_plugin.mesh.surface import (
    groups,
    mask_surface,
    raw_mask_surface,
    smoothed_together,
)
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import Mesh, MeshOptions, SmoothingMethod
from tests.support.voxelise import inside

FINER = 5
GRID = Grid((26, 28, 24), np.eye(4))
SMOOTHING = [one for one in SmoothingMethod if one is not SmoothingMethod.NONE]


def halves() -> NDArray[np.uint8]:
    """A ball of 10 voxels, cut by a tilted, wavy wall into the labels 1 and 2."""
    x, y, z = np.indices(GRID.shape) - np.array([12.3, 13.2, 11.6]).reshape(3, 1, 1, 1)
    side = np.where(0.8 * x + 0.5 * y + 0.33 * z + 1.2 * np.sin(y / 4) > 0, 1, 2)
    return np.where(x * x + y * y + z * z < 10**2, side, 0).astype(np.uint8)


def meshes(
    labels: NDArray[np.uint8], options: MeshOptions, grid: Grid = GRID, *, at_once: bool = True
) -> list[Mesh]:
    """The surfaces of the labels, in groups or one after the other."""
    walls = SharedWalls()
    raw = []
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        assert box is not None
        mask = np.ascontiguousarray(labels[box] == number)
        window = grid.window((box[0].start, box[1].start, box[2].start), mask.shape)
        raw.append(raw_mask_surface(mask, window, options))
    lots = groups(raw) if at_once else ([one] for one in raw)
    return [mesh for lot in lots for mesh in smoothed_together(lot, options, walls)]


def misfit(found: list[Mesh], labels: NDArray[np.uint8]) -> float:
    """Overlap and gap of labels 1 and 2, for each area of their wall, in voxels."""
    columns, rows, slices = labels.shape
    affine = np.eye(4)
    affine[:3, :3] /= FINER
    affine[:3, 3] = 0.5 / FINER - 0.5 + 1e-3
    fine = Grid((columns * FINER, rows * FINER, slices * FINER), affine)
    large = labels.repeat(FINER, 0).repeat(FINER, 1).repeat(FINER, 2)
    to_one, to_two, to_none = (
        ndimage.distance_transform_edt(large != number) / FINER for number in (1, 2, 0)
    )
    wall = (np.maximum(to_one, to_two) < 1) & (to_none > 1.5)
    one, two = (inside(mesh, fine) for mesh in found[:2])
    wrong = np.count_nonzero(wall & (one == two)) / FINER**3
    corners = found[0].vertices[found[0].faces].astype(np.float64)
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    at = np.rint(fine.to_index(corners.mean(axis=1))).astype(int)
    area = np.linalg.norm(areas, axis=1)[wall[tuple(at.T)]].sum() / 2
    return float(wrong / area)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("method", SMOOTHING)
def test_neighbours_overlap_and_gape_by_less_than_two_hundredths_of_a_voxel(
    method: SmoothingMethod, at_once: bool
) -> None:
    labels = halves()
    assert misfit(meshes(labels, MeshOptions(method=method), at_once=at_once), labels) < 0.02


def test_alone_they_would_overlap() -> None:
    labels = halves()
    alone = [mask_surface(labels == number, GRID, MeshOptions()) for number in (1, 2)]
    assert misfit(alone, labels) > 0.02


@pytest.mark.parametrize("at_once", [True, False])
def test_neighbours_keep_their_volume_and_their_even_triangles(at_once: bool) -> None:
    labels = halves()
    for number, mesh in enumerate(meshes(labels, MeshOptions(), at_once=at_once), 1):
        assert report(mesh).is_watertight
        assert report(mesh).volume_mm3 == pytest.approx((labels == number).sum(), rel=1e-3)
        corners = mesh.vertices[mesh.faces].astype(np.float64)
        sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
        areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        heights = np.linalg.norm(areas, axis=1) / sides.max(axis=1)
        assert (heights / sides.max(axis=1)).min() > 0.1


@pytest.mark.parametrize("method", SMOOTHING)
@pytest.mark.parametrize("iterations", [1, 15, 200])
def test_many_small_labels_that_fill_a_volume_stay_valid_and_close_to_their_voxels(
    method: SmoothingMethod, iterations: int
) -> None:
    labels = np.random.default_rng(3).integers(0, 13, (9, 8, 7)).astype(np.uint8)
    grid = Grid(labels.shape, np.diag([0.7, 1.1, 1.4, 1.0]))
    options = MeshOptions(method=method, iterations=iterations)
    raw = meshes(labels, MeshOptions(method=SmoothingMethod.NONE), grid)
    for at_once in (True, False):
        found = meshes(labels, options, grid, at_once=at_once)
        for mesh, start in zip(found, raw, strict=True):
            assert report(mesh).is_watertight
            assert report(mesh).volume_mm3 > 0
            moved = grid.to_index(mesh.vertices) - grid.to_index(start.vertices)
            assert np.abs(moved).max() <= 0.5


def test_labels_that_do_not_touch_are_as_if_each_were_alone() -> None:
    labels = np.where(halves() == 1, 1, 0).astype(np.uint8)
    labels[:3, :3, :3] = 2
    for number, mesh in enumerate(meshes(labels, MeshOptions()), 1):
        alone = mask_surface(labels == number, GRID, MeshOptions())
        assert np.allclose(mesh.vertices, alone.vertices, atol=1e-3)


def test_grids_with_other_steps_share_nothing() -> None:
    walls = SharedWalls()
    mask = halves() == 1
    for grid in (GRID, Grid(GRID.shape, np.diag([1.0, 2.0, 1.0, 1.0]))):
        raw = raw_mask_surface(mask, grid, MeshOptions())
        [found] = smoothed_together([raw], MeshOptions(), walls)
        assert np.array_equal(found.vertices, mask_surface(mask, grid, MeshOptions()).vertices)
