"""Images of more pixels than one answer may decode: their missing levels are made once and kept."""

import subprocess
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.frame_encoders import JPEG, jpeg_ybr
from tests.support.frame_samples import frame_file, photograph
from tests.support.image_service import ImageService, stored_series
from tests.support.orthanc_server import OrthancServer
from tests.support.slide_samples import Codec, LevelSample, written_level

WIDTH, HEIGHT = 9000, 7000
MEDIUM = (5200, 4800)
"""Still more pixels than one answer may decode."""

TILE = "1024,2048,1024,1024/512,512/0/default.jpg"
TILE_BOX = (1024, 2048, 2048, 3072)
LONGEST_S = 60
SETTINGS = {'"Workers" : 0': '"Workers" : 1'}
LARGEST_MEAN_DIFFERENCE = 2.0
SHORT_S = 5


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return photograph(*MEDIUM)


def jpeg_file(picture: np.ndarray, series: int) -> bytes:
    with BytesIO() as stream:
        Image.fromarray(picture).save(stream, "JPEG", quality=92)
        encoded = stream.getvalue()
    return frame_file(
        picture,
        series=series,
        transfer_syntax_uid=JPEG,
        encoded=encoded + b"\0" * (len(encoded) % 2),
        PhotometricInterpretation="YBR_FULL_422",
        LossyImageCompression="01",
    )


@pytest.fixture
def server() -> Iterator[OrthancServer]:
    with OrthancServer(SETTINGS) as running:
        yield running


def frame_service(server: OrthancServer, content: bytes) -> ImageService:
    return ImageService(server, f"/instances/{server.upload(content)['ID']}/frames/0/iiif/3")


def pyramids(server: OrthancServer) -> list[Path]:
    """The pyramids that are kept."""
    return sorted((server.folder / "storage" / "iiif-pyramids").glob("*.levels"))


def wait_for_pyramids(server: OrthancServer, count: int) -> None:
    deadline = time.monotonic() + LONGEST_S
    while len(pyramids(server)) < count:
        assert time.monotonic() < deadline, server.log[-3000:]
        time.sleep(0.05)


def answered(service: ImageService, request: str) -> np.ndarray:
    """The pixels; a client comes again when it is told that the pyramid is being made."""
    deadline = time.monotonic() + LONGEST_S
    while (answer := service.get(f"/{request}")).status_code == 503:
        assert int(answer.headers["Retry-After"]) > 0
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert answer.status_code == 200, answer.text
    with Image.open(BytesIO(answer.content)) as image:
        return np.asarray(image)


def is_close(shown: np.ndarray, picture: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    expected = Image.fromarray(picture).resize(
        (shown.shape[1], shown.shape[0]), Image.Resampling.BICUBIC, box=box
    )
    difference = np.abs(np.asarray(expected, np.float64) - shown).mean()
    return bool(difference < LARGEST_MEAN_DIFFERENCE)


def test_a_large_photograph_gets_a_pyramid_that_outlives_a_restart(server: OrthancServer):
    picture = photograph(WIDTH, HEIGHT)
    service = frame_service(server, jpeg_file(picture, 700))
    began = time.monotonic()
    information = service.info()
    assert time.monotonic() - began < SHORT_S, "the document does not wait for the pyramid"
    assert information["tiles"][0]["width"] == 512
    whole = answered(service, "full/!600,600/0/default.jpg")
    assert is_close(whole, picture, (0, 0, WIDTH, HEIGHT))
    tile = answered(service, TILE)
    assert is_close(tile, picture, TILE_BOX)
    made = pyramids(server)
    assert len(made) == 1

    server.stop()
    with server:
        began = time.monotonic()
        assert is_close(answered(service, TILE), picture, TILE_BOX)
        assert time.monotonic() - began < SHORT_S, "a pyramid that is kept is not made again"
        assert pyramids(server) == made
        server.stop()


def test_a_lossless_photograph_stays_lossless(server: OrthancServer, picture: np.ndarray):
    service = frame_service(server, frame_file(picture, series=701))
    answered(service, TILE)
    wait_for_pyramids(server, 1)
    part = answered(service, "5000,4600,200,200/max/0/default.png")
    assert np.array_equal(part, picture[4600:, 5000:])


def test_a_slide_of_one_level_gets_the_levels_that_it_lacks(
    server: OrthancServer, picture: np.ndarray
):
    sample = LevelSample(*MEDIUM, tile_width=512, tile_height=512)
    codec = Codec(JPEG, jpeg_ybr, "YBR_FULL_422")
    levels = [written_level(sample, codec=codec, pixels=picture[np.newaxis, np.newaxis])]
    service = ImageService(server, f"/series/{stored_series(server, levels)}/iiif/3")
    assert is_close(answered(service, "full/400,/0/default.jpg"), picture, (0, 0, *MEDIUM))
    assert pyramids(server) == [], "few pixels of a JPEG are decoded without a pyramid"
    answered(service, "full/2600,/0/default.jpg")
    wait_for_pyramids(server, 1)
    half = answered(service, TILE)
    assert is_close(half, picture, TILE_BOX)


def test_old_pyramids_make_room(picture: np.ndarray):
    small = {**SETTINGS, '"PyramidCacheMiB" : 10240': '"PyramidCacheMiB" : 1'}
    with OrthancServer(small) as server:
        first = frame_service(server, jpeg_file(picture, 703))
        answered(first, TILE)
        wait_for_pyramids(server, 1)
        (old,) = pyramids(server)
        second = frame_service(server, jpeg_file(picture[:, ::-1], 704))
        answered(second, TILE)
        deadline = time.monotonic() + LONGEST_S
        while old.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert len(pyramids(server)) == 1
        assert is_close(answered(first, TILE), picture, TILE_BOX)


def test_a_photograph_that_is_deleted_while_its_pyramid_is_made_is_gone(
    server: OrthancServer, picture: np.ndarray
):
    service = frame_service(server, jpeg_file(picture, 705))
    service.get("/0,0,700,700/max/0/default.jpg")
    server.session.delete(server.url + service.base.removesuffix("/frames/0/iiif/3"))
    for tail in ("/info.json", f"/{TILE}", "/full/!600,600/0/default.jpg"):
        assert service.get(tail).status_code == 404
    assert server.get("/system").ok


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB; the tests run in a mount namespace of their own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_told_as_being_busy(picture: np.ndarray, small_disk: Path):
    with OrthancServer(SETTINGS | in_folder(small_disk)) as server:
        service = frame_service(server, frame_file(picture, series=706))
        answer = service.get(f"/{TILE}")
        assert answer.status_code == 503, server.log[-4000:]
        assert "full" in answer.json()["Details"]
        assert list(small_disk.glob("*.levels")) == []
        assert service.info()["width"] == MEDIUM[0]


def in_folder(folder: Path) -> dict[str, str]:
    return {'"PyramidDirectory" : ""': f'"PyramidDirectory" : "{folder}"'}
