"""Images that Orthanc keeps compressed: no file to read in place, and the same pixels."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRBigEndian

from tests.support.dicom_samples import SegFrame, file_bytes, seg_dataset
from tests.support.frame_encoders import JPEG, full_ybr, half_chroma, jpeg_ybr, partial_ybr
from tests.support.frame_samples import frame_file, photograph
from tests.support.image_service import ImageService, slide_levels, stored_series
from tests.support.orthanc_server import OrthancServer
from tests.support.slide_samples import Codec, LevelSample, Tables

AN_OPTION = '"DicomAlwaysAllowEcho" : true,'


@pytest.fixture(scope="module")
def compressing() -> Iterator[OrthancServer]:
    """A real Orthanc that compresses what it stores."""
    with OrthancServer({AN_OPTION: f'{AN_OPTION} "StorageCompression" : true,'}) as server:
        yield server


def shown(server: OrthancServer, content: bytes, frame_index: int = 0) -> NDArray[np.uint8]:
    """The pixels of a frame of a file that is stored."""
    instance_id = server.upload(content)["ID"]
    service = ImageService(server, f"/instances/{instance_id}/frames/{frame_index}/iiif/3")
    return service.pixels("full/max/0/default.png")


def test_one_bit_frames_begin_within_a_byte(compressing: OrthancServer):
    masks = np.random.default_rng(1).integers(0, 2, (3, 5, 7), np.uint8)
    frames = [SegFrame(1, index, mask) for index, mask in enumerate(masks)]
    content = file_bytes(seg_dataset(frames, np.eye(4)))
    for index, mask in enumerate(masks):
        assert np.array_equal(shown(compressing, content, index) > 0, mask > 0)


def test_big_endian_words_are_read_as_such(compressing: OrthancServer):
    values = np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) * 21
    content = frame_file(
        values,
        PixelData=values.astype(">u2").tobytes(),
        WindowCenter=32768,
        WindowWidth=65536,
        transfer_syntax_uid=ExplicitVRBigEndian,
    )
    expected = values / 65535 * 255
    assert np.abs(shown(compressing, content) - expected).max() <= 1  # grey level, by rounding


@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_PARTIAL_422"])
def test_pixels_share_their_colour_differences(compressing: OrthancServer, photometric: str):
    picture = np.repeat(photograph(32, 48), 2, axis=1)
    ybr = full_ybr(picture) if photometric == "YBR_FULL_422" else partial_ybr(picture)
    content = frame_file(
        picture,
        2 if photometric == "YBR_FULL_422" else 3,
        series=2,
        PhotometricInterpretation=photometric,
        PixelData=half_chroma(ybr),
    )
    found = shown(compressing, content).astype(int)
    assert np.abs(found - picture).max() <= 3  # grey levels, by rounding


def test_fragments_are_put_together_without_a_table(compressing: OrthancServer):
    like = LevelSample(1, 1, tile_width=64, tile_height=48)
    levels = slide_levels(
        3,
        [(128, 96)],
        replace(like, tables=Tables.EMPTY, fragments_per_frame=3),
        Codec(JPEG, jpeg_ybr, "YBR_FULL_422"),
    )
    service = ImageService(compressing, f"/series/{stored_series(compressing, levels)}/iiif/3")
    found = service.pixels("full/max/0/default.png").astype(int)
    assert np.abs(found - levels[0].pixels[0, 0]).mean() < 4  # grey levels, lost in JPEG
