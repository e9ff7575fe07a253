"""DICOM image files, opened without reading pixels: header, frame index, tile positions."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.dataset import tolerating
from orthanc_stl_plugin.formats.dicom.deflated import Deflated
from orthanc_stl_plugin.formats.dicom.element_scanner import (
    PER_FRAME_GROUPS,
    UNDEFINED_LENGTH,
    Buffer,
    Element,
    Encoding,
    elements_up_to,
)
from orthanc_stl_plugin.formats.pixels import tile_positions
from orthanc_stl_plugin.formats.pixels.encapsulated_frames import encapsulated_index
from orthanc_stl_plugin.formats.pixels.frame_index import FrameIndex, native_index
from orthanc_stl_plugin.formats.pixels.tile_positions import TilePositions

EXTENDED_OFFSET_TABLE: Final = 0x7FE00001
PIXEL_DATA: Final = 0x7FE00010
NATIVE_SYNTAXES: Final = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)


@dataclass(frozen=True, slots=True, eq=False)
class ImageFile:
    """All that is needed to serve the frames of an image; it keeps no reference to the buffer.

    Attributes:
        header: everything before the Per-Frame Functional Groups Sequence, with the file meta
            information, if any, as `header.file_meta`.
        transfer_syntax_uid: as stated, or as detected.
        encoding: of its elements.
        frames: the offset of each frame in the file.
        tiles: the position of each frame in the total pixel matrix; None if the image has no such
            matrix, its frames have no positions, or it is TILED_FULL.
    """

    header: Dataset
    transfer_syntax_uid: UID
    encoding: Encoding
    frames: FrameIndex
    tiles: TilePositions | None
    _groups: Element | None

    def frame_bytes(self, buffer: Buffer, frame_index: int) -> bytes:
        """The bytes of a frame, counted from 0, for a decoder.

        Raises:
            UnusableSource: the frame is not in the file, or is malformed.
        """
        return self.frames.frame_bytes(buffer, frame_index)

    def frame_groups(self, buffer: Buffer, frame_index: int) -> Dataset:
        """The functional groups of a frame, counted from 0; empty if it has none.

        Raises:
            UnusableSource: they are malformed.
        """
        if self._groups is None:
            return Dataset()
        return tile_positions.frame_groups(buffer, self._groups, self.encoding, frame_index)


class _BufferStream:
    """A stream for pydicom over a buffer that is not copied."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:  # pydicom calls this only to inflate the rest, without a limit
            raise Deflated("ImageDeflated")
        content = bytes(self._buffer[self._at : self._at + size])
        self._at += len(content)
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._buffer)}
        self._at = max(0, base[whence] + offset)
        return self._at

    def tell(self) -> int:
        return self._at


def open_image(buffer: Buffer) -> ImageFile:
    """The image in a DICOM file, with or without preamble and file meta information.

    Pixels and functional groups are located but not parsed.

    Raises:
        Deflated: see there.
        UnusableSource: it is not a DICOM image, or has no complete frame.
    """
    header, end_of_header = _header(buffer)
    encoding = Encoding(*header.original_encoding)
    elements = elements_up_to(buffer, end_of_header, encoding, PIXEL_DATA)
    pixel_data = elements.get(PIXEL_DATA)
    if pixel_data is None:
        raise UnusableSource("PixelDataMissing")
    syntax = _transfer_syntax(header, encoding)
    is_encapsulated = pixel_data.length == UNDEFINED_LENGTH
    if is_encapsulated and syntax in NATIVE_SYNTAXES:
        raise UnusableSource("PixelDataEncapsulated", transfer_syntax=syntax)
    if not is_encapsulated and syntax not in NATIVE_SYNTAXES:
        raise UnusableSource("PixelDataNotEncapsulated", transfer_syntax=syntax)
    with tolerating("the number of frames"):
        count = max(1, int(header.get("NumberOfFrames") or 1))
    bits = _bits_per_frame(header, pixel_data, count)
    if bits < 1:
        raise UnusableSource("ImageSizeZero")
    if is_encapsulated:
        table = elements.get(EXTENDED_OFFSET_TABLE)
        frames = encapsulated_index(buffer, pixel_data, count, table)
    else:
        frames = native_index(buffer, pixel_data, count, bits)
    groups = elements.get(PER_FRAME_GROUPS)
    tiles = None
    if groups is not None and _has_places(header):
        tiles = tile_positions.tile_positions(buffer, groups, encoding, frames)
    return ImageFile(header, syntax, encoding, frames, tiles, groups)


def _header(buffer: Buffer) -> tuple[Dataset, int]:
    def is_beyond(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        return int(tag) >= PER_FRAME_GROUPS

    stream = _BufferStream(buffer)
    with tolerating("the DICOM file"):
        header = read_partial(cast("BinaryIO", stream), is_beyond, force=True)
        # Parsed here, so that later code reads without errors. Orthanc writes no SOP Class UID
        # where a client makes an image of a photograph and gives none.
        _ = header.get("SOPClassUID"), header.get("SOPInstanceUID")
        is_image = None not in (header.get("Rows"), header.get("Columns"))
        header.buffer = None
    if not is_image:
        raise UnusableSource("NotAnImageFile")
    return header, stream.tell()


def _transfer_syntax(header: Dataset, encoding: Encoding) -> UID:
    with tolerating("the transfer syntax"):
        stated = header.file_meta.get("TransferSyntaxUID")
        if stated:
            return UID(str(stated))
    if encoding.is_implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if encoding.is_little_endian else ExplicitVRBigEndian


def _bits_per_frame(header: Dataset, pixel_data: Element, count: int) -> int:
    with tolerating("the description of the pixels"):
        samples = int(header.get("SamplesPerPixel") or 1)
        bits = int(header.Rows) * int(header.Columns) * samples * int(header.BitsAllocated)
        # PS3.3 C.7.6.3.1.2: two pixels share their chrominance. Some files only claim so.
        shared = ("YBR_FULL_422", "YBR_PARTIAL_422")
        is_halved = (
            samples == 3
            and header.get("PhotometricInterpretation") in shared
            and pixel_data.length * 8 < count * bits
        )
    return bits // 3 * 2 if is_halved else bits


def _has_places(header: Dataset) -> bool:
    with tolerating("the organisation of the frames"):
        is_tiled = bool(header.get("TotalPixelMatrixColumns"))
        return is_tiled and header.get("DimensionOrganizationType") != "TILED_FULL"
