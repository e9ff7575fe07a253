import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orthanc_stl_plugin.errors import TooLarge
from orthanc_stl_plugin.services.models.grey_values import (
    HISTOGRAM_BINS,
    LONGEST_AXIS,
    grey_summary,
)
from tests.support import dicom_samples as samples

LIMIT = 1 << 30


def written(
    folder: Path, stored: np.ndarray, padding: int | None = None, **options: float
) -> tuple[Path, ...]:
    images = samples.ct_datasets(stored, samples.oblique_affine(), **options)
    paths = []
    for number, image in enumerate(images):
        if padding is not None:
            image.PixelPaddingValue = padding
            image["PixelPaddingValue"].VR = "SS"
        paths.append(folder / f"{number}.dcm")
        paths[-1].write_bytes(samples.file_bytes(image))
    return tuple(paths)


def sent(summary: dict[str, Any]) -> np.ndarray:
    """(columns, rows, slices) values as a browser takes them out of the answer."""
    return np.asarray(sent_numbers(summary) * summary["Slope"] + summary["Intercept"])


def sent_numbers(summary: dict[str, Any]) -> np.ndarray:
    """(columns, rows, slices) int16 before they are scaled."""
    stored = np.frombuffer(base64.b64decode(summary["Values"]), dtype="<i2")
    return stored.reshape(summary["Shape"], order="F")


@pytest.fixture
def stored() -> np.ndarray:
    values = np.random.default_rng(3).integers(0, 2000, (13, 11, 5))
    return values.astype(np.int16)


def test_a_small_series_is_sent_as_it_is(tmp_path: Path, stored: np.ndarray):
    summary: dict[str, Any] = grey_summary(written(tmp_path, stored), LIMIT)
    assert (sent(summary) == stored - 1024).all()
    assert summary["Unit"] == "HU"
    assert summary["VoxelSizeMm"] == pytest.approx([0.7, 1.1, 2.5])


def test_the_histogram_counts_every_voxel_once(tmp_path: Path, stored: np.ndarray):
    summary: dict[str, Any] = grey_summary(written(tmp_path, stored), LIMIT)
    assert len(summary["Histogram"]) == HISTOGRAM_BINS
    assert sum(summary["Histogram"]) == stored.size
    assert (summary["Minimum"], summary["Maximum"]) == (stored.min() - 1024, stored.max() - 1024)


def test_the_threshold_of_otsu_parts_two_classes(tmp_path: Path):
    stored = np.full((9, 8, 4), 24, dtype=np.int16)
    stored[3:6] = 2024
    summary: dict[str, Any] = grey_summary(written(tmp_path, stored), LIMIT)
    assert -1000 < summary["Otsu"] < 1000


def test_fractions_are_sent_to_one_part_in_sixty_thousand(tmp_path: Path, stored: np.ndarray):
    summary: dict[str, Any] = grey_summary(written(tmp_path, stored, slope=0.37), LIMIT)
    expected = stored * 0.37 - 1024
    step = (expected.max() - expected.min()) / 65535
    assert np.abs(sent(summary) - expected).max() <= 0.51 * step + 1e-4  # float32 in between


def test_a_long_axis_is_reduced_by_the_mean_of_blocks(tmp_path: Path):
    stored = np.zeros((2 * LONGEST_AXIS, 6, 3), dtype=np.int16)
    stored[::2] = 10
    summary: dict[str, Any] = grey_summary(written(tmp_path, stored, intercept=0), LIMIT)
    assert summary["Shape"] == [LONGEST_AXIS, 6, 3]
    assert summary["OriginalShape"] == [2 * LONGEST_AXIS, 6, 3]
    assert summary["VoxelSizeMm"] == pytest.approx([1.4, 1.1, 2.5])
    assert (sent(summary) == 5).all()


def test_a_series_of_one_value_has_no_threshold(tmp_path: Path):
    stored = np.full((6, 5, 3), 7, dtype=np.int16)
    summary: dict[str, Any] = grey_summary(written(tmp_path, stored, intercept=0), LIMIT)
    assert summary["Otsu"] is None
    assert (sent(summary) == 7).all()


@pytest.mark.parametrize("slope", [1, 0.37])
def test_padding_is_told_from_the_lowest_value(tmp_path: Path, stored: np.ndarray, slope: float):
    stored[:4] = -2000
    paths = written(tmp_path, stored, padding=-2000, slope=slope)
    summary: dict[str, Any] = grey_summary(paths, LIMIT)
    is_padding = sent_numbers(summary) == summary["Padding"]
    assert is_padding[:4].all()
    assert not is_padding[4:].any()
    step = 0 if slope == 1 else 0.51 * summary["Slope"] + 1e-4
    assert np.abs(sent(summary)[4:] - (stored[4:] * slope - 1024)).max() <= step
    assert sum(summary["Histogram"]) == stored[4:].size


def test_padding_takes_no_part_in_the_threshold(tmp_path: Path):
    stored = np.full((30, 10, 4), -2000, dtype=np.int16)
    stored[10:11], stored[11:21], stored[21:] = 0, 200, 300
    summary: dict[str, Any] = grey_summary(
        written(tmp_path, stored, padding=-2000, intercept=0), LIMIT
    )
    assert 200 < summary["Otsu"] < 300


def test_a_block_of_the_preview_is_padding_where_more_than_half_of_it_is(tmp_path: Path):
    stored = np.full((2 * LONGEST_AXIS, 6, 3), 10, dtype=np.int16)
    stored[:5] = -2000
    paths = written(tmp_path, stored, padding=-2000, intercept=0)
    summary: dict[str, Any] = grey_summary(paths, LIMIT)
    is_padding = sent_numbers(summary) == summary["Padding"]
    assert is_padding[:2].all()
    assert not is_padding[2:].any()  # the third block has one of each
    assert (sent(summary)[2:] == 10).all()


def test_a_series_without_padding_says_so(tmp_path: Path, stored: np.ndarray):
    summary: dict[str, Any] = grey_summary(written(tmp_path, stored), LIMIT)
    assert summary["Padding"] is None


def test_a_volume_above_the_limit_is_refused(tmp_path: Path, stored: np.ndarray):
    with pytest.raises(TooLarge, match="MaxVolumeMiB"):
        grey_summary(written(tmp_path, stored), 100)
