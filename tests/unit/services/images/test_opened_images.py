"""Images are opened once, and anew as soon as the archive holds something else."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGLSLossless

from orthanc_stl_plugin.config import Presentation, Settings
from orthanc_stl_plugin.errors import NotFound, UnusableSource
from orthanc_stl_plugin.services.images.fetched_files import FetchedFiles
from orthanc_stl_plugin.services.images.freshness import Changes
from orthanc_stl_plugin.services.images.opened_images import FrameImage, SeriesImage
from orthanc_stl_plugin.services.images.opener import Opener
from tests.support.dicom_samples import file_bytes, image_dataset, item
from tests.support.frame_encoders import jpeg_ls
from tests.support.frame_samples import frame_file, photograph
from tests.support.open_images import Gallery, gallery
from tests.support.slide_samples import RAW_ITEMS, Codec, LevelSample, written_level, written_slide

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
SIZES = [(100, 70), (50, 35)]
LEVELS = written_slide(SIZES, LevelSample(1, 1, tile_width=32, tile_height=16))
SLIDE, FRAME = SeriesImage("series"), FrameImage("photograph", 0)
PICTURE = photograph(40, 30)


@pytest.fixture(autouse=True)
def content(images_here: Gallery) -> None:
    for level in LEVELS:
        for file in level.files:
            images_here.archive.store(file.instance_id, file.content)
    images_here.archive.store("photograph", frame_file(PICTURE), "photographs")


def test_a_slide_is_its_levels_and_a_frame_is_one(images_here: Gallery):
    slide, frame = images_here.images.open(SLIDE), images_here.images.open(FRAME)
    assert [(one.width, one.height) for one in slide.levels] == SIZES
    assert [(one.width, one.height) for one in frame.levels] == [(40, 30)]


def test_an_image_needs_no_sop_class(images_here: Gallery):
    dataset = dcmread(BytesIO(frame_file(PICTURE)))
    del dataset.SOPClassUID
    del dataset.file_meta.MediaStorageSOPClassUID
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=False)
    images_here.archive.store("bare", stream.getvalue(), "bare")
    assert np.array_equal(
        images_here.pixels(FrameImage("bare", 0), "full/max/0/default.png"), PICTURE
    )


def test_frames_with_a_matrix_and_without_places_are_frames_of_their_own(images_here: Gallery):
    frames = np.stack([PICTURE, PICTURE[::-1]])
    dataset = dcmread(BytesIO(frame_file(PICTURE)))
    dataset.NumberOfFrames, dataset.PixelData = 2, frames.tobytes()
    dataset.TotalPixelMatrixRows, dataset.TotalPixelMatrixColumns = PICTURE.shape[:2]
    images_here.archive.store("two", file_bytes(dataset), "two")
    for number, frame in enumerate(frames):
        found = images_here.pixels(FrameImage("two", number), "full/max/0/default.png")
        assert np.array_equal(found, frame)


def items_of(frames: list[bytes]) -> bytes:
    """Encapsulated pixel data with an empty offset table; pydicom refuses empty fragments."""
    return b"".join(
        b"\xfe\xff\x00\xe0" + len(frame).to_bytes(4, "little") + frame for frame in [b"", *frames]
    )


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8\xff\xe0no JPEG at all!"], ids=["empty", "broken"]
)
@pytest.mark.parametrize("extension", ["jpg", "png"])
def test_a_tile_that_cannot_be_decoded_is_drawn_as_absent(
    images_here: Gallery, content: bytes, extension: str, caplog: pytest.LogCaptureFixture
):
    codec = Codec("1.2.840.10008.1.2.4.80", jpeg_ls)
    [level] = written_slide([(100, 70)], LevelSample(1, 1, tile_width=32, tile_height=16), codec)
    [file] = level.files
    dataset = dcmread(BytesIO(file.content))
    frames = list(file.frames)
    frames[5] = content
    dataset.PixelData = items_of(frames)
    images_here.archive.store(
        "torn", file_bytes(dataset, dataset.file_meta.TransferSyntaxUID), "torn"
    )
    expected = level.pixels[0, 0].copy()
    expected[16:32, 32:64] = 255
    found = images_here.pixels(SeriesImage("torn"), f"full/max/0/default.{extension}")
    away = np.abs(found.astype(int) - expected)
    assert away.mean() < (0.01 if extension == "png" else 6)
    tile = images_here.pixels(SeriesImage("torn"), f"32,16,32,16/max/0/default.{extension}")
    assert (tile == 255).all()
    assert "drawn as absent" in caplog.text


def test_one_item_too_few_is_refused_rather_than_shifted(images_here: Gallery):
    codec = Codec("1.2.840.10008.1.2.4.80", jpeg_ls)
    [level] = written_slide([(100, 70)], LevelSample(1, 1, tile_width=32, tile_height=16), codec)
    [file] = level.files
    dataset = dcmread(BytesIO(file.content))
    frames = [frame for number, frame in enumerate(file.frames) if number != 5]
    dataset.PixelData = items_of(frames)
    images_here.archive.store(
        "few", file_bytes(dataset, dataset.file_meta.TransferSyntaxUID), "few"
    )
    with pytest.raises(UnusableSource, match="cannot be told apart into 20 frames"):
        images_here.images.open(FrameImage("few", 0))


def test_what_is_open_stays_open(images_here: Gallery):
    assert images_here.images.open(SLIDE) is images_here.images.open(SLIDE)


def test_a_change_elsewhere_leaves_an_image_open(images_here: Gallery):
    before = images_here.images.open(SLIDE)
    images_here.archive.delete("photograph")
    images_here.images.note_change()
    assert images_here.images.open(SLIDE) is before
    with pytest.raises(NotFound):
        images_here.images.open(FRAME)


@pytest.mark.parametrize("is_large", [False, True], ids=["small", "with made levels"])
def test_files_whose_time_or_rights_change_are_sure_again_after_one_look(
    images_here: Gallery, is_large: bool
):
    picture = photograph(2600, 1700) if is_large else PICTURE
    images_here.archive.store("photograph", frame_file(picture), "photographs")
    path = images_here.archive.file_record("photograph").path
    request = "0,0,20,20/max/0/default.png"
    images_here.made_levels.completed(images_here.images.open(FRAME))
    before = images_here.rendition(FRAME, request)
    if path is None:
        pytest.skip("the archive is always asked for what is no local file")
    for change in (path.touch, lambda: path.chmod(0o600)):
        assert before.is_sure()
        change()
        assert not before.is_sure()
        after = images_here.rendition(FRAME, request)
        assert after.is_sure()
        assert after.etag == before.etag
        assert np.array_equal(images_here.pixels(FRAME, request), picture[:20, :20])
        before = after
    images_here.archive.delete("photograph")
    assert not before.is_sure()


@pytest.mark.parametrize("is_told", [True, False])
def test_a_deleted_level_is_missed_whether_or_not_the_archive_tells(
    images_here: Gallery, is_told: bool
):
    images_here.images.open(SLIDE)
    images_here.archive.delete(LEVELS[0].files[0].instance_id)
    if is_told:
        images_here.images.note_change()
    assert [(one.width, one.height) for one in images_here.images.open(SLIDE).levels] == SIZES[1:]


@pytest.mark.parametrize("is_told", [True, False])
def test_a_replaced_frame_is_another_revision(images_here: Gallery, is_told: bool):
    before = images_here.images.open(FRAME)
    images_here.archive.store("photograph", frame_file(255 - PICTURE), "photographs")
    if is_told:
        images_here.images.note_change()
    after = images_here.images.open(FRAME)
    assert after.revision != before.revision
    assert np.array_equal(after.sources["photograph"].pixels(0), 255 - PICTURE)


def test_a_new_level_is_seen_once_the_archive_tells(images_here: Gallery):
    images_here.images.open(SLIDE)
    (file,) = written_level(LevelSample(25, 18, 32, 16), 3).files
    images_here.archive.store("new", file.content)
    images_here.images.note_change()
    assert len(images_here.images.open(SLIDE).levels) == 3


def test_a_deleted_series_is_not_found(images_here: Gallery):
    images_here.images.open(SLIDE)
    for level in LEVELS:
        images_here.archive.delete(level.files[0].instance_id)
    with pytest.raises(NotFound):
        images_here.images.open(SLIDE)


def test_what_is_forgotten_is_opened_anew(images_here: Gallery):
    before = [images_here.images.open(name) for name in (SLIDE, FRAME)]
    for name in (SLIDE, FRAME):
        images_here.images.forget(name)
    after = [images_here.images.open(name) for name in (SLIDE, FRAME)]
    assert all(one is not other for one, other in zip(before, after, strict=True))
    assert [one.revision for one in before] == [one.revision for one in after]


@pytest.mark.parametrize(
    "name",
    [
        SeriesImage("series", 1),
        SeriesImage("nothing"),
        FrameImage("photograph", 1),
        FrameImage("nothing", 0),
    ],
)
def test_what_is_not_there_is_not_found(images_here: Gallery, name: SeriesImage | FrameImage):
    with pytest.raises(NotFound):
        images_here.images.open(name)


def test_an_open_instance_is_no_series_nor_an_open_series_an_instance(images_here: Gallery):
    images_here.images.open(SLIDE)
    images_here.images.open(FRAME)
    with pytest.raises(NotFound):
        images_here.images.open(SeriesImage(FRAME.instance_id))
    with pytest.raises(NotFound):
        images_here.images.open(FrameImage(SLIDE.series_id, 0))


def test_a_series_of_photographs_is_no_slide(images_here: Gallery):
    with pytest.raises(UnusableSource, match="no whole slide"):
        images_here.images.open(SeriesImage("photographs"))


def test_a_slide_tells_of_its_pyramids(images_here: Gallery):
    slide = images_here.images.slide("series")
    assert [len(pyramid.levels) for pyramid in slide.pyramids] == [2]


def test_what_is_no_image_in_a_series_is_left_out(
    images_here: Gallery, caplog: pytest.LogCaptureFixture
):
    images_here.archive.store("torn", LEVELS[0].files[0].content[:700])
    assert len(images_here.images.open(SLIDE).levels) == 2
    assert "instance torn is left out of its slide" in caplog.text


def test_an_image_of_a_slide_that_has_no_pixels_is_left_out(images_here: Gallery):
    sample = LevelSample(64, 48, attributes={"Columns": 0})
    (file,) = written_level(sample, 3, codec=RAW_ITEMS).files
    images_here.archive.store(file.instance_id, file.content)
    assert [(one.width, one.height) for one in images_here.images.open(SLIDE).levels] == SIZES
    images_here.archive.store("alone", file.content, "series of its own")
    with pytest.raises(UnusableSource):
        images_here.images.open(SeriesImage("series of its own"))


def test_all_levels_of_a_slide_without_a_window_are_equally_bright(images_here: Gallery):
    sample = LevelSample(64, 48, 32, 16, rgb=False, is_16_bit=True)
    dark = np.full((1, 1, 48, 64), 1000, np.uint16)
    bright = np.linspace(0, 2000, 32 * 24, dtype=np.uint16).reshape(1, 1, 24, 32)
    large = written_level(sample, 1, pixels=dark)
    small = written_level(LevelSample(32, 24, 32, 16, rgb=False, is_16_bit=True), 2, pixels=bright)
    for level in (large, small):
        for file in level.files:
            images_here.archive.store(f"grey {file.instance_id}", file.content, "grey")
    image = images_here.images.open(SeriesImage("grey"))
    source = image.sources[image.levels[0].instance_ids[0]]
    assert set(np.unique(source.pixels(0)).tolist()) <= {127, 128}


def test_the_brightness_of_a_slide_may_come_of_frames_that_hold_only_what_is_seen(
    images_here: Gallery,
):
    sample = LevelSample(40, 24, 32, 16, rgb=False, is_16_bit=True, is_padded=False)
    ramp = np.linspace(500, 1500, 40 * 24, dtype=np.uint16).reshape(1, 1, 24, 40)
    (file,) = written_level(sample, codec=Codec(JPEGLSLossless, jpeg_ls), pixels=ramp).files
    images_here.archive.store("grey", file.content, "grey")
    shown = images_here.pixels(SeriesImage("grey"), "full/max/0/default.png")
    assert np.array_equal(shown, np.rint((ramp[0, 0] - 500.0) / 1000 * 255))


@pytest.mark.parametrize("is_shown", [True, False])
def test_the_settings_may_hide_the_paper_label_of_a_slide(tmp_path: Path, *, is_shown: bool):
    shown = gallery(tmp_path, settings=Settings(presentation=Presentation(slide_labels=is_shown)))
    label = replace(LEVELS[1].sample, flavour="LABEL", tile_width=50, tile_height=35)
    (file,) = written_level(label, 3).files
    shown.archive.store("label", file.content)
    if is_shown:
        assert shown.pixels(FrameImage("label", 0), "full/max/0/default.png").shape == (35, 50, 3)
    else:
        with pytest.raises(NotFound, match="paper labels"):
            shown.images.open(FrameImage("label", 0))
    shown.close()


def test_a_frame_without_a_window_is_shown_from_its_darkest_to_its_brightest(images_here: Gallery):
    stored = np.linspace(500, 1500, 40 * 30, dtype=np.uint16).reshape(30, 40)
    images_here.archive.store("grey", frame_file(stored), "grey")
    pixels = images_here.images.open(FrameImage("grey", 0)).sources["grey"].pixels(0)
    assert (int(pixels.min()), int(pixels.max())) == (0, 255)


@pytest.mark.parametrize(
    "tag", [b"\x08\0\x16\0", b"\x08\0\x18\0", b"\x28\0\x10\x21"], ids=["class", "instance", "loss"]
)
def test_a_damaged_element_makes_a_source_unusable(images_here: Gallery, tag: bytes):
    content = frame_file(PICTURE, SpecificCharacterSet="ISO_IR 100", LossyImageCompression="00")
    start = content.rindex(tag)
    damaged = content[: start + 5] + b" " + content[start + 6 :]
    images_here.archive.store("damaged", damaged, "damaged")
    with pytest.raises(UnusableSource, match="malformed"):
        images_here.images.open(FrameImage("damaged", 0))


def test_each_optical_path_without_a_window_is_spread_by_its_own_values(images_here: Gallery):
    sample = LevelSample(64, 48, 32, 16, rgb=False, is_16_bit=True)
    for number, (path, brightest) in enumerate((("dim", 600), ("bright", 40000)), start=1):
        ramp = np.linspace(0, brightest, 64 * 48).reshape(1, 1, 48, 64).astype(np.uint16)
        (file,) = written_level(replace(sample, paths=(path,)), number, pixels=ramp).files
        images_here.archive.store(path, file.content, "channels")
    for number in (0, 1):
        shown = images_here.pixels(SeriesImage("channels", number), "full/max/0/default.png")
        assert (int(shown.min()), int(shown.max())) == (0, 255)
        assert (shown == 255).mean() < 0.01


def test_optical_paths_in_one_instance_are_spread_each_by_its_own_values(images_here: Gallery):
    sample = LevelSample(64, 48, 32, 16, rgb=False, is_16_bit=True, paths=("dim", "bright"))
    ramp = np.linspace(0, 1, 64 * 48).reshape(48, 64)
    pixels = np.stack([600 * ramp, 40000 * ramp])[:, np.newaxis].astype(np.uint16)
    (file,) = written_level(sample, pixels=pixels).files
    images_here.archive.store("both", file.content, "channels")
    for number in (0, 1):
        shown = images_here.pixels(SeriesImage("channels", number), "full/max/0/default.png")
        assert (int(shown.min()), int(shown.max())) == (0, 255)
        assert (shown == 255).mean() < 0.01


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_each_frame_is_shown_in_its_own_window(images_here: Gallery, syntax: str):
    stored = np.stack([np.full((30, 40), 1000 * number, np.uint16) for number in (1, 2, 3)])
    dataset = image_dataset(stored, sop_class_uid=ENHANCED_CT)
    windows = [item(WindowCenter=1000 * number, WindowWidth=200) for number in (1, 2, 3)]
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        [item(FrameVOILUTSequence=Sequence([window])) for window in windows]
    )
    images_here.archive.store("enhanced", file_bytes(dataset, syntax), "enhanced")
    for index in range(3):
        shown = images_here.pixels(FrameImage("enhanced", index), "full/max/0/default.png")
        assert set(shown.ravel().tolist()) <= {127, 128}


@pytest.mark.parametrize(("count", "kept"), [(1, 1), (3, 3), (100, 64)])
def test_the_memory_of_an_open_image_includes_how_its_frames_are_shown(
    images_here: Gallery, count: int, kept: int
):
    dataset = image_dataset(np.zeros((count, 3, 4), np.uint16), sop_class_uid=ENHANCED_CT)
    images_here.archive.store("enhanced", file_bytes(dataset), "enhanced")
    fetched = FetchedFiles(images_here.archive, images_here.spool)
    opener = Opener(images_here.archive, fetched, Settings(), Changes())
    # 100 kB for the header, 32 bytes for each frame, 65536 greys for each way to show it.
    assert opener.instance("enhanced").byte_count == 100_000 + 32 * count + 65536 * kept


def test_a_frame_of_a_file_that_ends_before_its_last_pixel_is_unusable(images_here: Gallery):
    content = frame_file(np.zeros((30, 40), np.uint16))
    images_here.archive.store("cut", content[:-2], "series of its own")
    with pytest.raises(UnusableSource, match="none of its 1 frames"):
        images_here.images.open(FrameImage("cut", 0))


@pytest.mark.parametrize("rgb", [True, False])
def test_tiles_beside_a_grid_are_drawn_later_ones_over_earlier_ones(
    images_here: Gallery, rgb: bool
):
    sample = LevelSample(64, 48, tile_width=32, tile_height=16, is_full=False, rgb=rgb)
    (file,) = written_level(sample).files
    dataset = dcmread(BytesIO(file.content))
    places = [(0, 0), (25, 3), (20, 10), (-40, 5), (31, 30), (60, 47)]
    count = len(places)
    shape = (count, 16, 32, 3) if rgb else (count, 16, 32)
    frames = np.random.default_rng(3).integers(0, 256, shape).astype(np.uint8)
    groups = list(dataset.PerFrameFunctionalGroupsSequence)[:count]
    for group, (x, y) in zip(groups, places, strict=True):
        [plane] = group.PlanePositionSlideSequence
        plane.ColumnPositionInTotalImagePixelMatrix = x + 1
        plane.RowPositionInTotalImagePixelMatrix = y + 1
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    dataset.NumberOfFrames, dataset.PixelData = count, frames.tobytes()
    images_here.archive.store("free", file_bytes(dataset), "free")
    expected = np.full((48 + 16, 64 + 32, *shape[3:]), 255 if rgb else 0, np.uint8)
    for frame, (x, y) in zip(frames, places, strict=True):
        if x >= 0:
            expected[y : y + 16, x : x + 32] = frame
    expected = expected[:48, :64]
    shown = images_here.pixels(SeriesImage("free"), "full/max/0/default.png")
    assert np.array_equal(shown, expected)
    part = images_here.pixels(SeriesImage("free"), "20,9,30,20/max/0/default.png")
    assert np.array_equal(part, expected[9:29, 20:50])
    alone = images_here.pixels(FrameImage("free", 2), "full/max/0/default.png")
    assert alone.shape == frames[2].shape
    if rgb:  # grey of a lone frame is spread over all greys it has
        assert np.array_equal(alone, frames[2])
