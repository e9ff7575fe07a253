"""Every setting, its default and its limits."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Final

from orthanc_stl_plugin.config.kinds import (
    address,
    bound,
    defaults,
    key_of,
    read_section,
    section,
    switch,
    text,
    whole,
)
from orthanc_stl_plugin.config.presentation import Presentation, Publish

SECTION: Final = "OrthancStlPlugin"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the administrator chose.

    Attributes:
        workers: processes that make models; 0 stands for one less than the machine's cores, at
            least 1.
        max_task_seconds: the longest that making the models of one order may take.
        max_task_memory_mib: the most address space of one worker process; 0 for no bound. With
            less than 512, a worker cannot load what it needs.
        max_volume_mib: the most bytes of a volume after decompression.
        max_triangles: the most triangles of a model that is stored; an STL has 50 bytes for each.
        max_texture_pixels: the most pixels of all pictures on one model that is attached.
        max_pending_jobs: how many jobs may wait, paused ones included, before a request is
            answered 503.
        kept_jobs: how many finished jobs are remembered, over a restart too.
        jobs_in_orthanc: our jobs are shown among Orthanc's, under /jobs; else under /stl/jobs.
        public_url: the address of this server's root as clients see it; empty to take it from the
            headers of each request.
        max_pixels: the most pixels of one IIIF answer.
        tile_cache_mib: the most memory for tiles, other answers, and the pixels of which these
            are made.
        pyramid_cache_mib: the most disk space for the pyramids of large images.
        pyramid_directory: where these lie; empty for `iiif-pyramids` in Orthanc's storage folder.
        jpeg_quality: of the JPEG files that are made.
        max_age_seconds: how long a browser may show an image without asking again; 0 for never.
        convert_colours: images with an ICC profile are converted to sRGB; else the profile goes
            along.
        manifest_cache_mib: the most memory for IIIF manifests and collections.
        presentation: what IIIF manifests tell, and in which words.
        publish: which studies the public may see, and who is the public.
        spool_directory: where sources and models lie while they are worked on; empty for the
            system's temporary folder.
        worker_executable: the Python interpreter of the workers; empty to find it.
    """

    workers: int = whole("Workers", 0, 0, 256)
    max_task_seconds: int = whole("MaxTaskSeconds", 900, 1, 86_400)
    max_task_memory_mib: int = bound("MaxTaskMemoryMiB", 512, 1 << 20)
    max_volume_mib: int = whole("MaxVolumeMiB", 2048, 1, 1 << 20)
    max_triangles: int = whole("MaxTriangles", 8_000_000, 100, 40_000_000)
    max_texture_pixels: int = whole("MaxTexturePixels", 134_217_728, 1 << 16, 1 << 32)
    max_pending_jobs: int = whole("MaxPendingJobs", 100, 1, 100_000)
    kept_jobs: int = whole("KeptJobs", 100, 0, 10_000)
    jobs_in_orthanc: bool = switch("JobsInOrthanc", default=True)
    public_url: str = address("PublicUrl")
    max_pixels: int = whole("MaxPixels", 25_000_000, 1 << 16, 1 << 30)
    tile_cache_mib: int = whole("TileCacheMiB", 384, 1, 1 << 20)
    pyramid_cache_mib: int = whole("PyramidCacheMiB", 10_240, 1, 1 << 30)
    pyramid_directory: str = text("PyramidDirectory")
    jpeg_quality: int = whole("JpegQuality", 90, 1, 100)
    max_age_seconds: int = whole("MaxAgeSeconds", 0, 0, 31_536_000)
    convert_colours: bool = switch("ConvertColours", default=False)
    manifest_cache_mib: int = whole("ManifestCacheMiB", 64, 1, 1 << 20)
    presentation: Presentation = section("Presentation", Presentation)
    publish: Publish = section("Publish", Publish)
    spool_directory: str = text("SpoolDirectory")
    worker_executable: str = text("WorkerExecutable")

    @property
    def half_tile_cache_bytes(self) -> int:
        """What finished answers may take in memory, and decoded tiles once more."""
        return (self.tile_cache_mib << 20) // 2

    @property
    def worker_count(self) -> int:
        """The number of worker processes to run, at least 1."""
        return self.workers or max(1, (os.cpu_count() or 2) - 1)


def setting_keys() -> tuple[str, ...]:
    """The keys that the section may hold, in their documented order."""
    return tuple(key_of(setting) for setting in fields(Settings))


def setting_defaults() -> dict[str, object]:
    """Every setting by its dotted place in the section, with its default as JSON has it."""
    return dict(defaults(Settings))


def read_settings(value: object) -> Settings:
    """The settings of the section as JSON gives it.

    Raises:
        ConfigurationError: see `read_section`.
    """
    return read_section(Settings, SECTION, value)
