"""The grey values of an image series, small enough to choose a threshold in a browser."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin import __version__
from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.formats.volumes.image_series import INT16, read_series
from orthanc_stl_plugin.formats.volumes.otsu import GreyHistogram
from orthanc_stl_plugin.mesh.block_means import block_factors, block_means
from orthanc_stl_plugin.services.jobs.waiting_room import Readers
from orthanc_stl_plugin.services.ports.archive import Archive, SeriesRecord, write_instance

LONGEST_AXIS: Final = 160
"""The maximum number of voxels along an axis: a CT slice keeps a third of its rows."""

HISTOGRAM_BINS: Final = 128

PADDING: Final = INT16.min
"""The number for a voxel without a value; no value is encoded as this number."""


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """A series, with a digest that identifies its summary."""

    record: SeriesRecord
    digest: str


class GreyValues:
    """The values of the series in the archive."""

    def __init__(self, archive: Archive, readers: Readers, settings: Settings) -> None:
        self._archive = archive
        self._readers = readers
        self._max_bytes = settings.max_volume_mib << 20

    def find(self, series_id: str) -> FoundSeries:
        """The series, for the method below.

        Raises:
            NotFound: no such series.
        """
        record = self._archive.series(series_id)
        parts = repr((sorted(record.instance_ids), __version__))
        return FoundSeries(record, hashlib.blake2b(parts.encode(), digest_size=16).hexdigest())

    def summary(self, found: FoundSeries) -> dict[str, object]:
        """See `grey_summary`; raises what that raises, and what the workers raise."""
        with self._readers.task_folder() as folder:
            instance_ids = found.record.instance_ids
            paths = tuple(write_instance(self._archive, one, folder) for one in instance_ids)
            return self._readers.run(grey_summary, paths, self._max_bytes)


def grey_summary(paths: tuple[Path, ...], max_bytes: int) -> dict[str, object]:
    """Plain values for JSON; runs in a worker process.

    `Shape` is that of the sent voxels (columns, rows, slices), `VoxelSizeMm` theirs, `Values` the
    base64 of little-endian int16, column by column within rows within slices: a value is
    `Values * Slope + Intercept`, in `Unit`, but `Padding` (null where there is none) stands for
    what has no value. `Histogram` counts the other voxels of the whole series in bins of equal
    width from `Minimum` to `Maximum`; `Otsu` is the threshold that /stl/encode-series takes by
    itself, or null where all values are equal.

    Raises:
        TooLarge: the volume takes more than `max_bytes`.
        UnusableSource: the images form no regular volume, or cannot be decoded.
    """
    volume = read_series(paths, max_bytes)
    values, padding = volume.values, volume.padding
    histogram = GreyHistogram(values, padding)
    low, high = histogram.low, histogram.high
    numbers: NDArray[np.integer] | NDArray[np.floating] = values
    lowest = INT16.min
    if padding is not None:
        numbers = np.where(padding, np.float32(np.nan), values)
        lowest = PADDING + 1
    factors = block_factors(values.shape, LONGEST_AXIS)
    small = block_means(numbers, factors)
    is_exact = lowest <= low and high <= INT16.max and values.dtype == np.int16
    slope = 1.0 if is_exact or low == high else (high - low) / (INT16.max - lowest)
    intercept = 0.0 if is_exact else low - lowest * slope
    stored = np.rint((small - intercept) / slope).clip(lowest, INT16.max)
    grid = volume.grid.reduced(factors)
    return {
        "Modality": volume.modality,
        "Unit": volume.unit,
        "Minimum": low,
        "Maximum": high,
        "Otsu": histogram.otsu() if low < high else None,
        "Histogram": histogram.counts(HISTOGRAM_BINS).tolist(),
        "Shape": list(small.shape),
        "VoxelSizeMm": [round(size, 6) for size in grid.voxel_size_mm],
        "OriginalShape": list(values.shape),
        "Slope": slope,
        "Intercept": intercept,
        "Padding": None if padding is None else PADDING,
        "Values": base64.b64encode(_int16(stored).tobytes(order="F")).decode("ascii"),
        "Notes": list(volume.notes),
        "NoteDetails": [note.to_json() for note in volume.notes],
    }


def _int16(stored: NDArray[np.floating]) -> NDArray[np.int16]:
    """The values as little-endian int16, with `PADDING` for NaN."""
    return np.where(np.isnan(stored), PADDING, stored).astype("<i2")
