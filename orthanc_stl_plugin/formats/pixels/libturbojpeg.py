"""Bindings for the few functions of the TurboJPEG API that we need, from the system's library.

Every call releases the interpreter lock. PyTurboJPEG is not an option: it reports damaged JPEGs
through Python's warnings, which threads share, and its version 2 requires libjpeg-turbo 3, which
Debian 13 lacks.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource

LIBRARY: Final = "libturbojpeg.so.0"  # the same in versions 1.5 to 3

_SUBSAMPLINGS: Final = {3: 0, 1: 3}  # TJSAMP_444, TJSAMP_GRAY

_PIXEL_FORMATS: Final = {3: 0, 1: 6}  # TJPF_RGB, TJPF_GRAY
_ACCURATE_DCT: Final = 4096
_LIMIT_SCANS: Final = 32768  # a progressive JPEG may have 500 scans, not millions
_CROP: Final = 4
_WARNING: Final = 0


class _Transform(ctypes.Structure):
    _fields_ = (
        ("x", ctypes.c_int),
        ("y", ctypes.c_int),
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("operation", ctypes.c_int),
        ("options", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("custom_filter", ctypes.c_void_p),
    )


_INT = ctypes.c_int
_POINTER = ctypes.c_void_p
_BYTES = ctypes.c_char_p
_SIZE = ctypes.c_ulong
_ALLOCATED = (ctypes.POINTER(_POINTER), ctypes.POINTER(_SIZE))  # the output parameter
_SIGNATURES: Final = {
    "tjInitCompress": (_POINTER, ()),
    "tjInitDecompress": (_POINTER, ()),
    "tjInitTransform": (_POINTER, ()),
    "tjDestroy": (_INT, (_POINTER,)),
    "tjFree": (None, (_POINTER,)),
    "tjGetErrorStr2": (_BYTES, (_POINTER,)),
    "tjGetErrorCode": (_INT, (_POINTER,)),
    "tjDecompressHeader3": (_INT, (_POINTER, _BYTES, _SIZE, *(ctypes.POINTER(_INT),) * 4)),
    "tjDecompress2": (_INT, (_POINTER, _BYTES, _SIZE, _POINTER, _INT, _INT, _INT, _INT, _INT)),
    "tjCompress2": (
        _INT,
        (_POINTER, _POINTER, *(_INT,) * 4, *_ALLOCATED, _INT, _INT, _INT),
    ),
    "tjTransform": (
        _INT,
        (_POINTER, _BYTES, _SIZE, _INT, *_ALLOCATED, ctypes.POINTER(_Transform), _INT),
    ),
}


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(LIBRARY)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


@contextmanager
def _handle(kind: str) -> Iterator[int]:
    library = _library()
    handle = getattr(library, f"tjInit{kind}")()
    if not handle:
        raise MemoryError("libjpeg-turbo has no memory")
    try:
        yield handle
    finally:
        library.tjDestroy(handle)


@contextmanager
def _written(kind: str) -> Iterator[tuple[int, ctypes.c_void_p, ctypes.c_ulong]]:
    """A handle, the output buffer that libjpeg-turbo allocates, and its size."""
    buffer, size = ctypes.c_void_p(), ctypes.c_ulong()
    with _handle(kind) as handle:
        try:
            yield handle, buffer, size
        finally:
            _library().tjFree(buffer)


def _check(handle: int, status: int) -> None:
    """Raises for errors of libjpeg-turbo; warnings are tolerated."""
    library = _library()
    if status != 0 and library.tjGetErrorCode(handle) != _WARNING:
        reason = library.tjGetErrorStr2(handle).decode("ascii", "replace")
        raise UnusableSource("JpegUnusable", reason=reason)


def decompress(jpeg: bytes, *, is_grey: bool, reduce_by: int = 1) -> NDArray[np.uint8]:
    """(ceil(rows / reduce_by), ceil(columns / reduce_by), 1 or 3) uint8 grey or RGB.

    Raises:
        UnusableSource: libjpeg-turbo cannot decode it.
    """
    library = _library()
    width, height, subsampling, colours = (ctypes.c_int() for _ in range(4))
    with _handle("Decompress") as handle:
        size = len(jpeg)
        status = library.tjDecompressHeader3(
            handle, jpeg, size, width, height, subsampling, colours
        )
        _check(handle, status)
        columns, rows = (-(-side.value // reduce_by) for side in (width, height))
        samples = 1 if is_grey else 3
        image = np.zeros((rows, columns, samples), np.uint8)
        status = library.tjDecompress2(
            *(handle, jpeg, size, image.ctypes.data, columns, 0, rows, _PIXEL_FORMATS[samples]),
            _ACCURATE_DCT | _LIMIT_SCANS,
        )
        _check(handle, status)
    return image


def compress(image: NDArray[np.uint8], quality: int) -> bytes:
    """The JPEG of an (H, W, 1 or 3) uint8 grey or RGB image; `quality` is 1-100."""
    image = np.ascontiguousarray(image)
    rows, columns, samples = image.shape
    with _written("Compress") as (handle, buffer, size):
        status = _library().tjCompress2(
            *(handle, image.ctypes.data, columns, 0, rows, _PIXEL_FORMATS[samples]),
            *(buffer, size, _SUBSAMPLINGS[samples], quality, _ACCURATE_DCT),
        )
        _check(handle, status)
        return ctypes.string_at(buffer, size.value)


def crop(jpeg: bytes, width: int, height: int) -> bytes:
    """The JPEG's top left corner with unchanged coefficients.

    Raises:
        UnusableSource: libjpeg-turbo cannot read it, or it is smaller than that.
    """
    region = _Transform(0, 0, width, height, 0, _CROP, None, None)
    with _written("Transform") as (handle, buffer, size):
        status = _library().tjTransform(
            *(handle, jpeg, len(jpeg), 1, buffer, size, region, _LIMIT_SCANS)
        )
        _check(handle, status)
        return ctypes.string_at(buffer, size.value)
