"""Many models on their way into the viewer."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Watched
from tests.browser.test_viewer import STAGE, seen
from tests.support import dicom_samples as samples
from tests.support.orthanc_server import OrthancServer

COUNT = 7
AT_ONCE = 4
NAMES = [f"ROI {number}" for number in range(1, COUNT + 1)]


@pytest.fixture(scope="module")
def series(orthanc: OrthancServer) -> str:
    """A series of seven small models."""
    heights_mm = [float(z) for z in range(0, 10, 2)]
    outlines = [samples.F_OUTLINE + 60 * number for number in range(COUNT)]
    rois = [
        samples.RoiSample(number, name, samples.prism(outline, heights_mm))
        for number, (name, outline) in enumerate(zip(NAMES, outlines, strict=True), start=1)
    ]
    dataset = samples.rtstruct_dataset(rois)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(dataset, keyword, f"{getattr(dataset, keyword)}.77")
    stored = orthanc.upload(samples.file_bytes(dataset))
    answer = orthanc.post("/stl/encode-rtstruct", {"Instance": stored["ID"], "Resolution": 32})
    assert answer.ok, answer.text
    return str(answer.json()["ParentSeries"])


class Gate:
    """Holds requests for models until they are let through."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.held: list[Route] = []
        page.route("**/glb", lambda route: self.held.append(route))  # noqa: PLW0108

    def wait_for(self, count: int) -> None:
        for _ in range(100):
            if len(self.held) == count:
                break
            self.page.wait_for_timeout(50)
        self.page.wait_for_timeout(300)  # a further one would have come by now
        assert len(self.held) == count

    def let_through(self, *places: int) -> None:
        for place in places:
            self.held[place].continue_()


@pytest.fixture
def gate(watched: Watched, series: str) -> Gate:
    gate = Gate(watched.page)
    watched.page.goto(f"{watched.url}/stl/app/viewer.html?series={series}")
    gate.wait_for(AT_ONCE)
    return gate


def listed(page: Page) -> list[str]:
    return page.locator("#models .name").all_inner_texts()


def test_some_models_are_asked_for_at_once_and_listed_in_their_order(gate: Gate):
    page = gate.page
    gate.let_through(3, 2, 1)
    gate.wait_for(
        AT_ONCE
    )  # the first is not there: those behind it wait, and no more are asked for
    assert listed(page) == []
    gate.let_through(0)
    gate.wait_for(COUNT)
    expect(page.locator("#models .name")).to_have_text(NAMES[:AT_ONCE])
    expect(page.get_by_role("progressbar")).to_have_js_property("position", AT_ONCE / COUNT)
    gate.let_through(6, 5, 4)
    expect(page.locator("#models .name")).to_have_text(NAMES)
    expect(page.get_by_role("progressbar")).to_be_hidden()


def test_a_model_that_does_not_come_leaves_the_others(watched: Watched, gate: Gate):
    watched.expect("Failed to load resource")
    gate.held[1].abort()
    gate.held[2].abort()
    gate.let_through(0, 3)
    gate.wait_for(COUNT)
    gate.let_through(4, 5, 6)
    expect(gate.page.locator("#models li")).to_have_count(COUNT)
    told = gate.page.locator("#models li").all_inner_texts()
    assert [index for index, one in enumerate(told) if "does not answer" in one] == [1, 2]
    assert told[1].startswith(f"{NAMES[1]}: ")
    expect(gate.page.get_by_role("progressbar")).to_be_hidden()


def test_models_that_come_later_leave_the_view_that_was_chosen(gate: Gate):
    page = gate.page
    gate.let_through(0, 1, 2, 3)
    gate.wait_for(COUNT)
    expect(page.locator("#models .name")).to_have_count(AT_ONCE)
    canvas = page.locator(STAGE)
    for _ in range(8):
        canvas.press("+")
    page.wait_for_timeout(200)
    near = seen(page)[0]
    gate.let_through(4, 5, 6)
    page.wait_for_selector("html[data-ready]")
    page.wait_for_timeout(200)
    assert seen(page)[0] > 0.95 * near
    canvas.press("Home")
    page.wait_for_timeout(200)
    assert seen(page)[0] < 0.5 * near


def test_what_was_made_is_listed_where_a_model_cannot_be_shown(
    watched: Watched, rtstruct: dict[str, str]
):
    watched.expect("Failed to load resource")
    page = watched.open(f"/stl/app/create.html?series={rtstruct['ParentSeries']}")
    page.route("**/glb", lambda route: route.abort(), times=1)
    page.get_by_role("button", name="Create the model").click()
    page.wait_for_selector("#result li", timeout=30_000)
    expect(page.locator("#result li")).to_have_count(2)
    expect(page.locator("#result li").first).to_contain_text("does not answer")
    expect(page.locator("#result li").last).to_contain_text("triangles")
    expect(page.locator("#result li").first.get_by_role("link", name="STL")).to_be_visible()
