"""Files sent along with a model: the materials and pictures that it refers to."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import PurePosixPath
from typing import Final

from orthanc_stl_plugin.errors import TooLarge, UnusableSource

MOST_FILES: Final = 1000
MOST_INFLATED: Final = 100
"""How many times its size an archive may unpack to, above `_ALWAYS_BYTES`: models and pictures
take 3 to 20. A small one could otherwise cost gigabytes of memory."""
_ALWAYS_BYTES: Final = 4 << 20
# What zipfile raises for archives that are truncated, encrypted or compressed in unknown ways.
_MALFORMED: Final = (
    EOFError, LookupError, NotImplementedError, OSError, RuntimeError, ValueError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SidecarFiles:
    """Files by name, without folder and in lower case, since software disagrees about both."""

    files: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> SidecarFiles:
        """The files by the names that their software gave them."""
        return cls({_base_name(name): content for name, content in files.items()})

    def find(self, line: str) -> bytes | None:
        """The file whose name ends a line, or None.

        Options may precede the name, and the name may contain spaces: the longest matching end of
        the line counts.
        """
        words = line.split()
        names = (_base_name(" ".join(words[first:])) for first in range(len(words)))
        return next((self.files[name] for name in names if name in self.files), None)


def unzipped(content: bytes, max_bytes: int) -> dict[str, bytes]:
    """The files of a ZIP archive by their path in it, without those that macOS adds.

    Raises:
        TooLarge: they have more than `max_bytes` in all, are more than `MOST_FILES`, or take more
            than `MOST_INFLATED` times the archive.
        UnusableSource: it is not a ZIP archive, is truncated or encrypted.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = [one for one in archive.infolist() if _is_content(one)]
            _check_size(entries, len(content), max_bytes)
            return {one.filename: archive.read(one) for one in entries}
    except _MALFORMED as error:
        raise UnusableSource("ZipUnreadable", bytes=len(content), reason=error) from error


def _is_content(entry: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(entry.filename)
    return not (entry.is_dir() or path.parts[:1] == ("__MACOSX",) or path.name.startswith("."))


def _check_size(entries: list[zipfile.ZipInfo], packed_bytes: int, max_bytes: int) -> None:
    if len(entries) > MOST_FILES:
        raise TooLarge("ZipTooManyFiles", files=len(entries), limit=MOST_FILES)
    total_bytes = sum(entry.file_size for entry in entries)  # zipfile returns no more than this
    if total_bytes > max_bytes:
        raise TooLarge("ZipTooLarge", bytes=total_bytes, max_volume_mib=max_bytes >> 20)
    if total_bytes > max(_ALWAYS_BYTES, MOST_INFLATED * packed_bytes):
        raise TooLarge(
            "ZipInflated", packed_bytes=packed_bytes, bytes=total_bytes, times=MOST_INFLATED
        )


def _base_name(path: str) -> str:
    return path.strip().strip('"').replace("\\", "/").rpartition("/")[2].casefold()
