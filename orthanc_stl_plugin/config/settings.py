"""Every setting, its default and its limits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Meta, inspect, structs

from orthanc_stl_plugin.config.presentation import Presentation, Publish
from orthanc_stl_plugin.config.section import Section, WebAddress
from orthanc_stl_plugin.config.texts import Texts
from orthanc_stl_plugin.errors import ConfigurationError
from orthanc_stl_plugin.schema import Invalid, UnknownName, read, that_must

SECTION: Final = "OrthancStlPlugin"
_LEAST_TASK_MEMORY_MIB: Final = 512


class Settings(Section, frozen=True):
    """What the administrator chose."""

    workers: Annotated[
        int,
        Meta(
            ge=0,
            le=256,
            description="Processes that make models, beside one for pictures and lists and "
            "one for pyramids. 0: one less than the machine has cores, at least 1",
        ),
    ] = 0
    max_task_seconds: Annotated[
        int,
        Meta(
            ge=1, le=86_400, description="The longest that making all models of one order may take"
        ),
    ] = 900
    max_task_memory_mib: Annotated[
        int,
        that_must("be 0, or a whole number in 512-1048576"),
        Meta(
            ge=0,
            le=1 << 20,
            description="The most address space of one worker process, at least 512. 0: what the "
            "machine, or its container, has",
        ),
    ] = 0
    max_volume_mib: Annotated[
        int,
        Meta(
            ge=1, le=1 << 20, description="The largest volume that is accepted, after decompression"
        ),
    ] = 2048
    max_triangles: Annotated[
        int,
        Meta(
            ge=100,
            le=40_000_000,
            description="The most triangles of one stored model; an STL file has 50 bytes for each",
        ),
    ] = 8_000_000
    max_texture_pixels: Annotated[
        int,
        Meta(
            ge=1 << 16,
            le=1 << 32,
            description="The most pixels of all pictures on one model that is attached (two "
            "of 8192 x 8192)",
        ),
    ] = 134_217_728
    max_pending_jobs: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="How many jobs may wait, paused ones included, before a request is "
            "answered 503",
        ),
    ] = 100
    kept_jobs: Annotated[
        int,
        Meta(
            ge=0, le=10_000, description="How many finished jobs are remembered, over a restart too"
        ),
    ] = 100
    jobs_in_orthanc: Annotated[
        bool,
        Meta(
            description="Our jobs are shown among Orthanc's own, under `/jobs`. With `false` "
            "they are under `/stl/jobs` alone"
        ),
    ] = True
    public_url: Annotated[
        WebAddress,
        Meta(
            description="The address of this server's root as clients see it: the identifiers "
            "of IIIF start with it. Empty: taken from each request's `Forwarded`, "
            "`X-Forwarded-Host`, `-Proto`, `-Prefix` or `Host`"
        ),
    ] = ""
    max_pixels: Annotated[
        int,
        Meta(ge=1 << 16, le=1 << 30, description="The most pixels of one IIIF image answer"),
    ] = 25_000_000
    tile_cache_mib: Annotated[
        int,
        Meta(
            ge=1,
            le=1 << 20,
            description="The most memory for tiles and other answers, and the pixels they are "
            "made of; what was asked for takes up to 32 MiB more",
        ),
    ] = 384
    pyramid_cache_mib: Annotated[
        int,
        Meta(
            ge=1,
            le=1 << 30,
            description="The most disk space for the pyramids that are made of large images",
        ),
    ] = 10_240
    pyramid_directory: Annotated[
        str,
        Meta(
            description="Where these lie. Empty: `iiif-pyramids` in Orthanc's storage folder. "
            "Several Orthancs may share one"
        ),
    ] = ""
    jpeg_quality: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="Of the JPEG files that are made; JPEG tiles of a slide are served as "
            "they are stored",
        ),
    ] = 90
    max_age_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=31_536_000,
            description="How long a browser may show a IIIF image or `info.json` without "
            "asking again; manifests are asked for each time. 0: it asks each "
            "time, and is answered 304 when nothing has changed",
        ),
    ] = 0
    convert_colours: Annotated[
        bool,
        Meta(
            description="Images with an ICC profile are converted to sRGB. With `false` the "
            "profile goes along"
        ),
    ] = False
    manifest_cache_mib: Annotated[
        int,
        Meta(ge=1, le=1 << 20, description="The most memory for IIIF manifests and collections"),
    ] = 64
    presentation: Presentation = Presentation()
    publish: Publish = Publish()
    spool_directory: Annotated[
        str,
        Meta(
            description="Where sources and models lie while they are worked on, and copies of "
            "the images that Orthanc keeps compressed or elsewhere: at most 4 "
            "GiB, and half of what is free at start. Empty: the system's "
            "temporary folder"
        ),
    ] = ""
    worker_executable: Annotated[
        str,
        Meta(
            description="The Python interpreter of the workers. Empty: the one of the version "
            "that Orthanc embeds"
        ),
    ] = ""

    def __post_init__(self) -> None:
        """Refuses memory with which a worker cannot load what it needs."""
        if 0 < self.max_task_memory_mib < _LEAST_TASK_MEMORY_MIB:
            raise ValueError(f"have a MaxTaskMemoryMiB of {_LEAST_TASK_MEMORY_MIB} or more, or 0")

    @property
    def half_tile_cache_bytes(self) -> int:
        """What finished answers may take in memory, and decoded tiles once more."""
        return (self.tile_cache_mib << 20) // 2

    @property
    def worker_count(self) -> int:
        """The number of worker processes to run, at least 1."""
        return self.workers or max(1, (os.cpu_count() or 2) - 1)


class Documented(NamedTuple):
    """What docs/settings.md says of a setting.

    Attributes:
        place: its dotted place in the section.
        default: as JSON has it.
        meaning: in Markdown.
    """

    place: str
    default: object
    meaning: str


def documented(kind: type[Section] = Settings, prefix: str = "") -> Iterator[Documented]:
    """All settings, in the order of their declaration."""
    for one in structs.fields(kind):
        place = prefix + one.encode_name
        if isinstance(one.default, Section):
            yield from documented(type(one.default), f"{place}.")
        else:
            info: Any = inspect.type_info(one.type)
            default = msgspec.to_builtins(one.default, enc_hook=Texts.to_setting)
            yield Documented(place, default, info.extra_json_schema["description"])


def read_settings(value: object) -> Settings:
    """The settings of the section as JSON gives it.

    Raises:
        ConfigurationError: it is no object, a key is unknown, a value has the wrong type or lies
            outside its range; the message names key, value and the nearest right name.
    """
    try:
        return read(Settings, value, (SECTION,))
    except Invalid as error:
        said = "" if error.value is UNSET else f" is {error.value!r}: it"
        raise ConfigurationError(f'"{".".join(error.path)}"{said} must {error.must}') from error
    except UnknownName as error:
        name = ".".join((*error.path, error.name))
        hint = (
            f'did you mean "{error.nearest}"?'
            if error.nearest
            else f"the settings are {', '.join(error.known)}"
        )
        raise ConfigurationError(
            f'"{name}" (with the value {error.value!r}) is no setting: {hint}'
        ) from error
