"""Making missing levels: for huge frames, slides with a single level, gaps in a pyramid."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from orthanc_stl_plugin.formats.pixels.level_file import TILE_PX, TileFile
from orthanc_stl_plugin.services.byte_cache import ByteCache
from orthanc_stl_plugin.services.images.fetched_files import FetchedFiles
from orthanc_stl_plugin.services.images.frames import MadeFrames
from orthanc_stl_plugin.services.images.level_store import Pyramids
from orthanc_stl_plugin.services.images.level_worker import MakingTask, make_levels
from orthanc_stl_plugin.services.images.open_image import OpenImage
from orthanc_stl_plugin.services.jobs.task_folders import Spool
from orthanc_stl_plugin.services.jobs.worker_pool import Workers
from orthanc_stl_plugin.wsi.pyramid import Level, TileTable

_KEPT_BYTES: Final = 64 << 20
_BYTES_PER_TILE: Final = 32


class _NotMade(Exception):
    """The levels have not been made."""


class MadeLevels:
    """Adds levels to images that lack them.

    Args:
        pyramids: keeps the levels.
        workers: make them.
        spool: for files that workers read.
        fetched: the files that the archive does not keep on a local disk.
        converts_colours: see StoredFrames.
    """

    def __init__(
        self,
        pyramids: Pyramids,
        workers: Workers,
        spool: Spool,
        fetched: FetchedFiles,
        *,
        converts_colours: bool,
    ) -> None:
        self._pyramids = pyramids
        self._workers = workers
        self._spool = spool
        self._fetched = fetched
        self._converts_colours = converts_colours
        self._extended = ByteCache[OpenImage](_KEPT_BYTES, _bytes_of)

    def extended(self, image: OpenImage) -> OpenImage:
        """The image with the levels that have been made for it, if any."""
        if image.gap is None:
            return image
        key = image.revision, image.freshness  # a reopened image has another revision
        try:
            extended = self._extended.get(key, lambda: self._read(image, image.gap or 0))
        except _NotMade:
            return image
        if all(source.is_there() for source in extended.sources.values()):
            return extended
        self._extended.forget(key)
        return image

    def start(self, image: OpenImage) -> None:
        """Starts making the levels that the image lacks, unless that has started already."""
        if image.gap is not None:
            self._begun(image, image.gap)

    def completed(self, image: OpenImage) -> OpenImage:
        """The image with all levels, which are made if necessary.

        Raises:
            Busy: that takes longer than a client waits.
            TooLarge: it takes more time or memory than the settings allow.
        """
        extended = self.extended(image)
        if image.gap is None or extended is not image:
            return extended
        self._pyramids.wait(self._begun(image, image.gap))
        return self.extended(image)

    def _begun(self, image: OpenImage, gap: int) -> Future[None]:
        return self._pyramids.start(image.revision, lambda folder: self._make(image, gap, folder))

    def _make(self, image: OpenImage, gap: int, folder: Path) -> None:
        level = image.levels[gap]
        with self._spool.task_folder() as spooled:
            files = {one: self._local(one, image, spooled) for one in level.instance_ids}
            first = image.sources[level.instance_ids[0]]
            task = MakingTask(
                files,
                level,
                image.has_large_tiles(gap),
                first.value_range,
                self._converts_colours,
                folder,
            )
            try:
                self._workers.run(make_levels, task)
            except OSError as error:  # here: to the spool, it would be the spool's disk
                raise self._pyramids.busy_when_full(error) from error

    def _local(self, instance_id: str, image: OpenImage, folder: Path) -> Path:
        record = image.records[instance_id]
        if record.path is not None:
            return record.path
        path = folder / f"{instance_id}.dcm"
        self._fetched.save(instance_id, record, path)
        return path

    def _read(self, image: OpenImage, gap: int) -> OpenImage:
        files = self._pyramids.known(image.revision)
        if files is None:
            raise _NotMade
        above = image.levels[: gap if image.has_large_tiles(gap) else gap + 1]
        below = image.levels[gap + 1 :]
        made = {
            f"made-{number}": file
            for number, file in enumerate(files)
            if not any(_is_same_size(file, level) for level in below)
        }
        levels = [*above, *(_level(name, file, image) for name, file in made.items()), *below]
        levels.sort(key=lambda level: -level.width * level.height)
        frames = {name: MadeFrames(file, image.icc_profile) for name, file in made.items()}
        return replace(image, levels=tuple(levels), sources={**image.sources, **frames})


def _is_same_size(file: TileFile, level: Level) -> bool:
    return abs(file.width - level.width) <= 1 and abs(file.height - level.height) <= 1


def _level(name: str, file: TileFile, image: OpenImage) -> Level:
    count = file.columns * file.rows
    places = np.zeros((count, 2), np.int32)
    places[:, 1] = np.arange(count)
    tiles = TileTable(file.columns, file.rows, (name,), np.arange(count, dtype=np.int64), places)
    absent_rgb = image.levels[0].absent_rgb
    return Level(file.width, file.height, TILE_PX, TILE_PX, None, absent_rgb, tiles)


def _bytes_of(image: OpenImage) -> int:
    return sum(_BYTES_PER_TILE * len(level.tiles.keys) for level in image.levels)
