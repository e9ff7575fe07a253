"""Which images of a series are levels of the same pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orthanc_stl_plugin.wsi.padding import scales_of, unpadded_px
from orthanc_stl_plugin.wsi.slide_image import SlideImage

ROUNDING_PX: Final = 1.5  # software rounds the sizes of levels down, up, or to the nearest
ROUNDING_RATIO: Final = 1.01


def scans(images: Sequence[SlideImage]) -> list[list[SlideImage]]:
    """The images by scan, the largest scan first, and the largest image of each first.

    Images belong together if they share a Pyramid UID; without UIDs, if they have the same specimen
    and proportions, or but for padding the same area, by their pixel spacing. The Frame of
    Reference is ignored, because some software gives each level its own, unless two images of equal
    size and optical path would otherwise be the same level, or one is padded.
    """
    found: list[list[SlideImage]] = []
    for image in sorted(images, key=lambda image: (-image.width * image.height, image.recency)):
        fitting = [scan for scan in found if _belongs(image, scan)]
        uid = image.scan.frame_of_reference_uid
        apart = [not _is_proportional(image, scan[0]) for scan in fitting]
        if not all(apart):  # what is padded to other proportions may fit several
            fitting = [scan for scan, is_apart in zip(fitting, apart, strict=True) if not is_apart]
        fitting.sort(key=lambda scan: uid != scan[0].scan.frame_of_reference_uid)
        if fitting:
            fitting[0].append(image)
        else:
            found.append([image])
    return found


def _belongs(image: SlideImage, scan: Sequence[SlideImage]) -> bool:
    largest = scan[0]
    own, other = image.scan, largest.scan
    if own.pyramid_uid and other.pyramid_uid:
        return own.pyramid_uid == other.pyramid_uid
    if (
        own.specimen_uids
        and other.specimen_uids
        and own.specimen_uids.isdisjoint(other.specimen_uids)
    ):
        return False
    fits = _is_proportional(image, largest) or _is_padded(image, largest)
    return fits and not any(_rivals(image, one) for one in scan)


def _is_proportional(image: SlideImage, largest: SlideImage) -> bool:
    """Whether both can show the same area, given that sizes are rounded."""
    least, most = [], []
    for whole, part in ((largest.width, image.width), (largest.height, image.height)):
        least.append(whole / (part + ROUNDING_PX))
        most.append(whole / (part - ROUNDING_PX) if part > ROUNDING_PX else float("inf"))
    return max(least) <= min(most) * ROUNDING_RATIO


def _is_padded(image: SlideImage, largest: SlideImage) -> bool:
    """Whether both show the same area but for padding, by their spacing, in one frame."""
    scales = scales_of(largest.pixel_spacing_mm, image.pixel_spacing_mm)
    if scales is None or image.scan.frame_of_reference_uid != largest.scan.frame_of_reference_uid:
        return False
    width = unpadded_px(largest.width, image.width, image.tile_width, scales[0])
    height = unpadded_px(largest.height, image.height, image.tile_height, scales[1])
    return width is not None and height is not None


def _rivals(image: SlideImage, other: SlideImage) -> bool:
    """Whether two images would be the same level but have different frames of reference."""
    frames = {image.scan.frame_of_reference_uid, other.scan.frame_of_reference_uid}
    return (
        (image.width, image.height) == (other.width, other.height)
        and not set(image.optical_paths).isdisjoint(other.optical_paths)
        and len(frames - {""}) == 2
    )
