"""Names as people give them: long, with markup, from right to left."""

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from pydicom.uid import generate_uid

from tests.browser.conftest import Watched
from tests.browser.test_create import made
from tests.support import dicom_samples as samples
from tests.support.orthanc_server import OrthancServer

LONG = "Sphenooccipitalsynchondrosis" * 2 + "ABCDEFGH"
ARABIC = "\u0642\u0644\u0628"
HEIGHTS_MM = [float(z) for z in range(0, 30, 2)]
# How far from the left each of these words is.
PLACES = """(item, words) => {
  const texts = document.createTreeWalker(item, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    if (!node.data.includes(words[0])) continue;
    return words.map((word) => {
      const range = document.createRange();
      range.setStart(node, node.data.indexOf(word));
      range.setEnd(node, node.data.indexOf(word) + word.length);
      return range.getBoundingClientRect().left;
    });
  }
  return [];
}"""


@pytest.fixture(scope="module")
def named(orthanc: OrthancServer) -> dict[str, str]:
    """An RT-STRUCT whose ROIs have a name of one long word, and one from right to left."""
    rois = [
        samples.RoiSample(number, name, samples.prism(samples.F_OUTLINE + 60 * number, HEIGHTS_MM))
        for number, name in enumerate((LONG, ARABIC), start=1)
    ]
    dataset = samples.rtstruct_dataset(rois)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SeriesDescription = LONG
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.SOPInstanceUID = generate_uid()
    return orthanc.upload(samples.file_bytes(dataset))


def opened(watched: Watched, named: dict[str, str]) -> Page:
    page = watched.open(f"/stl/app/create.html?series={named['ParentSeries']}")
    page.get_by_label("Detail").select_option("Draft (128 voxels per axis)")
    return page


def test_a_long_name_stays_in_its_card(watched: Watched, named: dict[str, str]):
    page = opened(watched, named)
    page.set_viewport_size({"width": 800, "height": 800})
    made(page)
    expect(page.locator("#result li")).to_have_count(2)
    card = page.locator("#outcome").bounding_box()
    assert card is not None
    for part in page.locator("#outcome *:visible").all():
        box = part.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= card["x"] + card["width"]
    swatches = [one.bounding_box() for one in page.locator("#structure-rows .swatch").all()]
    assert [box and (box["width"], box["height"]) for box in swatches] == [(16, 16)] * 2


def test_sizes_after_a_name_from_right_to_left_keep_their_order(
    watched: Watched, named: dict[str, str]
):
    page = opened(watched, named)
    made(page)
    item = page.locator("#result li", has_text=ARABIC)
    expect(item).to_contain_text(" mm")
    places = item.evaluate(PLACES, ["30.1", "50.2", "mm"])
    assert places == sorted(places)
    assert np.ptp(places) > 0


def test_the_one_model_has_the_name_that_it_was_given(watched: Watched, named: dict[str, str]):
    page = opened(watched, named)
    page.get_by_label(ARABIC).uncheck()
    page.get_by_label("Name").fill("Skull base")
    made(page)
    expect(page.locator("#result li strong")).to_have_text("Skull base")
    page.get_by_role("link", name="Open in the 3D viewer").click()
    expect(page.locator("#models .name")).to_have_text("Skull base")


def test_on_a_phone_the_kind_and_number_of_a_series_are_not_broken(
    browser: Browser, orthanc: OrthancServer, named: dict[str, str]
):
    context = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True)
    watched = Watched(context.new_page(), orthanc.url)
    page = watched.open(f"/stl/app/create.html?study={named['ParentStudy']}")
    entry = page.locator("#series-list a", has_text="RTSTRUCT")
    lines = "parts => parts.map((one) => one.getClientRects().length)"
    assert entry.locator("strong, .small").evaluate_all(lines) == [1, 1]
    heights = [entry.locator(one).bounding_box() for one in ("strong", ".small")]
    assert all(box is not None and box["height"] < 30 for box in heights)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    context.close()
