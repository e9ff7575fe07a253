"""The pages as the public sees them: a visitor without the header of staff."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NOTE_VIOLATIONS, Watched, watch
from tests.browser.test_images import SIDE_PX
from tests.integration.test_publication import RULE
from tests.support.frame_samples import frame_file, photograph
from tests.support.orthanc_server import STAFF, OrthancServer
from tests.support.slide_samples import LevelSample, written_slide
from tools.demo import figurine

NOTHING_TO_SEE = "There is nothing at this address: it was deleted, or is not public."


@dataclass
class Shown:
    """What a museum has published: identifiers of Orthanc's answers."""

    server: OrthancServer
    photo: dict[str, str]
    slide: dict[str, str]
    model: dict[str, str]
    hidden: dict[str, str]


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    server = OrthancServer(RULE)
    server.session.headers.update(STAFF)
    with server:
        photo = server.upload(frame_file(photograph(600, 400), series=70))
        sizes = [(SIDE_PX // factor, SIDE_PX // factor) for factor in (1, 2)]
        levels = written_slide(sizes, LevelSample(1, 1, tile_width=256, tile_height=256))
        [slide, *_] = [server.upload(file.content) for level in levels for file in level.files]
        nifti = base64.b64encode(figurine.nifti(figurine.mask(figurine.scan()))).decode()
        body = {"Nifti": nifti, "ParentStudy": photo["ParentStudy"], "Resolution": 32}
        model = server.post("/stl/encode-nifti", body).json()
        hidden = server.upload(next(figurine.ct_series(figurine.scan())))
        for study in {photo["ParentStudy"], slide["ParentStudy"]}:
            server.session.put(f"{server.url}/studies/{study}/labels/public").raise_for_status()
        yield Shown(server, photo, slide, model, hidden)


@pytest.fixture
def visitor(browser: Browser, shown: Shown) -> Iterator[Watched]:
    """Fails the test by any request that the public is refused."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.add_init_script(NOTE_VIOLATIONS)
    watched = Watched(context.new_page(), shown.server.url)
    watch(context, watched)
    yield watched
    context.close()
    assert watched.unexpected == []


def has_no_way_to_staff(page: Page) -> None:
    addresses = [one.get_attribute("href") or "" for one in page.locator("a:visible").all()]
    assert [one for one in addresses if re.search(r"index\.html|create\.html|explorer", one)] == []


@pytest.mark.parametrize("level", ["series", "instance"])
def test_a_visitor_zooms_into_a_slide_with_its_scale(visitor: Watched, shown: Shown, level: str):
    identifier = {"series": shown.slide["ParentSeries"], "instance": shown.slide["ID"]}[level]
    page = visitor.open(f"/stl/app/zoom.html?{level}={identifier}")
    page.wait_for_selector("html[data-opened]", timeout=30_000)
    expect(page.locator(".scale-bar")).to_have_text("2 mm")
    has_no_way_to_staff(page)
    assert visitor.seriously_inaccessible() == []


def test_a_visitor_zooms_into_a_photograph(visitor: Watched, shown: Shown):
    page = visitor.open(f"/stl/app/zoom.html?instance={shown.photo['ID']}&frame=1")
    page.wait_for_selector("html[data-opened='0']", timeout=30_000)


@pytest.mark.parametrize("level", ["series", "study", "instance"])
def test_a_visitor_turns_a_model(visitor: Watched, shown: Shown, level: str):
    identifier = {
        "series": shown.model["ParentSeries"],
        "study": shown.model["ParentStudy"],
        "instance": shown.model["ID"],
    }[level]
    page = visitor.open(f"/stl/app/viewer.html?{level}={identifier}")
    expect(page.locator("#models li")).to_have_count(1)
    expect(page.locator("#models li")).to_contain_text("triangles")
    has_no_way_to_staff(page)
    assert visitor.seriously_inaccessible() == []


def test_a_visitor_copies_the_addresses_of_manifests(visitor: Watched, shown: Shown):
    page = visitor.open(f"/stl/app/iiif.html?series={shown.photo['ParentSeries']}")
    expect(page.get_by_role("button", name="Copy the address: The whole study")).to_be_visible()
    has_no_way_to_staff(page)
    page.get_by_role("link", name="Open in the 3D viewer").click()
    expect(page.locator("#models li")).to_have_count(1)


def test_a_visitor_opens_mirador(visitor: Watched, shown: Shown):
    visitor.expect("Accessing element.ref was removed in React 19")
    page = visitor.open(f"/stl/app/mirador.html?study={shown.photo['ParentStudy']}")
    expect(page.locator(".mirador-osd-container canvas").first).to_be_visible(timeout=30_000)
    has_no_way_to_staff(page)


@pytest.mark.parametrize("page_name", ["viewer", "iiif", "zoom"])
def test_a_visitor_may_be_given_the_address_that_staff_has(
    visitor: Watched, shown: Shown, page_name: str
):
    visitor.expect("404")
    stored = shown.slide if page_name == "zoom" else shown.model
    page = visitor.open(f"/stl/app/{page_name}.html?series={stored['ParentSeries']}&from=legacy")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("#models li, #manifests section, #stage canvas").first).to_be_visible()
    has_no_way_to_staff(page)


@pytest.mark.parametrize("page_name", ["viewer", "iiif"])
def test_staff_gets_from_what_the_public_sees_to_its_own_pages(
    browser: Browser, shown: Shown, page_name: str
):
    context = browser.new_context(locale="en-GB", extra_http_headers=STAFF)
    watched = Watched(context.new_page(), shown.server.url)
    watch(context, watched)
    series = shown.model["ParentSeries"]
    page = watched.open(f"/stl/app/{page_name}.html?series={series}&from=legacy")
    expect(page.get_by_role("link", name="Back to the study")).to_be_visible()
    page.get_by_role("banner").get_by_role("link", name="3D models and IIIF").click()
    expect(page.locator("#publish")).to_contain_text("the public sees")
    context.close()
    assert watched.unexpected == []


@pytest.mark.parametrize("page_name", ["zoom", "viewer", "iiif", "mirador"])
def test_what_is_not_published_is_not_there(visitor: Watched, shown: Shown, page_name: str):
    visitor.expect("404")
    page = visitor.open(f"/stl/app/{page_name}.html?series={shown.hidden['ParentSeries']}")
    expect(page.get_by_role("alert")).to_have_text(NOTHING_TO_SEE)


def test_pages_that_change_something_are_for_staff(shown: Shown, visitor: Watched):
    for name in ("index.html", "create.html"):
        answer = visitor.page.request.get(f"{shown.server.url}/stl/app/{name}")
        assert answer.status == 404
