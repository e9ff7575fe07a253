"""Slides, photographs and slices in the pages for images."""

import re
import time

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Watched, picture
from tests.support.frame_samples import frame_file, photograph
from tests.support.orthanc_server import OrthancServer
from tests.support.slide_samples import LevelSample, written_slide

STAGE = "#stage"
WIDTH_MM = 10  # of every slide of the samples
SIDE_PX = 1024


@pytest.fixture(scope="session")
def slide(orthanc: OrthancServer) -> dict[str, str]:
    """The identifiers of a slide of three levels."""
    sizes = [(SIDE_PX // factor, SIDE_PX // factor) for factor in (1, 2, 4)]
    levels = written_slide(sizes, LevelSample(1, 1, tile_width=256, tile_height=256))
    stored = [orthanc.upload(file.content) for level in levels for file in level.files]
    return stored[0]


@pytest.fixture(scope="session")
def photo(orthanc: OrthancServer) -> dict[str, str]:
    """The identifiers of a photograph, without a scale."""
    return orthanc.upload(frame_file(photograph(600, 400), series=70))


def opened(watched: Watched, query: str) -> Page:
    page = watched.open(f"/stl/app/zoom.html?{query}")
    page.wait_for_selector("html[data-opened]", timeout=30_000)
    page.wait_for_load_state("networkidle")
    return page


def test_a_slide_has_a_scale_bar_in_millimetres(watched: Watched, slide: dict[str, str]):
    page = opened(watched, f"series={slide['ParentSeries']}")
    bar = page.locator(".scale-bar")
    expect(bar).to_have_text("2 mm")
    side = page.evaluate("document.querySelector('#stage').clientHeight")
    drawn = page.locator(".scale-bar i").bounding_box()
    assert drawn is not None
    assert drawn["width"] == pytest.approx(2 / WIDTH_MM * side, rel=0.02)


def test_zooming_in_makes_the_scale_finer(watched: Watched, slide: dict[str, str]):
    page = opened(watched, f"series={slide['ParentSeries']}")
    for _ in range(5):
        page.get_by_role("button", name="Zoom in").click()
    expect(page.locator(".scale-bar")).to_have_text("200 µm")
    page.get_by_role("button", name="Whole image").click()
    expect(page.locator(".scale-bar")).to_have_text("2 mm")


def test_a_photograph_without_a_scale_has_no_bar_but_its_colours(
    watched: Watched, photo: dict[str, str]
):
    page = opened(watched, f"instance={photo['ID']}")
    expect(page.locator(".scale-bar")).to_be_hidden()
    page.wait_for_timeout(500)  # the last tile fades in
    seen = picture(page, "#stage")[..., :3].astype(int)
    rows, columns = seen.shape[:2]
    expected = photograph(600, 400).astype(int)
    scale = min(rows / 400, columns / 600)
    for x, y in ((300, 200), (150, 100), (60, 350)):
        row = round(rows / 2 + (y - 200) * scale)
        column = round(columns / 2 + (x - 300) * scale)
        assert np.abs(seen[row, column] - expected[y, x]).max() < 12


def test_on_a_phone_all_tools_are_in_one_row(watched: Watched, slide: dict[str, str]):
    watched.page.set_viewport_size({"width": 360, "height": 740})
    page = opened(watched, f"series={slide['ParentSeries']}")
    boxes = [one.bounding_box() for one in page.locator("#tools > *").all()]
    assert len(boxes) == 7
    assert len({box["y"] for box in boxes if box is not None}) == 1
    assert all(box is not None and min(box["width"], box["height"]) >= 40 for box in boxes)


def test_turning_keeps_the_image(watched: Watched, slide: dict[str, str]):
    page = opened(watched, f"series={slide['ParentSeries']}")
    page.wait_for_timeout(500)
    before = picture(page, STAGE).astype(int)
    page.get_by_role("button", name="Turn right").click()
    page.wait_for_timeout(1500)
    after = picture(page, STAGE).astype(int)
    assert np.abs(after - before).mean() > 5
    page.get_by_role("button", name="Turn left").click()
    page.wait_for_timeout(1500)
    assert np.abs(picture(page, STAGE).astype(int) - before).mean() < 1


def test_the_slices_of_a_series_follow_one_another(watched: Watched, ct: dict[str, str]):
    page = opened(watched, f"series={ct['ParentSeries']}")
    expect(page.locator("#position-text")).to_have_text("53 / 104")
    assert page.evaluate("document.documentElement.dataset.opened") == "52"
    page.get_by_label("Image", exact=True).press("ArrowRight")
    page.wait_for_selector("html[data-opened='53']")
    expect(page.locator("#position-text")).to_have_text("54 / 104")
    expect(page.locator(".scale-bar")).to_have_text(re.compile(r"^\d+\s(mm|cm)$"))


def test_the_whole_of_an_image_is_seen_at_first_above_the_slider(
    watched: Watched, orthanc: OrthancServer
):
    framed = np.zeros((1000, 1000, 3), dtype=np.uint8)
    framed[..., 0] = 255
    framed[20:-20, 20:-20] = (0, 0, 255)  # a red frame of 2 %
    stored, _ = [orthanc.upload(frame_file(framed, number, series=71)) for number in (1, 2)]
    page = opened(watched, f"series={stored['ParentSeries']}")
    expect(page.locator("#position-text")).to_have_text("1 / 2")
    page.wait_for_timeout(1500)  # a spring brings it to its place
    seen = picture(page, STAGE)[..., :3].astype(int)
    middle = seen[:, seen.shape[1] // 2]
    is_red = middle[:, 0] > 2 * middle[:, 2] + 50
    rows = np.flatnonzero(is_red)
    assert rows[0] < 0.01 * len(middle)
    assert rows[-1] > 0.99 * len(middle) - 1
    assert len(rows) == pytest.approx(0.04 * len(middle), abs=4)


def test_a_series_without_images_says_so(watched: Watched, rtstruct: dict[str, str]):
    watched.expect("422")
    page = watched.open(f"/stl/app/zoom.html?series={rtstruct['ParentSeries']}")
    expect(page.get_by_role("alert")).to_contain_text("no images")


def test_the_page_of_a_slide_is_accessible(watched: Watched, slide: dict[str, str]):
    opened(watched, f"series={slide['ParentSeries']}")
    assert watched.seriously_inaccessible() == []


def test_addresses_of_manifests_can_be_copied(
    watched: Watched, slide: dict[str, str], rtstruct: dict[str, str]
):
    page = watched.open(f"/stl/app/iiif.html?series={slide['ParentSeries']}")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the address: The whole study").click()
    expect(page.get_by_role("status").first).to_have_text("Copied.")
    expected = f"{watched.url}/studies/{slide['ParentStudy']}/iiif/manifest.json"
    assert page.evaluate("navigator.clipboard.readText()") == expected
    assert watched.seriously_inaccessible() == []


def test_buttons_are_nearer_to_their_own_address_than_to_the_next(
    watched: Watched, slide: dict[str, str]
):
    page = watched.open(f"/stl/app/iiif.html?series={slide['ParentSeries']}")
    first, second = page.locator(".line").all()[:2]
    field, copy = first.locator("input").bounding_box(), first.get_by_role("button").bounding_box()
    name = second.locator("span").first.bounding_box()
    assert field is not None
    assert copy is not None
    assert name is not None
    above = copy["y"] - field["y"] - field["height"]
    assert above < 0.5 * (name["y"] - copy["y"] - copy["height"])


@pytest.mark.parametrize(
    "manifest", ["https://elsewhere.example/manifest.json", "//elsewhere.example/m", "file:///m"]
)
def test_mirador_opens_no_manifest_of_another_server(watched: Watched, manifest: str):
    page = watched.open(f"/stl/app/mirador.html?manifest={manifest}")
    expect(page.get_by_role("alert")).to_contain_text("opens manifests of this server only")


TILES = "**/default.jpg"
BUSY = "503"


def refused_at_first(page: Page, seconds: float) -> list[str]:
    """Answers 503 to every tile for that long, as while its pyramid is made; the tiles refused."""
    end = time.monotonic() + seconds
    refused = []

    def answer(route: Route) -> None:
        if time.monotonic() < end:
            refused.append(route.request.url)
            route.fulfill(status=503, headers={"Retry-After": "5"}, body="{}")
        else:
            route.continue_()

    page.route(TILES, answer)
    return refused


def difference_soon(page: Page, selector: str, expected: np.ndarray, seconds: float) -> float:
    """How far a part of the page is from a picture, in grey levels, once it is near or at last."""
    end = time.monotonic() + seconds
    while True:
        found = float(np.abs(picture(page, selector).astype(int) - expected).mean())
        if found < 1 or time.monotonic() > end:
            return found
        page.wait_for_timeout(500)


def test_tiles_that_a_busy_server_refused_are_asked_for_again(
    watched: Watched, slide: dict[str, str]
):
    page = opened(watched, f"series={slide['ParentSeries']}")
    page.wait_for_timeout(1500)
    expected = picture(page, STAGE).astype(int)
    watched.expect(BUSY, "failed to load")
    refused = refused_at_first(page, 7)
    page.reload()
    page.wait_for_timeout(3000)
    assert refused
    assert np.abs(picture(page, STAGE).astype(int) - expected).mean() > 10
    expect(page.locator("#frame").get_by_role("status")).to_have_text("Loading…")
    assert difference_soon(page, STAGE, expected, 20) < 1
    expect(page.locator("#frame").get_by_role("status")).to_be_hidden()


MIRADOR_S_OWN = "Accessing element.ref was removed in React 19"


def is_grey(page: Page, selector: str) -> bool:
    """There is nothing but Mirador: the picture has colours."""
    seen = picture(page, selector)[..., :3].astype(int)
    return bool((np.ptp(seen, axis=2) > 60).mean() < 0.1)


@pytest.mark.parametrize("level", ["series", "study", "manifest"])
def test_mirador_shows_the_manifest_of_a_slide(watched: Watched, slide: dict[str, str], level: str):
    watched.expect(MIRADOR_S_OWN)
    query = {
        "series": f"series={slide['ParentSeries']}",
        "study": f"study={slide['ParentStudy']}",
        "manifest": f"manifest={watched.url}/series/{slide['ParentSeries']}/iiif/manifest.json",
    }[level]
    page = watched.open(f"/stl/app/mirador.html?{query}")
    expect(page.locator(".mirador-osd-container canvas").first).to_be_visible(timeout=30_000)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1000)
    assert watched.seriously_inaccessible() == []
    assert not is_grey(page, ".mirador-osd-container")


def test_mirador_asks_again_for_tiles_that_a_busy_server_refused(
    watched: Watched, slide: dict[str, str]
):
    watched.expect(MIRADOR_S_OWN, BUSY, "failed to load")
    stage = ".mirador-osd-container"
    refused = refused_at_first(watched.page, 7)
    page = watched.open(f"/stl/app/mirador.html?series={slide['ParentSeries']}")
    expect(page.locator(f"{stage} canvas").first).to_be_visible(timeout=30_000)
    page.wait_for_timeout(3000)
    assert refused
    assert is_grey(page, stage)
    page.wait_for_timeout(12_000)
    assert not is_grey(page, stage)
