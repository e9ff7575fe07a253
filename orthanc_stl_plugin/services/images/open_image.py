"""An open image, from which regions can be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from orthanc_stl_plugin.iiif.image.plan import LevelShape
from orthanc_stl_plugin.services.images.frames import FrameSource
from orthanc_stl_plugin.services.images.freshness import Freshness
from orthanc_stl_plugin.services.ports.image_files import FileRecord
from orthanc_stl_plugin.wsi.pyramid import Level

_LARGEST_TILE_PX: Final = 4_000_000
_WIDEST_GAP: Final = 4


@dataclass(frozen=True, eq=False)
class OpenImage:
    """An image: its levels, and the frames of their tiles.

    Attributes:
        revision: differs for different content or display.
        levels: the largest first.
        sources: of the frames, by instance.
        samples: of a pixel: 1, grey, or 3, RGB.
        icc_profile: of its colours; None for sRGB, grey, or unknown.
        decodes_reduced: whether decoding a smaller image takes less work.
        freshness: of the files.
        records: of the files, by instance.
    """

    revision: str
    levels: tuple[Level, ...]
    sources: Mapping[str, FrameSource]
    samples: int
    icc_profile: bytes | None
    decodes_reduced: bool
    freshness: Freshness
    records: Mapping[str, FileRecord]

    @cached_property
    def shapes(self) -> tuple[LevelShape, ...]:
        """The levels, for planning an answer."""
        return tuple(
            LevelShape(one.width, one.height, one.tile_width, one.tile_height)
            for one in self.levels
        )

    @cached_property
    def layout(self) -> str:
        """Differs for different revisions or levels; levels are added once they are made."""
        return "\n".join((self.revision, *map(str, self.shapes)))

    @cached_property
    def gap(self) -> int | None:
        """The level after which levels are missing: the next is much smaller, or there is none.

        A level of a single large tile counts too: its pixels must be cut into tiles.
        """
        for number, level in enumerate(self.levels):
            if self.has_large_tiles(number):
                return number
            below = self.levels[number + 1] if number + 1 < len(self.levels) else None
            if below is None and level.width * level.height > _LARGEST_TILE_PX:
                return number
            if below is not None and level.width > _WIDEST_GAP * below.width + _WIDEST_GAP:
                return number
        return None

    def has_large_tiles(self, level: int) -> bool:
        """Whether the tiles of a level are too large to decode for every answer."""
        tile = self.levels[level]
        return tile.tile_width * tile.tile_height > _LARGEST_TILE_PX

    def is_there(self, level: int) -> bool:
        """Whether the archive still holds the files of a level, as far as known without asking."""
        return all(self.sources[one].is_there() for one in self.levels[level].instance_ids)
