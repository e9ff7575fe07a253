"""Masks of thick slices: pixels of 0.7 mm, slices of 5 mm."""

import numpy as np
import pytest
from numpy.typing import NDArray

from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.mesh.shape_interpolation import interpolated_slices
from orthanc_stl_plugin.mesh.surface import mask_surface
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import Mesh, MeshOptions, SmoothingMethod
from tests.support.phantoms import (
    Solid,
    mean_deviation_degrees,
    mean_distance_mm,
    sampled,
    sphere,
    tilted_cylinder,
    torus,
    upright_grid,
)

SPACING_MM = (0.7, 0.7, 5.0)
TORUS = torus(20, 6)
ROD = tilted_cylinder(1.5, 30, 200)
ROD_MM = 20  # above and below the origin, away from where the grid cuts the rod
SHIFTS = [0.03, 0.28, 0.53, 0.78]

type Mask = NDArray[np.bool_]


def thick(solid: Solid, extent_mm: tuple[float, float, float], shift: float) -> tuple[Mask, Grid]:
    grid = upright_grid(SPACING_MM, extent_mm, shift)
    mask = sampled(solid, grid)
    mask[:, :, [0, -1]] = False
    return mask, grid


def meshed(mask: Mask, grid: Grid) -> Mesh:
    """The default surface, which is closed and as large as the mask."""
    mesh = mask_surface(mask, grid, MeshOptions())
    volume_mm3 = np.count_nonzero(mask) * grid.voxel_volume_mm3
    assert report(mesh).is_watertight
    assert report(mesh).volume_mm3 == pytest.approx(volume_mm3, rel=2e-3)
    return mesh


def test_a_torus_in_two_or_three_slices_is_round() -> None:
    # Steps as the voxels have them lie 0.593 mm away; SurfaceNets deviate by 15.2 degrees.
    found = [meshed(*thick(TORUS, (56, 56, 16), shift)) for shift in SHIFTS]
    distances_mm = [mean_distance_mm(mesh, TORUS) for mesh in found]
    assert np.mean(distances_mm) < 0.35
    assert max(distances_mm) < 0.5  # where the voxels hold 12 % more than the torus
    assert max(mean_deviation_degrees(mesh, TORUS) for mesh in found) < 12


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_rod_that_moves_by_its_diameter_from_slice_to_slice_is_straight(shift: float) -> None:
    # Steps as the voxels have them lie 0.236 mm away; SurfaceNets deviate by 20.4 degrees.
    mesh = meshed(*thick(ROD, (40, 8, 50), shift))
    assert mean_distance_mm(mesh, ROD, ROD_MM) < 0.157
    assert mean_deviation_degrees(mesh, ROD, ROD_MM) < 14


@pytest.mark.parametrize("radius_mm", [8, 20])
def test_a_sphere_ends_where_it_ends(radius_mm: float) -> None:
    mesh = meshed(*thick(sphere(radius_mm), (44, 44, 44), 0.28))
    assert mean_distance_mm(mesh, sphere(radius_mm)) < 0.25
    assert np.abs(mesh.vertices[:, 2]).max() == pytest.approx(radius_mm, abs=1.2)


def test_the_end_of_a_block_is_rounded_at_its_rim_and_flat_within() -> None:
    mask = np.zeros((70, 70, 6), dtype=np.bool_)
    mask[10:60, 5:65, 1:5] = True
    vertices = meshed(mask, Grid(mask.shape, np.diag([*SPACING_MM, 1.0]))).vertices
    top = vertices[vertices[:, 2] > 20]
    rim = np.minimum(top[:, 0] - 9.5 * 0.7, 59.5 * 0.7 - top[:, 0])
    within = (rim > 12) & (top[:, 1] > 16) & (top[:, 1] < 32)
    assert np.ptp(top[within, 2]) < 0.1
    assert top[within, 2].mean() == pytest.approx(22.5, abs=1)
    assert top[rim < 0.5, 2].max() < 21.5


def test_what_ends_beside_a_part_that_goes_on_does_not_widen_before_it_ends() -> None:
    mask = np.zeros((50, 20, 7), dtype=np.bool_)
    mask[5:15, 5:15, 1:6] = mask[34:42, 5:15, 1:4] = mask[5:42, 5:15, 1] = True
    vertices = meshed(mask, Grid(mask.shape, np.diag([*SPACING_MM, 1.0]))).vertices
    assert vertices[:, 0].max() < 41.5 * 0.7 + 0.6


@pytest.mark.parametrize("gap", [1, 2])
def test_parts_in_slices_apart_stay_apart(gap: int) -> None:
    mask = np.zeros((20, 20, 6 + gap), dtype=np.bool_)
    mask[5:15, 5:15, 1:3] = mask[5:15, 5:15, 3 + gap : 5 + gap] = True
    heights = meshed(mask, Grid(mask.shape, np.diag([*SPACING_MM, 1.0]))).vertices[:, 2]
    assert np.diff(np.sort(heights)).max() > 5 * gap - 4.5


def test_slices_that_are_not_thick_are_left_as_they_are() -> None:
    grid = upright_grid((0.7, 0.7, 1.7), (20, 20, 20))
    assert interpolated_slices(sampled(sphere(8), grid), grid) is None


def test_without_smoothing_thick_slices_stay_steps() -> None:
    mask, grid = thick(TORUS, (56, 56, 16), 0.28)
    mesh = mask_surface(mask, grid, MeshOptions(method=SmoothingMethod.NONE))
    apart = np.sort(grid.to_index(mesh.vertices) % 1, axis=1)
    assert np.allclose(np.minimum(apart, 1 - apart).max(axis=1), 0.5, atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_axis_of_the_thick_slices_may_be_any(axis: int) -> None:
    mask, grid = thick(TORUS, (56, 56, 16), 0.28)
    order = np.roll([0, 1, 2], axis)
    turned = Grid(tuple(np.array(grid.shape)[order].tolist()), grid.affine[:, [*order.tolist(), 3]])
    mesh = meshed(np.ascontiguousarray(mask.transpose(order)), turned)
    assert mean_distance_mm(mesh, TORUS) < 0.395
