"""The routes of images: addresses, links, headers and what is wrong with an address."""

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.services.images.opened_images import SeriesImage
from orthanc_stl_plugin.services.images.renditions import Rendition
from orthanc_stl_plugin.web.iiif import AnswerMemory, image_routes
from orthanc_stl_plugin.web.messages import Request, Response
from tests.support.frame_samples import frame_file, photograph
from tests.support.open_images import gallery
from tests.support.router import Router
from tests.support.slide_samples import LevelSample, written_level

BASES = [
    "/series/series/iiif/3",
    "/series/series/iiif/2",
    "/series/series/pyramids/0/iiif/3",
    "/instances/photograph/frames/0/iiif/3",
    "/instances/photograph/frames/0/iiif/2",
    "/wsi/iiif/tiles/series",
    "/wsi/iiif/frames/photograph/0",
    "/wsi/iiif/frames-pyramids/photograph/0",
]
IMAGE = "/0,0,40,30/20,15/0/default.png"
HOST = {"host": "pacs.example:8042"}


class Site:
    """The routes with one slide and one photograph."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.gallery = gallery(folder, settings=settings)
        for file in written_level(LevelSample(100, 70, 32, 16)).files:
            self.gallery.archive.store(file.instance_id, file.content)
        self.gallery.archive.store("photograph", frame_file(photograph(40, 30)), "photographs")
        self.memory = AnswerMemory(settings)
        self.routes = image_routes(self.gallery.renditions, self.memory, settings)
        self._router = Router(self.routes)

    def ask(self, path: str, method: str = "GET", **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._router.respond(Request(method, path, headers=HOST | named))

    def recall(self, path: str, **headers: str) -> Response | None:
        """What the route of that path knows without being asked in full."""
        (route,) = [one for one in self.routes if one.recall and re.fullmatch(one.pattern, path)]
        assert route.recall
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return route.recall(path, HOST | named)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, Settings())
    yield made
    made.gallery.close()


@pytest.mark.parametrize("base", BASES)
def test_every_address_has_a_document_with_that_address(site: Site, base: str):
    answer = site.ask(f"{base}/info.json")
    document = json.loads(answer.body)
    assert document.get("id", document.get("@id")) == f"http://pacs.example:8042{base}"
    version = 2 if base.endswith("/2") else 3
    assert document["@context"] == f"http://iiif.io/api/image/{version}/context.json"
    assert answer.media_type == "application/json"


@pytest.mark.parametrize("base", BASES)
def test_every_address_leads_to_its_document(site: Site, base: str):
    answer = site.ask(base)
    assert answer.status == 303
    assert answer.headers["Location"] == f"http://pacs.example:8042{base}/info.json"


@pytest.mark.parametrize("base", BASES)
def test_every_address_has_images_with_links_below_it(site: Site, base: str):
    answer = site.ask(base + IMAGE)
    assert (answer.status, answer.media_type) == (200, "image/png")
    profile, canonical = answer.headers["Link"].split(", <")
    assert profile.startswith("<http://iiif.io/api/image/")
    assert canonical.startswith(f"http://pacs.example:8042{base}/")
    assert canonical.endswith('/0/default.png>;rel="canonical"')
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("tail", ["/info.json", IMAGE])
def test_what_is_known_is_answered_without_a_body(site: Site, tail: str):
    first = site.ask(BASES[0] + tail)
    again = site.ask(BASES[0] + tail, if_none_match=first.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    assert again.headers["Cache-Control"] == "no-cache"


def test_json_ld_is_given_where_it_is_asked_for(site: Site):
    third, second = (
        site.ask(f"{base}/info.json", accept="application/ld+json") for base in BASES[:2]
    )
    assert third.media_type.startswith('application/ld+json;profile="http://iiif.io/api/image/3')
    assert second.media_type == "application/ld+json"
    plain = site.ask(f"{BASES[0]}/info.json")
    assert 'rel="http://www.w3.org/ns/json-ld#context"' in plain.headers["Link"]
    assert plain.headers["ETag"] != third.headers["ETag"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/series/series/iiif/4/info.json", 404),
        ("/series/series/iiif/4", 404),
        ("/series/series/iiif/a/b/full/max/0/default.jpg", 404),
        ("/series/nothing/iiif/3/info.json", 404),
        ("/series/series/pyramids/1/iiif/3/info.json", 404),
        ("/series/series/pyramids/-1/iiif/3/info.json", 404),
        ("/instances/photograph/frames/9999999999/iiif/3/info.json", 404),
        ("/instances/photograph/frames/one/iiif/3" + IMAGE, 404),
        ("/instances/photograph/frames/0/iiif/3/info.xml", 400),
        ("/instances/photograph/frames/0/iiif/3/", 400),
        ("/instances/photograph/frames/0/iiif/3/full/max/0/default.jpg/more", 400),
        ("/instances/photograph/frames/0/iiif/3/full/max/0/default.gif.jpg", 400),
        ("/instances/photograph/frames/0/iiif/3/full/max/0/default.jp2", 501),
        ("/series/photographs/iiif/3/info.json", 422),
        ("/series/séries/iiif/3/info.json", 404),
    ],
)
def test_what_is_wrong_with_an_address_has_a_status(site: Site, path: str, status: int):
    assert site.ask(path).status == status


@pytest.mark.parametrize("tail", ["", "/info.json", IMAGE])
def test_only_get_is_allowed(site: Site, tail: str):
    answer = site.ask(BASES[0] + tail, "DELETE")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


def test_fresh_answers_need_not_be_asked_for_again(tmp_path: Path):
    site = Site(tmp_path, Settings(max_age_seconds=60, public_url="https://iiif.example/"))
    for tail in ("/info.json", IMAGE):
        kept = site.ask(BASES[0] + tail).headers["Cache-Control"]
        assert kept == "max-age=60, s-maxage=0, must-revalidate"
    document = json.loads(site.ask(f"{BASES[0]}/info.json").body)
    assert document["id"] == f"https://iiif.example{BASES[0]}"
    site.gallery.close()


@pytest.mark.parametrize("base", BASES)
def test_what_was_asked_for_is_recalled_as_it_was_answered(site: Site, base: str):
    assert site.recall(base + IMAGE) is None
    answered = site.ask(base + IMAGE)
    assert site.recall(base + IMAGE) == answered
    assert site.ask(base + IMAGE) == answered


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "other.example"},
        {"host": "no host"},
        {"x_forwarded_host": "iiif.example"},
        {"x_forwarded_proto": "https"},
    ],
)
def test_only_the_same_question_is_recalled(site: Site, headers: dict[str, str]):
    site.ask(BASES[0] + IMAGE)
    assert site.recall(BASES[0] + IMAGE, **headers) is None


@pytest.mark.parametrize("cache", ["answers", "responses"])
def test_what_a_client_has_is_recalled_as_such(site: Site, cache: str):
    path = BASES[0] + IMAGE
    tag = site.ask(path).headers["ETag"]
    if cache == "answers":  # as for an image that was asked for with its tag at first
        site.memory.responses.forget((path, f"http://{HOST['host']}"))
    recalled = site.recall(path, if_none_match=tag)
    assert recalled == site.ask(path, if_none_match=tag)
    assert recalled is not None
    assert (recalled.status, recalled.body) == (304, b"")
    changed = site.recall(path, if_none_match='"another"')
    assert changed == site.ask(path)


def test_nothing_is_recalled_of_what_was_deleted_or_replaced(site: Site):
    paths = [base + IMAGE for base in BASES]
    old = [site.ask(path).headers["ETag"] for path in paths]
    sample = LevelSample(100, 70, 32, 16)
    for file in written_level(sample, pixels=255 - written_level(sample).pixels).files:
        site.gallery.archive.store(file.instance_id, file.content)
    site.gallery.archive.store("photograph", frame_file(photograph(41, 30)), "photographs")
    assert [site.recall(path) for path in paths] == [None] * len(paths)
    new = [site.ask(path).headers["ETag"] for path in paths]
    assert not set(old) & set(new)
    site.gallery.archive.delete("photograph")
    instances = [path for path in paths if "photograph" in path]
    assert instances
    assert [site.recall(path) for path in instances] == [None] * len(instances)


def test_what_no_longer_fits_in_memory_is_recalled_too(tmp_path: Path):
    site = Site(tmp_path, Settings(tile_cache_mib=1))
    path = f"{BASES[0]}/full/max/0/default.tif"
    answered = site.ask(path)
    others = [
        f"{BASES[0]}/full/{width},{height}/0/default.tif"
        for width in range(60, 90)
        for height in range(40, 70)
    ]
    for other in others:
        site.ask(other)
    assert sum(len(site.ask(other).body) for other in others) > 1 << 20
    assert site.recall(path) == answered
    for file in site.gallery.archive.series_instances("series"):
        site.gallery.archive.delete(file)
    assert site.recall(path) is None
    site.gallery.close()


def test_what_was_opened_anew_is_recalled_again(site: Site):
    path = BASES[0] + IMAGE
    answered = site.ask(path)
    site.gallery.images.forget(SeriesImage("series"))
    site.gallery.images.note_change()
    assert site.recall(path) is None
    assert site.ask(path) == answered
    assert site.recall(path) == answered


def test_many_who_ask_at_once_wait_for_one_drawing(site: Site, monkeypatch: pytest.MonkeyPatch):
    drawn: list[str] = []
    draw = Rendition.content

    def slowly(rendition: Rendition) -> bytes:
        drawn.append(rendition.canonical)
        time.sleep(0.2)
        return draw(rendition)

    monkeypatch.setattr(Rendition, "content", slowly)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(site.ask, [BASES[0] + IMAGE] * 8))
    assert len({one.body for one in answers}) == len(drawn) == 1


def test_of_all_who_ask_for_one_tile_of_a_huge_image_half_the_threads_wait_at_most(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    path = "/instances/huge/frames/0/iiif/3/0,0,64,64/32,/0/default.png"
    drawn = photograph(2600, 1700)
    site.gallery.archive.store("huge", frame_file(drawn), "huge")
    monkeypatch.setattr("orthanc_stl_plugin.services.images.renditions._MOST_DECODED_PX", 1000)
    may_go, run = threading.Event(), site.gallery.workers.run

    def slowly(*task: Any) -> Any:
        may_go.wait(10)
        return run(*task)

    monkeypatch.setattr(site.gallery.workers, "run", slowly)
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(site.ask, path) for _ in range(4)]  # the gallery has one place
        time.sleep(1)
        refused = [one.result() for one in asked if one.done()]
        may_go.set()
        answers = [one.result() for one in asked]
    assert [one.status for one in refused] == [503] * 3
    assert sorted(one.status for one in answers) == [200, 503, 503, 503]
    assert site.ask(path).status == 200


def test_who_asks_after_a_change_does_not_get_what_is_being_drawn(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    path = "/instances/photograph/frames/0/iiif/3" + IMAGE
    is_drawing, goes_on = threading.Event(), threading.Event()
    draw = Rendition.content

    def slowly(rendition: Rendition) -> bytes:
        content = draw(rendition)
        if not is_drawing.is_set():
            is_drawing.set()
            goes_on.wait()
        return content

    monkeypatch.setattr(Rendition, "content", slowly)
    with ThreadPoolExecutor(2) as threads:
        before = threads.submit(site.ask, path)
        is_drawing.wait()
        site.gallery.archive.store("photograph", frame_file(photograph(41, 30)), "photographs")
        after = threads.submit(site.ask, path)
        time.sleep(0.1)
        goes_on.set()
    assert before.result().headers["ETag"] != after.result().headers["ETag"]
    assert before.result().body != after.result().body
    assert after.result().body == site.ask(path).body


def test_what_fails_is_left_to_the_handler(site: Site, monkeypatch: pytest.MonkeyPatch):
    path = BASES[0] + IMAGE
    assert site.ask(path, if_none_match="*").status == 304

    def broken(_: Rendition) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(Rendition, "content", broken)
    assert site.recall(path) is None
    assert json.loads(site.ask(path).body)["HttpStatus"] == 500
