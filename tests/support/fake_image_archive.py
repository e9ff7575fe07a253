"""An archive of images in memory or in a folder, held to the same conformance suite as the real."""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path

from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.services.ports.image_files import FileRecord


class FakeImageArchive:
    """Instances by identifier, in series.

    Args:
        folder: holds them as plain files, each under a name that is given once; None keeps them
            in memory, as Orthanc does with compressed files.

    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._names = count()
        self._series: dict[str, str] = {}
        self._contents: dict[str, bytes] = {}
        self._paths: dict[str, Path] = {}

    def store(self, instance_id: str, content: bytes, series_id: str = "series") -> None:
        """Stores an instance, or another one in its place."""
        if instance_id in self._series:
            self.delete(instance_id)
        self._series[instance_id] = series_id
        self._contents[instance_id] = content
        if self._folder is not None:
            path = self._folder / f"{next(self._names)}.dcm"
            path.write_bytes(content)
            self._paths[instance_id] = path

    def delete(self, instance_id: str) -> None:
        """Deletes an instance."""
        del self._series[instance_id], self._contents[instance_id]
        if instance_id in self._paths:
            self._paths.pop(instance_id).unlink()

    def series_instances(self, series_id: str) -> tuple[str, ...]:
        found = tuple(one for one, series in self._series.items() if series == series_id)
        if not found:
            raise NotFound("NoSuchResource", level="series", id=series_id)
        return found

    def file_record(self, instance_id: str) -> FileRecord:
        digest = hashlib.md5(self.instance_file(instance_id), usedforsecurity=False).hexdigest()
        return FileRecord(digest, self._paths.get(instance_id))

    def instance_file(self, instance_id: str) -> bytes:
        if instance_id not in self._contents:
            raise NotFound("NoSuchResource", level="instance", id=instance_id)
        return self._contents[instance_id]
