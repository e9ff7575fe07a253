"""Image files that the archive does not keep on a local disk, fetched once for all their frames."""

from __future__ import annotations

import mmap
import shutil
from functools import partial
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.formats.dicom.deflated import inflated
from orthanc_stl_plugin.formats.pixels.image_file import ImageFile, open_image
from orthanc_stl_plugin.services.byte_cache import ByteCache
from orthanc_stl_plugin.services.jobs.task_folders import Spool
from orthanc_stl_plugin.services.ports.image_files import FileRecord, ImageArchive

_MOST_BYTES: Final = 4 << 30  # the most that Orthanc gives a plugin at once


class FetchedFiles:
    """Copies of files, inflated if need be; those that nobody asks for make room for new ones.

    They lie in the spool, without names, on at most half of what is free there at start. Frames
    that Orthanc takes out of a file are no substitute: they are what DCMTK makes of them, which
    turns big-endian words, and knows no one-bit frames that begin within a byte.

    Args:
        archive: gives the files.
        spool: keeps the copies.
    """

    def __init__(self, archive: ImageArchive, spool: Spool) -> None:
        self._archive = archive
        self._spool = spool
        most_bytes = min(_MOST_BYTES, shutil.disk_usage(spool.folder).free // 2)
        self._copies = ByteCache[mmap.mmap](most_bytes, len)

    def open(self, instance_id: str, record: FileRecord) -> ImageFile:
        """What `open_image` tells of a file.

        Raises:
            NotFound: the archive holds this file no longer; it is asked each time.
            UnusableSource: see `open_image` and `inflated`.
            Busy: the spool is full.
        """
        return open_image(self._copy(instance_id, record))

    def frame(
        self, instance_id: str, record: FileRecord, image: ImageFile, frame_index: int
    ) -> bytes:
        """The stored bytes of a frame, counted from 0; raises as `open`."""
        return image.frame_bytes(self._copy(instance_id, record), frame_index)

    def groups(
        self, instance_id: str, record: FileRecord, image: ImageFile, frame_index: int
    ) -> Dataset:
        """The functional groups of a frame, counted from 0; raises as `open`."""
        return image.frame_groups(self._copy(instance_id, record), frame_index)

    def save(self, instance_id: str, record: FileRecord, path: Path) -> None:
        """Writes the file for another process.

        Raises:
            NotFound: the archive holds this file no longer.
            UnusableSource: see `inflated`.
            Busy: the spool is full.
            OSError: nothing can be written there.
        """
        path.write_bytes(self._copy(instance_id, record))

    def _copy(self, instance_id: str, record: FileRecord) -> mmap.mmap:
        self._check(instance_id, record)
        key = instance_id, record.digest
        return self._copies.get(key, partial(self._fetched, instance_id, record))

    def _check(self, instance_id: str, record: FileRecord) -> None:
        if self._archive.file_record(instance_id).digest != record.digest:
            raise NotFound("ImageGone")

    def _fetched(self, instance_id: str, record: FileRecord) -> mmap.mmap:
        stored = self._archive.instance_file(instance_id)
        self._check(instance_id, record)  # or it was replaced just before
        with self._spool.unnamed_file() as copy:
            copy.writelines(inflated(stored))
            copy.flush()
            return mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ)
