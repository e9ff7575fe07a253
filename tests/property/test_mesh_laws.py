"""Laws of meshes, for masks and grids of all kinds."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from orthanc_stl_plugin.mesh.decimate import simplify
from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.mesh.surface import isosurface, mask_surface
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import Mesh, MeshOptions, SmoothingMethod
from tests.unit.mesh.voxelise import winding_numbers

type Mask = NDArray[np.bool_]

SHAPES = npst.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=7)
MASKS = npst.arrays(np.bool_, SHAPES).filter(np.any)
OPTIONS = st.builds(
    MeshOptions, method=st.sampled_from(SmoothingMethod), iterations=st.integers(0, 200)
)
QUICK = settings(max_examples=60)


@st.composite
def affines(draw: st.DrawFn) -> NDArray[np.float64]:
    """Turned, anisotropic, of either hand, somewhere."""
    angles = draw(st.tuples(*[st.floats(-3, 3)] * 3))
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        about = np.eye(3)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        about[first, first] = about[second, second] = np.cos(angle)
        about[first, second], about[second, first] = -np.sin(angle), np.sin(angle)
        turn = about @ turn
    sizes = draw(st.tuples(*[st.sampled_from([0.5, 0.7, 1.0, 5.0])] * 3))
    hand = draw(st.sampled_from([1, -1]))
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array(sizes) * [1, 1, hand]
    affine[:3, 3] = draw(st.tuples(*[st.integers(-500, 500)] * 3))
    return affine


def on(mask: Mask, affine: NDArray[np.float64]) -> Grid:
    columns, rows, slices = mask.shape
    return Grid((columns, rows, slices), affine)


@st.composite
def smallest_masks(draw: st.DrawFn) -> Mask:
    """One voxel, two that touch in a face, an edge or a corner, a line, a plane, a full volume."""
    shape = np.array(draw(SHAPES))
    mask = np.zeros(shape + 2, dtype=np.bool_)
    kind = draw(st.sampled_from(["voxel", "two", "flat", "full"]))
    if kind == "full":
        return np.ones(shape, dtype=np.bool_)
    mask[1, 1, 1] = True
    if kind == "two":
        mask[tuple(1 + np.array(draw(st.tuples(*[st.integers(0, 1)] * 3))))] = True
    if kind == "flat":
        across = draw(st.sampled_from([(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]))
        mask[tuple(1 if axis in across else slice(None) for axis in range(3))] = True
    return mask


def smallest_area_mm2(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).min())


@QUICK
@given(MASKS, affines(), OPTIONS)
def test_every_mask_has_a_watertight_outward_mesh(
    mask: Mask, affine: NDArray[np.float64], options: MeshOptions
) -> None:
    mesh = mask_surface(mask, on(mask, affine), options)
    assert report(mesh).is_watertight
    assert report(mesh).volume_mm3 > 0
    assert smallest_area_mm2(mesh) > 1e-6


@settings(max_examples=200)
@given(smallest_masks(), affines(), OPTIONS, st.sampled_from([2, 4, 256]))
def test_the_smallest_masks_have_valid_meshes_under_every_method(
    mask: Mask, affine: NDArray[np.float64], options: MeshOptions, resolution: int
) -> None:
    mesh = mask_surface(mask, on(mask, affine), replace(options, resolution=resolution))
    assert np.isfinite(mesh.vertices).all()
    assert report(mesh).is_watertight
    assert report(mesh).volume_mm3 > 0
    assert smallest_area_mm2(mesh) > 1e-6


@QUICK
@given(MASKS, st.sampled_from([0.5, 0.7, 1.0]), OPTIONS)
def test_no_vertex_moves_farther_than_half_a_voxel(
    mask: Mask, size_mm: float, options: MeshOptions
) -> None:
    grid = on(mask, np.diag([1.0, size_mm, 1.0, 1.0]))
    raw, smooth = (
        grid.to_index(mask_surface(mask, grid, how).vertices)
        for how in (MeshOptions(method=SmoothingMethod.NONE), options)
    )
    assert np.abs(raw - smooth).max() <= 0.5


@QUICK
@given(MASKS, OPTIONS)
def test_moving_the_grid_moves_the_mesh(mask: Mask, options: MeshOptions) -> None:
    moved = np.eye(4)
    moved[:3, 3] = 32, -64, 128
    here, there = (mask_surface(mask, on(mask, affine), options) for affine in (np.eye(4), moved))
    assert np.array_equal(here.faces, there.faces)
    assert np.allclose(here.vertices + moved[:3, 3], there.vertices, atol=1e-4)


@QUICK
@given(MASKS, OPTIONS)
def test_a_mirrored_grid_makes_the_mirrored_mesh(mask: Mask, options: MeshOptions) -> None:
    mirror = np.diag([-1.0, 1, 1, 1])
    here, there = (mask_surface(mask, on(mask, affine), options) for affine in (np.eye(4), mirror))
    assert np.array_equal(np.sort(here.faces, axis=1), np.sort(there.faces, axis=1))
    assert np.allclose(here.vertices * [-1, 1, 1], there.vertices, atol=1e-3)
    assert report(there).is_watertight
    assert report(there).volume_mm3 > 0


@QUICK
@given(MASKS, st.integers(0, 3), st.integers(0, 3))
def test_empty_voxels_around_a_mask_change_nothing(mask: Mask, before: int, after: int) -> None:
    padded = np.pad(mask, [(before, after)] * 3)
    grid = on(mask, np.eye(4))
    around = grid.window((-before, -before, -before), padded.shape)
    plain = mask_surface(mask, grid, MeshOptions())
    again = mask_surface(np.ascontiguousarray(padded), around, MeshOptions())
    assert np.array_equal(plain.faces, again.faces)
    assert np.allclose(plain.vertices, again.vertices, atol=1e-4)


@QUICK
@given(MASKS, OPTIONS)
def test_the_mask_is_left_as_it_was(mask: Mask, options: MeshOptions) -> None:
    before = mask.copy()
    mask.flags.writeable = False
    mask_surface(mask, on(mask, np.eye(4)), options)
    assert np.array_equal(mask, before)


@QUICK
@given(
    npst.arrays(np.float32, SHAPES, elements=st.floats(-2, 2, width=32) | st.just(np.nan)),
    affines(),
    OPTIONS,
)
def test_every_isosurface_is_watertight_and_near_where_values_put_it(
    values: NDArray[np.float32], affine: NDArray[np.float64], options: MeshOptions
) -> None:
    inside = (values >= 0) & (values <= 1.5)
    if inside.any():
        grid = on(inside, affine)
        mesh = isosurface(values, 0, grid, options, upper=1.5)
        assert report(mesh).is_watertight
        raw = isosurface(values, 0, grid, MeshOptions(method=SmoothingMethod.NONE), upper=1.5)
        assert np.array_equal(winding_numbers(raw, grid), inside)
        moved = grid.to_index(mesh.vertices) - grid.to_index(raw.vertices)
        assert np.abs(moved).max() <= 0.5


@QUICK
@given(npst.arrays(np.bool_, (9, 8, 7)).filter(np.any), st.floats(0.2, 0.9))
def test_a_simplified_mesh_is_watertight(mask: Mask, share: float) -> None:
    mesh = mask_surface(mask, on(mask, np.eye(4)), MeshOptions())
    parts = 8 * mask.sum()
    bound = max(int(share * len(mesh.faces)), int(parts))
    simple = simplify(mesh, bound)
    assert len(simple.faces) <= bound
    assert report(simple).is_watertight
