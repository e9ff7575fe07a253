"""Opening the files of a series or of an instance as images."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from orthanc_stl_plugin import __version__
from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import NotFound, UnusableSource
from orthanc_stl_plugin.formats.dicom.deflated import Deflated
from orthanc_stl_plugin.formats.pixels.image_file import ImageFile
from orthanc_stl_plugin.formats.pixels.slide_image import (
    WHOLE_SLIDE_SOP_CLASS_UID,
    free_places,
    slide_image,
)
from orthanc_stl_plugin.services.images.fetched_files import FetchedFiles
from orthanc_stl_plugin.services.images.frames import OverlaidFrames, StoredFrames
from orthanc_stl_plugin.services.images.freshness import Changes, Freshness
from orthanc_stl_plugin.services.images.local_files import local_frame, local_groups, open_local
from orthanc_stl_plugin.services.images.open_image import OpenImage
from orthanc_stl_plugin.services.ports.image_files import FileRecord, ImageArchive
from orthanc_stl_plugin.wsi.build import slide
from orthanc_stl_plugin.wsi.pyramid import Flavour, Level, Slide, TileTable

_HEADER_BYTES: Final = 100_000  # of a file that is open, roughly
_BYTES_PER_FRAME: Final = 32
_FRAMES_KEPT: Final = 64
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """The files of a series, or of one instance, as images.

    Attributes:
        records: of the files, by instance.
        image: gives an image by its number.
        image_count: pyramids of a series, frames of an instance.
        slide: what they show together.
        byte_count: what this takes in memory, roughly.
        freshness: of its files.
    """

    records: Mapping[str, FileRecord]
    image: Callable[[int], OpenImage]
    image_count: int
    slide: Slide
    byte_count: int
    freshness: Freshness


class Opener:
    """Opens images of an archive.

    Args:
        archive: holds them.
        fetched: the files that the archive does not keep on a local disk.
        settings: how colours are shown, and whether the labels of slides are.
        changes: tells of those of the files.
    """

    def __init__(
        self, archive: ImageArchive, fetched: FetchedFiles, settings: Settings, changes: Changes
    ) -> None:
        self._archive = archive
        self._fetched = fetched
        self._changes = changes
        self._look = f"{__version__} {settings.jpeg_quality} {settings.convert_colours}"
        self._converts_colours = settings.convert_colours
        self._hides_slide_labels = not settings.presentation.slide_labels

    def series(self, series_id: str) -> Opened:
        """The pyramids of a whole slide.

        Raises:
            NotFound: there is no such series.
            UnusableSource: it is no whole slide, or cannot be shown.
        """
        records: dict[str, FileRecord] = {}
        files: dict[str, ImageFile] = {}
        for instance_id in sorted(self._archive.series_instances(series_id)):
            record = self._archive.file_record(instance_id)
            try:
                records[instance_id], file = self._file(instance_id, record)
            except UnusableSource as error:
                records[instance_id] = record
                _log.warning("instance %s is left out of its slide: %s", instance_id, error)
                continue
            if file.header.get("SOPClassUID") != WHOLE_SLIDE_SOP_CLASS_UID:
                raise UnusableSource("NotWholeSlide", series_id=series_id)
            files[instance_id] = file
        shown = slide([slide_image(instance_id, file) for instance_id, file in files.items()])
        pyramids = (shown.default, *shown.pyramids[1:])  # refused without any
        frames = {
            instance_id: self._frames(
                instance_id, records[instance_id], files[instance_id], level.absent_rgb
            )
            for pyramid in pyramids
            for level in pyramid.levels
            for instance_id in level.instance_ids
        }
        revision, freshness = self._revision("series", records), self._freshness(records)

        @lru_cache(len(pyramids))
        def image(number: int) -> OpenImage:
            levels = pyramids[number].levels
            spread = _spread(levels, frames)
            return _image(f"{revision}-{number}", levels, spread, freshness, records)

        byte_count = sum(map(_bytes_of, files.values()))
        byte_count += sum(one.display_bytes for one in frames.values())
        return Opened(records, image, len(pyramids), shown, byte_count, freshness)

    def instance(self, instance_id: str) -> Opened:
        """The frames of an instance.

        Raises:
            NotFound: there is no such instance, or the settings hide what it shows.
            UnusableSource: it is no image, or cannot be shown.
        """
        record, file = self._file(instance_id, self._archive.file_record(instance_id))
        described = slide_image(instance_id, file)
        is_slide = file.header.get("SOPClassUID") == WHOLE_SLIDE_SOP_CLASS_UID
        if is_slide and described.flavour is Flavour.LABEL and self._hides_slide_labels:
            raise NotFound("SlideLabelHidden")
        frames = self._frames(instance_id, record, file)
        looked_at = range(len(file.frames))
        if frames.lacks_window and not frames.is_range_costly(looked_at):
            frames.spread(frames.seen_range(looked_at))
        records = {instance_id: record}
        revision, freshness = self._revision("instance", records), self._freshness(records)

        @lru_cache(_FRAMES_KEPT)
        def image(frame_index: int) -> OpenImage:
            level = _frame_level(file.header, described.pixel_spacing_mm, instance_id, frame_index)
            sources = {instance_id: frames}
            return _image(f"{revision}-{frame_index}", (level,), sources, freshness, records)

        byte_count = _bytes_of(file) + frames.display_bytes
        return Opened(records, image, len(file.frames), slide([described]), byte_count, freshness)

    def _file(self, instance_id: str, record: FileRecord) -> tuple[FileRecord, ImageFile]:
        """What is in a file; a deflated one is no local one, as nothing in it has a place."""
        if record.path is not None:
            with suppress(Deflated):
                return record, open_local(record.path)
        return replace(record, path=None), self._fetched.open(instance_id, record)

    def _frames(
        self,
        instance_id: str,
        record: FileRecord,
        file: ImageFile,
        absent_rgb: tuple[int, int, int] | None = None,
    ) -> StoredFrames:
        """The frames of a file; those of a slide, which has a colour for absent ones, as tiles."""
        read: Callable[[int], bytes]
        groups: Callable[[int], Dataset]
        if record.path is None:
            read = partial(self._fetched.frame, instance_id, record, file)
            groups = partial(self._fetched.groups, instance_id, record, file)
        else:
            read = partial(local_frame, record.path, file)
            groups = partial(local_groups, record.path, file)
        make: Callable[..., StoredFrames] = StoredFrames
        if absent_rgb is not None and free_places(file) is not None:
            make = partial(OverlaidFrames, absent_rgb)
        return make(file, read, groups, record.path, converts_colours=self._converts_colours)

    def _freshness(self, records: Mapping[str, FileRecord]) -> Freshness:
        paths = [record.path for record in records.values() if record.path is not None]
        return self._changes.watch(paths if len(paths) == len(records) else ())

    def _revision(self, kind: str, records: Mapping[str, FileRecord]) -> str:
        """Another one for a series than for its only instance: pyramid 0 is not frame 0."""
        told = [kind, self._look, *(f"{one} {record.digest}" for one, record in records.items())]
        return hashlib.blake2b("\n".join(told).encode(), digest_size=16).hexdigest()


def _spread(
    levels: tuple[Level, ...], frames: Mapping[str, StoredFrames]
) -> Mapping[str, StoredFrames]:
    """The frames of a pyramid, all levels equally bright: the smallest one says how much."""
    own = {one: frames[one] for level in levels for one in level.instance_ids}
    level = levels[-1]
    tiles = level.tiles
    if not len(tiles.keys):
        return own
    ordinal = tiles.places.item(0, 0)
    smallest = own[tiles.instance_ids[ordinal]]
    if not smallest.lacks_window:
        return own
    in_it = tiles.places[:, 0] == ordinal
    keys = tiles.keys[in_it].tolist()
    frame_indices = tiles.places[in_it, 1].tolist()
    if smallest.is_range_costly(frame_indices):
        return own
    value_range = smallest.seen_range(
        frame_indices,
        lambda number: level.seen(keys[number] % tiles.columns, keys[number] // tiles.columns),
    )
    spread = {instance_id: copy(one) for instance_id, one in own.items()}
    for one in spread.values():
        one.spread(value_range)
    return spread


def _image(
    revision: str,
    levels: tuple[Level, ...],
    frames: Mapping[str, StoredFrames],
    freshness: Freshness,
    records: Mapping[str, FileRecord],
) -> OpenImage:
    first = frames[levels[0].instance_ids[0]]
    return OpenImage(
        revision,
        levels,
        frames,
        first.samples,
        first.icc_profile,
        first.decodes_reduced,
        freshness,
        records,
    )


def _frame_level(
    header: Dataset,
    pixel_spacing_mm: tuple[float, float] | None,
    instance_id: str,
    frame_index: int,
) -> Level:
    """A level that is one frame."""
    width, height = int(header.Columns), int(header.Rows)
    place = np.array([[0, frame_index]], np.int32)
    tiles = TileTable(1, 1, (instance_id,), np.zeros(1, np.int64), place)
    return Level(width, height, width, height, pixel_spacing_mm, (0, 0, 0), tiles)


def _bytes_of(file: ImageFile) -> int:
    return _HEADER_BYTES + _BYTES_PER_FRAME * len(file.frames)
