"""Files of one's own on the page that makes models, beside the series that it shows."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import trimesh
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.browser.conftest import Watched
from tests.browser.test_create import made, tags_of
from tests.support.orthanc_server import OrthancServer
from tools.demo import figurine


def nifti(name: str) -> FilePayload:
    content = figurine.nifti(figurine.mask(figurine.scan()))
    return {"name": name, "mimeType": "application/gzip", "buffer": content}


def opened(watched: Watched, ct: dict[str, str]) -> Page:
    page = watched.open(f"/stl/app/create.html?series={ct['ParentSeries']}")
    page.wait_for_selector("#threshold:not([hidden])")
    return page


def test_a_file_in_place_of_another_takes_the_frame_of_the_images_too(
    watched: Watched, orthanc: OrthancServer, ct: dict[str, str]
):
    page = opened(watched, ct)
    page.locator("#file").set_input_files(nifti("first.nii.gz"))
    expect(page.locator("#file-name")).to_contain_text("first.nii.gz")
    page.locator("#file").set_input_files(nifti("second.nii.gz"))
    expect(page.locator("#file-name")).to_contain_text("second.nii.gz")
    made(page)
    image = orthanc.get(f"/instances/{ct['ID']}/simplified-tags").json()
    assert tags_of(orthanc, page)["FrameOfReferenceUID"] == image["FrameOfReferenceUID"]


def test_a_file_chosen_while_the_images_are_read_is_what_is_made(
    watched: Watched, ct: dict[str, str]
):
    labels = np.zeros((20, 24, 30), dtype=np.uint8)
    labels[4:10, 4:10, 4:10] = 3
    labels[12:16, 4:14, 4:20] = 7
    content = nib.Nifti1Image(labels, np.eye(4)).to_bytes()
    file: FilePayload = {"name": "a.nii", "mimeType": "image/nii", "buffer": content}
    held: list[Route] = []
    watched.page.route("**/stl/values", lambda route: held.append(route))  # noqa: PLW0108
    watched.page.goto(f"{watched.url}/stl/app/create.html?series={ct['ParentSeries']}")
    expect(watched.page.locator("#threshold-waiting")).to_be_visible()
    watched.page.locator("#file").set_input_files(file)
    expect(watched.page.locator("#file-name")).to_contain_text("a.nii")
    held[0].continue_()
    watched.page.wait_for_selector("html[data-ready]")
    expect(watched.page.locator("#structure-rows tr")).to_have_count(2)
    expect(watched.page.locator("#threshold")).to_be_hidden()
    made(watched.page)
    expect(watched.page.locator("#result li")).to_have_count(2)
    expect(watched.page.locator("#result")).to_contain_text("Label 7")


def test_a_file_takes_the_place_of_what_the_study_offers(watched: Watched, ct: dict[str, str]):
    labels = np.arange(512, dtype=np.uint16).reshape(8, 8, 8) % 3
    content = nib.Nifti1Image(labels, np.eye(4)).to_bytes()
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}")
    expect(page.locator("#series-list")).to_be_visible()
    page.locator("#file").set_input_files(
        {"name": "a.nii", "mimeType": "image/nii", "buffer": content}
    )
    expect(page.locator("#structure-rows tr")).to_have_count(2)
    expect(page.locator("#series-list")).to_be_hidden()


@pytest.mark.parametrize("place", ["#drop", "h1"])
def test_a_file_may_be_dropped_anywhere_on_the_page(
    watched: Watched, ct: dict[str, str], place: str
):
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}")
    is_taken = page.locator(place).evaluate(
        """(place, bytes) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(bytes)], 'Amulet.ply'));
            const options = { dataTransfer: carried, bubbles: true, cancelable: true };
            return !place.dispatchEvent(new DragEvent('drop', options));
        }""",
        list(trimesh.creation.box().export(file_type="ply")),
    )
    assert is_taken  # else the browser shows the file in place of the page
    expect(page.locator("#file-name")).to_contain_text("Amulet.ply")
    expect(page.get_by_role("button", name="Create the model")).to_be_enabled()


@pytest.mark.parametrize(
    ("language", "size_bytes", "told"),
    [("en", 1500, "2 KiB"), ("fr", 1500, "2 Kio"), ("fr", 1_600_000, "1,53 Mio")],
)
def test_the_size_of_a_file_is_written_as_the_language_does(
    watched: Watched, ct: dict[str, str], language: str, size_bytes: int, told: str
):
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}&lang={language}")
    content: FilePayload = {"name": "a.stl", "mimeType": "model/stl", "buffer": bytes(size_bytes)}
    page.locator("#file").set_input_files(content)
    expect(page.locator("#file-name")).to_have_text(f"a.stl ({told})")


def test_a_file_that_is_dropped_while_a_model_is_made_waits_for_its_end(
    watched: Watched, ct: dict[str, str]
):
    page = opened(watched, ct)
    held: list[Route] = []
    page.route("**/encode-nifti", lambda route: held.append(route))  # noqa: PLW0108
    page.locator("#file").set_input_files(nifti("first.nii.gz"))
    create = page.get_by_role("button", name="Create the model")
    create.click()
    expect(page.locator("#progress")).to_be_visible()
    page.locator("#file").set_input_files(nifti("second.nii.gz"))
    expect(page.get_by_role("heading", name="second.nii.gz")).to_be_visible()
    expect(create).to_be_disabled()
    page.locator("#file").set_input_files(
        {"name": "none.txt", "mimeType": "text/plain", "buffer": b"none"}
    )
    expect(page.get_by_role("alert")).to_contain_text("neither")
    held[0].continue_()
    expect(page.locator("#result li")).to_have_count(1, timeout=30_000)
    expect(create).to_be_disabled()  # there is nothing to make a model of


def test_files_of_several_pieces_are_sent_to_the_byte(watched: Watched):
    page = watched.open_without_images()
    is_whole = page.evaluate(
        """async () => {
            const { jsonOf } = await import('/stl/app/js/api.js');
            const bytes = Uint8Array.from({ length: 27_000_001 }, (_, index) => (index * 2654435761) >>> 13);
            const small = new Uint8Array([1, 2, 3, 4]);
            const made = await jsonOf({ File: new Blob([bytes]), Files: { 'a "b"': new Blob([small]), c: new Blob([]) }, Name: '\\u0000' });
            const read = JSON.parse(new TextDecoder().decode(made));
            const same = async (given, told) => {
                const got = new Uint8Array(await (await fetch(`data:;base64,${told}`)).arrayBuffer());
                return got.length === given.length && got.every((one, index) => one === given[index]);
            };
            return [await same(bytes, read.File), await same(small, read.Files['a "b"']), read.Files.c === '', read.Name];
        }"""  # noqa: E501
    )
    assert is_whole == [True, True, True, "\0"]


def test_a_file_that_is_gone_when_it_is_sent_is_told_in_a_sentence(
    watched: Watched, ct: dict[str, str], tmp_path: Path
):
    path = tmp_path / "Shard.stl"
    trimesh.creation.box().export(path)
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}")
    page.locator("#file").set_input_files(path)
    path.unlink()
    page.get_by_role("button", name="Create the model").click()
    expect(page.get_by_role("alert")).to_contain_text("was moved, changed or deleted")
