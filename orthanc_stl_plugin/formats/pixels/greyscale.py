"""The grey scale pipeline: stored value -> modality value -> values of interest -> grey."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from orthanc_stl_plugin.formats.dicom.dataset import items
from orthanc_stl_plugin.formats.dicom.functional_groups import group_of
from orthanc_stl_plugin.formats.dicom.sample_range import StoredType

_LOG: Final = logging.getLogger(__name__)

type Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LookupTable:
    """A table of the Modality or VOI LUT Sequence (PS3.3 C.11.1.1, C.11.2.1.1).

    Attributes:
        first: the value of the first entry.
        entries: float64.
        largest: the greatest entry that the bits of the table allow.
    """

    first: int
    entries: Values
    largest: float

    @classmethod
    def of(cls, item: Dataset) -> Self:
        """The table of a sequence item.

        Raises:
            AttributeError, TypeError, ValueError: it is not complete.
        """
        count, first, bits = (int(number) for number in item.LUTDescriptor)
        count = count % 65536 or 65536
        content = item.LUTData
        if isinstance(content, bytes):
            is_bytes = len(content) in (count, count + 1) and count > 1
            entries = np.frombuffer(content, np.uint8 if is_bytes else "<u2")[:count]
        else:
            entries = np.array(content, dtype=np.int64).reshape(-1)[:count] & 0xFFFF
        if entries.size == 0:
            raise ValueError("a look-up table has no entries")
        return cls(first, entries.astype(np.float64), float((1 << min(bits, 16)) - 1))

    def apply(self, values: Values) -> Values:
        """Entries; a value before the first has the first one, after the last the last."""
        indices = np.rint(values).astype(np.int64) - self.first
        return np.asarray(self.entries[indices.clip(0, self.entries.size - 1)])

    def shares(self, values: Values) -> Values:
        """Entries as shares of full brightness.

        Where no entry needs the highest of the bits that are stated, more are stated than used:
        the entries then go from black to white.
        """
        low, high = 0.0, self.largest
        if self.entries.max() <= self.largest // 2:
            low, high = float(self.entries.min()), float(self.entries.max())
        return (self.apply(values) - low) / ((high - low) or 1.0)


@dataclass(frozen=True, slots=True)
class Rescale:
    """Rescale Slope and Intercept (PS3.3 C.11.1.1.2)."""

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, values: Values) -> Values:
        """Modality values of stored values."""
        return values * self.slope + self.intercept


@dataclass(frozen=True, slots=True)
class Window:
    """Window Center and Width with their VOI LUT Function (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: str

    def shares(self, values: Values) -> Values:
        """Shares of full brightness, 0 to 1."""
        if self.function == "SIGMOID":
            exponents = -4 * (values - self.center) / self.width
            return 1 / (1 + np.exp(exponents.clip(-700, 700)))
        center, width = self.center, self.width
        if self.function != "LINEAR_EXACT":
            center, width = center - 0.5, width - 1
        if width <= 0:
            return (values > center).astype(np.float64)
        return ((values - center) / width + 0.5).clip(0, 1)


@dataclass(frozen=True, slots=True)
class Spread:
    """The modality values from `low` to `high`, spread over all greys."""

    low: float
    high: float

    def shares(self, values: Values) -> Values:
        """Shares of full brightness, not yet between 0 and 1."""
        return (values - self.low) / ((self.high - self.low) or 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class GreyScale:
    """All steps of one image or frame."""

    modality: LookupTable | Rescale
    voi: LookupTable | Window | Spread
    is_inverse: bool

    @classmethod
    def of(cls, header: Dataset, frame: Dataset, value_range: tuple[int, int] | None) -> Self:
        """The steps that the attributes of the image and of the frame's functional groups say."""
        modality = _modality(header, frame)
        voi = _voi(header, frame) or _spread(modality, value_range or _value_range(header))
        is_inverse = (
            header.get("PhotometricInterpretation") == "MONOCHROME1"
            or header.get("PresentationLUTShape") == "INVERSE"
        )
        return cls(modality, voi, is_inverse)

    @property
    def byte_count(self) -> int:
        """What its tables take in memory."""
        steps = (self.modality, self.voi)
        return sum(one.entries.nbytes for one in steps if isinstance(one, LookupTable))

    def to_8bit(self, stored: NDArray[np.integer]) -> NDArray[np.uint8]:
        """The greys, 0 black to 255 white, of stored values of any shape."""
        values = self.modality.apply(stored.astype(np.float64))
        shares = self.voi.shares(values).clip(0, 1)
        if self.is_inverse:
            shares = 1 - shares
        return np.rint(shares * 255).astype(np.uint8)


def _modality(header: Dataset, frame: Dataset) -> LookupTable | Rescale:
    tables = items(header, "ModalityLUTSequence")
    if tables:
        return LookupTable.of(tables[0])
    group = group_of(header, frame, "PixelValueTransformationSequence") or header
    slope = float(group.get("RescaleSlope") or 1)
    intercept = float(group.get("RescaleIntercept") or 0)
    if not np.isfinite((slope, intercept)).all():
        _LOG.warning("ignored rescaling by %g, then %g", slope, intercept)
        return Rescale()
    return Rescale(slope, intercept)


def _voi(header: Dataset, frame: Dataset) -> LookupTable | Window | None:
    tables = items(header, "VOILUTSequence")
    if tables:
        return LookupTable.of(tables[0])
    group = group_of(header, frame, "FrameVOILUTSequence") or header
    center, width = (_first(group, keyword) for keyword in ("WindowCenter", "WindowWidth"))
    if center is None or width is None:
        return None
    function = str(group.get("VOILUTFunction") or "LINEAR").upper()
    if (
        not np.isfinite((center, width)).all()
        or width <= 0
        or (function not in ("LINEAR_EXACT", "SIGMOID") and width < 1)
    ):
        _LOG.warning("ignored a window of width %g around %g", width, center)
        return None
    return Window(center, width, function)


def _spread(modality: LookupTable | Rescale, stored: tuple[int, int]) -> Spread:
    if isinstance(modality, LookupTable):
        return Spread(float(modality.entries.min()), float(modality.entries.max()))
    ends = modality.apply(np.array(stored, dtype=np.float64))
    return Spread(float(ends.min()), float(ends.max()))


def _first(group: Dataset, keyword: str) -> float | None:
    value = group.get(keyword)
    if value is None or value == "":
        return None
    return float(value[0] if hasattr(value, "__getitem__") else value)


def _value_range(header: Dataset) -> tuple[int, int]:
    """What is stored, when nobody has looked: PS3.3 C.7.6.3.1 tells the extremes, if anything."""
    stored = StoredType.of(header)
    low = header.get("SmallestImagePixelValue")
    high = header.get("LargestImagePixelValue")
    if stored.bits_stored > 8 and isinstance(low, int) and isinstance(high, int) and low < high:
        return low, high
    return stored.lowest, stored.highest
