"""What was deleted, replaced or added in Orthanc shows in the very next answer."""

import time
from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest

from tests.support.frame_encoders import JPEG, jpeg_ybr
from tests.support.frame_samples import frame_file, photograph
from tests.support.image_service import ImageService, slide_levels, stored_series
from tests.support.orthanc_server import OrthancServer
from tests.support.slide_samples import Codec, LevelSample, WrittenLevel, written_level

AN_OPTION = '"DicomAlwaysAllowEcho" : true,'
SIZES = [(300, 200), (150, 100)]
LIKE = LevelSample(1, 1, tile_width=128, tile_height=128)
AS_JPEG = Codec(JPEG, jpeg_ybr, "YBR_FULL_422")
STORED_TILE, EDGE, COMPUTED = "0,0,128,128/max/0", "256,0,44,128/max/0", "10,10,200,150/50,/0"
TAILS = [
    "/info.json",
    *(f"/{image}/default.jpg" for image in (STORED_TILE, EDGE, COMPUTED)),
    "/full/max/0/default.png",
]
SOON_S = 5
"""Orthanc tells of what is new a moment after it."""

numbers = count(100)


@pytest.fixture(scope="module", params=["plain files", "compressed files"])
def server(request: pytest.FixtureRequest) -> Iterator[OrthancServer]:
    """With compression, Orthanc's files cannot be read in its storage folder."""
    compresses = str(request.param == "compressed files").lower()
    options = f'"OverwriteInstances" : true, "StorageCompression" : {compresses},'
    settings = {AN_OPTION: f"{AN_OPTION} {options}", '"Workers" : 0': '"Workers" : 1'}
    with OrthancServer(settings) as running:
        yield running


@pytest.fixture
def levels() -> list[WrittenLevel]:
    return slide_levels(next(numbers), SIZES, LIKE, AS_JPEG)


def series_service(server: OrthancServer, levels: list[WrittenLevel]) -> ImageService:
    return ImageService(server, f"/series/{stored_series(server, levels)}/iiif/3")


def negative(level: WrittenLevel, number: int) -> WrittenLevel:
    """The same instance with other pixels."""
    return written_level(level.sample, number, codec=AS_JPEG, pixels=255 - level.pixels)


def warm(service: ImageService) -> dict[str, str]:
    """The ETags of all answers, each asked for twice."""
    answers = [(tail, service.get(tail)) for tail in TAILS * 2]
    assert all(answer.status_code == 200 for _, answer in answers)
    return {tail: answer.headers["ETag"] for tail, answer in answers}


def statuses(service: ImageService, etags: dict[str, str]) -> dict[str, int]:
    return {tail: service.get(tail, If_None_Match=etags[tail]).status_code for tail in TAILS}


@pytest.mark.parametrize("tail", TAILS)
def test_a_deleted_series_is_gone_at_once(
    server: OrthancServer, levels: list[WrittenLevel], tail: str
):
    service = series_service(server, levels)
    etags = warm(service)
    server.session.delete(server.url + service.base.removesuffix("/iiif/3")).raise_for_status()
    assert service.get(tail, If_None_Match=etags[tail]).status_code == 404
    assert statuses(service, etags) == dict.fromkeys(TAILS, 404)


@pytest.mark.parametrize("tail", TAILS)
def test_a_deleted_instance_is_gone_at_once(server: OrthancServer, tail: str):
    number = next(numbers)
    one = server.upload(frame_file(photograph(300, 200), series=number))["ID"]
    service = ImageService(server, f"/instances/{one}/frames/0/iiif/3")
    etags = warm(service)
    server.session.delete(f"{server.url}/instances/{one}").raise_for_status()
    assert service.get(tail, If_None_Match=etags[tail]).status_code == 404
    assert statuses(service, etags) == dict.fromkeys(TAILS, 404)


def test_without_its_largest_level_a_slide_is_what_is_left(
    server: OrthancServer, levels: list[WrittenLevel]
):
    service = series_service(server, levels)
    warm(service)
    for instance in server.get(service.base.removesuffix("/iiif/3") + "/instances").json():
        if instance["MainDicomTags"]["InstanceNumber"] == "1":
            server.session.delete(f"{server.url}/instances/{instance['ID']}").raise_for_status()
    assert service.size("full/max/0/default.png") == SIZES[1]
    assert service.info()["width"] == SIZES[1][0]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("tail", TAILS[1:])
def test_a_replaced_level_is_shown_at_once(
    server: OrthancServer, levels: list[WrittenLevel], which: int, tail: str
):
    service = series_service(server, levels)
    etags = warm(service)
    before = {one: service.get(one).content for one in TAILS}
    (file,) = negative(levels[which], which + 1).files
    server.upload(file.content)
    answer = service.get(tail, If_None_Match=etags[tail])
    assert answer.status_code == 200
    assert answer.headers["ETag"] != etags[tail]
    is_of_it = (tail == f"/{COMPUTED}/default.jpg") == (which == 1)
    assert (answer.content != before[tail]) == is_of_it


def test_a_replaced_frame_is_shown_at_once(server: OrthancServer):
    number = next(numbers)
    picture = photograph(300, 200)
    one = server.upload(frame_file(picture, series=number))["ID"]
    service = ImageService(server, f"/instances/{one}/frames/0/iiif/3")
    for shown in (255 - picture, picture, 255 - picture):
        etags = warm(service)
        server.upload(frame_file(shown, series=number))
        assert np.array_equal(service.pixels("full/max/0/default.png"), shown)
        assert statuses(service, etags) == dict.fromkeys(TAILS, 200)


def test_a_level_that_comes_later_is_noticed(server: OrthancServer, levels: list[WrittenLevel]):
    service = series_service(server, levels[1:])
    assert service.info()["width"] == SIZES[1][0]
    assert service.size("full/max/0/default.jpg") == SIZES[1]
    stored_series(server, levels[:1])
    deadline = time.monotonic() + SOON_S
    while service.info()["width"] != SIZES[0][0] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert service.info()["width"] == SIZES[0][0]
    assert service.size("full/max/0/default.jpg") == SIZES[0]


def test_a_modified_study_moves_its_images(server: OrthancServer, levels: list[WrittenLevel]):
    service = series_service(server, levels)
    etags = warm(service)
    shown = service.pixels("full/max/0/default.png")
    old = server.get(service.base.removesuffix("/iiif/3")).json()
    study = server.post(
        f"/studies/{old['ParentStudy']}/modify",
        {"Replace": {"StudyDescription": "Another"}, "KeepSource": False},
    ).json()
    assert statuses(service, etags) == dict.fromkeys(TAILS, 404)
    (series,) = server.get(f"/studies/{study['ID']}").json()["Series"]
    moved = ImageService(server, f"/series/{series}/iiif/3")
    assert np.array_equal(moved.pixels("full/max/0/default.png"), shown)


def test_a_study_that_is_modified_in_place_keeps_its_addresses(
    server: OrthancServer, levels: list[WrittenLevel]
):
    service = series_service(server, levels)
    etags = warm(service)
    shown = service.pixels("full/max/0/default.png")
    old = server.get(service.base.removesuffix("/iiif/3")).json()
    server.post(
        f"/studies/{old['ParentStudy']}/modify",
        {
            "Replace": {"StudyDescription": "Another"},
            "Keep": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"],
            "Force": True,
            "KeepSource": True,
        },
    ).raise_for_status()
    assert statuses(service, etags) == dict.fromkeys(TAILS, 200)
    assert np.array_equal(service.pixels("full/max/0/default.png"), shown)
