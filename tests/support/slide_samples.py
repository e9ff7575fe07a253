"""Whole slides whose every pixel is known, written as DICOM files in all the ways that slides are.

level = LevelSample(width=100, height=70, tile_width=32, tile_height=16)
written = written_level(level)                       # native, TILED_FULL, RGB
written.files[0].content                             # the bytes of a DICOM file
written.pixels                                       # what it shows, (paths, planes, 70, 100, 3)

written_level(level, codec=Codec(JPEGBaseline8Bit, encode_jpeg), pixels=my_pixels)
written_slide(sizes=[(100, 70), (50, 35)])           # a pyramid of one picture
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless

from tests.support.dicom_samples import ROOT, composite, file_bytes, item, with_transfer_syntax

SLIDE_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.77.1.6"
PADDING = 77
"""The grey of stored pixels beyond the edge of the image: it must never be seen."""

type Pixels = NDArray[np.integer]
type FrameEncoder = Callable[[Pixels], bytes]
"""(rows, columns) or (rows, columns, 3) -> one encoded frame."""


class Tables(StrEnum):
    """Which offset tables encapsulated pixel data get."""

    EMPTY = "empty"
    BASIC = "basic"
    EXTENDED = "extended"


@dataclass(frozen=True)
class Codec:
    """How frames are stored.

    Attributes:
        transfer_syntax_uid: native or encapsulated.
        encode: None for a native syntax.
        photometric: what the encoded frames are, when it is not what `LevelSample` says.
    """

    transfer_syntax_uid: str = ExplicitVRLittleEndian
    encode: FrameEncoder | None = None
    photometric: str | None = None


NATIVE = Codec()


def any_bytes(pixels: Pixels) -> bytes:
    """An encoder for tests that decode nothing: the pixels, behind a JPEG start marker."""
    return b"\xff\xd8\xff" + pixels.tobytes()


RAW_ITEMS = Codec(UID("1.2.840.10008.1.2.4.50"), any_bytes)
MARKERLESS_ITEMS = Codec(RLELossless, lambda pixels: b"\1" + pixels.tobytes())


@dataclass(frozen=True)
class LevelSample:
    """One image to write: a total pixel matrix in tiles.

    Attributes:
        paths: identifiers of the optical paths.
        planes_z_mm: heights of the focal planes.
        is_full: TILED_FULL, else TILED_SPARSE.
        missing: (path, plane, column, row) of tiles that are not written, all from 0; when sparse.
        part_sizes: frames in the instances of a concatenation; empty for one instance.
        is_open: sequences and items without lengths.
        rgb: three samples for each pixel, else MONOCHROME2.
        is_16_bit: 16 bits for each sample, else 8.
        is_padded: frames at the edge have all rows and columns, else only those that are seen.
        attributes: any others, by keyword; None leaves one out.
    """

    width: int
    height: int
    tile_width: int = 16
    tile_height: int = 16
    paths: tuple[str, ...] = ("1",)
    planes_z_mm: tuple[float, ...] = (0.0,)
    is_full: bool = True
    missing: frozenset[tuple[int, int, int, int]] = frozenset()
    part_sizes: tuple[int, ...] = ()
    tables: Tables = Tables.BASIC
    fragments_per_frame: int = 1
    is_open: bool = False
    flavour: str = "VOLUME"
    rgb: bool = True
    is_16_bit: bool = False
    is_padded: bool = True
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> int:
        return -(-self.width // self.tile_width)

    @property
    def rows(self) -> int:
        return -(-self.height // self.tile_height)

    @property
    def photometric(self) -> str:
        return "RGB" if self.rgb else "MONOCHROME2"

    def tiles(self) -> list[tuple[int, int, int, int]]:
        """(path, plane, column, row) of its frames, as TILED_FULL orders them."""
        return [
            (path, plane, column, row)
            for path in range(len(self.paths))
            for plane in range(len(self.planes_z_mm))
            for row in range(self.rows)
            for column in range(self.columns)
            if (path, plane, column, row) not in self.missing
        ]


@dataclass(frozen=True)
class WrittenFile:
    """One instance.

    Attributes:
        instance_id: a name for it, unique in the slide.
        content: the DICOM file.
        tiles: (path, plane, column, row) of each frame.
        frames: the encoded bytes of each frame, without padding.
    """

    instance_id: str
    content: bytes
    tiles: tuple[tuple[int, int, int, int], ...]
    frames: tuple[bytes, ...]


@dataclass(frozen=True)
class WrittenLevel:
    """A level, and what it shows.

    Attributes:
        pixels: (paths, planes, height, width) or (.., 3); white, or black when grey, where a tile
            is missing.
    """

    sample: LevelSample
    files: tuple[WrittenFile, ...]
    pixels: Pixels


def picture(sample: LevelSample) -> Pixels:
    """(paths, planes, height, width) or (.., 3): a smooth picture that no mirror or shift leaves.

    It depends on the place relative to the whole, so that all levels of a slide show the same.
    """
    x = (np.arange(sample.width) + 0.5) / sample.width
    y = (np.arange(sample.height)[:, np.newaxis] + 0.5) / sample.height
    shown = []
    for path in range(len(sample.paths)):
        for plane in range(len(sample.planes_z_mm)):
            turn = 0.9 * path + 0.35 * plane
            waves = (
                0.5 + 0.5 * np.cos(3 * x + y + turn),
                0.5 + 0.5 * np.cos(4 * y + 2 * x * y + 1 + turn),
                0.5 + 0.5 * np.cos(5 * x * y + 2 * y + 2 - turn),
            )
            bands = [np.broadcast_to(wave, (sample.height, sample.width)) for wave in waves]
            shown.append(np.stack(bands, axis=-1) if sample.rgb else bands[0])
    greatest = 65535 if sample.is_16_bit else 255
    kind = np.uint16 if sample.is_16_bit else np.uint8
    whole: Pixels = np.rint(np.stack(shown) * greatest).astype(kind)
    return whole.reshape(len(sample.paths), len(sample.planes_z_mm), *whole.shape[1:])


def written_level(
    sample: LevelSample,
    number: int = 1,
    *,
    codec: Codec = NATIVE,
    pixels: Pixels | None = None,
) -> WrittenLevel:
    """The files of a level.

    Args:
        sample: what to write.
        number: tells its instances from those of other levels.
        codec: how frames are stored.
        pixels: what to show, shaped like `WrittenLevel.pixels`; `picture` when None.
    """
    shown = picture(sample) if pixels is None else pixels
    tiles = sample.tiles()
    sizes = sample.part_sizes or (len(tiles),)
    assert sum(sizes) == len(tiles), f"the parts hold {sum(sizes)} of {len(tiles)} frames"
    files = []
    first = 0
    for part, size in enumerate(sizes):
        own = tiles[first : first + size]
        dataset = _dataset(sample, number, codec, own)
        dataset.SOPInstanceUID = f"{ROOT}.5.{number}.{part + 1}"
        if sample.part_sizes:
            dataset.ConcatenationUID = f"{ROOT}.6.{number}"
            dataset.InConcatenationNumber = part + 1
            dataset.InConcatenationTotalNumber = len(sizes)
            dataset.ConcatenationFrameOffsetNumber = first
        frames = tuple((codec.encode or _native)(tile_pixels(sample, shown, tile)) for tile in own)
        _put_pixels(dataset, frames, sample, codec)
        for keyword, value in sample.attributes.items():
            if value is None:
                if keyword in dataset:
                    delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        if sample.is_open:
            _open_sequences(dataset)
        content = _file(dataset, codec.transfer_syntax_uid)
        files.append(WrittenFile(f"{number}-{part + 1}", content, tuple(own), frames))
        first += size
    return WrittenLevel(sample, tuple(files), _with_gaps(sample, shown))


def written_slide(
    sizes: Sequence[tuple[int, int]],
    like: LevelSample | None = None,
    codec: Codec = NATIVE,
) -> list[WrittenLevel]:
    """A pyramid of one picture with levels of these (width, height), otherwise like `like`."""
    like = like or LevelSample(1, 1)
    return [
        written_level(replace(like, width=width, height=height), number, codec=codec)
        for number, (width, height) in enumerate(sizes, start=1)
    ]


def tile_pixels(sample: LevelSample, pixels: Pixels, tile: tuple[int, int, int, int]) -> Pixels:
    """(tile_height, tile_width) or (.., 3) of a tile as it is stored: padded or cut at edges."""
    path, plane, column, row = tile
    left, top = column * sample.tile_width, row * sample.tile_height
    part = pixels[path, plane, top : top + sample.tile_height, left : left + sample.tile_width]
    if not sample.is_padded:
        return part
    stored = np.full(
        (sample.tile_height, sample.tile_width, *part.shape[2:]), PADDING, dtype=part.dtype
    )
    stored[: part.shape[0], : part.shape[1]] = part
    return stored


def _with_gaps(sample: LevelSample, pixels: Pixels) -> Pixels:
    shown = pixels.copy() if sample.missing else pixels
    for path, plane, column, row in sample.missing:
        left, top = column * sample.tile_width, row * sample.tile_height
        shown[path, plane, top : top + sample.tile_height, left : left + sample.tile_width] = (
            np.iinfo(shown.dtype).max if sample.rgb else 0
        )
    return shown


def is_encapsulated(transfer_syntax_uid: str) -> bool:
    """Whether frames are items: so they are in every syntax but the native ones (PS3.5 A.1-A.3)."""
    uid = UID(transfer_syntax_uid)
    return uid.is_encapsulated if uid.is_transfer_syntax else True


def _file(dataset: Dataset, transfer_syntax_uid: str) -> bytes:
    if UID(transfer_syntax_uid).is_transfer_syntax:
        return file_bytes(dataset, transfer_syntax_uid)
    return with_transfer_syntax(file_bytes(dataset, RLELossless), transfer_syntax_uid)


def _native(pixels: Pixels) -> bytes:
    return pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()


def _dataset(
    sample: LevelSample,
    number: int,
    codec: Codec,
    tiles: Sequence[tuple[int, int, int, int]],
) -> Dataset:
    dataset = composite(SLIDE_IMAGE_STORAGE, number, "SM")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", sample.flavour, "NONE"]
    dataset.Rows, dataset.Columns = sample.tile_height, sample.tile_width
    dataset.TotalPixelMatrixRows, dataset.TotalPixelMatrixColumns = sample.height, sample.width
    dataset.TotalPixelMatrixFocalPlanes = len(sample.planes_z_mm)
    dataset.NumberOfOpticalPaths = len(sample.paths)
    dataset.NumberOfFrames = len(tiles)
    dataset.SamplesPerPixel = 3 if sample.rgb else 1
    if sample.rgb:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = codec.photometric or sample.photometric
    dataset.PixelRepresentation = 0
    dataset.BitsAllocated = dataset.BitsStored = 16 if sample.is_16_bit else 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.DimensionOrganizationType = "TILED_FULL" if sample.is_full else "TILED_SPARSE"
    dataset.OpticalPathSequence = Items(
        [
            item(OpticalPathIdentifier=path, OpticalPathDescription=f"path {path}")
            for path in sample.paths
        ],
    )
    spacing = [10 / sample.height, 10 / sample.width]
    measures = item(PixelSpacing=[float(f"{value:.9g}") for value in spacing], SliceThickness=0.001)
    origin = item(XOffsetInSlideCoordinateSystem=20.0, YOffsetInSlideCoordinateSystem=40.0)
    if sample.is_full:
        origin.ZOffsetInSlideCoordinateSystem = sample.planes_z_mm[0]
        if len(sample.planes_z_mm) > 1:
            measures.SpacingBetweenSlices = sample.planes_z_mm[1] - sample.planes_z_mm[0]
    dataset.TotalPixelMatrixOriginSequence = Items([origin])
    shared = item(PixelMeasuresSequence=Items([measures]))
    dataset.SharedFunctionalGroupsSequence = Items([shared])
    if not sample.is_full:
        groups = [_groups(sample, tile) for tile in tiles]
        dataset.PerFrameFunctionalGroupsSequence = Items(groups)
    return dataset


def _groups(sample: LevelSample, tile: tuple[int, int, int, int]) -> Dataset:
    path, plane, column, row = tile
    place = item(
        XOffsetInSlideCoordinateSystem=20.0 + column,
        YOffsetInSlideCoordinateSystem=40.0 - row,
        ZOffsetInSlideCoordinateSystem=sample.planes_z_mm[plane],
        ColumnPositionInTotalImagePixelMatrix=column * sample.tile_width + 1,
        RowPositionInTotalImagePixelMatrix=row * sample.tile_height + 1,
    )
    return item(
        FrameContentSequence=Items([item(DimensionIndexValues=[column + 1, row + 1])]),
        PlanePositionSlideSequence=Items([place]),
        OpticalPathIdentificationSequence=Items([item(OpticalPathIdentifier=sample.paths[path])]),
    )


def _open_sequences(dataset: Dataset) -> None:
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for one in element.value:
                one.is_undefined_length_sequence_item = True
                _open_sequences(one)


def _put_pixels(
    dataset: Dataset, frames: Sequence[bytes], sample: LevelSample, codec: Codec
) -> None:
    if not is_encapsulated(codec.transfer_syntax_uid):
        content = b"".join(frames)
        dataset.PixelData = content + b"\0" * (len(content) % 2)
        dataset["PixelData"].VR = "OW" if sample.is_16_bit else "OB"
        return
    if sample.tables is Tables.EXTENDED:
        content, offsets, lengths = encapsulate_extended(list(frames))
        dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths
    else:
        content = encapsulate(
            list(frames),
            fragments_per_frame=sample.fragments_per_frame,
            has_bot=sample.tables is Tables.BASIC,
        )
    dataset.PixelData = content
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
