"""Reading DICOM files: tolerant of odd values, strict about missing parts."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from orthanc_stl_plugin.errors import UnusableSource

type DicomSource = bytes | str | os.PathLike[str]
"""The bytes of a DICOM file, or its path."""

MALFORMED = (
    BytesLengthException,
    InvalidDicomError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom raises for bytes that are not valid DICOM."""

ELEMENT_HEADER_BYTES = 8


class _WatchedStream:
    """A stream that remembers whether a read went beyond its end.

    pydicom accepts a file that ends within an element as complete.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.is_cut = False

    def read(self, size: int = -1, /) -> bytes:
        content = self._stream.read(size)
        ends_between_elements = not content and size == ELEMENT_HEADER_BYTES
        if len(content) < size and not ends_between_elements and self.tell() > 132:
            self.is_cut = True
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()


@contextmanager
def tolerating(what: str) -> Iterator[None]:
    """Accepts unusual values silently, and refuses what cannot be parsed.

    Raises:
        UnusableSource: pydicom cannot parse `what`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except MALFORMED as error:
            raise UnusableSource(
                "DicomMalformed", what=what, reason=type(error).__name__
            ) from error


def read_dataset(source: DicomSource, *, stop_before_pixels: bool = False) -> Dataset:
    """The data set of a DICOM file, with or without preamble and file meta information.

    Raises:
        UnusableSource: the source is not DICOM, or is truncated.
        OSError: the file cannot be opened.
    """
    with _opened(source) as stream, tolerating("the DICOM file"):
        watched = _WatchedStream(stream)
        dataset = dcmread(watched, force=True, stop_before_pixels=stop_before_pixels)
        is_dicom = "SOPClassUID" in dataset and "SOPInstanceUID" in dataset
    if not is_dicom:
        raise UnusableSource("NotDicom")
    if watched.is_cut:
        raise UnusableSource("DicomEndsInElement")
    return dataset


@contextmanager
def _opened(source: DicomSource) -> Iterator[IO[bytes]]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    with Path(source).open("rb") as stream:
        yield stream


def uid_of(dataset: Dataset, keyword: str) -> str | None:
    """The UID with that keyword; None if it is absent or empty."""
    with tolerating(keyword):
        value = dataset.get(keyword)
        return str(value) if value else None


def items(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    """The items of a sequence; empty if it is absent."""
    return dataset.get(keyword) or ()
