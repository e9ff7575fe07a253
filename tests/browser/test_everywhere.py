"""What holds on every page: languages, phones, accessibility, headers."""

import base64
import re
import time
from collections import Counter
from itertools import pairwise

import nibabel as nib
import numpy as np
import pytest
import trimesh
from playwright.sync_api import Browser, Route, expect
from pydicom.uid import generate_uid

from tests.browser.conftest import Watched, watch
from tests.support.dicom_samples import file_bytes, image_dataset
from tests.support.orthanc_server import OrthancServer

PAGES = ("index", "create", "create-ct", "create-study", "viewer")


@pytest.fixture(scope="module")
def addresses(
    orthanc: OrthancServer, ct: dict[str, str], rtstruct: dict[str, str]
) -> dict[str, str]:
    """By name of the page; each shows data whose names hold markup, where it shows names."""
    body = {"Instance": rtstruct["ID"], "Triangles": 4000}
    answer = orthanc.post("/stl/encode-rtstruct", body)
    assert answer.ok, answer.text
    return {
        "index": "/stl/app/index.html",
        "create": f"/stl/app/create.html?series={rtstruct['ParentSeries']}",
        "create-ct": f"/stl/app/create.html?series={ct['ParentSeries']}",
        "create-study": f"/stl/app/create.html?study={rtstruct['ParentStudy']}",
        "viewer": f"/stl/app/viewer.html?series={answer.json()['ParentSeries']}",
    }


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_problem(watched: Watched, addresses: dict[str, str], name: str):
    watched.open(addresses[name])
    watched.page.wait_for_load_state("networkidle")
    assert watched.seriously_inaccessible() == []


@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone_in_the_dark_every_page_fits_and_is_accessible(
    browser: Browser, orthanc: OrthancServer, addresses: dict[str, str], name: str
):
    context = browser.new_context(
        viewport={"width": 360, "height": 740},
        is_mobile=True,
        has_touch=True,
        locale="fr-BE",
        color_scheme="dark",
    )
    watched = Watched(context.new_page(), orthanc.url)
    watch(context, watched)
    page = watched.open(addresses[name])
    page.wait_for_load_state("networkidle")
    width = page.evaluate("document.documentElement.scrollWidth")
    language = page.evaluate("document.documentElement.lang")
    problems = watched.seriously_inaccessible()
    context.close()
    assert (watched.unexpected, problems) == ([], [])
    assert (width, language) == (360, "fr")


def test_the_language_can_be_chosen_and_is_kept(watched: Watched, addresses: dict[str, str]):
    page = watched.open(addresses["index"])
    page.get_by_label("Language", exact=True).last.select_option("Français")
    expect(page.locator("#health")).to_have_text("Tout va bien.")
    page = watched.open(addresses["create"])
    expect(page.get_by_role("button", name="Créer le modèle")).to_be_visible()


BUTTONS = {
    "study": ["3D: create a model", "3D: view"],
    "model": ["3D: view"],
    "rtstruct": ["3D: create a model"],
    "ct": ["3D: create a model", "IIIF: deep zoom", "IIIF: open in Mirador", "IIIF: manifest"],
    "instance": ["IIIF: deep zoom"],
}


@pytest.mark.parametrize("row", BUTTONS)
def test_the_explorer_of_orthanc_shows_the_buttons_that_make_sense(
    watched: Watched,
    addresses: dict[str, str],
    ct: dict[str, str],
    rtstruct: dict[str, str],
    row: str,
):
    identifier = {
        "study": f"study?uuid={rtstruct['ParentStudy']}",
        "model": f"series?uuid={addresses['viewer'].partition('=')[2]}",
        "rtstruct": f"series?uuid={rtstruct['ParentSeries']}",
        "ct": f"series?uuid={ct['ParentSeries']}",
        "instance": f"instance?uuid={ct['ID']}",
    }[row]
    watched.page.goto(f"{watched.url}/app/explorer.html#{identifier}")
    buttons = watched.page.locator("[id^=stl-buttons] a:visible")
    expect(buttons).to_have_count(len(BUTTONS[row]))
    assert [one.strip() for one in buttons.all_inner_texts()] == BUTTONS[row]


def test_a_button_is_not_shown_before_its_name(watched: Watched, ct: dict[str, str]):
    held: list[Route] = []
    watched.page.route("**/texts/en.json", lambda route: held.append(route))  # noqa: PLW0108
    watched.page.goto(f"{watched.url}/app/explorer.html#instance?uuid={ct['ID']}")
    expect(watched.page.locator("#instance-delete")).to_be_visible()
    watched.page.wait_for_load_state("load")
    watched.page.wait_for_timeout(500)
    buttons = watched.page.locator("[id^=stl-buttons] a:visible")
    expect(buttons).to_have_count(0)
    held[0].continue_()
    expect(buttons).to_have_text(BUTTONS["instance"])


def test_the_explorer_of_orthanc_shows_a_bar_while_a_job_goes_on(
    watched: Watched, orthanc: OrthancServer, ct: dict[str, str]
):
    noise = (np.random.default_rng(1).random((96, 96, 96)) > 0.5).astype(np.uint8)
    nifti = base64.b64encode(nib.Nifti1Image(noise, np.eye(4)).to_bytes()).decode()
    body = {"Nifti": nifti, "ParentStudy": ct["ParentStudy"], "Asynchronous": True}
    job_id = orthanc.post("/stl/encode-nifti", body).json()["ID"]
    watched.page.goto(f"{watched.url}/app/explorer.html#job?uuid={job_id}")
    bar = watched.page.get_by_role("progressbar", name="Progress")
    told = watched.page.locator("#stl-job-progress p")
    seen: list[float] = []
    expect(bar).to_be_visible()
    expect(told).to_contain_text(re.compile(r"^\d+ %: [A-Z][a-z ]+(…|$)"))
    # Looks and reads at once: the job may end at any time.
    while values := bar.evaluate_all("bars => bars.map(one => one.value)"):
        seen += values
        watched.page.wait_for_timeout(100)
    assert all(early <= late for early, late in pairwise(seen))
    assert len(set(seen)) > 2
    expect(watched.page.locator("#job-info")).to_contain_text("State: Success")
    (made,) = orthanc.get(f"/jobs/{job_id}").json()["Content"]["Instances"]
    # The start page of other tests would draw it, which takes long: it is all noise.
    orthanc.session.delete(f"{orthanc.url}/instances/{made['ID']}").raise_for_status()


def test_the_start_page_asks_orthanc_for_the_latest(
    watched: Watched, orthanc: OrthancServer, addresses: dict[str, str]
):
    time.sleep(1.1)  # Orthanc notes the second of a change
    dataset = image_dataset(np.zeros((8, 8), np.int16))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.StudyDescription = "Latest study"
    model = {
        "File": base64.b64encode(trimesh.creation.box().export(file_type="stl")).decode(),
        "Format": "STL",
        "ParentStudy": orthanc.upload(file_bytes(dataset))["ParentStudy"],
        "Tags": {"SeriesDescription": "Latest model"},
    }
    answer = orthanc.post("/stl/attach", model)
    assert answer.ok, answer.text

    def find_one(route: Route) -> None:
        question = route.request.post_data_json or {}
        route.continue_(post_data={**question, "Limit": 1})

    watched.page.route("**/tools/find", find_one)
    page = watched.open(addresses["index"])
    expect(page.locator("#studies strong")).to_have_text("Latest study")
    expect(page.locator("#models li")).to_have_text("Latest model")


def test_a_job_of_many_models_names_the_first_of_them(watched: Watched, addresses: dict[str, str]):
    def many(route: Route) -> None:
        [job, *_] = [one for one in route.fetch().json() if one["Type"] == "StlEncodeRtStruct"]
        [made, *_] = job["Content"]["Instances"]
        named = [{**made, "Name": f"Structure {number}"} for number in range(1, 101)]
        route.fulfill(json=[{**job, "Content": {"Instances": named}}])

    watched.page.route("**/jobs?expand", many)
    page = watched.open(addresses["index"])
    named = page.locator("#job-rows td").last
    expect(named).to_have_text("Structure 1, Structure 2, Structure 3 and 97 more")


def test_a_model_that_cannot_be_drawn_has_no_broken_picture(
    watched: Watched, addresses: dict[str, str]
):
    watched.expect("422")
    watched.page.route("**/preview-3d*", lambda route: route.fulfill(status=422))
    page = watched.open(addresses["index"])
    expect(page.locator("#models .blank").first).to_be_visible()
    expect(page.locator("#models img")).to_have_count(0)


def test_a_picture_that_a_busy_server_refused_is_asked_for_again(
    watched: Watched, addresses: dict[str, str]
):
    asked: Counter[str] = Counter()

    def refuse_once(route: Route) -> None:
        asked[route.request.url] += 1
        route.fulfill(status=503) if asked[route.request.url] == 1 else route.continue_()

    watched.page.clock.install()
    watched.page.route("**/preview-3d*", refuse_once)
    page = watched.open(addresses["index"])
    expect(page.locator("#models .blank").first).to_be_visible()
    page.clock.fast_forward(10_000)
    expect(page.locator("#models .blank")).to_have_count(0)
    expect(page.locator("#models img").first).to_be_visible()


def test_pages_follow_jobs_that_orthanc_does_not_show(
    browser: Browser, rtstruct: dict[str, str], orthanc: OrthancServer
):
    with OrthancServer({'"JobsInOrthanc" : true': '"JobsInOrthanc" : false'}) as server:
        stored = server.upload(orthanc.get(f"/instances/{rtstruct['ID']}/file").content)
        context = browser.new_context(locale="en-GB")
        watched = Watched(context.new_page(), server.url)
        watch(context, watched)
        page = watched.open(f"/stl/app/create.html?series={stored['ParentSeries']}")
        page.get_by_role("button", name="Create the model").click()
        expect(page.locator("#result")).to_contain_text("Stored in the study", timeout=60_000)
        page = watched.open("/stl/app/index.html")
        expect(page.locator("#job-rows tr")).to_have_count(1)
        context.close()
    assert watched.unexpected == []


def test_viewers_are_kept_for_ever_and_pages_are_asked_for(orthanc: OrthancServer):
    page = orthanc.get("/stl/app/viewer.html")
    assert page.headers["Cache-Control"] == "no-cache"
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    again = orthanc.get("/stl/app/viewer.html", headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    version = orthanc.get("/stl/status").json()["Viewers"]["three"]
    script = orthanc.get(f"/stl/app/viewers/three-{version}/three.module.js")
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert script.headers["Content-Type"].startswith("text/javascript")


def test_no_path_leads_out_of_the_pages(orthanc: OrthancServer):
    for path in ("../../plugin.py", "..%2f..%2fplugin.py", "js/%2e%2e/%2e%2e/plugin.py"):
        assert orthanc.get(f"/stl/app/{path}").status_code in (400, 404)


@pytest.mark.parametrize(
    ("language", "one", "none", "many"),
    [
        ("en", "1 instance", "0 instances", "2 instances"),
        ("fr", "1 instance", "0 instance", "2 instances"),
    ],
)
def test_one_and_many_are_told_as_each_language_does(
    watched: Watched, language: str, one: str, none: str, many: str
):
    page = watched.open_without_images(f"?lang={language}")
    told = page.evaluate(
        """async () => {
          const { text } = await import('/stl/app/js/i18n.js');
          return [1, 0, 2].map((count) => text('instanceCount', { count }));
        }"""
    )
    assert told == [one, none, many]
