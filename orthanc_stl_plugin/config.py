"""The plugin's section of orthanc.json: every setting, its default, its limits.

A setting is a field of `Settings`. Its key in the configuration is the name in `key`, its
documentation stands in README.md (a test fails when one is missing there or in orthanc.json).
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final

from orthanc_stl_plugin.errors import ConfigurationError

SECTION: Final = "OrthancStlPlugin"


def _whole(key: str, default: int, lowest: int, highest: int) -> Any:
    return field(default=default, metadata={"key": key, "range": (lowest, highest)})


def _switch(key: str, *, default: bool) -> Any:
    return field(default=default, metadata={"key": key, "switch": True})


def _text(key: str) -> Any:
    return field(default="", metadata={"key": key})


@dataclass(frozen=True, slots=True)
class Settings:
    """What the administrator chose.

    Attributes:
        workers: processes that make models; 0 stands for one less than the machine's cores, at
            least 1.
        max_task_seconds: the longest that making one model may take.
        max_task_memory_mib: the most address space of one worker process; 0 for no bound.
        max_volume_mib: the most bytes of a volume after decompression.
        max_triangles: the most triangles of a model that is stored; an STL has 50 bytes for each.
        max_pending_jobs: how many jobs may wait before a request is answered 503.
        kept_jobs: how many finished jobs are remembered, over a restart too.
        jobs_in_orthanc: our jobs are shown among Orthanc's, under /jobs; else under /stl/jobs.
        public_url: the address of this server's root as clients see it; empty to take it from the
            headers of each request.
        max_pixels: the most pixels of one IIIF answer.
        tile_cache_mib: the most memory for pixels and answers that were computed.
        pyramid_cache_mib: the most disk space for the pyramids of large images.
        pyramid_directory: where these lie; empty for `iiif-pyramids` in Orthanc's storage folder.
        jpeg_quality: of the JPEG files that are made.
        max_age_seconds: how long a browser may show an image without asking again; 0 for never.
        convert_colours: images with an ICC profile are converted to sRGB; else the profile goes
            along.
        spool_directory: where sources and models lie while they are worked on; empty for the
            system's temporary folder.
        worker_executable: the Python interpreter of the workers; empty to find it.
    """

    workers: int = _whole("Workers", 0, 0, 256)
    max_task_seconds: int = _whole("MaxTaskSeconds", 900, 1, 86_400)
    max_task_memory_mib: int = _whole("MaxTaskMemoryMiB", 0, 0, 1 << 20)
    max_volume_mib: int = _whole("MaxVolumeMiB", 2048, 1, 1 << 20)
    max_triangles: int = _whole("MaxTriangles", 8_000_000, 100, 40_000_000)
    max_pending_jobs: int = _whole("MaxPendingJobs", 100, 1, 100_000)
    kept_jobs: int = _whole("KeptJobs", 100, 0, 10_000)
    jobs_in_orthanc: bool = _switch("JobsInOrthanc", default=True)
    public_url: str = _text("PublicUrl")
    max_pixels: int = _whole("MaxPixels", 25_000_000, 1 << 16, 1 << 30)
    tile_cache_mib: int = _whole("TileCacheMiB", 256, 1, 1 << 20)
    pyramid_cache_mib: int = _whole("PyramidCacheMiB", 10_240, 1, 1 << 30)
    pyramid_directory: str = _text("PyramidDirectory")
    jpeg_quality: int = _whole("JpegQuality", 90, 1, 100)
    max_age_seconds: int = _whole("MaxAgeSeconds", 0, 0, 31_536_000)
    convert_colours: bool = _switch("ConvertColours", default=False)
    spool_directory: str = _text("SpoolDirectory")
    worker_executable: str = _text("WorkerExecutable")

    @property
    def worker_count(self) -> int:
        """The number of worker processes to run, at least 1."""
        return self.workers or max(1, (os.cpu_count() or 2) - 1)


def setting_keys() -> tuple[str, ...]:
    """The keys that the section may hold, in their documented order."""
    return tuple(_key(setting) for setting in fields(Settings))


def read_settings(section: object) -> Settings:
    """The settings of a section as JSON gives it.

    Raises:
        ConfigurationError: the section is no object, a key is unknown, a value has the wrong type
            or lies outside its range; the message names key, value and the nearest right name.
    """
    if not isinstance(section, Mapping):
        raise ConfigurationError(f'"{SECTION}" is {section!r}: it must be an object {{...}}')
    by_key = {_key(setting): setting for setting in fields(Settings)}
    chosen: dict[str, int | str | bool] = {}
    for key, value in section.items():
        if key not in by_key:
            raise ConfigurationError(_unknown(str(key), value))
        chosen[by_key[key].name] = _checked(by_key[key], value)
    return Settings(**chosen)  # type: ignore[arg-type]  # _checked has compared each with its field


def _key(setting: Field[Any]) -> str:
    return str(setting.metadata["key"])


def _unknown(key: str, value: object) -> str:
    by_folded = {known.casefold(): known for known in setting_keys()}
    nearest = difflib.get_close_matches(key.casefold(), by_folded, n=1, cutoff=0.5)
    hint = (
        f'did you mean "{by_folded[nearest[0]]}"?'
        if nearest
        else f"the settings are {', '.join(setting_keys())}"
    )
    return f'"{SECTION}.{key}" (with the value {value!r}) is no setting: {hint}'


def _checked(setting: Field[Any], value: object) -> int | str | bool:
    name = f'"{SECTION}.{_key(setting)}"'
    if "switch" in setting.metadata:
        if not isinstance(value, bool):
            raise ConfigurationError(f"{name} is {value!r}: it must be true or false")
        return value
    if "range" not in setting.metadata:
        if not isinstance(value, str):
            raise ConfigurationError(f"{name} is {value!r}: it must be a text")
        return value
    lowest, highest = setting.metadata["range"]
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"{name} is {value!r}: it must be a whole number")
    if not lowest <= value <= highest:
        raise ConfigurationError(f"{name} is {value}: it must lie in {lowest}-{highest}")
    return value
