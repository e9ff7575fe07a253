import numpy as np
import pytest

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.mesh.surface import (
    FACES_TOGETHER,
    groups,
    mask_surface,
    raw_mask_surface,
    smoothed_together,
)
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import Mesh, MeshOptions, SmoothingMethod
from tests.support.phantoms import (
    letter_f,
    mean_distance_mm,
    sampled,
    shell,
    sphere,
    tilted_grid,
    torus,
)
from tests.support.triangles import smallest_angles_degrees
from tests.unit.mesh.voxelise import winding_numbers

SMOOTH = MeshOptions()
RAW = MeshOptions(method=SmoothingMethod.NONE)
UNIT_GRID = Grid((12, 10, 9), np.eye(4))

ISOTROPIC = (1.0, 1.0, 1.0)
THICK_SLICES = (0.7, 0.7, 3.0)

SOLIDS = {
    "sphere": (sphere(18), 44),
    "torus": (torus(16, 6), 48),
    "thin shell": (shell(15, 2.5), 40),
    "letter F": (letter_f((-15, -6, -22)), 66),
}


@pytest.mark.parametrize("name", SOLIDS)
@pytest.mark.parametrize("is_left_handed", [False, True])
@pytest.mark.parametrize("spacing_mm", [ISOTROPIC, THICK_SLICES])
def test_the_surface_lies_within_a_quarter_voxel_of_the_solid(
    name: str, is_left_handed: bool, spacing_mm: tuple[float, float, float]
) -> None:
    solid, extent_mm = SOLIDS[name]
    grid = tilted_grid(spacing_mm, extent_mm, is_left_handed=is_left_handed)
    mesh = mask_surface(sampled(solid, grid), grid, SMOOTH)
    assert mean_distance_mm(mesh, solid) < np.cbrt(np.prod(spacing_mm)) / 4


@pytest.mark.parametrize("is_left_handed", [False, True])
def test_an_f_is_not_mirrored(is_left_handed: bool) -> None:
    solid = letter_f((-15, -6, -22))
    grid = tilted_grid((1.0, 1.3, 2.0), 66, is_left_handed=is_left_handed)
    found = report(mask_surface(sampled(solid, grid), grid, SMOOTH))
    assert found.is_watertight
    assert found.volume_mm3 == pytest.approx(solid.volume_mm3, rel=0.02)
    assert found.centroid_mm == pytest.approx(solid.centroid_mm, abs=0.3)


@pytest.mark.parametrize("method", set(SmoothingMethod) - {SmoothingMethod.NONE})
@pytest.mark.parametrize("name", SOLIDS)
def test_no_vertex_lies_farther_than_half_a_voxel_from_where_marching_cubes_put_it(
    name: str, method: SmoothingMethod
) -> None:
    solid, extent_mm = SOLIDS[name]
    grid = tilted_grid((1.0, 1.3, 2.0), extent_mm, is_left_handed=True)
    mask = sampled(solid, grid)
    raw, smooth = (
        grid.to_index(mask_surface(mask, grid, how).vertices)
        for how in (RAW, MeshOptions(method=method, iterations=200))
    )
    assert np.abs(smooth - raw).max() <= 0.5


@pytest.mark.parametrize("name", SOLIDS)
def test_nearly_every_voxel_centre_stays_on_its_side(name: str) -> None:
    solid, extent_mm = SOLIDS[name]
    grid = tilted_grid((1.0, 1.3, 2.0), extent_mm)
    mask = sampled(solid, grid)
    found = winding_numbers(mask_surface(mask, grid, SMOOTH), grid)
    assert np.count_nonzero(found != mask) < 0.05 * np.count_nonzero(mask)


@pytest.mark.parametrize("name", SOLIDS)
def test_the_triangles_are_even(name: str) -> None:
    solid, extent_mm = SOLIDS[name]
    grid = tilted_grid(ISOTROPIC, extent_mm)
    angles = smallest_angles_degrees(mask_surface(sampled(solid, grid), grid, SMOOTH))
    assert np.percentile(angles, 5) > 30
    assert angles.min() > 5


@pytest.mark.parametrize("name", SOLIDS)
def test_smoothing_keeps_the_volume_of_the_voxels(name: str) -> None:
    solid, extent_mm = SOLIDS[name]
    grid = tilted_grid((1.0, 1.3, 2.0), extent_mm)
    mask = sampled(solid, grid)
    volume_mm3 = np.count_nonzero(mask) * grid.voxel_volume_mm3
    assert report(mask_surface(mask, grid, SMOOTH)).volume_mm3 == pytest.approx(
        volume_mm3, rel=2e-3
    )


def test_the_methods_of_smoothing_differ() -> None:
    mask = sampled(sphere(4, (6, 5, 4)), UNIT_GRID)
    for how in (512, 5):
        found = [
            mask_surface(mask, UNIT_GRID, MeshOptions(resolution=how, method=method)).vertices
            for method in SmoothingMethod
        ]
        for number, one in enumerate(found):
            assert not any(np.allclose(one, other, atol=1e-3) for other in found[:number])


def test_one_step_of_laplacian_smoothing_goes_half_of_the_way_to_the_mean_of_the_neighbours() -> (
    None
):
    mask = np.zeros(UNIT_GRID.shape, dtype=np.bool_)
    mask[5, 5, 5] = True
    options = MeshOptions(method=SmoothingMethod.LAPLACIAN, iterations=1)
    vertices = mask_surface(mask, UNIT_GRID, options).vertices - 5
    assert np.abs(vertices).max(axis=1) == pytest.approx([0.25] * 6)


def test_one_step_of_taubins_filter_is_one_forward_and_one_back() -> None:
    mask = np.zeros(UNIT_GRID.shape, dtype=np.bool_)
    mask[5, 5, 5] = True
    options = MeshOptions(method=SmoothingMethod.TAUBIN, iterations=1)
    vertices = mask_surface(mask, UNIT_GRID, options).vertices - 5
    assert np.abs(vertices).max(axis=1) == pytest.approx([0.5 * 0.5 * 1.53] * 6, abs=1e-6)


@pytest.mark.parametrize("spacing_mm", [ISOTROPIC, THICK_SLICES])
def test_smoothing_takes_the_steps_off_a_sphere(spacing_mm: tuple[float, float, float]) -> None:
    solid = sphere(18)
    grid = tilted_grid(spacing_mm, 44)
    mask = sampled(solid, grid)
    raw, smooth = (mean_angle_degrees(mask_surface(mask, grid, how)) for how in (RAW, SMOOTH))
    assert raw > 15
    assert smooth < raw / 3


def mean_angle_degrees(mesh: Mesh) -> float:
    """Between the normals of the faces and those of a sphere around the origin."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    size, middle = np.linalg.norm(areas, axis=1), corners.mean(axis=1)
    cosine = np.einsum("fi,fi->f", areas, middle) / size / np.linalg.norm(middle, axis=1)
    return float(np.average(np.degrees(np.arccos(np.clip(cosine, -1, 1))), weights=size))


def test_a_thin_rod_keeps_its_volume_along_its_length() -> None:
    mask = np.zeros((60, 12, 12), dtype=np.bool_)
    mask[2:58, 4:6, 4:6] = True
    mask[30:58, 3:9, 3:9] = True
    grid = Grid(mask.shape, np.eye(4))
    mesh = mask_surface(mask, grid, SMOOTH)
    thin = mesh.vertices[:, 0] < 25
    assert np.ptp(mesh.vertices[thin, 1]) == pytest.approx(2.2, abs=0.4)
    assert report(mesh).volume_mm3 == pytest.approx(mask.sum(), rel=0.005)


def test_a_single_voxel_keeps_its_volume() -> None:
    mask = np.zeros(UNIT_GRID.shape, dtype=np.bool_)
    mask[5, 5, 5] = True
    found = report(mask_surface(mask, UNIT_GRID, SMOOTH))
    assert found.volume_mm3 == pytest.approx(1, rel=0.05)
    assert found.centroid_mm == pytest.approx((5, 5, 5), abs=0.01)


def test_a_mask_that_touches_every_border_is_closed() -> None:
    found = report(mask_surface(np.ones(UNIT_GRID.shape, dtype=np.bool_), UNIT_GRID, SMOOTH))
    assert found.is_watertight
    assert found.volume_mm3 == pytest.approx(12 * 10 * 9, rel=0.02)
    assert found.centroid_mm == pytest.approx((5.5, 4.5, 4.0), abs=0.01)


def test_voxels_that_touch_by_an_edge_make_a_watertight_mesh() -> None:
    mask = np.zeros(UNIT_GRID.shape, dtype=np.bool_)
    mask[4, 4, 4] = mask[5, 5, 4] = True
    assert report(mask_surface(mask, UNIT_GRID, SMOOTH)).is_watertight


def test_a_checkerboard_makes_a_watertight_mesh() -> None:
    mask = np.indices(UNIT_GRID.shape).sum(axis=0) % 2 == 0
    assert report(mask_surface(mask, UNIT_GRID, SMOOTH)).is_watertight


def test_no_smoothing_leaves_the_vertices_half_way_between_voxels() -> None:
    mask = np.zeros(UNIT_GRID.shape, dtype=np.bool_)
    mask[3:7, 2:5, 4:8] = True
    vertices = mask_surface(mask, UNIT_GRID, RAW).vertices
    assert np.array_equal(np.sort(vertices % 1, axis=1), np.tile([0, 0, 0.5], (len(vertices), 1)))


def test_no_iterations_leave_the_surface_as_extracted() -> None:
    mask = sampled(sphere(4, (6, 5, 4)), UNIT_GRID)
    plain = mask_surface(mask, UNIT_GRID, RAW)
    still = mask_surface(mask, UNIT_GRID, MeshOptions(iterations=0))
    assert np.array_equal(plain.vertices, still.vertices)


def test_laplacian_smoothing_shrinks() -> None:
    mask = sampled(sphere(4, (6, 5, 4)), UNIT_GRID)
    options = MeshOptions(method=SmoothingMethod.LAPLACIAN, iterations=50)
    mesh = mask_surface(mask, UNIT_GRID, options)
    assert report(mesh).volume_mm3 < 0.95 * mask.sum()
    assert report(mesh).is_watertight


@pytest.mark.parametrize("method", SmoothingMethod)
@pytest.mark.parametrize("iterations", [1, 15, 200])
def test_masks_that_nothing_can_be_cut_off_stay_closed(
    method: SmoothingMethod, iterations: int
) -> None:
    one = np.zeros(UNIT_GRID.shape, dtype=np.bool_)
    one[5, 5, 5] = True
    edge, corner, plane, full = (one.copy() for _ in range(4))
    edge[6, 6, 5] = corner[6, 6, 6] = True
    plane[5] = full[:] = True
    for mask in (one, edge, corner, plane, full):
        mesh = mask_surface(mask, UNIT_GRID, MeshOptions(method=method, iterations=iterations))
        assert report(mesh).is_watertight
        assert report(mesh).volume_mm3 > 0


def test_the_order_of_the_array_in_memory_changes_nothing() -> None:
    solid = letter_f((-15, -6, -22))
    grid = tilted_grid((2.0, 2.0, 3.0), 66, is_left_handed=True)
    mask = sampled(solid, grid)
    found = report(mask_surface(np.asfortranarray(mask), grid, RAW))
    expected = report(mask_surface(np.ascontiguousarray(mask), grid, RAW))
    assert found.volume_mm3 == pytest.approx(expected.volume_mm3, rel=2e-3)
    assert found.centroid_mm == pytest.approx(expected.centroid_mm, abs=0.05)
    assert found.is_watertight


def test_a_strided_read_only_view_is_accepted() -> None:
    big = np.zeros((24, 10, 18), dtype=np.uint8)
    big[6:18:2, 3:7, 5:14] = 7
    view = big[::2, :, ::2]
    view.flags.writeable = False
    mesh = mask_surface(view, UNIT_GRID, SMOOTH)
    assert report(mesh).volume_mm3 == pytest.approx(np.count_nonzero(view), rel=0.02)


def test_an_object_larger_than_the_resolution_is_reduced() -> None:
    solid = sphere(18)
    grid = tilted_grid(ISOTROPIC, 44)
    mask = sampled(solid, grid)
    fine = mask_surface(mask, grid, SMOOTH)
    coarse = mask_surface(mask, grid, MeshOptions(resolution=18))
    assert len(coarse.faces) < len(fine.faces) / 3
    assert report(coarse).is_watertight
    assert report(coarse).volume_mm3 == pytest.approx(solid.volume_mm3, rel=0.02)
    assert mean_distance_mm(coarse, solid) < 0.3


def test_a_shell_thinner_than_a_block_is_not_lost() -> None:
    mask = np.zeros((1, 40, 40), dtype=np.bool_)
    mask[0, :, ::7] = True
    mesh = mask_surface(mask, Grid(mask.shape, np.eye(4)), MeshOptions(resolution=10))
    assert report(mesh).is_watertight


def test_an_upper_bound_of_triangles_is_kept() -> None:
    grid = tilted_grid(ISOTROPIC, 44)
    mesh = mask_surface(sampled(sphere(18), grid), grid, MeshOptions(triangles=1000))
    assert 900 <= len(mesh.faces) <= 1000
    assert report(mesh).is_watertight


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(UnusableSource, match="the mask is empty"):
        mask_surface(np.zeros(UNIT_GRID.shape, dtype=np.bool_), UNIT_GRID, SMOOTH)


def test_a_mask_of_another_shape_than_its_grid_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4, 5\)"):
        mask_surface(np.ones((3, 4, 5), dtype=np.bool_), UNIT_GRID, SMOOTH)


def test_voxels_too_fine_for_float32_coordinates_are_refused() -> None:
    affine = np.diag([1e-3, 1e-3, 1e-3, 1.0])
    affine[:3, 3] = 1e4
    with pytest.raises(UnusableSource, match="float32"):
        mask_surface(np.ones((3, 4, 5), dtype=np.bool_), Grid((3, 4, 5), affine), SMOOTH)


def test_parts_that_smoothing_brings_together_stay_apart() -> None:
    mask = np.zeros((3, 3, 5), dtype=np.bool_)
    mask[0, 2, 1] = mask[1, 2, 1] = mask[2, 2, 2] = True
    options = MeshOptions(method=SmoothingMethod.LAPLACIAN, iterations=79)
    mesh = mask_surface(mask, Grid((3, 3, 5), np.diag([0.5, 0.5, 0.5, 1])), options)
    assert len(np.unique(mesh.vertices, axis=0)) == len(mesh.vertices)
    assert report(mesh).is_watertight


@pytest.mark.parametrize("method", SmoothingMethod)
def test_surfaces_smoothed_together_are_as_they_are_alone(method: SmoothingMethod) -> None:
    options = MeshOptions(method=method)
    grid = tilted_grid((1.0, 1.3, 2.0), 44, is_left_handed=True)
    masks = [sampled(sphere(radius), grid) for radius in (9.0, 6.0, 1.5)]
    masks.append(np.random.default_rng(3).random(grid.shape) < 0.02)
    raw = [raw_mask_surface(mask, grid, options) for mask in masks]
    together = smoothed_together(raw, options)
    for mask, found in zip(masks, together, strict=True):
        alone = mask_surface(mask, grid, options)
        np.testing.assert_array_equal(found.faces, alone.faces)
        np.testing.assert_allclose(found.vertices, alone.vertices, atol=1e-3)


def test_only_small_surfaces_of_masks_on_like_grids_are_grouped() -> None:
    grids = [tilted_grid((1.0, 1.3, thick), 44) for thick in (1.0, 1.0, 2.0)]
    masks = [sampled(sphere(9), grid) for grid in grids]
    raw = [raw_mask_surface(mask, grid, SMOOTH) for mask, grid in zip(masks, grids, strict=True)]
    assert [len(group) for group in groups(raw)] == [2, 1]
    most = FACES_TOGETHER // len(raw[0].crossings.faces)
    assert [len(group) for group in groups([raw[0]] * (most + 3))] == [most, 3]
    reduced = raw_mask_surface(masks[0], grids[0], MeshOptions(resolution=10))
    assert [len(group) for group in groups([reduced] * 2)] == [1, 1]


@pytest.mark.parametrize(("radius", "growth"), [(0.8, 1.2), (0.7, 1.5)])
def test_a_thin_bone_that_widens_stays_where_it_is(radius: float, growth: float):
    """Smoothing takes volume where it is thin; the same volume elsewhere would be another place."""
    course = np.linspace(0, 1, 400)
    angle = np.pi * (0.9 * course + 0.06)
    axis = np.stack([22 + 18 * np.cos(angle), 4 + 20 * np.sin(angle), 6 + 14 * course], axis=1)
    mask = np.zeros((44, 30, 26), dtype=np.bool_)
    voxels = np.moveaxis(np.indices(mask.shape), 0, -1)
    for point, reach in zip(axis, radius + growth * course**2, strict=True):
        mask |= ((voxels - point) ** 2).sum(axis=-1) <= reach**2
    measured = report(mask_surface(mask, Grid((44, 30, 26), np.eye(4)), MeshOptions(1024)))
    assert measured.volume_mm3 == pytest.approx(np.count_nonzero(mask), rel=1e-3)
    assert np.linalg.norm(measured.centroid_mm - np.argwhere(mask).mean(axis=0)) < 0.6
