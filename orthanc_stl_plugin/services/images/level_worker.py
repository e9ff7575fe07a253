"""What runs in a worker process: from a level of an image to the files of the levels below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.pixels.level_file import LevelWriter
from orthanc_stl_plugin.formats.pixels.slide_image import free_places
from orthanc_stl_plugin.services.images.frames import (
    FrameSource,
    OverlaidFrames,
    Pixels,
    StoredFrames,
    tile_encoder,
)
from orthanc_stl_plugin.services.images.local_files import local_frame, local_groups, open_local
from orthanc_stl_plugin.wsi.pyramid import Level


@dataclass(frozen=True, slots=True, eq=False)
class MakingTask:
    """Write the levels below `level` into `folder`.

    Attributes:
        files: the DICOM files of its instances.
        level: to begin with.
        with_level_itself: write its pixels too, in tiles of a usual size.
        value_range: see StoredFrames; None where it is still to be found, if it is needed.
        converts_colours: see StoredFrames.
        folder: empty, receives the files.
    """

    files: Mapping[str, Path]
    level: Level
    with_level_itself: bool
    value_range: tuple[int, int] | None
    converts_colours: bool
    folder: Path


def make_levels(task: MakingTask) -> None:
    """Writes the levels; see LevelWriter.

    Raises:
        NotFound: a file has gone.
        UnusableSource: a frame cannot be decoded.
        OSError: the disk is full.
    """
    sources = {instance_id: _frames(task, path) for instance_id, path in task.files.items()}
    is_lossy = any(source.is_lossy for source in sources.values())
    writer = LevelWriter(
        task.folder,
        tile_encoder(is_lossy=is_lossy),
        (task.level.width, task.level.height),
        writes_itself=task.with_level_itself,
    )
    samples = next(iter(sources.values())).samples
    for strip in _strips(task.level, sources, samples):
        writer.push(strip)
    writer.close()


def _frames(task: MakingTask, path: Path) -> StoredFrames:
    file = open_local(path)
    make: Callable[..., StoredFrames] = StoredFrames
    if task.level.columns * task.level.rows > 1 and free_places(file) is not None:
        make = partial(OverlaidFrames, task.level.absent_rgb)
    frames = make(
        file,
        partial(local_frame, path, file),
        partial(local_groups, path, file),
        converts_colours=task.converts_colours,
    )
    value_range = task.value_range
    if value_range is None and frames.lacks_window:
        value_range = frames.seen_range(range(len(file.frames)))
    frames.spread(value_range)
    return frames


def _strips(level: Level, sources: Mapping[str, FrameSource], samples: int) -> Iterator[Pixels]:
    """The level from top to bottom, one row of tiles after the other."""
    absent = np.array(level.absent_rgb[:samples], np.uint8)
    for row in range(level.rows):
        top = row * level.tile_height
        strip = np.empty(
            (min(level.tile_height, level.height - top), level.width, samples), np.uint8
        )
        for column in range(level.columns):
            left = column * level.tile_width
            part = strip[:, left : left + level.tile_width]
            address = level.frame(column, row)
            if address is None:
                part[:] = absent
                continue
            seen = level.seen(column, row)
            try:
                tile = sources[address.instance_id].pixels(address.frame_index, seen=seen)
            except UnusableSource:  # as an answer draws it
                if level.columns * level.rows == 1:
                    raise
                part[:] = absent
                continue
            part[:] = tile[: part.shape[0], : part.shape[1]]
        yield strip
