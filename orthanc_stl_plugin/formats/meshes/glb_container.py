"""The container of binary glTF 2.0: a JSON document, and the bytes that its views refer to."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin import __version__
from orthanc_stl_plugin.errors import UnusableSource

# glTF 2.0 sections 3.6.2 (targets) and 4.4 (header and chunks).
ARRAY_BUFFER: Final = 34962
ELEMENT_ARRAY_BUFFER: Final = 34963
_HEADER: Final = struct.Struct("<4sII")
_CHUNK: Final = struct.Struct("<II")
_MAGIC: Final = b"glTF"
_VERSION: Final = 2
_JSON_CHUNK: Final = 0x4E4F534A
_BINARY_CHUNK: Final = 0x004E4942
_PIECE_BYTES: Final = 1 << 20  # in pieces, see `stl`: one large write would block a processor

Json = dict[str, Any]


@dataclass(slots=True)
class BinaryChunk:
    """The bytes of a file to write, and the views of them."""

    parts: list[NDArray[np.generic]] = field(default_factory=list)
    views: list[Json] = field(default_factory=list)
    length: int = 0

    def add(self, part: NDArray[np.generic], target: int | None = None) -> int:
        """Appends an array, padded to a multiple of 4, and returns the index of its view."""
        view = {"buffer": 0, "byteOffset": self.length, "byteLength": part.nbytes}
        self.views.append(view | ({"target": target} if target is not None else {}))
        padding = np.zeros(-part.nbytes % 4, dtype=np.uint8)
        self.parts += [part, padding]
        self.length += part.nbytes + padding.nbytes
        return len(self.views) - 1


def write_container(path: Path, document: Json, binary: BinaryChunk) -> None:
    """Writes a file; asset, views and buffer are added to the document."""
    whole = {
        "asset": {"version": "2.0", "generator": f"orthanc_stl_plugin {__version__}"},
        **document,
        "bufferViews": binary.views,
        "buffers": [{"byteLength": binary.length}],
    }
    head = _json_chunk(whole)
    with path.open("wb") as file:
        file.write(_HEADER.pack(_MAGIC, _VERSION, _HEADER.size + len(head) + 8 + binary.length))
        file.write(head)
        file.write(_CHUNK.pack(binary.length, _BINARY_CHUNK))
        for part in binary.parts:
            # unlike tofile, this raises when the disk is full
            content = part.reshape(-1).view(np.uint8).data
            for start in range(0, len(content), _PIECE_BYTES):
                file.write(content[start : start + _PIECE_BYTES])


def read_container(content: bytes) -> tuple[Json, bytes]:
    """The document of a file, and its bytes.

    Raises:
        UnusableSource: it is not binary glTF of version 2, or is truncated.
    """
    try:
        magic, version, length = _HEADER.unpack_from(content)
        json_length, json_kind = _CHUNK.unpack_from(content, _HEADER.size)
        start = _HEADER.size + _CHUNK.size
        document = json.loads(content[start : start + json_length])
    except (struct.error, ValueError, RecursionError) as error:
        raise UnusableSource("ModelUnreadable", bytes=len(content), format="GLB") from error
    is_whole = length <= len(content) and json_kind == _JSON_CHUNK and isinstance(document, dict)
    if magic != _MAGIC or version != _VERSION or not is_whole:
        raise UnusableSource("ModelUnreadable", bytes=len(content), format="GLB")
    return document, _binary(content[:length], start + json_length)


def is_glb(content: bytes) -> bool:
    """Whether a file starts like binary glTF."""
    return content.startswith(_MAGIC) and len(content) >= _HEADER.size


def glb_length(content: bytes) -> int:
    """The length in bytes that the header of a file states."""
    return int(_HEADER.unpack_from(content)[2])


def with_document(content: bytes, document: Json) -> bytes:
    """`content`, which `read_container` accepts, with another JSON document."""
    end = _HEADER.size + _CHUNK.size + _CHUNK.unpack_from(content, _HEADER.size)[0]
    head, rest = _json_chunk(document), content[end : glb_length(content)]
    return _HEADER.pack(_MAGIC, _VERSION, _HEADER.size + len(head) + len(rest)) + head + rest


def _json_chunk(document: Json) -> bytes:
    written = json.dumps(document).encode("ascii")
    written += b" " * (-len(written) % 4)
    return _CHUNK.pack(len(written), _JSON_CHUNK) + written


def _binary(content: bytes, at: int) -> bytes:
    if len(content) < at + _CHUNK.size:
        return b""
    length, kind = _CHUNK.unpack_from(content, at)
    start = at + _CHUNK.size
    if kind != _BINARY_CHUNK or len(content) < start + length:
        raise UnusableSource("GlbTruncated", bytes=len(content))
    return content[start : start + length]
