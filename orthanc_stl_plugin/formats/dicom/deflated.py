"""DICOM files whose data set is deflated as a whole (PS3.5 A.5): nothing in them has a place."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Final

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_file_meta_info
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.dataset import tolerating

MOST_BYTES: Final = 256 << 20
"""The most that a deflated image may have when it is inflated."""

_PREAMBLE: Final = b"\0" * 128 + b"DICM"
_PIECE_BYTES: Final = 1 << 20
_FIRST_OF_DATA_SET: Final = 0x00030000


class Deflated(UnusableSource):
    """An image file is deflated, so that nothing can be read of it before it is inflated."""


def inflated(content: bytes) -> Iterator[bytes]:
    """A DICOM file as Explicit VR Little Endian if it was deflated, else unchanged, in pieces.

    Raises:
        UnusableSource: the data set is malformed, truncated, or larger than `MOST_BYTES`.
    """
    stream = io.BytesIO(content)
    if stream.read(len(_PREAMBLE))[-4:] != _PREAMBLE[-4:]:
        yield content  # without file meta information nothing tells of another transfer syntax
        return
    with tolerating("the file meta information"):
        found = read_dataset(
            stream, is_implicit_VR=False, is_little_endian=True, stop_when=_is_in_data_set
        )
        if found.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
            yield content
            return
        meta = FileMetaDataset(found)
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        plain = DicomBytesIO()
        write_file_meta_info(plain, meta, enforce_standard=False)
        yield _PREAMBLE + plain.getvalue()
        yield from _data_set(content[stream.tell() :])


def _data_set(deflated: bytes) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    byte_count = 0
    for start in range(0, len(deflated), _PIECE_BYTES):
        waiting = deflated[start : start + _PIECE_BYTES]
        piece = b" "
        while piece and not inflater.eof:
            piece = inflater.decompress(waiting, _PIECE_BYTES)
            waiting = inflater.unconsumed_tail
            byte_count += len(piece)
            if byte_count > MOST_BYTES:
                raise UnusableSource("DeflatedTooLarge", limit_bytes=MOST_BYTES)
            yield piece
    if not inflater.eof:
        raise UnusableSource("DeflatedTruncated")


def _is_in_data_set(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag) >= _FIRST_OF_DATA_SET
