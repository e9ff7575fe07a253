"""Frames as pixels: stored JPEG where browsers show it right, windows, profiles, made tiles."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from orthanc_stl_plugin.errors import NotFound, TooLarge, UnusableSource
from orthanc_stl_plugin.formats.pixels.image_file import open_image
from orthanc_stl_plugin.formats.pixels.jpeg import encode as encode_jpeg
from orthanc_stl_plugin.formats.pixels.level_file import LevelWriter, read_levels
from orthanc_stl_plugin.services.images.frames import (
    FrameSource,
    MadeFrames,
    StoredFrames,
    tile_encoder,
)
from orthanc_stl_plugin.services.images.local_files import (
    LocalPart,
    local_frame,
    open_local,
    read_part,
)
from tests.support.frame_encoders import JPEG, jpeg_ls, jpeg_ybr
from tests.support.frame_samples import frame_file, photograph

PICTURE = photograph(64, 48)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# The same primaries, red and blue exchanged: what follows it looks quite different.
OTHER_RGB = SRGB.replace(b"rXYZ", b"----").replace(b"bXYZ", b"rXYZ").replace(b"----", b"bXYZ")
AS_JPEG: dict[str, Any] = {
    "transfer_syntax_uid": JPEG,
    "encoded": jpeg_ybr(PICTURE),
    "PhotometricInterpretation": "YBR_FULL_422",
}


def frames(content: bytes, **options: Any) -> StoredFrames:
    file = open_image(content)

    def read(index: int) -> bytes:
        offset, length = file.frames.span(index)
        return file.frames.unwrapped(content[offset : offset + length])

    return StoredFrames(file, read, **options)


def jpeg(source: FrameSource, frame_index: int = 0) -> bytes:
    """The stored frame, which is read twice."""
    read = source.jpeg_reader(frame_index)
    assert read is not None
    assert read() == read()
    return read()


def profile_in(content: bytes) -> bytes | None:
    with Image.open(BytesIO(content)) as image:
        profile: bytes | None = image.info.get("icc_profile")
        return profile


def test_a_native_frame_is_its_pixels():
    source = frames(frame_file(PICTURE))
    assert np.array_equal(source.pixels(0), PICTURE)
    assert (source.samples, source.is_lossy, source.jpeg_reader(0)) == (3, False, None)


def test_a_frame_is_reduced_when_it_is_decoded():
    assert frames(frame_file(PICTURE)).pixels(0, 4).shape == (12, 16, 3)
    assert frames(frame_file(PICTURE, **AS_JPEG)).pixels(0, 8).shape == (6, 8, 3)


def test_a_jpeg_that_browsers_show_right_is_given_as_it_is_stored():
    source = frames(frame_file(PICTURE, **AS_JPEG))
    assert jpeg(source).rstrip(b"\0") == AS_JPEG["encoded"].rstrip(b"\0")
    assert source.is_lossy


def test_a_jpeg_with_a_window_is_not_given_as_it_is_stored():
    grey = PICTURE[..., 0]
    options: dict[str, Any] = {"transfer_syntax_uid": JPEG, "encoded": jpeg_ybr(grey)}
    plain = frames(frame_file(grey, **options))
    narrow = frames(frame_file(grey, **options, WindowCenter="128", WindowWidth="20"))
    assert plain.jpeg_reader(0) is not None
    assert narrow.jpeg_reader(0) is None
    assert set(np.unique(narrow.pixels(0))) >= {0, 255}


@pytest.mark.parametrize(
    ("picture", "kept"),
    [
        (photograph(80, 48), 1.0),
        (photograph(64, 60), 1.0),
        (photograph(32, 24), 1.0),
        (PICTURE[..., 0], 1.0),
        (PICTURE, 0.5),
    ],
    ids=["wider", "higher", "smaller", "grey", "truncated"],
)
def test_a_jpeg_that_is_not_the_image_is_neither_given_nor_shown(picture: Any, kept: float):
    encoded = jpeg_ybr(picture)
    encoded = encoded[: int(len(encoded) * kept) // 2 * 2]
    source = frames(frame_file(PICTURE, **{**AS_JPEG, "encoded": encoded}))
    assert source.jpeg_reader(0) is None
    with pytest.raises(UnusableSource):
        source.pixels(0)


def test_a_jpeg_with_much_padding_is_given():
    encoded = AS_JPEG["encoded"] + bytes(1000)
    source = frames(frame_file(PICTURE, **{**AS_JPEG, "encoded": encoded}))
    assert jpeg(source) == encoded
    assert source.pixels(0).shape == (48, 64, 3)


def test_the_profile_goes_along_unless_colours_are_converted():
    content = frame_file(PICTURE, ICCProfile=SRGB, **AS_JPEG)
    kept, converted = frames(content), frames(content, converts_colours=True)
    assert kept.icc_profile is not None
    assert b"ICC_PROFILE" in jpeg(kept)
    assert converted.icc_profile is None
    assert converted.jpeg_reader(0) is None
    assert np.abs(converted.pixels(0).astype(int) - kept.pixels(0)).max() <= 2


def test_a_profile_that_stands_in_the_jpeg_alone_is_that_of_the_image():
    in_a_tile = {**AS_JPEG, "encoded": encode_jpeg(PICTURE, icc_profile=OTHER_RGB)}
    alone, converted = (
        frames(frame_file(PICTURE, **in_a_tile), converts_colours=converts)
        for converts in (False, True)
    )
    told = frames(frame_file(PICTURE, ICCProfile=OTHER_RGB, **in_a_tile), converts_colours=True)
    assert alone.icc_profile == OTHER_RGB
    assert profile_in(jpeg(alone)) == OTHER_RGB
    assert np.array_equal(converted.pixels(0), told.pixels(0))
    assert np.abs(converted.pixels(0).astype(int) - alone.pixels(0)).max() > 20
    assert converted.jpeg_reader(0) is None


def test_the_profile_of_the_data_set_counts_where_the_jpeg_has_another():
    in_a_tile = {**AS_JPEG, "encoded": encode_jpeg(PICTURE, icc_profile=OTHER_RGB)}
    source = frames(frame_file(PICTURE, ICCProfile=SRGB, **in_a_tile))
    assert source.icc_profile == profile_in(jpeg(source)) == SRGB


def test_a_grey_picture_does_not_get_a_profile_of_colours():
    options: dict[str, Any] = {"transfer_syntax_uid": JPEG, "encoded": jpeg_ybr(PICTURE[..., 0])}
    source = frames(frame_file(PICTURE[..., 0], ICCProfile=SRGB, **options))
    assert source.icc_profile is None
    assert b"ICC_PROFILE" not in jpeg(source)


def test_values_without_a_window_are_spread_as_told():
    stored = np.linspace(0, 4000, 64 * 48, dtype=np.uint16).reshape(48, 64)
    source = frames(frame_file(stored))
    assert source.lacks_window
    assert source.seen_range([0]) == (0, 4000)
    source.spread((0, 2000))
    assert source.value_range == (0, 2000)
    assert source.pixels(0)[24:, 10:].min() == 255


def test_a_file_says_whether_it_was_compressed_with_loss():
    assert frames(frame_file(PICTURE, LossyImageCompression="01")).is_lossy


def test_a_damaged_frame_is_unusable():
    damaged = {**AS_JPEG, "encoded": AS_JPEG["encoded"][:40]}
    with pytest.raises(UnusableSource):
        frames(frame_file(PICTURE, **damaged)).pixels(0)


def test_a_local_file_that_has_gone_is_not_found(tmp_path: Path):
    path = tmp_path / "image.dcm"
    path.write_bytes(frame_file(PICTURE))
    file = open_local(path)
    source = StoredFrames(file, lambda index: local_frame(path, file, index), path=path)
    assert source.is_there()
    path.unlink()
    assert not source.is_there()
    for ask in (lambda: source.pixels(0), lambda: open_local(path), lambda: read_part(path, 0, 1)):
        with pytest.raises(NotFound):
            ask()


def made(folder: Path, encode: Callable[[Any], bytes], profile: bytes | None = None):
    picture = photograph(700, 300)
    writer = LevelWriter(folder, encode, (700, 300))
    writer.push(picture)
    writer.close()
    return MadeFrames(read_levels(folder)[0], profile), picture


@pytest.mark.parametrize(
    ("photometric", "profile"),
    [("YBR_FULL_422", None), ("YBR_FULL_422", SRGB), ("RGB", None), ("RGB", SRGB)],
)
def test_a_jpeg_in_a_local_file_is_the_one_that_is_read_anew_from_there(
    tmp_path: Path, photometric: str, profile: bytes | None
):
    attributes: dict[str, Any] = {"ICCProfile": profile} if profile else {}
    options = {**AS_JPEG, "PhotometricInterpretation": photometric}
    content = frame_file(PICTURE, **options, **attributes)
    path = tmp_path / "image.dcm"
    path.write_bytes(content)
    file = open_local(path)
    local = StoredFrames(file, lambda index: local_frame(path, file, index), path=path)
    elsewhere = frames(content)
    assert jpeg(local) == jpeg(elsewhere)
    assert isinstance(getattr(local.jpeg_reader(0), "__self__", None), LocalPart)
    with Image.open(BytesIO(jpeg(local))) as shown:
        pixels = np.asarray(shown.convert("RGB")).astype(int)
    assert np.abs(pixels - elsewhere.pixels(0)).mean() < 2


def test_made_tiles_of_a_lossless_image_lose_nothing(tmp_path: Path):
    source, picture = made(tmp_path, tile_encoder(is_lossy=False))
    assert np.array_equal(source.pixels(1), picture[:, 512:])
    assert source.jpeg_reader(1) is None
    assert source.pixels(1, 4).shape == (75, 47, 3)


def test_made_tiles_of_a_lossy_image_are_jpeg_with_its_profile(tmp_path: Path):
    source, picture = made(tmp_path, tile_encoder(is_lossy=True), SRGB)
    assert np.abs(source.pixels(0).astype(int) - picture[:, :512]).mean() < 2
    assert source.pixels(1, 2).shape == (150, 94, 3)
    assert b"ICC_PROFILE" in jpeg(source)
    plain, _ = made(tmp_path, tile_encoder(is_lossy=True))
    assert b"ICC_PROFILE" not in jpeg(plain)


def test_made_tiles_that_were_removed_are_not_found(tmp_path: Path):
    source, _ = made(tmp_path, tile_encoder(is_lossy=False))
    (tmp_path / "0.tiles").unlink()
    assert not source.is_there()
    with pytest.raises(NotFound):
        source.pixels(0)


def test_grey_made_tiles_are_grey(tmp_path: Path):
    writer = LevelWriter(tmp_path, tile_encoder(is_lossy=False), (300, 200))
    writer.push(PICTURE[:1, :1, :1].repeat(200, 0).repeat(300, 1))
    writer.close()
    assert MadeFrames(read_levels(tmp_path)[0], None).pixels(0).shape == (200, 300, 1)


def test_a_frame_of_many_pixels_in_few_bytes_is_costly_and_a_usual_one_is_not():
    few = frames(frame_file(PICTURE, **AS_JPEG, Rows=9000, Columns=9000))
    assert few.is_costly(0)
    assert few.is_range_costly([0])
    assert not frames(frame_file(PICTURE, **AS_JPEG)).is_costly(0)


def test_pixels_out_of_all_proportion_to_the_stored_bytes_are_refused():
    blank = jpeg_ls(np.zeros((12_000, 12_000), np.uint8))
    options: dict[str, Any] = {"transfer_syntax_uid": "1.2.840.10008.1.2.4.80", "encoded": blank}
    bomb = frames(frame_file(PICTURE[..., 0], **options, Rows=12_000, Columns=12_000))
    with pytest.raises(TooLarge, match="the limit for such a small one"):
        bomb.pixels(0)
