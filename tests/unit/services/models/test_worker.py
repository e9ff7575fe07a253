from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import trimesh

from orthanc_stl_plugin.errors import TooLarge
from orthanc_stl_plugin.model.mesh import MeshOptions
from orthanc_stl_plugin.services.models.sources import (
    Inside,
    NiftiSource,
    RtStructSource,
    SeriesSource,
)
from orthanc_stl_plugin.services.models.worker import ConversionTask, make_models
from tests.support import dicom_samples as samples


def task(folder: Path, labels: np.ndarray, max_triangles: int = 10_000) -> ConversionTask:
    path = folder / "source.nii"
    path.write_bytes(nib.Nifti1Image(labels, np.diag([-1.0, -1, 2, 1])).to_bytes())
    source = NiftiSource(path, 1 << 20, split=True, label_names={7: "Seven"})
    return ConversionTask(source, folder, MeshOptions(), max_triangles)


def two_blocks() -> np.ndarray:
    labels = np.zeros((12, 14, 26), dtype=np.uint8)
    labels[2:10, 3:11, 4:12] = 3
    labels[3:9, 3:9, 15:21] = 7
    return labels


def test_each_structure_becomes_a_file_with_its_report(tmp_path: Path):
    models = make_models(task(tmp_path, two_blocks()))
    assert [model.segment.name for model in models] == ["Label 3", "Seven"]
    for model, voxels in zip(models, (512, 216), strict=True):
        mesh = trimesh.load_mesh(model.path)
        assert len(mesh.faces) == model.report.triangles
        assert mesh.volume == pytest.approx(voxels * 2, rel=0.1)


def test_each_model_has_an_icon_and_its_parameters(tmp_path: Path):
    model = make_models(task(tmp_path, two_blocks()))[0]
    assert (model.icon["Rows"], model.icon["Columns"]) == ("64", "64")
    assert model.parameters == "resolution 256, smoothing Constrained x 15"


@pytest.mark.parametrize(
    ("spacing_mm", "warnings"),
    [([1, 1], ()), ([2, 2], ("images of another size, spacing or orientation left out: 1",))],
)
def test_images_that_were_left_out_are_told(
    spacing_mm: list[float], warnings: tuple[str, ...], tmp_path: Path
):
    values = np.zeros((12, 14, 9), dtype=np.int16)
    values[3:9, 4:10, 2:7] = 100
    datasets = samples.ct_datasets(values, np.eye(4), intercept=0)
    datasets[-1].PixelSpacing = spacing_mm
    paths = tuple(tmp_path / f"{number}.dcm" for number in range(len(datasets)))
    for path, dataset in zip(paths, datasets, strict=True):
        path.write_bytes(samples.file_bytes(dataset))
    source = SeriesSource(paths, 1 << 20, Inside(threshold=50))
    [model] = make_models(ConversionTask(source, tmp_path, MeshOptions(), 10_000))
    assert model.warnings == warnings


def test_gaps_between_contours_are_told(tmp_path: Path):
    outline = np.array([(0.0, 0), (20, 0), (20, 12), (0, 12)])
    roi = samples.RoiSample(1, "a", samples.prism(outline, [0.0, 2, 4, 11, 13]))
    (tmp_path / "r.dcm").write_bytes(samples.rtstruct_bytes([roi]))
    source = RtStructSource(tmp_path / "r.dcm")
    [model] = make_models(ConversionTask(source, tmp_path, MeshOptions(), 100_000))
    told = "'a': gaps between planes, of up to 7 mm where 2 mm is usual, left open: 1"
    assert model.warnings == (told,)


def test_a_surface_with_too_many_triangles_is_refused_with_the_limit(tmp_path: Path):
    with pytest.raises(TooLarge, match="'Label 3' has .* above MaxTriangles = 100: a lower"):
        make_models(task(tmp_path, two_blocks(), max_triangles=100))
    assert list(tmp_path.glob("*.stl")) == []
