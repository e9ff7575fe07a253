"""From a segmentation, an image series or a file to a model, by hand."""

import os
import re
import signal
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import trimesh
from playwright.sync_api import Page, expect

from tests.browser.conftest import F_VOLUME_MM3, MARKUP, Watched, downloaded, picture
from tests.support import dicom_samples as samples
from tests.support.orthanc_server import OrthancServer
from tools.demo import figurine

SURELY_ORANGE = 60  # how much redder than blue; images are grey
MAKING_MS = 60_000


def create(page: Page) -> None:
    """Presses the button, and waits until something has come out."""
    page.get_by_role("button", name="Create the model").click()
    expect(page.locator("#result .message").first).to_be_visible(timeout=MAKING_MS)


def made(page: Page) -> None:
    create(page)
    expect(page.locator("#result .message").first).to_contain_text("Stored in the study")


def tags_of(orthanc: OrthancServer, page: Page) -> dict[str, Any]:
    """The tags of the first model that the page has made."""
    address = page.get_by_role("link", name="STL").first.get_attribute("href") or ""
    instance = re.search(r"instances/([0-9a-f-]+)/", address)
    assert instance is not None
    found: dict[str, Any] = orthanc.get(f"/instances/{instance[1]}/simplified-tags").json()
    return found


def test_from_the_explorer_of_orthanc_to_a_file_to_print(
    watched: Watched, rtstruct: dict[str, str]
):
    explorer = watched.page
    explorer.goto(f"{watched.url}/app/explorer.html#series?uuid={rtstruct['ParentSeries']}")
    with explorer.context.expect_page() as opened:
        explorer.get_by_role("link", name="3D: create a model").click()
    page = opened.value
    expect(page.locator("#chosen-count")).to_have_text("2 of 2 chosen")
    page.get_by_label("Kidney").uncheck()
    made(page)
    mesh = downloaded(page, f"Download {MARKUP} as STL")
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(F_VOLUME_MM3, rel=0.02)
    page.get_by_role("link", name="Back to the study").first.click()
    page.wait_for_url(f"**/app/explorer.html#study?uuid={rtstruct['ParentStudy']}")


def test_what_was_made_comes_into_sight(watched: Watched, rtstruct: dict[str, str]):
    page = watched.open(f"/stl/app/create.html?series={rtstruct['ParentSeries']}")
    made(page)
    box = page.locator("#result .result-stage").bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 801


def test_structures_show_their_name_colour_and_volume(watched: Watched, rtstruct: dict[str, str]):
    page = watched.open(f"/stl/app/create.html?series={rtstruct['ParentSeries']}")
    first, second, empty = page.locator("#structure-rows tr").all()
    expect(first).to_contain_text(MARKUP)
    expect(second).to_contain_text("Kidney")
    expect(second).to_contain_text("23.9 cm³")
    expect(second.locator(".swatch")).to_have_css("background-color", "rgb(0, 160, 80)")
    expect(empty).to_contain_text("no contours")
    expect(empty.get_by_role("checkbox")).to_be_disabled()
    expect(empty.locator(".number")).to_be_empty()


def test_nothing_is_ordered_where_no_structure_encloses_anything(
    watched: Watched, orthanc: OrthancServer
):
    dataset = samples.rtstruct_dataset([samples.RoiSample(1, "Nothing", ())])
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(dataset, keyword, f"{getattr(dataset, keyword)}.79")
    stored = orthanc.upload(samples.file_bytes(dataset))
    page = watched.open(f"/stl/app/create.html?series={stored['ParentSeries']}")
    expect(page.locator("#structure-rows")).to_contain_text("has no contours")
    expect(page.get_by_role("button", name="Create the model")).to_be_disabled()


def test_several_structures_become_models_of_their_own_or_one(
    watched: Watched, orthanc: OrthancServer, rtstruct: dict[str, str]
):
    page = watched.open(f"/stl/app/create.html?series={rtstruct['ParentSeries']}")
    page.get_by_label("Detail").select_option("Draft (128 voxels per axis)")
    made(page)
    expect(page.locator("#result li")).to_have_count(2)
    assert watched.seriously_inaccessible() == []
    page.get_by_label("Several structures").select_option("One model of all structures")
    page.get_by_label("Name").fill("Both together")
    made(page)
    expect(page.locator("#result li")).to_have_count(1)
    assert tags_of(orthanc, page)["DocumentTitle"] == "Both together"


def test_nothing_chosen_is_told_before_anything_is_sent(watched: Watched, rtstruct: dict[str, str]):
    page = watched.open(f"/stl/app/create.html?series={rtstruct['ParentSeries']}")
    page.get_by_role("button", name="None").click()
    page.get_by_role("button", name="Create the model").click()
    expect(page.get_by_role("alert")).to_have_text("Choose at least one structure.")


def test_segments_show_volumes_and_become_models(watched: Watched, seg: dict[str, str]):
    page = watched.open(f"/stl/app/create.html?series={seg['ParentSeries']}&from=oe2")
    full, empty = page.locator("#structure-rows tr").all()
    expect(full).to_contain_text("570 mm³")  # 296 voxels of 0.7 x 1.1 x 2.5 mm
    expect(empty).to_contain_text("has no voxel")
    made(page)
    assert downloaded(page, "Download Vase as STL").is_watertight


def test_an_opened_page_lets_go_of_the_window_that_explorer_2_reuses(
    watched: Watched, seg: dict[str, str]
):
    watched.page.add_init_script("window.name = 'undefined'")
    page = watched.open(f"/stl/app/create.html?series={seg['ParentSeries']}&from=oe2")
    assert page.evaluate("window.name") == ""
    back = page.get_by_role("link", name="Back to the study").get_attribute("href") or ""
    assert re.search(r"/ui/app/filtered-studies\?StudyInstanceUID=[0-9.]+&expand=series$", back)


def inside_share(page: Page) -> float:
    told = re.match(r"([\d.]+) %", page.locator("#slice-share").inner_text())
    assert told is not None
    return float(told[1])


def test_a_threshold_is_seen_at_once_and_decides_the_model(
    watched: Watched, orthanc: OrthancServer, ct: dict[str, str]
):
    page = watched.open(f"/stl/app/create.html?series={ct['ParentSeries']}")
    middle = figurine.scan()[:, :, 52]
    for threshold in (900, 300):
        page.get_by_label("Lowest value inside").nth(1).fill(str(threshold))
        expected = 100 * float((middle >= threshold).mean())
        assert inside_share(page) == pytest.approx(expected, rel=0.01)
    pixels = picture(page, "#slice")
    orange = pixels[..., 0].astype(int) - pixels[..., 2] > SURELY_ORANGE
    assert 100 * orange.mean() == pytest.approx(inside_share(page), rel=0.1)
    page.get_by_label("Largest connected part only").check()
    made(page)
    voxels = figurine.scan() >= 300
    mesh = downloaded(page, "Download Surface of CT as STL")
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(voxels.sum() * figurine.grid().voxel_volume_mm3, rel=0.03)
    [algorithm] = tags_of(orthanc, page)["DerivationAlgorithmSequence"]
    assert algorithm["AlgorithmParameters"].startswith("threshold 300 HU (given)")


def test_slices_can_be_turned_and_moved(watched: Watched, ct: dict[str, str]):
    page = watched.open(f"/stl/app/create.html?series={ct['ParentSeries']}")
    expect(page.locator("#slice-number")).to_have_text("53 / 104")
    seen = [picture(page, "#slice")]
    page.get_by_label("Direction of the slices").select_option("Across the rows")
    expect(page.locator("#slice-number")).to_have_text("43 / 84")
    seen.append(picture(page, "#slice"))
    page.get_by_role("slider", name="Slice").press("ArrowRight")
    expect(page.locator("#slice-number")).to_have_text("44 / 84")
    width_mm, height_mm = 100 * 0.9, 104 * 1.4
    rows, columns = seen[1].shape[:2]
    assert columns / rows == pytest.approx(width_mm / height_mm, rel=0.02)
    assert seen[0].shape != seen[1].shape


def test_a_triangle_budget_is_kept(watched: Watched, ct: dict[str, str]):
    page = watched.open(f"/stl/app/create.html?series={ct['ParentSeries']}")
    page.get_by_label("Maximum triangles").fill("2000")
    page.get_by_label("Smoothing").select_option("None: shows the voxels")
    made(page)
    mesh = downloaded(page, "Download Surface of CT as STL")
    assert mesh.is_watertight
    assert len(mesh.faces) <= 2000


def test_an_error_of_the_server_is_a_sentence_on_the_page(watched: Watched, ct: dict[str, str]):
    page = watched.open(f"/stl/app/create.html?series={ct['ParentSeries']}")
    page.get_by_label("Maximum triangles").fill("3")
    watched.expect("400")
    create(page)
    expect(page.get_by_role("alert")).to_have_text("Triangles is 3: it must be at least 100")


def test_labels_of_a_nifti_file_are_chosen_before_it_is_sent(
    watched: Watched, ct: dict[str, str], tmp_path: Path
):
    labels = np.zeros((20, 24, 30), dtype=np.uint8)
    labels[4:10, 4:10, 4:10] = 3
    labels[12:16, 4:14, 4:20] = 7
    path = tmp_path / "labels.nii.gz"
    nib.Nifti1Image(labels, np.diag([1.5, 1.0, 2.0, 1.0])).to_filename(path)
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}")
    page.locator("#file").set_input_files(path)
    expect(page.locator("#structure-rows tr")).to_have_count(2)
    expect(page.locator("#structure-rows tr").first).to_contain_text("648 mm³")  # 216 of 3 mm3
    expect(page.locator("#structure-rows .swatch")).to_have_count(0)  # they have no colours
    page.get_by_label("Label 3").uncheck()
    made(page)
    mesh = downloaded(page, "Download Label 7 as STL")
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(640 * 3, rel=0.02)


def test_a_dropped_model_of_one_s_own_is_stored_in_its_unit(
    watched: Watched, orthanc: OrthancServer, ct: dict[str, str]
):
    box = trimesh.creation.box((1, 2, 3))
    content = box.export(file_type="ply")
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}")
    page.evaluate(
        """(bytes) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(bytes)], 'Amulet.ply'));
            document.getElementById('drop').dispatchEvent(
                new DragEvent('drop', { dataTransfer: carried, bubbles: true, cancelable: true }));
        }""",
        list(content),
    )
    expect(page.get_by_role("heading", name="Amulet.ply")).to_be_visible()
    expect(page.locator("#file-help")).to_contain_text("Check its unit")
    page.get_by_label("Unit of the file").select_option("Centimetres")
    made(page)
    mesh = downloaded(page, "Download Amulet as STL")
    assert mesh.is_watertight
    assert mesh.extents == pytest.approx([10, 20, 30])
    assert "DerivationAlgorithmSequence" not in tags_of(orthanc, page)


def test_a_model_with_a_hole_is_stored_with_a_warning(
    watched: Watched, ct: dict[str, str], tmp_path: Path
):
    box = trimesh.creation.box((10, 20, 30))
    box.update_faces(np.arange(len(box.faces)) > 0)
    path = tmp_path / "Shard.stl"
    box.export(path)
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}")
    page.locator("#file").set_input_files(path)
    made(page)
    expect(page.locator("#result")).to_contain_text("the surface of 'Shard' is not closed")
    expect(page.locator("#result li")).to_contain_text("surface not closed")


def test_a_file_of_another_kind_is_refused_at_once(
    watched: Watched, ct: dict[str, str], tmp_path: Path
):
    path = tmp_path / f"{MARKUP.replace('/', '')}.txt"
    path.write_text("nothing")
    page = watched.open(f"/stl/app/create.html?study={ct['ParentStudy']}")
    page.locator("#file").set_input_files(path)
    expect(page.get_by_role("alert")).to_contain_text("neither a NIfTI file nor STL")
    expect(page.get_by_role("button", name="Create the model")).to_be_disabled()


def test_a_study_offers_its_series(watched: Watched, ct: dict[str, str], rtstruct: dict[str, str]):
    page = watched.open(f"/stl/app/create.html?study={rtstruct['ParentStudy']}")
    page.locator("#series-list").get_by_role("link", name=MARKUP).click()
    expect(page.locator("#chosen-count")).to_have_text("2 of 2 chosen")


def test_work_can_be_cancelled_and_nothing_stays(
    watched: Watched, orthanc: OrthancServer, ct: dict[str, str]
):
    page = watched.open(f"/stl/app/create.html?series={ct['ParentSeries']}")
    page.wait_for_selector("#threshold:not([hidden])")
    before = len(orthanc.get("/instances").json())
    workers = orthanc.children()
    for process in workers:
        os.kill(process, signal.SIGSTOP)
    try:
        page.get_by_role("button", name="Create the model").click()
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("alert")).to_contain_text("cancelled", timeout=MAKING_MS)
    finally:
        for process in workers:
            if process in orthanc.children():
                os.kill(process, signal.SIGCONT)
    assert len(orthanc.get("/instances").json()) == before


def test_an_address_that_names_nothing_says_so(watched: Watched):
    page = watched.open("/stl/app/create.html?series=nonsense")
    expect(page.get_by_role("alert")).to_contain_text("five groups of eight characters")


def test_a_series_that_is_gone_says_so(watched: Watched):
    watched.expect("404")
    page = watched.open(f"/stl/app/create.html?series={'-'.join(['00000000'] * 5)}")
    expect(page.get_by_role("alert")).to_be_visible()


def test_what_was_made_names_the_images_it_comes_from(
    watched: Watched, orthanc: OrthancServer, ct: dict[str, str]
):
    """A file dropped on a CT takes the frame of reference of that CT."""
    page = watched.open(f"/stl/app/create.html?series={ct['ParentSeries']}")
    page.wait_for_selector("#threshold:not([hidden])")
    nifti = figurine.nifti(figurine.mask(figurine.scan()))
    page.locator("#file").set_input_files(
        {"name": "mask.nii.gz", "mimeType": "application/gzip", "buffer": nifti}
    )
    expect(page.get_by_role("button", name="Create the model")).to_be_enabled()
    made(page)
    image = orthanc.get(f"/instances/{ct['ID']}/simplified-tags").json()
    assert tags_of(orthanc, page)["FrameOfReferenceUID"] == image["FrameOfReferenceUID"]
