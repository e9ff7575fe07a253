"""Where the pixels of a tile come from: frames of DICOM files, or the levels made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGBaseline8Bit, JPEGExtended12Bit

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.dataset import tolerating
from orthanc_stl_plugin.formats.pixels import jpeg
from orthanc_stl_plugin.formats.pixels.display import Display
from orthanc_stl_plugin.formats.pixels.frame_decoder import FrameDecoder
from orthanc_stl_plugin.formats.pixels.frame_index import ITEM_HEADER
from orthanc_stl_plugin.formats.pixels.icc_profile import is_sound, profile_of, to_srgb
from orthanc_stl_plugin.formats.pixels.image_file import ImageFile
from orthanc_stl_plugin.formats.pixels.level_file import TileFile, halved
from orthanc_stl_plugin.formats.pixels.slide_image import WHOLE_SLIDE_SOP_CLASS_UID, free_places
from orthanc_stl_plugin.services.images.local_files import LocalPart, read_part

type Pixels = NDArray[np.uint8]

_JPEG_SYNTAXES: Final = (JPEGBaseline8Bit, JPEGExtended12Bit)
_REDUCIBLE_SYNTAXES: Final = (*_JPEG_SYNTAXES, *JPEG2000TransferSyntaxes)
_FRAMES_LOOKED_AT: Final = 16
# What decoding a frame may take inside the server, and for each byte that is stored of it.
_MOST_WORKING_BYTES: Final = 168 << 20
_MOST_WORKING_PER_STORED: Final = 160
_DISPLAYS_KEPT: Final = 64
_JPEG_START: Final = b"\xff\xd8"
_JPEG_SCAN: Final = b"\xff\xda"
_QUALITY_OF_MADE: Final = 95
_HEADS_KEPT: Final = 64
# Bytes around a frame that lies in one piece: none, or the header of an item.
_WRAPPINGS: Final = (0, ITEM_HEADER.size)


class FrameSource(Protocol):
    """Frames, counted from 0, as pixels to show. Every method may be called by several threads.

    They raise NotFound when the file is no longer in the archive, UnusableSource for a frame that
    is damaged.
    """

    @property
    def path(self) -> Path | None:
        """The file that they lie in, if it is a local one."""
        ...

    @property
    def value_range(self) -> tuple[int, int] | None:
        """The stored values that are shown from black to white, where that had to be chosen."""
        ...

    def jpeg_reader(
        self, frame_index: int, seen: tuple[int, int] | None = None
    ) -> Callable[[], bytes] | None:
        """What reads the stored frame, if it is a JPEG that every browser shows as it is meant.

        It may be called again for as long as the file stays in the archive. At the edge of a slide,
        `seen` (rows, columns) is all that is shown of a frame: some writers store nothing else.
        """
        ...

    def pixels(
        self, frame_index: int, reduce_by: int = 1, seen: tuple[int, int] | None = None
    ) -> Pixels:
        """(ceil(rows / reduce_by), ceil(columns / reduce_by), 1 or 3) grey or RGB.

        Rows and columns are those of the frame, or `seen` where nothing else is stored.
        """
        ...

    def is_costly(self, frame_index: int) -> bool:
        """Whether decoding the frame takes memory that a worker must be asked for."""
        ...

    def is_there(self) -> bool:
        """Whether the archive still holds the file, as far as that is seen without asking it."""
        ...


class StoredFrames:
    """The frames of a DICOM file.

    Args:
        image: what is known of the file.
        read: gives the stored bytes of a frame.
        groups: gives the functional groups of a frame: but for slides, each is shown as these say.
        path: of the file, if it is a local one.
        converts_colours: to sRGB from the colours of the image's ICC profile.

    Attributes:
        samples: of a pixel that is shown: 1, grey, or 3, RGB.
        icc_profile: of the colours that are shown, all frames alike.
        is_lossy: whether the file says that it was compressed with loss.
        decodes_reduced: whether less is decoded for a smaller image.

    Raises:
        UnusableSource: its pixels cannot be decoded or shown.
    """

    def __init__(
        self,
        image: ImageFile,
        read: Callable[[int], bytes],
        groups: Callable[[int], Dataset] | None = None,
        path: Path | None = None,
        *,
        converts_colours: bool = False,
    ) -> None:
        header = image.header
        self._read = read
        # The frames of a slide are one picture, whatever is said of each.
        self._groups = None if header.get("SOPClassUID") == WHOLE_SLIDE_SOP_CLASS_UID else groups
        self.path = path
        self._header = header
        self._frames = image.frames
        self._decoder = FrameDecoder(header)
        self._photometric = str(header.get("PhotometricInterpretation") or "")
        self.is_lossy = _is_lossy(image)
        self.decodes_reduced = image.transfer_syntax_uid in _REDUCIBLE_SYNTAXES
        self.spread(None)
        is_jpeg = image.transfer_syntax_uid in _JPEG_SYNTAXES
        profile = self._profile(is_jpeg=is_jpeg) if self.samples > 1 else None
        self._conversion = profile if converts_colours else None
        self._may_be_jpeg = is_jpeg and not self._conversion
        self.icc_profile = None if converts_colours else profile

    def spread(self, value_range: tuple[int, int] | None) -> None:
        """Shows these stored values from black to white, where no window says something else."""
        self.value_range = value_range
        self._display = lru_cache(_DISPLAYS_KEPT)(partial(self._new_display, value_range))
        display = self._display(0)
        self.samples = display.samples
        self.lacks_window = display.lacks_window

    @property
    def display_bytes(self) -> int:
        """What the displays that are kept may take in memory: one for all frames, or for each."""
        count = min(len(self._frames), _DISPLAYS_KEPT) if self._groups else 1
        return count * self._display(0).byte_count

    def seen_range(
        self, frame_indices: Sequence[int], seen: Callable[[int], tuple[int, int]] | None = None
    ) -> tuple[int, int]:
        """The lowest and the highest stored value of some of these frames.

        `seen` tells the rows and columns that are shown of one of them, by its number here. One
        frame at a time is in memory.
        """
        lowest, highest = [], []
        for number in _looked_at(frame_indices):
            samples = self._decoder.decode(
                self._read(frame_indices[number]),
                frame_indices[number],
                seen=seen(number) if seen else None,
            )
            lowest.append(int(samples.min()))
            highest.append(int(samples.max()))
            del samples  # before the next one is decoded
        return min(lowest), max(highest)

    def is_range_costly(self, frame_indices: Sequence[int]) -> bool:
        """Whether `seen_range` would decode a frame that is costly."""
        return any(self.is_costly(frame_indices[one]) for one in _looked_at(frame_indices))

    def jpeg_reader(
        self, frame_index: int, seen: tuple[int, int] | None = None
    ) -> Callable[[], bytes] | None:
        """See FrameSource."""
        display = self._display(frame_index if self._groups else 0)
        if not (self._may_be_jpeg and display.shows_as_stored):
            return None
        stored = self._read(frame_index)
        whole = self._decoder.shape
        shapes = (whole,) if seen is None else (whole, (*seen, whole[2]))
        shown = self._shown(stored, shapes)
        if shown is None:
            return None
        part = None
        if self.path is not None:
            offset, length = self._frames.span(frame_index)
            if length - len(stored) in _WRAPPINGS:
                part = _part(self.path, offset + length - len(stored), stored, shown)
        return part.read if part else partial(self._browser_jpeg, frame_index, shapes)

    def _browser_jpeg(self, frame_index: int, shapes: tuple[jpeg.Shape, ...]) -> bytes:
        stored = self._read(frame_index)
        return self._shown(stored, shapes) or stored

    def _shown(self, stored: bytes, shapes: tuple[jpeg.Shape, ...]) -> bytes | None:
        return jpeg.browser_jpeg(stored, self._photometric, self.icc_profile, shapes)

    def pixels(
        self, frame_index: int, reduce_by: int = 1, seen: tuple[int, int] | None = None
    ) -> Pixels:
        """See FrameSource."""
        stored = self._decoder.decode(self._read(frame_index), frame_index, reduce_by, seen)
        shown = self._display(frame_index if self._groups else 0).to_8bit(stored)
        return to_srgb(shown, self._conversion) if self._conversion else shown

    def is_costly(self, frame_index: int) -> bool:
        """See FrameSource."""
        _, stored_bytes = self._frames.span(frame_index)
        limit = max(_MOST_WORKING_BYTES, _MOST_WORKING_PER_STORED * stored_bytes)
        return self._decoder.working_bytes > limit

    def is_there(self) -> bool:
        """See FrameSource."""
        return self.path is None or self.path.exists()

    def _profile(self, *, is_jpeg: bool) -> bytes | None:
        """That of the data set, else of the first frame: some writers leave it in the JPEG."""
        profile = profile_of(self._header)
        if profile is None and is_jpeg:
            with suppress(UnusableSource):  # the frame is damaged, as its pixels will tell
                profile = jpeg.embedded_profile(self._read(0))
        return profile if profile and is_sound(profile) else None

    def _new_display(self, value_range: tuple[int, int] | None, frame_index: int) -> Display:
        group = self._groups(frame_index) if self._groups else None
        return Display(self._header, group, value_range)


class OverlaidFrames(StoredFrames):
    """The tiles of a grid, drawn of frames that lie beside it; a later one covers earlier ones.

    It takes what StoredFrames takes, and what is drawn where no frame is.

    Args:
        absent_rgb: of the places without a frame.
        taken: for StoredFrames.
    """

    def __init__(
        self, absent_rgb: tuple[int, int, int], image: ImageFile, *taken: Any, **choices: Any
    ) -> None:
        super().__init__(image, *taken, **choices)
        self._absent_rgb = absent_rgb
        with tolerating("the places of the frames"):
            positions = free_places(image)
            columns = -(-int(image.header.TotalPixelMatrixColumns) // self._decoder.shape[1])
        if positions is None:
            raise UnusableSource("FramesOnGrid")
        self._positions, self._columns = positions, columns
        self.decodes_reduced = False

    def seen_range(
        self,
        frame_indices: Sequence[int],  # noqa: ARG002  # of tiles, and the frames are looked at
        seen: Callable[[int], tuple[int, int]] | None = None,  # noqa: ARG002
    ) -> tuple[int, int]:
        """See StoredFrames."""
        return super().seen_range(range(len(self._frames)))

    def jpeg_reader(
        self,
        frame_index: int,  # noqa: ARG002  # no tile is stored
        seen: tuple[int, int] | None = None,  # noqa: ARG002
    ) -> Callable[[], bytes] | None:
        """See FrameSource."""
        return None

    def pixels(
        self,
        frame_index: int,
        reduce_by: int = 1,
        seen: tuple[int, int] | None = None,  # noqa: ARG002  # tiles have all rows and columns
    ) -> Pixels:
        """See FrameSource."""
        rows, columns, _ = self._decoder.shape
        row, column = divmod(frame_index, self._columns)
        left, top = column * columns, row * rows
        tile = np.empty((rows, columns, self.samples), np.uint8)
        tile[:] = np.array(self._absent_rgb[: self.samples], np.uint8)
        offsets = self._positions - (left, top)
        meets = (offsets > (-columns, -rows)).all(axis=1) & (offsets < (columns, rows)).all(axis=1)
        meets &= (self._positions >= 0).all(axis=1)
        for number in np.flatnonzero(meets).tolist():
            x, y = offsets[number].tolist()
            frame = super().pixels(number)
            part = frame[max(0, -y) : rows - max(0, y), max(0, -x) : columns - max(0, x)]
            tile[max(0, y) : max(0, y) + len(part), max(0, x) : max(0, x) + part.shape[1]] = part
        while reduce_by > 1:
            tile, reduce_by = halved(tile), reduce_by // 2
        return tile

    def is_costly(self, frame_index: int) -> bool:  # noqa: ARG002  # of a tile: frames are alike
        """See FrameSource."""
        return super().is_costly(0)


def _looked_at(frame_indices: Sequence[int]) -> range:
    """The numbers of those that tell of all the others."""
    return range(0, len(frame_indices), -(-len(frame_indices) // _FRAMES_LOOKED_AT))


def _is_lossy(image: ImageFile) -> bool:
    with tolerating("the lossy image compression"):
        says_so = str(image.header.get("LossyImageCompression") or "") == "01"
    return says_so or image.transfer_syntax_uid in _JPEG_SYNTAXES


class MadeFrames:
    """The tiles of a made level, as frames counted along the rows.

    Args:
        level: where they lie.
        icc_profile: of their colours.
    """

    def __init__(self, level: TileFile, icc_profile: bytes | None) -> None:
        self._level = level
        self.path = level.path
        self.value_range = None
        self._icc_profile = icc_profile

    def jpeg_reader(
        self,
        frame_index: int,
        seen: tuple[int, int] | None = None,  # noqa: ARG002  # its tiles are what they should be
    ) -> Callable[[], bytes] | None:
        """See FrameSource."""
        tile = self._tile(frame_index)
        if not tile.startswith(_JPEG_START):
            return None
        shown = jpeg.browser_jpeg(tile, "", self._icc_profile)
        offset = self._level.offsets.item(frame_index)
        part = _part(self.path, offset, tile, shown) if shown else None
        return part.read if part else None

    def pixels(
        self,
        frame_index: int,
        reduce_by: int = 1,
        seen: tuple[int, int] | None = None,  # noqa: ARG002  # as above
    ) -> Pixels:
        """See FrameSource."""
        tile = self._tile(frame_index)
        if tile.startswith(_JPEG_START):
            return jpeg.decode(tile, reduce_by=reduce_by)
        with Image.open(BytesIO(tile)) as image:
            pixels = np.atleast_3d(np.asarray(image))
        while reduce_by > 1:
            pixels, reduce_by = halved(pixels), reduce_by // 2
        return pixels

    def is_costly(self, frame_index: int) -> bool:  # noqa: ARG002  # its tiles are small
        """See FrameSource."""
        return False

    def is_there(self) -> bool:
        """See FrameSource."""
        return self.path.exists()

    def _tile(self, frame_index: int) -> bytes:
        begin, end = self._level.offsets[frame_index : frame_index + 2].tolist()
        return read_part(self.path, begin, end - begin)


def _part(path: Path, offset: int, stored: bytes, shown: bytes) -> LocalPart | None:
    """Where to read `shown`, when `stored` lies at `offset` and only its header differs."""
    if shown is stored:
        return LocalPart(path, offset, len(stored))
    kept = stored[stored.find(_JPEG_SCAN) :]
    if not shown.endswith(kept):
        return None
    skipped = len(stored) - len(kept)
    head = _shared_head(shown[: len(shown) - len(kept)])
    return LocalPart(path, offset + skipped, len(kept), head)


@lru_cache(_HEADS_KEPT)
def _shared_head(head: bytes) -> bytes:
    """The same object for all frames, as heads with colour profiles are large."""
    return head


def tile_encoder(*, is_lossy: bool) -> Callable[[Pixels], bytes]:
    """How tiles of a made level are encoded: without loss where the image has none."""
    return _as_jpeg if is_lossy else _as_png


def _as_jpeg(tile: Pixels) -> bytes:
    return jpeg.encode(tile, _QUALITY_OF_MADE)


def _as_png(tile: Pixels) -> bytes:
    stream = BytesIO()
    image = Image.fromarray(tile[..., 0] if tile.shape[2] == 1 else tile)
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()
