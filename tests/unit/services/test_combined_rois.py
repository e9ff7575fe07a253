"""Several regions of interest of a structure set as one model."""

from pathlib import Path

import numpy as np
import pytest

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.model.mesh import Mesh, MeshOptions
from orthanc_stl_plugin.services.models.sources import RtStructSource
from orthanc_stl_plugin.services.models.surfaces import surfaces
from tests.support import dicom_samples as samples


def box(
    number: int, low: tuple[float, float], size: tuple[float, float], heights: np.ndarray
) -> samples.RoiSample:
    corners = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]) * size + low
    return samples.RoiSample(number, f"box {number}", samples.prism(corners, heights))


def combined(folder: Path, *rois: samples.RoiSample, frames: tuple[str, ...] = ()) -> Mesh:
    dataset = samples.rtstruct_dataset(list(rois))
    for item, frame in zip(dataset.StructureSetROISequence, frames, strict=False):
        item.ReferencedFrameOfReferenceUID = frame
    (folder / "r.dcm").write_bytes(samples.file_bytes(dataset))
    [surface] = surfaces(RtStructSource(folder / "r.dcm"), MeshOptions(resolution=64))
    return surface.mesh


LARGE = box(1, (0, 0), (30, 24), np.arange(0.0, 20, 2))
LARGE_MM3 = 30 * 24 * 20


def test_rois_of_several_frames_of_reference_are_not_combined(tmp_path: Path):
    other = box(2, (40, 0), (12, 10), np.arange(0.0, 20, 2))
    with pytest.raises(UnusableSource, match=r"2 frames of reference.*: 1\.2\.3, 1\.2\.4$"):
        combined(tmp_path, LARGE, other, frames=("1.2.3", "1.2.4"))


def test_a_speck_far_from_the_other_roi_keeps_its_size(tmp_path: Path):
    speck = box(2, (400.3, 0.2), (0.6, 0.5), np.arange(5.0, 5.8, 0.1))
    mesh = combined(tmp_path, LARGE, speck)
    far = mesh.vertices[:, 0] > 200
    extent = np.ptp(mesh.vertices[far], axis=0)
    assert extent == pytest.approx((0.6, 0.5, 0.8), abs=0.1)
    volume_mm3 = report(mesh).volume_mm3
    assert volume_mm3 == pytest.approx(LARGE_MM3 + 0.6 * 0.5 * 0.8, rel=0.02)


def ring() -> samples.RoiSample:
    """200 mm wide, and 10 mm thick."""
    heights = np.arange(0.0, 20, 2)
    outer, inner = box(1, (0, 0), (200, 200), heights), box(1, (10, 10), (180, 180), heights)
    return samples.RoiSample(1, "ring", (*outer.contours, *inner.contours))


@pytest.mark.parametrize("shift", [0.0, 0.8, 1.6, 2.4])
def test_a_speck_too_small_for_the_voxels_around_all_is_refused(shift: float, tmp_path: Path):
    speck = box(2, (100 + shift, 100.0), (0.3, 0.25), np.arange(5.0, 5.4, 0.1))
    with pytest.raises(UnusableSource, match="ROI 2 'box 2' is too small .* Resolution 64"):
        combined(tmp_path, ring(), speck)


def test_a_speck_within_another_roi_adds_nothing(tmp_path: Path):
    speck = box(2, (4.1, 100.0), (0.3, 0.25), np.arange(5.0, 5.4, 0.1))
    volume_mm3 = report(combined(tmp_path, ring(), speck)).volume_mm3
    assert volume_mm3 == pytest.approx((200**2 - 180**2) * 20, rel=0.02)


def test_a_speck_of_a_roi_whose_rest_is_seen_is_no_reason_to_refuse(tmp_path: Path):
    speck = box(2, (100.0, 100.0), (0.3, 0.25), np.arange(5.0, 5.4, 0.1))
    roi = box(2, (50, 50), (40, 30), np.arange(0.0, 20, 2))
    both = samples.RoiSample(2, "box and speck", (*roi.contours, *speck.contours))
    volume_mm3 = report(combined(tmp_path, ring(), both)).volume_mm3
    expected_mm3 = (200**2 - 180**2) * 20 + 40 * 30 * 20
    assert volume_mm3 == pytest.approx(expected_mm3, rel=0.04)
