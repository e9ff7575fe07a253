import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from orthanc_stl_plugin.mesh.equal_blocks import on_own_grid
from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.mesh.surface import mask_surface
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import MeshOptions
from tests.support.phantoms import (
    letter_f,
    mean_distance_mm,
    sampled,
    sphere,
    tilted_grid,
    voxel_centres_mm,
)

SPHERE = sphere(18)
COARSE = tilted_grid((3.0, 3.0, 3.0), 44)


def enlarged(
    values: NDArray[np.generic], grid: Grid, factors: tuple[int, int, int]
) -> tuple[NDArray[np.generic], Grid]:
    """Each voxel as a block, and the grid of its parts."""
    for axis, factor in enumerate(factors):
        values = np.repeat(values, factor, axis)
    sizes = np.array(factors)
    affine = grid.affine.copy()
    affine[:3, :3] /= sizes
    affine[:3, 3] -= affine[:3, :3] @ ((sizes - 1) / 2)
    columns, rows, slices = values.shape
    return values, Grid((columns, rows, slices), affine)


@given(
    st.tuples(*[st.integers(1, 5)] * 3).filter(lambda factors: max(factors) > 1),
    st.tuples(*[st.tuples(st.integers(0, 6), st.integers(0, 6))] * 3),
    st.integers(1, 3),
)
def test_blocks_of_any_size_anywhere_are_found_exactly(
    factors: tuple[int, int, int], margins: tuple[tuple[int, int], ...], labels: int
) -> None:
    values = sampled(SPHERE, COARSE).astype(np.uint8)
    values *= (1 + np.arange(values.shape[0]) % labels)[:, np.newaxis, np.newaxis].astype(np.uint8)
    large, grid = enlarged(values, COARSE, factors)
    around = np.pad(large, margins)
    starts = [-before for before, _ in margins]
    wide = grid.window((starts[0], starts[1], starts[2]), around.shape)
    found, own, [note] = on_own_grid(around, wide)
    assert " x ".join(map(str, factors)) in note
    for number in range(1, labels + 1):
        places = own.to_world(np.argwhere(found == number).astype(np.float64))
        expected = COARSE.to_world(np.argwhere(values == number).astype(np.float64))
        assert places == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 2), st.integers(0, 1000))
def test_one_voxel_that_differs_from_its_block_is_enough(axis: int, seed: int) -> None:
    large, grid = enlarged(sampled(SPHERE, COARSE), COARSE, (2, 2, 2))
    random = np.random.default_rng(seed)
    at = np.array(random.choice(np.argwhere(large)))
    large[tuple(at)] = False
    found, own, notes = on_own_grid(large, grid)
    assert (found is large, own is grid, notes) == (True, True, ())


def test_boxes_and_what_is_not_enlarged_are_left_as_they_are() -> None:
    box = np.zeros((40, 40, 40), dtype=np.bool_)
    box[8:32, 4:36, 12:20] = True
    box[16:20, 4:36, 20:28] = True
    grid = Grid(box.shape, np.eye(4))
    upright = letter_f((0.5, 0.5, 0.5))
    letter = np.asarray(upright.distance_mm(voxel_centres_mm(Grid((40, 16, 50), np.eye(4)))) < 0)
    for mask in (box, letter, np.ones((8, 8, 8), dtype=np.bool_), sampled(SPHERE, COARSE)):
        assert on_own_grid(mask, Grid(mask.shape, grid.affine))[2] == ()


def test_a_mask_cut_within_a_block_is_left_as_it_is() -> None:
    large, grid = enlarged(sampled(SPHERE, COARSE), COARSE, (4, 4, 4))
    low = int(np.flatnonzero(large.any(axis=(1, 2)))[0])
    cut = large[low + 1 :]
    blocks = on_own_grid(cut, grid.window((low + 1, 0, 0), cut.shape))
    assert blocks[2] == ()


def test_a_sphere_of_blocks_is_as_smooth_and_as_large_as_on_its_own_grid() -> None:
    mask = sampled(SPHERE, COARSE)
    large, grid = enlarged(mask, COARSE, (3, 3, 3))
    found, own, _ = on_own_grid(large, grid)
    mesh = mask_surface(np.asarray(found), own, MeshOptions())
    as_steps = mask_surface(np.asarray(large), grid, MeshOptions())
    volume_mm3 = np.count_nonzero(mask) * COARSE.voxel_volume_mm3
    assert report(mesh).volume_mm3 == pytest.approx(volume_mm3, rel=1e-3)
    assert mean_distance_mm(mesh, SPHERE) < mean_distance_mm(as_steps, SPHERE) / 2
