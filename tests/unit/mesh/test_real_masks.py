from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.mesh.surface import mask_surface
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.mesh import MeshOptions
from tests.unit.mesh.voxelise import winding_numbers

DATA = Path(__file__).parents[4] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data are not there")


@pytest.fixture(scope="module")
def body() -> tuple[NDArray[np.uint16], Grid]:
    """61 organs at 3 mm."""
    path = DATA / "totalsegmentator" / "example_seg_fast_force_split.nii.gz"
    image = nibabel.Nifti1Image.from_filename(path)
    labels = np.asarray(image.dataobj).astype(np.uint16)
    columns, rows, slices = labels.shape
    return labels, Grid((columns, rows, slices), np.diag([-1, -1, 1, 1]) @ image.affine)


@pytest.mark.parametrize("number", [5, 11, 20, 52, 79, 101, 110, 117])
def test_an_organ_is_closed_and_keeps_volume_place_and_voxels(
    body: tuple[NDArray[np.uint16], Grid], number: int
) -> None:
    labels, grid = body
    mask = labels == number
    mesh = mask_surface(mask, grid, MeshOptions())
    found = report(mesh)
    centre = grid.to_world(np.argwhere(mask).mean(axis=0, keepdims=True))[0]
    assert found.is_watertight
    assert found.volume_mm3 == pytest.approx(mask.sum() * grid.voxel_volume_mm3, rel=0.003)
    assert np.linalg.norm(centre - found.centroid_mm) < 1.0
    back = winding_numbers(mesh, grid)
    assert set(np.unique(back)) <= {0, 1}
    assert 2 * np.count_nonzero(back & mask) / (back.sum() + mask.sum()) > 0.94
