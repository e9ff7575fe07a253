"""Models in the 3D viewer, and the pages around them."""

import re

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import MARKUP, Watched, downloaded, picture, watch
from tests.integration.test_find_limits import LIMITS, new_studies
from tests.support.orthanc_server import OrthancServer

STAGE = "#stage canvas"


@pytest.fixture(scope="module")
def models(orthanc: OrthancServer, rtstruct: dict[str, str]) -> dict[str, str]:
    """The answer that made two models: a red F, and a green one 60 mm away in x and y."""
    body = {"Instance": rtstruct["ID"], "Triangles": 4000}
    answer = orthanc.post("/stl/encode-rtstruct", body)
    assert answer.ok, answer.text
    made: dict[str, str] = answer.json()
    return made


def seen(page: Page) -> tuple[int, int]:
    """How many pixels are red, and how many green."""
    red, green, blue = np.moveaxis(picture(page, STAGE)[..., :3].astype(int), -1, 0)
    return int((red > 2 * np.maximum(green, blue)).sum()), int((green > 1.4 * red).sum())


@pytest.fixture
def viewer(watched: Watched, models: dict[str, str]) -> Page:
    page = watched.open(f"/stl/app/viewer.html?series={models['ParentSeries']}")
    expect(page.locator("#models li")).to_have_count(2)
    return page


def test_all_models_of_a_series_are_shown_in_their_colours(viewer: Page):
    red, green = seen(viewer)
    assert red > 3000
    assert green > 3000


def test_a_hidden_model_is_not_seen(viewer: Page):
    viewer.get_by_label("Kidney", exact=True).uncheck()
    red, green = seen(viewer)
    assert red > 3000
    assert green == 0


def test_a_faded_model_lets_the_background_through(viewer: Page):
    before = picture(viewer, STAGE).astype(int)
    viewer.get_by_label("Opacity of Kidney").fill("20")
    after = picture(viewer, STAGE).astype(int)
    was_green = before[..., 1] > 1.4 * before[..., 0]
    assert after[was_green][:, 1].mean() < 0.75 * before[was_green][:, 1].mean()


def test_size_and_volume_are_those_of_the_contours(viewer: Page):
    kidney = viewer.locator("#models li").nth(1)
    told = kidney.locator(".facts-line").inner_text()
    assert numbers(told)[:4] == pytest.approx([30, 50, 30, 23.88], rel=0.03)
    # the second lies 60 mm further in x and y
    together = viewer.locator("#size").inner_text()
    assert numbers(together) == pytest.approx([90, 110, 30], rel=0.03)
    assert together.endswith("mm")


def numbers(told: str) -> list[float]:
    return [float(one) for one in re.findall(r"[\d.]+", told.replace(",", ""))]


def test_a_cut_takes_a_part_away(viewer: Page):
    whole = seen(viewer)[0]
    viewer.get_by_label("Cut open").select_option("From left to right")
    viewer.get_by_label("Place of the cut").fill("60")
    assert seen(viewer)[0] < 0.5 * whole
    viewer.get_by_label("Cut open").select_option("No cut")
    assert seen(viewer)[0] == pytest.approx(whole, rel=0.01)


def test_keys_turn_the_models_and_home_brings_them_back(viewer: Page):
    canvas = viewer.locator(STAGE)
    canvas.focus()
    front = picture(viewer, STAGE)
    for _ in range(4):
        canvas.press("ArrowRight")
    assert changed(front, picture(viewer, STAGE)) > 0.02
    canvas.press("Home")
    assert changed(front, picture(viewer, STAGE)) < 0.002


def changed(one: np.ndarray, other: np.ndarray) -> float:
    """The share of the values that differ by more than the rounding of a shade."""
    return float((np.abs(one.astype(int) - other.astype(int)) > 8).mean())


def test_however_often_it_is_asked_for_a_picture_is_drawn_once(viewer: Page):
    drawn = viewer.evaluate(
        """async () => {
          const { Scene } = await import('/stl/app/js/scene.js');
          const scene = await Scene.create(document.createElement('div'));
          let drawn = 0;
          scene.renderer.render = () => { drawn += 1; };
          for (let i = 0; i < 5; i += 1) scene.look();
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          return drawn;
        }"""
    )
    assert drawn == 1


def test_a_picture_can_be_kept(viewer: Page):
    with viewer.expect_download() as waiting:
        viewer.get_by_role("button", name="Picture").click()
    assert waiting.value.suggested_filename == "model.png"
    assert waiting.value.path().read_bytes().startswith(b"\x89PNG")


def test_one_instance_is_shown_alone_and_its_file_is_watertight(
    watched: Watched, models: dict[str, str]
):
    page = watched.open(f"/stl/app/viewer.html?instance={models['ID']}")
    expect(page.locator("#models li")).to_have_count(1)
    assert downloaded(page, f"Download {MARKUP} as STL").is_watertight


def test_the_models_of_several_studies_come_together(
    watched: Watched, orthanc: OrthancServer, models: dict[str, str], seg: dict[str, str]
):
    answer = orthanc.post("/stl/encode-seg", {"Instance": seg["ID"]})
    assert answer.ok, answer.text
    both = f"{models['ParentStudy']},{seg['ParentStudy']}"
    page = watched.open(f"/stl/app/viewer.html?studies={both}&from=oe2")
    expect(page.get_by_label("Vase", exact=True).first).to_be_visible()
    expect(page.get_by_label("Kidney", exact=True).first).to_be_visible()


def test_an_image_in_the_viewer_is_told_in_a_sentence(watched: Watched, ct: dict[str, str]):
    page = watched.open(f"/stl/app/viewer.html?instance={ct['ID']}")
    expect(page.get_by_role("alert")).to_contain_text("no 3D model here")


def test_without_webgl_the_files_can_still_be_downloaded(watched: Watched, models: dict[str, str]):
    watched.expect("WebGL")
    watched.page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page = watched.open(f"/stl/app/viewer.html?series={models['ParentSeries']}")
    expect(page.get_by_role("alert")).to_contain_text("can still be downloaded")
    expect(page.locator("#models li")).to_have_count(2)
    assert downloaded(page, "Download Kidney as STL").is_watertight


def test_without_viewers_a_sentence_says_who_can_help(watched: Watched, models: dict[str, str]):
    watched.expect("404", "Failed to fetch", "dynamically imported")
    watched.page.route("**/viewers/**", lambda route: route.fulfill(status=404))
    page = watched.open(f"/stl/app/viewer.html?series={models['ParentSeries']}")
    expect(page.get_by_role("alert")).to_contain_text("docker/install.sh")


def test_the_start_page_counts_all_studies_where_searches_are_limited(context: BrowserContext):
    with OrthancServer(LIMITS) as server:
        new_studies(server, 9)
        watched = Watched(context.new_page(), server.url)
        watch(context, watched)
        page = watched.open("/stl/app/")
        expect(page.locator("#publish")).to_contain_text("sees everything: 9 studies.")
        assert watched.unexpected == []


def test_the_start_page_shows_health_models_and_work(watched: Watched, models: dict[str, str]):
    page = watched.open("/stl/app/")
    expect(page.locator("#health")).to_have_text("Everything works.")
    expect(page.locator("#facts")).to_contain_text("2 of 2 ready")
    expect(page.locator("#facts")).to_contain_text("three 0.")
    expect(page.locator("#caches tr")).to_have_count(5)
    expect(page.locator("#caches")).to_contain_text("of 48 MiB")
    expect(page.locator("#job-rows tr").first).to_contain_text("Done")
    british = re.compile(r"\d{1,2} \w+ \d{4}, \d\d:\d\d")
    expect(page.locator("#job-rows tr").first).to_contain_text(british)
    public = re.compile(r"Anyone who may connect sees everything: (1 study|(?!1 )\d+ studies)\.")
    expect(page.locator("#publish")).to_contain_text(public)
    shown = page.locator("#models img").first
    shown.scroll_into_view_if_needed()
    expect(shown).to_have_js_property("naturalWidth", 320, timeout=30_000)
    page.locator("#models a").first.click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
