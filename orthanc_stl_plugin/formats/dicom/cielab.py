"""Conversion between DICOM's CIELab values and sRGB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

# IEC 61966-2-1 primaries to CIE XYZ relative to D65; rows X, Y, Z.
LINEAR_RGB_TO_XYZ: Final = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE: Final = LINEAR_RGB_TO_XYZ.sum(axis=1)
CIE_DELTA: Final = 6 / 29


def rgb_from_cielab(encoded: Sequence[int]) -> tuple[int, int, int]:
    """The sRGB colour, 0-255 each, of a Recommended Display CIELab Value (PS3.3 C.10.7.1.1).

    The three unsigned 16-bit values span L* 0 to 100, a* and b* -128 to 127. White is D65, as all
    software has it; colours outside sRGB are clipped.
    """
    lightness, a, b = np.asarray(encoded, dtype=np.float64)[:3] / 65535
    y = (lightness * 100 + 16) / 116
    f = np.array([y + (a * 255 - 128) / 500, y, y - (b * 255 - 128) / 200])
    xyz = WHITE * np.where(f > CIE_DELTA, f**3, 3 * CIE_DELTA**2 * (f - 4 / 29))
    linear = np.clip(np.linalg.solve(LINEAR_RGB_TO_XYZ, xyz), 0, 1)
    companded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return _triple(np.rint(companded * 255))


def cielab_from_rgb(rgb: Sequence[int]) -> tuple[int, int, int]:
    """The Recommended Display CIELab Value, 0-65535 each, of an sRGB colour, 0-255 each."""
    companded = np.asarray(rgb, dtype=np.float64) / 255
    linear = np.where(companded <= 0.04045, companded / 12.92, ((companded + 0.055) / 1.055) ** 2.4)
    ratio = LINEAR_RGB_TO_XYZ @ linear / WHITE
    x, y, z = np.where(ratio > CIE_DELTA**3, np.cbrt(ratio), ratio / (3 * CIE_DELTA**2) + 4 / 29)
    lab = np.array([(116 * y - 16) / 100, (500 * (x - y) + 128) / 255, (200 * (y - z) + 128) / 255])
    return _triple(np.rint(np.clip(lab, 0, 1) * 65535))


def _triple(values: NDArray[np.float64]) -> tuple[int, int, int]:
    first, second, third = values
    return int(first), int(second), int(third)
