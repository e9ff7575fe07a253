"""A real Orthanc, a real Chromium, and generated data whose names hold markup."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Download,
    Page,
    Request,
    Response,
    sync_playwright,
)

from tests.support import dicom_samples as samples
from tests.support.orthanc_server import PLUGIN_SCRIPT, OrthancServer
from tools.demo import figurine

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP *.example 127.0.0.1",  # hosts of other sites
)  # fmt: skip
AXE = (Path(PLUGIN_SCRIPT).parent / "axe-core" / "axe.min.js").read_text()
SERIOUS = ("serious", "critical")
# Were it taken for markup, it would leave a mark.
MARKUP = "<img src=x onerror=window.hacked=1>"
# The F of the samples is 30 x 50 mm; its contours lie on 15 planes, 2 mm apart.
HEIGHTS_MM = [float(z) for z in range(0, 30, 2)]
F_VOLUME_MM3 = samples.F_AREA_MM2 * 30
PICTURE = "/preview-3d?"
NOTE_VIOLATIONS = """document.addEventListener('securitypolicyviolation', (event) => console.error(
    `Content-Security-Policy: ${event.violatedDirective} ${event.blockedURI}`));"""


@pytest.fixture(scope="session")
def orthanc() -> Iterator[OrthancServer]:
    with OrthancServer({'"Workers" : 0': '"Workers" : 2'}) as server:
        yield server


@pytest.fixture(scope="session")
def ct(orthanc: OrthancServer) -> dict[str, str]:
    """The identifiers of the figurine's CT."""
    return [orthanc.upload(one) for one in figurine.ct_series(figurine.scan())][-1]


@pytest.fixture(scope="session")
def rtstruct(orthanc: OrthancServer) -> dict[str, str]:
    """The identifiers of an RT-STRUCT with two ROIs to make models of and one without contours."""
    rois = [
        samples.RoiSample(1, MARKUP, samples.prism(samples.F_OUTLINE, HEIGHTS_MM)),
        samples.RoiSample(
            2, "Kidney", samples.prism(samples.F_OUTLINE + 60, HEIGHTS_MM), rgb=(0, 160, 80)
        ),
        samples.RoiSample(3, "Empty", ()),
    ]
    dataset = samples.rtstruct_dataset(rois)
    dataset.StudyDescription = dataset.SeriesDescription = MARKUP
    dataset.StudyInstanceUID += ".5"
    dataset.SeriesInstanceUID += ".5"
    return orthanc.upload(samples.file_bytes(dataset))


@pytest.fixture(scope="session")
def seg(orthanc: OrthancServer) -> dict[str, str]:
    """The identifiers of a SEG in a study of its own: one segment has voxels, one has none."""
    frames = samples.seg_frames(samples.f_volume(), 1)
    dataset = samples.seg_dataset(frames, samples.oblique_affine(), names=("Vase", MARKUP))
    dataset.StudyInstanceUID += ".7"
    dataset.SeriesInstanceUID += ".7"
    dataset.SOPInstanceUID += ".7"
    return orthanc.upload(samples.file_bytes(dataset))


@dataclass
class Watched:
    """A page, and what went wrong on it."""

    page: Page
    url: str
    troubles: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expect(self, *parts: str) -> None:
        """Troubles with these parts are what the test is about."""
        self.expected.extend(parts)

    @property
    def unexpected(self) -> list[str]:
        return [one for one in self.troubles if not any(part in one for part in self.expected)]

    def open(self, path: str) -> Page:
        """Opens an address of the server and waits until the page says that it is filled."""
        self.page.goto(self.url + path)
        self.page.wait_for_selector("html[data-ready]")
        return self.page

    def open_without_images(self, query: str = "") -> Page:
        """Opens a page that asks for nothing, to try the modules of all pages."""
        return self.open(f"/stl/app/zoom.html{query}")

    def seriously_inaccessible(self) -> list[str]:
        """What axe-core finds."""
        self.page.evaluate(AXE)
        found: dict[str, Any] = self.page.evaluate("axe.run()")
        return [
            f"{one['id']}: {[node['target'] for node in one['nodes']]}"
            for one in found["violations"]
            if one["impact"] in SERIOUS
        ]


@pytest.fixture(scope="session")
def browser(orthanc: OrthancServer) -> Iterator[Browser]:
    """It ends before the server."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, locale="en-GB", color_scheme="light"
    )
    context.add_init_script(NOTE_VIOLATIONS)
    yield context
    context.close()


@pytest.fixture
def watched(context: BrowserContext, orthanc: OrthancServer) -> Iterator[Watched]:
    """A page that fails the test by a console error, a request elsewhere, or markup in data."""
    watched = Watched(context.new_page(), orthanc.url)
    watch(context, watched)
    yield watched
    for page in context.pages:
        assert page.evaluate("window.hacked") is None, "data became markup"
    assert watched.unexpected == []


def watch(context: BrowserContext, watched: Watched) -> None:
    """Notes every trouble of every page of the context.

    It is none when a picture is refused that the page asks for again: the server may still draw
    those of pages that were left.
    """

    def request(one: Request) -> None:
        if not one.url.startswith((watched.url, "data:", "blob:")):
            watched.troubles.append(f"request to another server: {one.url}")

    def console(one: ConsoleMessage) -> None:
        if one.type == "error" and not ("503" in one.text and PICTURE in one.location["url"]):
            watched.troubles.append(f"console: {one.text}")

    def response(one: Response) -> None:
        if one.status >= 400 and not (one.status == 503 and PICTURE in one.url):
            watched.troubles.append(f"{one.status} {one.url}")

    context.on("request", request)
    context.on("console", console)
    context.on("response", response)
    context.on("weberror", lambda one: watched.troubles.append(f"error: {one.error}"))


def stl(download: Download) -> trimesh.Trimesh:
    """The mesh in a file that the browser has saved."""
    mesh = trimesh.load_mesh(io.BytesIO(download.path().read_bytes()), file_type="stl")
    assert isinstance(mesh, trimesh.Trimesh)
    return mesh


def downloaded(page: Page, name: str) -> trimesh.Trimesh:
    """What a click on the link of that name saves."""
    with page.expect_download() as waiting:
        page.get_by_role("link", name=name).click()
    return stl(waiting.value)


def picture(page: Page, selector: str) -> np.ndarray:
    """(rows, columns, bands) pixels of a part of the page."""
    return np.asarray(Image.open(io.BytesIO(page.locator(selector).screenshot())))
