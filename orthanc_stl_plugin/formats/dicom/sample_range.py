"""The values that a stored sample can have (PS3.3 C.7.6.3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset


@dataclass(frozen=True, slots=True)
class StoredType:
    """How many bits a sample has, and whether they have a sign."""

    bits_allocated: int
    bits_stored: int
    is_signed: bool

    @classmethod
    def of(cls, header: Dataset) -> Self:
        """That of an image.

        Raises:
            AttributeError, TypeError, ValueError: it is not told, or no number.
        """
        allocated = int(header.BitsAllocated)
        return cls(
            max(allocated, 8),  # frames of one bit are decoded to bytes
            int(header.get("BitsStored") or allocated),
            int(header.get("PixelRepresentation") or 0) == 1,
        )

    @property
    def lowest(self) -> int:
        """The least value that fits into the bits stored."""
        return -(1 << (self.bits_stored - 1)) if self.is_signed else 0

    @property
    def highest(self) -> int:
        """The greatest value that fits into the bits stored."""
        return (1 << (self.bits_stored - self.is_signed)) - 1

    def all_values(self) -> NDArray[np.integer]:
        """(2 ** bits_allocated,) every value, ordered by its bits read as unsigned."""
        size = self.bits_allocated // 8
        unsigned = np.arange(1 << self.bits_allocated).astype(f"u{size}")
        return unsigned.view(f"i{size}") if self.is_signed else unsigned

    def as_8bit(self, values: NDArray[np.integer]) -> NDArray[np.uint8]:
        """The range of the bits stored, spread over 0 to 255."""
        share = (values.astype(np.float64) - self.lowest) / (self.highest - self.lowest)
        return np.rint(share.clip(0, 1) * 255).astype(np.uint8)
