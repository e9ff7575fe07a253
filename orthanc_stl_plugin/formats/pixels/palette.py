"""Palette colour tables (PS3.3 C.7.9), 8 or 16 bits, plain or segmented."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from orthanc_stl_plugin.formats.dicom.sample_range import StoredType


def palette_table(header: Dataset, stored: StoredType) -> NDArray[np.uint8]:
    """(2 ** bits allocated, 3) uint8 RGB: the colour of each stored value, as unsigned bits.

    Values before the first entry have the first colour, values after the last entry the last.
    """
    table = np.asarray(apply_color_lut(stored.all_values(), header))[..., :3]
    if table.dtype.itemsize == 1 or table.max() <= 255:  # some files keep 8 bits in 16
        return table.astype(np.uint8)
    return (table >> 8).astype(np.uint8)
