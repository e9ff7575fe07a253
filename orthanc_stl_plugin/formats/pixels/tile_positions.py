"""The position of each frame of a tiled image, found fast among up to 200,000 functional groups."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.dataset import items, tolerating
from orthanc_stl_plugin.formats.dicom.element_scanner import Buffer, Element, Encoding, items_of
from orthanc_stl_plugin.formats.pixels.frame_index import FrameIndex

MOST_PARSED_ITEMS: Final = 20_000

# Column and Row Position In Total Image Pixel Matrix (0048,021E), (0048,021F): always adjacent.
POSITION: Final = {
    False: re.compile(rb"H\x00\x1e\x02SL\x04\x00(.{4}H\x00\x1f\x02SL\x04\x00.{4})", re.DOTALL),
    True: re.compile(rb"H\x00\x1e\x02\x04\x00{3}(.{4}H\x00\x1f\x02\x04\x00{3}.{4})", re.DOTALL),
}
# Z Offset in Slide Coordinate System (0040,074A).
Z_OFFSET: Final = {
    False: re.compile(rb"@\x00\x4a\x07DS[\x00-\x20]\x00([-+.0-9eE ]*)"),
    True: re.compile(rb"@\x00\x4a\x07[\x00-\x20]\x00{3}([-+.0-9eE ]*)"),
}
# Optical Path Identifier (0048,0106), its length and the bytes after it: at most 16 are its value.
PATH_IDENTIFIER: Final = {
    False: re.compile(rb"H\x00\x06\x01SH([\x00-\x10]\x00.{0,16})", re.DOTALL),
    True: re.compile(rb"H\x00\x06\x01([\x00-\x10]\x00\x00\x00.{0,16})", re.DOTALL),
}


@dataclass(frozen=True, slots=True, eq=False)
class TilePositions:
    """The positions of N frames, from their functional groups.

    Attributes:
        positions: (N, 2) int32 column and row of the first pixel in the total pixel matrix, from 0;
            -1, -1 if unknown.
        z_mm: (N,) float64 Z offset in the slide's coordinates, NaN if unknown; None if no frame has
            any.
        path_identifiers: the optical paths that frames refer to, in order of appearance; may be
            empty.
        path_ordinals: (N,) int32 into `path_identifiers`, -1 if unknown.
    """

    positions: NDArray[np.int32]
    z_mm: NDArray[np.float64] | None
    path_identifiers: tuple[str, ...]
    path_ordinals: NDArray[np.int32]


def tile_positions(
    buffer: Buffer, groups: Element, encoding: Encoding, frames: FrameIndex
) -> TilePositions:
    """The positions of the frames, from the Per-Frame Functional Groups Sequence.

    Its bytes are searched for the elements. Unless there is one for each frame, the sequence is
    parsed.

    Raises:
        UnusableSource: it must be parsed but is malformed or too long.
    """
    if encoding.is_little_endian:
        found = _searched(buffer, groups, encoding, frames.declared_count)
        if found is not None:
            return found
    return _parsed(buffer, groups, encoding, len(frames))


def _searched(
    buffer: Buffer, groups: Element, encoding: Encoding, frame_count: int
) -> TilePositions | None:
    begin, end = groups.value_at, groups.value_at + groups.length
    positions = POSITION[encoding.is_implicit].findall(buffer, begin, end)
    z_texts = Z_OFFSET[encoding.is_implicit].findall(buffer, begin, end)
    names = PATH_IDENTIFIER[encoding.is_implicit].findall(buffer, begin, end)
    if len(positions) != frame_count or not {len(z_texts), len(names)} <= {0, frame_count}:
        return None
    words = np.frombuffer(b"".join(positions), "<i4").reshape(frame_count, -1)
    skip = 4 if encoding.is_implicit else 2
    ordinals, identifiers = _ordinals(
        _each(names, lambda one: one[skip : skip + one[0]].decode("ascii", "replace").strip(" \0"))
    )
    return TilePositions(
        _from_zero(words[:, [0, -1]]),
        _z_mm(_each(z_texts, bytes.decode)),
        identifiers,
        ordinals if names else np.full(frame_count, -1, np.int32),
    )


def _each(found: list[bytes], text_of: Callable[[bytes], str]) -> list[str]:
    """The text of each, decoded once for equal bytes: few differ among thousands of frames."""
    known = {one: text_of(one) for one in set(found)}
    return [known[one] for one in found]


def _from_zero(positions: NDArray[np.int32]) -> NDArray[np.int32]:
    is_known = (positions >= 1).all(axis=1, keepdims=True)
    return np.where(is_known, positions - 1, -1).astype(np.int32)


def _z_mm(texts: list[str]) -> NDArray[np.float64] | None:
    values = {text: _number(text) for text in set(texts)}
    if np.isnan(list(values.values())).all():
        return None
    return np.array([values[text] for text in texts])


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return np.nan
    return value if np.isfinite(value) else np.nan


def _ordinals(names: list[str]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    known = {name: ordinal for ordinal, name in enumerate(dict.fromkeys(filter(None, names)))}
    return np.array([known.get(name, -1) for name in names], dtype=np.int32), tuple(known)


def frame_groups(buffer: Buffer, groups: Element, encoding: Encoding, frame_index: int) -> Dataset:
    """The functional groups of a frame, counted from 0; empty if the sequence is shorter.

    Raises:
        UnusableSource: the sequence is malformed.
    """
    for index, (begin, end) in enumerate(items_of(buffer, groups, encoding)):
        if index == frame_index:
            return _item(buffer, begin, end, encoding)
    return Dataset()


def _item(buffer: Buffer, begin: int, end: int, encoding: Encoding) -> Dataset:
    with tolerating("the functional groups of a frame"):
        return read_dataset(
            io.BytesIO(bytes(buffer[begin:end])), encoding.is_implicit, encoding.is_little_endian
        )


def _parsed(buffer: Buffer, groups: Element, encoding: Encoding, frame_count: int) -> TilePositions:
    if frame_count > MOST_PARSED_ITEMS:
        raise UnusableSource(
            "FunctionalGroupsIrregular", frames=frame_count, limit=MOST_PARSED_ITEMS
        )
    positions = np.full((frame_count, 2), 0, dtype=np.int32)
    z_texts, names = [""] * frame_count, [""] * frame_count
    for index, (begin, end) in enumerate(items_of(buffer, groups, encoding)):
        if index == frame_count:
            break
        item = _item(buffer, begin, end, encoding)
        with tolerating("the plane position of a frame"):
            for plane in items(item, "PlanePositionSlideSequence")[:1]:
                positions[index] = (
                    int(plane.get("ColumnPositionInTotalImagePixelMatrix") or 0),
                    int(plane.get("RowPositionInTotalImagePixelMatrix") or 0),
                )
                z_texts[index] = str(plane.get("ZOffsetInSlideCoordinateSystem", ""))
            for path in items(item, "OpticalPathIdentificationSequence")[:1]:
                names[index] = str(path.get("OpticalPathIdentifier") or "")
    ordinals, identifiers = _ordinals(names)
    return TilePositions(_from_zero(positions), _z_mm(z_texts), identifiers, ordinals)
