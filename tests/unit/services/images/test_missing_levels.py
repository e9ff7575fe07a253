"""Levels that an image lacks are made once, kept, and made anew for another image."""

import errno
from dataclasses import replace
from io import BytesIO

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import JPEGLSLossless

from orthanc_stl_plugin.errors import Busy, NotFound
from orthanc_stl_plugin.services.images.opened_images import FrameImage, SeriesImage
from tests.support.dicom_samples import file_bytes, item
from tests.support.frame_encoders import JPEG, jpeg_ls, jpeg_ybr
from tests.support.frame_samples import frame_file, photograph
from tests.support.open_images import Gallery
from tests.support.slide_samples import Codec, LevelSample, written_level

WIDTH, HEIGHT = 2600, 1700
"""A frame of more pixels than a tile that is decoded for every answer."""

SMALL_PX = (2600, 1700), (1300, 850), (650, 425), (325, 213), (163, 107)
PICTURE = photograph(WIDTH, HEIGHT)
FRAME, SLIDE = FrameImage("photograph", 0), SeriesImage("series")


def sizes(images_here: Gallery, name: FrameImage | SeriesImage) -> list[tuple[int, int]]:
    image = images_here.made_levels.completed(images_here.images.open(name))
    return [(level.width, level.height) for level in image.levels]


@pytest.fixture
def stored(images_here: Gallery) -> Gallery:
    images_here.archive.store("photograph", frame_file(PICTURE), "photographs")
    return images_here


def test_a_large_frame_gets_tiles_of_its_own_and_halves(stored: Gallery):
    assert tuple(sizes(stored, FRAME)) == SMALL_PX
    image = stored.made_levels.extended(stored.images.open(FRAME))
    assert {level.tile_width for level in image.levels} == {512}


def test_made_levels_are_made_once(stored: Gallery):
    for _ in range(3):
        sizes(stored, FRAME)
    assert stored.workers.runs == 1


def test_a_file_that_is_not_local_is_fetched_once_for_tiles_and_levels(
    stored: Gallery, monkeypatch: pytest.MonkeyPatch
):
    content = stored.archive.instance_file("photograph")
    known, given = stored.archive.file_record("photograph"), []

    def give(instance_id: str) -> bytes:
        given.append(instance_id)
        return content

    monkeypatch.setattr(stored.archive, "file_record", lambda _: known)
    monkeypatch.setattr(stored.archive, "instance_file", give)
    assert tuple(sizes(stored, FRAME)) == SMALL_PX
    assert len(given) == (1 if known.path is None else 0)


def test_nothing_is_made_for_a_small_image(stored: Gallery):
    stored.archive.store("small", frame_file(photograph(300, 200)), "small")
    image = stored.images.open(FrameImage("small", 0))
    stored.made_levels.start(image)
    assert stored.made_levels.completed(image) is image
    assert stored.made_levels.extended(image) is image
    assert stored.workers.runs == 0


def test_the_levels_of_a_lossless_frame_lose_nothing(stored: Gallery):
    sizes(stored, FRAME)
    shown = stored.pixels(FRAME, "500,900,700,600/max/0/default.png")
    assert np.array_equal(shown, PICTURE[900:1500, 500:1200])
    half = stored.pixels(FRAME, "0,0,1024,1024/512,512/0/default.png")
    box = PICTURE[:1024, :1024].reshape(512, 2, 512, 2, 3).mean((1, 3))
    assert np.abs(half - box).max() <= 1


def test_an_answer_begins_to_make_the_levels_without_waiting(stored: Gallery):
    shown = stored.pixels(FRAME, "full/650,/0/default.png")
    reduced = Image.fromarray(PICTURE).resize((650, 425), Image.Resampling.BICUBIC)
    assert np.abs(shown - np.asarray(reduced, float)).mean() < 1
    sizes(stored, FRAME)
    assert stored.workers.runs == 1


def test_another_image_gets_other_levels(stored: Gallery):
    sizes(stored, FRAME)
    stored.archive.store("photograph", frame_file(PICTURE[:, ::-1]), "photographs")
    sizes(stored, FRAME)
    assert stored.workers.runs == 2
    shown = stored.pixels(FRAME, "0,0,600,600/max/0/default.png")
    assert np.array_equal(shown, PICTURE[:600, ::-1][:, :600])


def test_no_levels_are_made_of_what_replaced_an_image_meanwhile(stored: Gallery):
    image = stored.images.open(FRAME)
    stored.archive.store("photograph", frame_file(PICTURE[:, ::-1]), "photographs")
    with pytest.raises(NotFound):
        stored.made_levels.completed(image)
    stored.archive.store("photograph", frame_file(PICTURE), "photographs")
    shown = stored.pixels(FRAME, "0,0,600,600/max/0/default.png")
    assert np.array_equal(shown, PICTURE[:600, :600])


def test_levels_that_were_removed_from_disk_are_made_again(stored: Gallery):
    sizes(stored, FRAME)
    for folder in (stored.spool.folder.parent.parent / "pyramids").glob("*.levels"):
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    assert len(stored.made_levels.extended(stored.images.open(FRAME)).levels) == 1
    assert tuple(sizes(stored, FRAME)) == SMALL_PX
    assert stored.workers.runs == 2


def test_a_full_disk_is_told_by_the_setting_of_its_folder(stored: Gallery):
    stored.workers.failure = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(Busy, match="PyramidDirectory is full"):
        sizes(stored, FRAME)
    assert tuple(sizes(stored, FRAME)) == SMALL_PX


def test_a_gap_between_levels_is_filled(stored: Gallery):
    like = LevelSample(1, 1, tile_width=512, tile_height=512)
    codec = Codec(JPEG, jpeg_ybr, "YBR_FULL_422")
    for number, (width, height) in enumerate([(2000, 1500), (125, 94)], start=1):
        level = written_level(replace(like, width=width, height=height), number, codec=codec)
        stored.archive.store(level.files[0].instance_id, level.files[0].content)
    found = sizes(stored, SLIDE)
    assert found == [(2000, 1500), (1000, 750), (500, 375), (250, 188), (125, 94)]
    image = stored.made_levels.extended(stored.images.open(SLIDE))
    read = image.sources[image.levels[1].instance_ids[0]].jpeg_reader(0)
    assert read is not None
    assert read().startswith(b"\xff\xd8")


def test_missing_tiles_are_made_in_the_colour_of_what_is_absent(stored: Gallery):
    sample = LevelSample(
        2500, 2000, 500, 500, is_full=False, missing=frozenset({(0, 0, 0, 0), (0, 0, 1, 0)})
    )
    for file in written_level(sample).files:
        stored.archive.store(file.instance_id, file.content)
    assert sizes(stored, SLIDE)[1] == (1250, 1000)
    image = stored.made_levels.extended(stored.images.open(SLIDE))
    tile = image.sources[image.levels[1].instance_ids[0]].pixels(0)
    assert (tile[:250, :500] == 255).all()
    assert not (tile[:250, 500:] == 255).all()
    assert image.sources[image.levels[1].instance_ids[0]].jpeg_reader(0) is None


def test_made_levels_are_as_bright_as_the_slide_whatever_its_frames_say(images_here: Gallery):
    sample = LevelSample(2400, 1800, 600, 600, rgb=False, is_full=False)
    written = written_level(sample)
    slide = pydicom.dcmread(BytesIO(written.files[0].content))
    for group in slide.PerFrameFunctionalGroupsSequence:
        group.FrameVOILUTSequence = [item(WindowCenter=300, WindowWidth=200)]
    images_here.archive.store("slide", file_bytes(slide))
    assert sizes(images_here, SLIDE)[1] == (1200, 900)
    for part, size in (("0,0,400,400", "400,"), ("0,0,1200,1200", "600,")):
        shown = images_here.pixels(SLIDE, f"{part}/{size}/0/default.png")
        side = int(part.split(",")[2])
        assert shown.mean() == pytest.approx(written.pixels[0, 0, :side, :side].mean(), abs=1)


def test_levels_are_made_of_frames_at_the_edge_that_hold_only_what_is_seen(images_here: Gallery):
    level = written_level(
        LevelSample(2500, 2000, 600, 600, is_padded=False), codec=Codec(JPEGLSLossless, jpeg_ls)
    )
    for file in level.files:
        images_here.archive.store(file.instance_id, file.content)
    assert sizes(images_here, SLIDE)[1] == (1250, 1000)
    half = images_here.pixels(SLIDE, "2100,1500,400,500/200,250/0/default.png")
    part = level.pixels[0, 0, 1500:, 2100:].reshape(250, 2, 200, 2, 3).mean((1, 3))
    assert np.abs(half - part).max() <= 1


def test_a_client_that_is_asked_to_come_again_finds_what_went_on_meanwhile(
    stored: Gallery, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as hurry:
        hurry.setattr("orthanc_stl_plugin.services.images.level_store.WAIT_S", 0.0)
        with pytest.raises(Busy, match="being made"):
            stored.made_levels.completed(stored.images.open(FRAME))
    assert tuple(sizes(stored, FRAME)) == SMALL_PX
    assert stored.workers.runs == 1


def test_a_slide_and_a_frame_of_its_only_instance_have_levels_of_their_own(stored: Gallery):
    (file,) = written_level(LevelSample(4400, 2200, 2200, 2200)).files
    stored.archive.store("only", file.content)
    assert sizes(stored, SLIDE)[1] == (2200, 1100)
    assert sizes(stored, FrameImage("only", 0))[1] == (1100, 1100)
