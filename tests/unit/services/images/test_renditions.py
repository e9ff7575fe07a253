"""Answers: the right pixels, the stored bytes where these are what was asked for."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import BadRequest, NotFound, NotSupported, UnusableSource
from orthanc_stl_plugin.iiif.image.request import Version
from orthanc_stl_plugin.services.images.opened_images import FrameImage, ImageName, SeriesImage
from tests.support.dicom_samples import item
from tests.support.frame_encoders import JPEG, jpeg_ybr
from tests.support.frame_samples import frame_file, photograph
from tests.support.open_images import Gallery, gallery
from tests.support.slide_samples import Codec, LevelSample, written_level, written_slide

LIKE = LevelSample(1, 1, tile_width=64, tile_height=48)
AS_JPEG = Codec(JPEG, jpeg_ybr, "YBR_FULL_422")
SLIDE, FRAME = SeriesImage("series"), FrameImage("photograph", 0)
SIZES = [(200, 150), (100, 75)]
INNER, EDGE = "64,48,64,48/max/0/default.jpg", "192,0,8,48/max/0/default.jpg"


def store(images_here: Gallery, like: LevelSample = LIKE, codec: Codec = AS_JPEG):
    levels = written_slide(SIZES, like, codec)
    for level in levels:
        for file in level.files:
            images_here.archive.store(file.instance_id, file.content)
    return levels


def test_an_inner_tile_is_the_stored_frame(images_here: Gallery):
    levels = store(images_here)
    sent = images_here.rendition(SLIDE, INNER).content()
    stored = levels[0].files[0].frames[5]
    assert sent.rstrip(b"\0") == stored.rstrip(b"\0")


def test_a_tile_at_the_edge_is_cropped_without_loss(images_here: Gallery):
    levels = store(images_here)
    shown = images_here.pixels(SLIDE, EDGE)
    with Image.open(BytesIO(levels[0].files[0].frames[3])) as stored:
        expected = np.asarray(stored)[:, :8]
    assert shown.shape == (48, 8, 3)
    # A decoder mixes the colour of the last columns with that of what follows.
    assert np.array_equal(shown[:, :6], expected[:, :6])


@pytest.mark.parametrize(("stored_width", "is_shown"), [(8, True), (7, False), (16, False)])
def test_a_frame_at_the_edge_may_hold_what_is_seen_of_it_and_nothing_else(
    images_here: Gallery, stored_width: int, caplog: pytest.LogCaptureFixture, *, is_shown: bool
):
    frames = count()
    codec = Codec(
        JPEG,
        lambda tile: jpeg_ybr(tile[:, :stored_width] if next(frames) == 1 else tile),
        "YBR_FULL_422",
    )
    level = written_level(replace(LIKE, width=72, height=48), codec=codec)
    images_here.archive.store("edge", level.files[0].content)
    if not is_shown:
        for answer in ("default.jpg", "gray.png"):  # drawn as a place without a frame
            assert (images_here.pixels(SLIDE, f"64,0,8,48/max/0/{answer}") == 255).all()
        assert "the frame has" in caplog.text
        return
    with Image.open(BytesIO(level.files[0].frames[1])) as stored:
        expected = np.asarray(stored)
    assert expected.shape == (48, 8, 3)
    for format_ in ("jpg", "png"):
        shown = images_here.pixels(SLIDE, f"64,0,8,48/max/0/default.{format_}")
        assert np.array_equal(shown, expected)


@pytest.mark.parametrize("request_", ["full/max/0/default.jpg", "0,0,32,32/max/0/default.jpg"])
def test_a_stored_jpeg_of_another_size_than_its_image_is_no_answer(
    images_here: Gallery, request_: str
):
    encoded = jpeg_ybr(photograph(80, 60))
    content = frame_file(photograph(64, 48), transfer_syntax_uid=JPEG, encoded=encoded)
    images_here.archive.store("photograph", content, "other")
    with pytest.raises(UnusableSource, match="the frame has 80 x 60 pixels, the image 64 x 48"):
        images_here.rendition(FRAME, request_).content()


def test_a_region_over_tiles_is_the_picture(images_here: Gallery):
    levels = store(images_here, codec=Codec())
    shown = images_here.pixels(SLIDE, "10,20,150,100/max/0/default.png")
    assert np.array_equal(shown, levels[0].pixels[0, 0, 20:120, 10:160])


def test_a_missing_tile_is_white(images_here: Gallery):
    store(images_here, replace(LIKE, is_full=False, missing=frozenset({(0, 0, 1, 1)})), Codec())
    assert (images_here.pixels(SLIDE, "64,48,64,48/max/0/default.png") == 255).all()
    assert (images_here.pixels(SLIDE, INNER) == 255).all()


def test_grey_slides_are_answered_in_grey(images_here: Gallery):
    store(images_here, replace(LIKE, rgb=False), Codec())
    assert images_here.pixels(SLIDE, "full/max/0/default.png").shape == (150, 200)
    information = images_here.renditions.information(SLIDE, Version.V3, "x").document
    assert information["extraQualities"] == ["gray", "bitonal"]


@pytest.mark.parametrize("region", ["64,48,64,48", "192,0,8,48", "0,0,128,96"])
def test_gray_of_a_grey_slide_is_default_to_the_byte(images_here: Gallery, region: str):
    store(images_here, replace(LIKE, rgb=False), Codec(JPEG, jpeg_ybr, "MONOCHROME2"))
    gray, default = (
        images_here.rendition(SLIDE, f"{region}/max/0/{quality}.jpg")
        for quality in ("gray", "default")
    )
    assert gray.etag == default.etag
    assert gray.content() == default.content()


@pytest.mark.parametrize("request_", [INNER, EDGE, "full/50,/0/default.png"])
def test_a_replaced_slide_has_other_etags_and_bytes(images_here: Gallery, request_: str):
    store(images_here)
    before = images_here.rendition(SLIDE, request_)
    old = before.content()
    levels = [
        written_level(level.sample, number + 1, codec=AS_JPEG, pixels=255 - level.pixels)
        for number, level in enumerate(written_slide(SIZES, LIKE))
    ]
    for level in levels:
        images_here.archive.store(level.files[0].instance_id, level.files[0].content)
    after = images_here.rendition(SLIDE, request_)
    assert after.etag != before.etag
    assert after.content() != old


@pytest.mark.parametrize("request_", [INNER, EDGE, "full/50,/0/default.png"])
def test_what_is_replaced_between_request_and_answer_is_answered_anew(
    images_here: Gallery, request_: str
):
    levels = store(images_here)
    rendition = images_here.rendition(SLIDE, request_)
    for level in levels:
        images_here.archive.store(level.files[0].instance_id, level.files[0].content)
    assert rendition.content()


def test_what_is_deleted_between_request_and_answer_is_not_found(images_here: Gallery):
    levels = store(images_here)
    renditions = [images_here.rendition(SLIDE, one) for one in (INNER, EDGE, "full/50,/0/gray.png")]
    for level in levels:
        images_here.archive.delete(level.files[0].instance_id)
    for rendition in renditions:
        with pytest.raises(NotFound):
            rendition.content()


def test_the_etag_tells_answers_apart(images_here: Gallery):
    store(images_here)
    images_here.archive.store("photograph", frame_file(photograph(200, 150)), "other")
    asked: list[tuple[ImageName, str]] = [
        (SLIDE, "full/50,/0/default.png"),
        (SLIDE, "full/50,/0/default.jpg"),
        (SLIDE, "full/51,/0/default.png"),
        (FRAME, "full/50,/0/default.png"),
    ]
    etags = {images_here.rendition(name, request).etag for name, request in asked}
    assert len(etags) == len(asked)
    same = images_here.rendition(SLIDE, "0,0,200,150/50,38/360/color.png")
    assert same.etag == images_here.rendition(*asked[0]).etag


def test_other_limits_are_other_answers(tmp_path: Path):
    tags = []
    for most in (25_000_000, 100_000):
        folder = tmp_path / str(most)
        folder.mkdir()
        gallery_here = gallery(folder, settings=Settings(max_pixels=most))
        gallery_here.archive.store("photograph", frame_file(photograph(600, 400)), "other")
        document = gallery_here.renditions.information(FRAME, Version.V3, "x")
        tags.append((document.etag, gallery_here.rendition(FRAME, "full/max/0/default.png").etag))
        gallery_here.close()
    assert not set(tags[0]) & set(tags[1])


def test_a_distorted_answer_is_not_drawn_from_all_of_the_image(
    images_here: Gallery, monkeypatch: pytest.MonkeyPatch
):
    store(images_here, codec=Codec())
    monkeypatch.setattr("orthanc_stl_plugin.services.images.renditions._SMALL_CANVAS_PX", 10_000)
    drawn = images_here.rendition(SLIDE, "full/200,1/0/default.png").drawn
    assert (drawn.canvas_width, drawn.canvas_height) == (100, 75)
    drawn = images_here.rendition(SLIDE, "full/150,110/0/default.png").drawn
    assert (drawn.canvas_width, drawn.canvas_height) == (200, 150)


def test_documents_of_both_versions_have_their_own_etags(images_here: Gallery):
    store(images_here)
    documents = [
        images_here.renditions.information(SLIDE, version, f"https://a.example/{prefix}")
        for version in Version
        for prefix in "xy"
    ]
    assert len({one.etag for one in documents}) == 4
    assert documents[0].document["@id"] == "https://a.example/x"
    assert documents[2].document["id"] == "https://a.example/x"


def test_many_who_ask_at_once_get_the_same_answer(images_here: Gallery):
    store(images_here)
    start = threading.Barrier(8)

    def ask(_: int) -> bytes:
        start.wait()
        return images_here.rendition(SLIDE, "3,5,150,120/70,/90/default.webp").content()

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(ask, range(8)))) == 1


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ("full/max/0/default.pdf", NotSupported),
        ("full/max/0/best.jpg", BadRequest),
        ("200,0,1,1/max/0/default.jpg", BadRequest),
        ("full/^6000,6000/0/default.jpg", BadRequest),
    ],
)
def test_what_cannot_be_answered_raises(
    images_here: Gallery, request_: str, error: type[Exception]
):
    store(images_here)
    with pytest.raises(error):
        images_here.rendition(SLIDE, request_)


def test_a_region_of_a_padded_level_is_the_same_place(images_here: Gallery):
    like = replace(LIKE, tile_width=64, tile_height=64, rgb=False)
    [base] = written_slide([(442, 300)], like)
    half = base.pixels[0, 0].reshape(150, 2, 221, 2).mean(axis=(1, 3))
    padded = np.full((192, 256), 7, np.uint8)
    padded[:150, :221] = half
    measures = item(PixelSpacing=[20 / 300, 20 / 442])
    shared = [item(PixelMeasuresSequence=[measures])]
    sample = replace(
        like, width=256, height=192, attributes={"SharedFunctionalGroupsSequence": shared}
    )
    level = written_level(sample, 2, pixels=padded[np.newaxis, np.newaxis])
    for file in (base.files[0], level.files[0]):
        images_here.archive.store(file.instance_id, file.content)
    assert [(one.width, one.height) for one in images_here.images.open(SLIDE).levels] == [
        (442, 300),
        (221, 150),
    ]
    shown = images_here.pixels(SLIDE, "280,200,160,100/80,50/0/default.png")
    assert np.abs(shown.astype(float) - half[100:150, 140:220]).max() < 3
    whole = images_here.pixels(SLIDE, "full/221,150/0/default.png")
    assert np.abs(whole.astype(float) - half).max() < 3
