"""Answers of the IIIF Image API: the shortest way from a request to the bytes of an image."""

from __future__ import annotations

import hashlib
import logging
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import NotFound, UnusableSource
from orthanc_stl_plugin.formats.pixels import jpeg
from orthanc_stl_plugin.iiif.image.encode import MEDIA_TYPES, encode
from orthanc_stl_plugin.iiif.image.info import ImageDescription, info_v2, info_v3
from orthanc_stl_plugin.iiif.image.plan import Placement, RenderPlan, StoredTile, plan
from orthanc_stl_plugin.iiif.image.render import assemble, render
from orthanc_stl_plugin.iiif.image.request import Format, Version, parse_request
from orthanc_stl_plugin.iiif.image.resolve import (
    Limits,
    Resolved,
    canonical,
    resolve,
    rotated_extent,
)
from orthanc_stl_plugin.services.byte_cache import ByteCache, CacheCounts
from orthanc_stl_plugin.services.images.drawing_line import DrawingLine
from orthanc_stl_plugin.services.images.frames import Pixels
from orthanc_stl_plugin.services.images.missing_levels import MadeLevels
from orthanc_stl_plugin.services.images.open_image import OpenImage
from orthanc_stl_plugin.services.images.opened_images import ImageName, Images
from orthanc_stl_plugin.wsi.pyramid import FrameAddress, Level

# What one answer may decode without a pyramid that was made for the image.
_MOST_DECODED_PX: Final = 24_000_000
_MOST_TILES: Final = 200
_LARGEST_REDUCTION: Final = 8
# What is drawn before it is scaled: at most so many pixels for each of the answer's, as where a
# level is a quarter of the next; for a small answer so many; for the largest one, four for each.
_CANVAS_PX_PER_PX: Final = 16
_SMALL_CANVAS_PX: Final = 16_000_000
_CANVAS_PX_PER_LARGEST: Final = 4
_BYTES_PER_RENDITION: Final = 2000  # roughly
_BYTES_PER_PLACEMENT: Final = 200
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Rendition:
    """One image to answer. It does not keep the files open that it is made of.

    Attributes:
        etag: another one for other bytes.
        canonical: the last four segments of its canonical address.
        media_type: of the bytes.
        byte_count: what the rendition takes in memory, roughly, without its content.
        asked: the image's name, the version and the segments of its address.
        image: which is kept open elsewhere.
        resolved: the image to make.
        drawn: how.
        stored: the frame that it is, or that it is cut from without loss; None if there is none.
        maker: makes it.
        is_sure: whether the image surely still is what its name stands for.
        read: reads that frame, once it is known to be the answer.
    """

    etag: str
    canonical: str
    media_type: str
    byte_count: int
    asked: tuple[ImageName, Version, Sequence[str]]
    image: weakref.ref[OpenImage]
    resolved: Resolved
    drawn: RenderPlan
    stored: FrameAddress | None
    maker: Renditions
    is_sure: Callable[[], bool]
    read: Callable[[], bytes] | None = None

    def is_current(self) -> bool:
        """Whether the archive's content still is what it is made of."""
        return self.is_sure() or self.maker.is_current(self)

    def prepare(self) -> None:
        """Waits for the levels that it is drawn of, which `content` would do else.

        Raises:
            Busy: that takes longer, or too many wait.
        """
        self.maker.prepare(self)

    def place(self) -> AbstractContextManager[None]:
        """Kept while its bytes are made or waited for; nothing where they are stored.

        Raises:
            Busy: on entering, when too many pictures are drawn or waited for.
        """
        return self.maker.place(self)

    def content(self) -> bytes:
        """Makes the bytes.

        Raises:
            NotFound: the image is no longer in the archive.
            UnusableSource: it cannot be shown.
        """
        return self.maker.content(self)


@dataclass(frozen=True, slots=True)
class Information:
    """An image information document and its ETag."""

    etag: str
    document: dict[str, object]


class Renditions:
    """Answers from the images of the archive.

    Args:
        images: opens them.
        made_levels: the levels that large images lack.
        settings: limits, and how pixels are encoded.
        line: where pictures wait until they are drawn.
    """

    def __init__(
        self, images: Images, made_levels: MadeLevels, settings: Settings, line: DrawingLine
    ) -> None:
        self._images = images
        self._made_levels = made_levels
        self._limits = Limits(max_area=settings.max_pixels)
        self._largest_canvas = _CANVAS_PX_PER_LARGEST * settings.max_pixels
        self._jpeg = partial(jpeg.encode, quality=settings.jpeg_quality)
        self._tiles = ByteCache[Pixels](settings.half_tile_cache_bytes, lambda tile: tile.nbytes)
        self._line = line

    def counts(self) -> dict[str, CacheCounts]:
        """What its cache has done, and holds."""
        return {"iiif_tile": self._tiles.counts()}

    def information(self, name: ImageName, version: Version, service_id: str) -> Information:
        """The image information document of an image, whose base URI is `service_id`.

        Raises:
            NotFound: there is no such image.
            UnusableSource: it has no pixels that can be shown.
        """
        image = self._images.open(name)
        make = info_v3 if version is Version.V3 else info_v2
        spacing = image.levels[0].pixel_spacing_mm
        description = ImageDescription(
            has_colour=image.samples > 1,
            pixel_spacing_mm=(spacing[1], spacing[0]) if spacing else None,
        )
        document = make(service_id, image.shapes, self._limits, description)
        etag = _digest(image.revision, version.name, service_id, str(self._limits))
        return Information(etag, document)

    def image(self, name: ImageName, version: Version, segments: Sequence[str]) -> Rendition:
        """What the last four segments of an address stand for.

        Raises:
            BadRequest: they are no request, or ask for what is outside the image or a limit.
            NotSupported: they are one, but for a format that is not built.
            NotFound: there is no such image.
            UnusableSource: it cannot be shown.
        """
        return self._made_of(self._shown(name), name, version, segments)

    def is_current(self, rendition: Rendition) -> bool:
        """Whether the image of which a rendition is made still is what its name stands for."""
        image = rendition.image()
        return image is not None and self._shown(rendition.asked[0]) is image

    def prepare(self, rendition: Rendition) -> None:
        """Waits for the levels that a rendition is drawn of; raises as its `prepare`."""
        image = rendition.image()
        if rendition.stored is None and image is not None and _lacks_levels(image, rendition.drawn):
            with suppress(NotFound):  # replaced by another file, perhaps: `content` will see
                self._made_levels.completed(image)

    def place(self, rendition: Rendition) -> AbstractContextManager[None]:
        """The place in the line of who waits for a rendition; see its `place`."""
        if rendition.stored is not None:
            return nullcontext()
        return self._line.place(_pixels(rendition.resolved, rendition.drawn))

    def content(self, rendition: Rendition) -> bytes:
        """Makes the bytes of a rendition, which raises as its `content`."""
        name = rendition.asked[0]
        try:
            if rendition.read is not None:
                return rendition.read()
            image = rendition.image()
            if image is not None:
                return self._answer(image, rendition)
        except NotFound:  # replaced by another file, perhaps: but now
            self._images.forget(name)
        image = self._shown(name)
        return self._answer(image, self._made_of(image, *rendition.asked))

    def _shown(self, name: ImageName) -> OpenImage:
        return self._made_levels.extended(self._images.open(name))

    def _made_of(
        self, image: OpenImage, name: ImageName, version: Version, segments: Sequence[str]
    ) -> Rendition:
        request = parse_request(version, *segments)
        full = image.levels[0]
        size = full.width, full.height
        resolved = resolve(request, *size, self._limits, has_colour=image.samples > 1)
        address = canonical(resolved, version, size, self._limits)
        # An image that lacks levels may get them before it is drawn.
        largest_canvas = self._canvas_of(resolved) if image.gap is None else None
        drawn = plan(resolved, image.shapes, _LARGEST_REDUCTION, largest_canvas)
        tile = drawn.stored_tile if resolved.format is Format.JPG else None
        return Rendition(
            etag=_digest(image.layout, address, str(self._limits)),
            canonical=address,
            media_type=MEDIA_TYPES[resolved.format],
            byte_count=_BYTES_PER_RENDITION + _BYTES_PER_PLACEMENT * len(drawn.placements),
            asked=(name, version, segments),
            image=weakref.ref(image),
            resolved=resolved,
            drawn=drawn,
            stored=image.levels[drawn.level].frame(tile.column, tile.row) if tile else None,
            maker=self,
            is_sure=image.freshness.is_sure if image.gap is None else _never,
        )

    def _answer(self, image: OpenImage, rendition: Rendition) -> bytes:
        resolved, drawn, stored = rendition.resolved, rendition.drawn, rendition.stored
        if stored is not None and drawn.stored_tile is not None:
            content = self._stored(image, rendition, drawn.stored_tile, stored)
            if content is not None:
                return content
        if not image.is_there(drawn.level):
            raise NotFound("ImageNotInArchive")
        return self._drawn(image, resolved, drawn)

    def _stored(
        self, image: OpenImage, rendition: Rendition, tile: StoredTile, address: FrameAddress
    ) -> bytes | None:
        """The stored bytes of a tile, if they can be given unchanged or cropped without loss."""
        shown = image.levels[rendition.drawn.level]
        source = image.sources[address.instance_id]
        if not source.is_there():
            raise NotFound("ImageNotInArchive")
        try:
            read = source.jpeg_reader(address.frame_index, shown.seen(tile.column, tile.row))
        except UnusableSource:
            return None  # drawing it will tell
        if read is None:
            return None
        if (tile.width, tile.height) == (shown.tile_width, shown.tile_height):
            rendition.read = read
            return read()
        if image.has_large_tiles(rendition.drawn.level):
            return None  # to crop one takes the coefficients of all its pixels into memory
        return jpeg.crop(read(), tile.width, tile.height)

    def _drawn(self, image: OpenImage, resolved: Resolved, drawn: RenderPlan) -> bytes:
        if _lacks_levels(image, drawn):
            image = self._made_levels.completed(image)
            canvas_px = self._canvas_of(resolved)
            drawn = plan(resolved, image.shapes, _LARGEST_REDUCTION, canvas_px)
        elif image.gap is not None and image.has_large_tiles(drawn.level):
            self._made_levels.start(image)
        with self._line.turn(_pixels(resolved, drawn)):
            level = image.levels[drawn.level]
            tiles = self._decoded(image, level, drawn)
            canvas = assemble(tiles, drawn, level.absent_rgb[: image.samples])
            pixels = render(canvas, drawn, resolved)
            return encode(pixels, resolved.format, self._jpeg, image.icc_profile)[0]

    def _canvas_of(self, resolved: Resolved) -> int:
        """The most pixels to draw an answer of: else 10000 x 1 would take all of the image."""
        answer_px = resolved.output_width * resolved.output_height
        return min(self._largest_canvas, max(_SMALL_CANVAS_PX, _CANVAS_PX_PER_PX * answer_px))

    def _decoded(
        self, image: OpenImage, level: Level, drawn: RenderPlan
    ) -> Iterator[tuple[Placement, Pixels]]:
        for placement in drawn.placements:
            address = level.frame(placement.column, placement.row)
            if address is not None:
                source = image.sources[address.instance_id]
                seen = level.seen(placement.column, placement.row)
                make = partial(source.pixels, address.frame_index, drawn.reduce_by, seen)
                key = (image.revision, address, drawn.reduce_by)
                try:
                    tile = self._tiles.get(key, make)
                except UnusableSource as error:
                    if level.columns * level.rows == 1:
                        raise
                    _log.warning("%s is drawn as absent: %s", address, error)
                    continue
                yield placement, tile


def _pixels(resolved: Resolved, drawn: RenderPlan) -> int:
    """What drawing costs: the pixels that are drawn of levels, and those that are sent."""
    size = resolved.output_width, resolved.output_height
    width, height = rotated_extent(*size, resolved.rotation_degrees)
    return drawn.canvas_width * drawn.canvas_height + width * height


def _lacks_levels(image: OpenImage, drawn: RenderPlan) -> bool:
    """Whether so much has to be decoded that levels had better be made first."""
    if image.gap is None:
        return False
    level = image.levels[drawn.level]
    if image.has_large_tiles(drawn.level) and _is_costly(image, level, drawn):
        return True
    pixels = len(drawn.placements) * level.tile_width * level.tile_height
    if image.decodes_reduced:
        pixels //= drawn.reduce_by**2
    return pixels > _MOST_DECODED_PX or len(drawn.placements) > _MOST_TILES


def _is_costly(image: OpenImage, level: Level, drawn: RenderPlan) -> bool:
    """Whether a frame takes memory that the server does not give for so few stored bytes."""
    found = (level.frame(one.column, one.row) for one in drawn.placements)
    addresses = (address for address in found if address is not None)
    return any(image.sources[one.instance_id].is_costly(one.frame_index) for one in addresses)


def _never() -> bool:
    """Of an image that lacks levels: they may have been made since."""
    return False


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()
