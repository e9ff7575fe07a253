"""The slide that the images of a series form together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.wsi.levels import LevelSet, level_set, plain_level
from orthanc_stl_plugin.wsi.padding import without_padding
from orthanc_stl_plugin.wsi.planes import Heights
from orthanc_stl_plugin.wsi.pyramid import (
    AssociatedImage,
    Flavour,
    FocalPlane,
    Level,
    OpticalPath,
    Pyramid,
    Slide,
)
from orthanc_stl_plugin.wsi.scans import scans
from orthanc_stl_plugin.wsi.slide_image import SlideImage


def slide(images: Sequence[SlideImage]) -> Slide:
    """The slide that the images of a series form.

    If several images have a frame for the same tile, optical path and focal plane, the most recent
    one is used. Images of equal size with different tile sizes are not mixed: those with the tile
    size of the most recent image are used.

    Raises:
        UnusableSource: no frame of the tiled images lies on a grid of tiles.
    """
    volumes = [image for image in images if _is_volume(image)]
    pyramids = tuple(
        pyramid for number, scan in enumerate(scans(volumes)) for pyramid in _pyramids(scan, number)
    )
    if volumes and not pyramids:
        raise UnusableSource("NoTileOnGrid", images=len(volumes))
    associated = tuple(
        AssociatedImage(_associated_flavour(image), plain_level(image))
        for image in images
        if not _is_volume(image) and image.frame_count
    )
    return Slide(pyramids, associated)


def _is_volume(image: SlideImage) -> bool:
    return image.flavour is Flavour.VOLUME and image.tiling is not None


def _associated_flavour(image: SlideImage) -> Flavour:
    return Flavour.OTHER if image.flavour is Flavour.VOLUME else image.flavour


def _pyramids(scan: Sequence[SlideImage], scan_number: int) -> Iterable[Pyramid]:
    def size(image: SlideImage) -> tuple[int, int]:
        return (image.width, image.height)

    by_size = sorted(scan, key=lambda image: (-image.width * image.height, size(image)))
    sets = [level_set(list(same_size)) for _, same_size in groupby(by_size, key=size)]
    paths = list(dict.fromkeys(path for levels in sets for path in levels.planes_z_mm))
    for path in paths:
        yield from _pyramids_of_path([s for s in sets if path in s.planes_z_mm], path, scan_number)


def _pyramids_of_path(
    sets: Sequence[LevelSet], path: OpticalPath, scan_number: int
) -> Iterable[Pyramid]:
    """One pyramid for each focal plane of the largest level."""
    planes = sets[0].planes_z_mm[path]
    levels: list[list[Level]] = [[] for _ in planes]
    for each in sets:
        own = each.planes_z_mm[path]
        for at, number in _same_planes(planes, own).items():
            if (path, number) in each.levels:  # otherwise all of its frames are missing
                levels[at].append(each.levels[path, number])
    for at, z_mm in enumerate(planes):
        if levels[at]:
            yield Pyramid(without_padding(levels[at]), path, FocalPlane(at, z_mm), scan_number)


def _same_planes(planes: Heights, others: Heights) -> dict[int, int]:
    """For each plane of the largest level, the matching plane of a smaller level, if any.

    With equal numbers of planes, they match in order. Otherwise they match by height, or in order
    if the heights are unknown.
    """
    if len(planes) == len(others):
        return {at: at for at in range(len(planes))}
    same: dict[int, int] = {}
    for number, z_mm in enumerate(others):
        heights = [z for z in planes if z is not None]
        if z_mm is None or len(heights) < len(planes):
            at = number
        else:
            at = min(range(len(heights)), key=lambda index: abs(heights[index] - z_mm))
        if at < len(planes):
            same.setdefault(at, number)
    return same
