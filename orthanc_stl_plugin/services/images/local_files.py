"""Image files on a local disk, read where the archive keeps them."""

from __future__ import annotations

import mmap
import os
import threading
import weakref
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.formats.pixels.image_file import ImageFile, open_image

_MOST_OPEN: Final = 64
_guard: Final = threading.Lock()
_opened: Final = weakref.WeakSet["_OpenFile"]()


class _OpenFile:
    """A file that stays open as long as it is referenced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = _descriptor(path)
        with _guard:
            _opened.add(self)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


_open_file: Final = lru_cache(_MOST_OPEN)(_OpenFile)


def read_part(path: Path, offset: int, length: int) -> bytes:
    """`length` bytes of a file, which stays open for later reads.

    A deleted file may still be readable: callers must check that it exists.

    Raises:
        NotFound: there is no such file.
    """
    file = _open_file(path)
    return os.pread(file.descriptor, length, offset)


@dataclass(frozen=True, slots=True)
class LocalPart:
    """The bytes of `head`, followed by `length` bytes of a file from `offset`."""

    path: Path
    offset: int
    length: int
    head: bytes = b""

    def read(self) -> bytes:
        """The bytes; raises as `read_part`."""
        rest = read_part(self.path, self.offset, self.length)
        return self.head + rest if self.head else rest


def let_go() -> None:
    """Closes all files after one of them was deleted, which frees its disk space."""
    with _guard:
        paths = [file.path for file in _opened]
    if not all(path.exists() for path in paths):
        _open_file.cache_clear()


def open_local(path: Path) -> ImageFile:
    """The image in a file; see `open_image`.

    Raises:
        NotFound: the file no longer exists.
        UnusableSource: see `open_image`.
    """
    with closing(_mapped(path)) as mapped:
        return open_image(mapped)


def local_frame(path: Path, image: ImageFile, frame_index: int) -> bytes:
    """The stored bytes of a frame, counted from 0; raises as `open_local`."""
    offset, length = image.frames.span(frame_index)
    return image.frames.unwrapped(read_part(path, offset, length))


def local_groups(path: Path, image: ImageFile, frame_index: int) -> Dataset:
    """The functional groups of a frame, counted from 0; raises as `open_local`."""
    with closing(_mapped(path)) as mapped:
        return image.frame_groups(mapped, frame_index)


def _mapped(path: Path) -> mmap.mmap:
    descriptor = _descriptor(path)
    try:
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)


def _descriptor(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError as error:
        raise NotFound("ImageGone") from error
