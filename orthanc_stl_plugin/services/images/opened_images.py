"""The images of the archive, kept open and up to date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.services.byte_cache import ByteCache
from orthanc_stl_plugin.services.images.freshness import Changes
from orthanc_stl_plugin.services.images.local_files import let_go
from orthanc_stl_plugin.services.images.open_image import OpenImage
from orthanc_stl_plugin.services.images.opener import Opened, Opener
from orthanc_stl_plugin.services.ports.image_files import FileRecord, ImageArchive
from orthanc_stl_plugin.wsi.pyramid import Slide

_MOST_BYTES: Final = 256 << 20
_SERIES: Final = "series "
_INSTANCE: Final = "instance "


@dataclass(frozen=True, slots=True)
class SeriesImage:
    """A pyramid of a whole slide; 0 is the default one."""

    series_id: str
    pyramid: int = 0


@dataclass(frozen=True, slots=True)
class FrameImage:
    """One frame of an instance, counted from 0."""

    instance_id: str
    frame_index: int


type ImageName = SeriesImage | FrameImage


class Images:
    """Opens images, and keeps them open until the archive's content changes.

    Args:
        archive: of the images.
        opener: opens them.
        changes: of the archive.
    """

    def __init__(self, archive: ImageArchive, opener: Opener, changes: Changes) -> None:
        self._archive = archive
        self._opener = opener
        self._kept = ByteCache[Opened](_MOST_BYTES, lambda one: one.byte_count)
        self._changes = changes

    def note_change(self) -> None:
        """Notes a change in the archive: open images must be compared with it."""
        let_go()
        self._changes.note()

    def open(self, name: ImageName) -> OpenImage:
        """The image with that name.

        Raises:
            NotFound: there is no such series, instance, pyramid or frame.
            UnusableSource: it is not an image, or cannot be shown.
        """
        if isinstance(name, SeriesImage):
            slide = self._series(name.series_id)
            if name.pyramid >= slide.image_count:
                raise NotFound("NoSuchPyramid", pyramid=name.pyramid, count=slide.image_count)
            return slide.image(name.pyramid)
        instance = self._instance(name.instance_id)
        if name.frame_index >= instance.image_count:
            raise NotFound("NoSuchFrame", frame=name.frame_index, count=instance.image_count)
        return instance.image(name.frame_index)

    def slide(self, series_id: str) -> Slide:
        """The slide that the images of a series form; raises as `open`."""
        return self._series(series_id).slide

    def forget(self, name: ImageName) -> None:
        """Forgets an image, which is reopened when needed."""
        if isinstance(name, SeriesImage):
            self._kept.forget(_SERIES + name.series_id)
        else:
            self._kept.forget(_INSTANCE + name.instance_id)

    def _series(self, series_id: str) -> Opened:
        return self._current(
            _SERIES, series_id, self._archive.series_instances, self._opener.series
        )

    def _instance(self, instance_id: str) -> Opened:
        return self._current(_INSTANCE, instance_id, lambda one: (one,), self._opener.instance)

    def _current(
        self,
        kind: str,
        identifier: str,
        members: Callable[[str], tuple[str, ...]],
        open_now: Callable[[str], Opened],
    ) -> Opened:
        key = kind + identifier  # the identifier of an instance must not name a series
        last_change = self._changes.last
        make = partial(self._newly_opened, identifier, open_now)
        opened = self._kept.get(key, make)
        if opened.freshness.is_sure():
            return opened
        try:
            is_same = self._is_same(opened, members(identifier))
        except NotFound:
            is_same = False
        # Files that were overwritten, or whose time or owner changed, are reopened and rewatched.
        if is_same and not opened.freshness.has_changed:
            opened.freshness.compared_at = last_change
            return opened
        self._kept.forget(key)
        return self._kept.get(key, make)

    def _newly_opened(self, identifier: str, open_now: Callable[[str], Opened]) -> Opened:
        last_change = self._changes.last  # before the files are looked at
        opened = open_now(identifier)
        opened.freshness.compared_at = last_change
        return opened

    def _is_same(self, opened: Opened, members: tuple[str, ...]) -> bool:
        return set(members) == set(opened.records) and all(
            self._is_unchanged(instance_id, record)
            for instance_id, record in opened.records.items()
        )

    def _is_unchanged(self, instance_id: str, record: FileRecord) -> bool:
        if record.path is not None:
            return record.path.exists()
        return self._archive.file_record(instance_id).digest == record.digest
