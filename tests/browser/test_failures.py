"""What strangers stumble over: servers that are gone, things deleted meanwhile, nothing to see."""

from playwright.sync_api import expect

from tests.browser.conftest import Watched
from tests.support.orthanc_server import OrthancServer

GONE = "-".join(["00000000"] * 5)
UNREACHABLE = "The server does not answer"


def test_a_server_that_stops_while_a_model_is_made_is_told_in_a_sentence(
    watched: Watched, rtstruct: dict[str, str]
):
    watched.expect("Failed to load resource")
    page = watched.open(f"/stl/app/create.html?series={rtstruct['ParentSeries']}")
    page.route("**/jobs/*", lambda route: route.abort())
    page.get_by_role("button", name="Create the model").click()
    expect(page.locator("#result").get_by_role("alert")).to_contain_text(
        UNREACHABLE, timeout=15_000
    )
    expect(page.locator("#progress")).to_be_hidden()


def test_a_server_that_stops_while_models_are_loaded_is_told_in_a_sentence(
    watched: Watched, orthanc: OrthancServer, rtstruct: dict[str, str]
):
    watched.expect("Failed to load resource")
    made = orthanc.post(
        "/stl/encode-rtstruct", {"Instance": rtstruct["ID"], "Resolution": 32}
    ).json()
    watched.page.route("**/glb", lambda route: route.abort())
    page = watched.open(f"/stl/app/viewer.html?series={made['ParentSeries']}")
    expect(page.locator("#models").get_by_role("alert").first).to_contain_text(UNREACHABLE)


def test_what_was_deleted_is_told_in_the_language_of_the_page(watched: Watched):
    watched.expect("404")
    page = watched.open(f"/stl/app/create.html?series={GONE}&lang=fr")
    expect(page.get_by_role("alert")).to_contain_text("rien à voir")


def test_mirador_without_images_is_a_sentence_too(watched: Watched, rtstruct: dict[str, str]):
    watched.expect("422")
    page = watched.open(f"/stl/app/mirador.html?series={rtstruct['ParentSeries']}")
    expect(page.get_by_role("alert")).to_have_text("There are no images here.")


def test_mirador_of_what_is_gone_is_a_sentence_too(watched: Watched):
    watched.expect("404")
    page = watched.open(f"/stl/app/mirador.html?series={GONE}")
    expect(page.get_by_role("alert")).to_contain_text("nothing at this address")
