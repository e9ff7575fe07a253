"""What structures are said to enclose."""

from pathlib import Path

import numpy as np
import pytest

from orthanc_stl_plugin.services.models.listing import roi_list, segment_list
from tests.support import dicom_samples as samples

SPACING_MM = 0.01


def test_a_segment_of_fine_voxels_has_a_volume(tmp_path: Path):
    volume = samples.f_volume()
    frames = samples.seg_frames(volume, 1)
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    path = tmp_path / "seg.dcm"
    path.write_bytes(samples.file_bytes(samples.seg_dataset(frames, affine, names=("Grain",))))
    [told] = segment_list(path, 1 << 30, with_volumes=True)
    assert told["VolumeMm3"] == pytest.approx(volume.sum() * SPACING_MM**3, rel=1e-4)


def test_an_roi_of_fine_contours_has_a_volume(tmp_path: Path):
    heights_mm = [SPACING_MM * number for number in range(5)]
    outline = samples.F_OUTLINE * SPACING_MM
    roi = samples.RoiSample(1, "Grain", samples.prism(outline, heights_mm))
    path = tmp_path / "rtstruct.dcm"
    path.write_bytes(samples.rtstruct_bytes([roi]))
    [told] = roi_list(path)
    expected_mm3 = samples.F_AREA_MM2 * SPACING_MM**2 * SPACING_MM * len(heights_mm)
    assert told["VolumeMm3"] == pytest.approx(expected_mm3, rel=1e-3)
