from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import trimesh

from orthanc_stl_plugin.errors import TooLarge, UnusableSource
from orthanc_stl_plugin.model.mesh import MeshOptions
from orthanc_stl_plugin.services.convert import NiftiTask, nifti_to_stl


def task(folder: Path, mask: np.ndarray, max_triangles: int = 10_000) -> NiftiTask:
    source = folder / "source.nii"
    source.write_bytes(nib.Nifti1Image(mask, np.diag([-1.0, -1, 2, 1])).to_bytes())
    return NiftiTask(source, folder / "model.stl", MeshOptions(), 1 << 20, max_triangles)


def block() -> np.ndarray:
    mask = np.zeros((12, 14, 16), dtype=np.uint8)
    mask[2:10, 3:11, 4:12] = 1
    return mask


def test_a_mask_file_becomes_an_stl_file(tmp_path: Path):
    report = nifti_to_stl(task(tmp_path, block()))
    mesh = trimesh.load_mesh(tmp_path / "model.stl")
    assert len(mesh.faces) == report.triangles
    assert mesh.volume == pytest.approx(8 * 8 * 8 * 2, rel=0.1)


def test_an_empty_mask_is_refused_and_writes_nothing(tmp_path: Path):
    with pytest.raises(UnusableSource, match="all of its 12 x 14 x 16 voxels are zero"):
        nifti_to_stl(task(tmp_path, block() * 0))
    assert not (tmp_path / "model.stl").exists()


def test_a_surface_with_too_many_triangles_is_refused_with_the_limit(tmp_path: Path):
    with pytest.raises(TooLarge, match="MaxTriangles = 100: a lower Resolution"):
        nifti_to_stl(task(tmp_path, block(), max_triangles=100))
    assert not (tmp_path / "model.stl").exists()
