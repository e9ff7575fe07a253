"""Everything that serves images, on an archive of files in a folder or in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.iiif.image.request import Version
from orthanc_stl_plugin.services.images.drawing_line import DrawingLine
from orthanc_stl_plugin.services.images.fetched_files import FetchedFiles
from orthanc_stl_plugin.services.images.freshness import Changes
from orthanc_stl_plugin.services.images.level_store import Pyramids
from orthanc_stl_plugin.services.images.missing_levels import MadeLevels
from orthanc_stl_plugin.services.images.opened_images import ImageName, Images
from orthanc_stl_plugin.services.images.opener import Opener
from orthanc_stl_plugin.services.images.renditions import Rendition, Renditions
from orthanc_stl_plugin.services.jobs.task_folders import Spool
from orthanc_stl_plugin.services.jobs.waiting_room import WaitingRoom
from tests.support.fake_image_archive import FakeImageArchive


class HereWorkers:
    """Workers that work here and now; `runs` counts what they were given.

    Attributes:
        failure: what the next run raises.
    """

    def __init__(self) -> None:
        self.runs = 0
        self.failure: OSError | None = None

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self.runs += 1
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        return function(*arguments)


@dataclass
class Gallery:
    """The parts, as they are composed in Orthanc."""

    archive: FakeImageArchive
    images: Images
    renditions: Renditions
    made_levels: MadeLevels
    pyramids: Pyramids
    spool: Spool
    workers: HereWorkers

    def rendition(self, name: ImageName, request: str) -> Rendition:
        """The answer to an image request of version 3."""
        return self.renditions.image(name, Version.V3, request.split("/"))

    def pixels(self, name: ImageName, request: str) -> NDArray[np.uint8]:
        """(height, width) or (height, width, bands) of that answer."""
        with Image.open(BytesIO(self.rendition(name, request).content())) as image:
            return np.asarray(image)

    def close(self) -> None:
        """Removes what lies in the spool."""
        self.pyramids.close()
        self.spool.close()


def gallery(folder: Path, *, is_local: bool = True, settings: Settings | None = None) -> Gallery:
    """A gallery that keeps its files, and its pyramids, below a folder."""
    chosen = settings or Settings()
    stored = folder / "stored"
    stored.mkdir(exist_ok=True)
    archive = FakeImageArchive(stored if is_local else None)
    changes = Changes()
    spool = Spool(str(folder / "spool"))
    fetched = FetchedFiles(archive, spool)
    images = Images(archive, Opener(archive, fetched, chosen, changes), changes)
    pyramids = Pyramids(folder / "pyramids", chosen.pyramid_cache_mib << 20, WaitingRoom(2))
    workers = HereWorkers()
    made = MadeLevels(
        pyramids,
        cast("Any", workers),
        spool,
        fetched,
        converts_colours=chosen.convert_colours,
    )
    renditions = Renditions(images, made, chosen, DrawingLine(50))
    return Gallery(archive, images, renditions, made, pyramids, spool, workers)
