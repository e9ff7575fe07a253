"""The range of stored sample values (PS3.3 C.7.6.3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset


@dataclass(frozen=True, slots=True)
class StoredType:
    """The number of bits of a sample, and whether it is signed."""

    bits_allocated: int
    bits_stored: int
    is_signed: bool

    @classmethod
    def of(cls, header: Dataset) -> Self:
        """The range of an image.

        Raises:
            AttributeError, TypeError, ValueError: an attribute is missing or not a number.
        """
        allocated = int(header.BitsAllocated)
        return cls(
            max(allocated, 8),  # frames of one bit are decoded to bytes
            int(header.get("BitsStored") or allocated),
            int(header.get("PixelRepresentation") or 0) == 1,
        )

    @property
    def lowest(self) -> int:
        """The smallest value that fits into Bits Stored."""
        return -(1 << (self.bits_stored - 1)) if self.is_signed else 0

    @property
    def highest(self) -> int:
        """The largest value that fits into Bits Stored."""
        return (1 << (self.bits_stored - self.is_signed)) - 1

    def all_values(self) -> NDArray[np.integer]:
        """(2 ** bits_allocated,) all values, in the order of their bits as unsigned numbers."""
        size = self.bits_allocated // 8
        unsigned = np.arange(1 << self.bits_allocated).astype(f"u{size}")
        return unsigned.view(f"i{size}") if self.is_signed else unsigned

    def as_8bit(self, values: NDArray[np.integer]) -> NDArray[np.uint8]:
        """The samples scaled from the range of Bits Stored to 0 to 255."""
        share = (values.astype(np.float64) - self.lowest) / (self.highest - self.lowest)
        return np.rint(share.clip(0, 1) * 255).astype(np.uint8)
