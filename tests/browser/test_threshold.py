"""Thresholds: what the slices show is what the model is made of."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from pydicom.uid import generate_uid

from tests.browser.conftest import Watched, downloaded
from tests.browser.test_create import inside_share, made
from tests.support.dicom_samples import ct_datasets, file_bytes, oblique_affine
from tests.support.orthanc_server import OrthancServer

PADDING = -2000


def uploaded(orthanc: OrthancServer, stored: np.ndarray, slope: float = 1) -> str:
    """The series of the (columns, rows, slices) stored values, in a study of its own."""
    study, series = generate_uid(), generate_uid()
    answer: dict[str, str] = {}
    for dataset in ct_datasets(stored, oblique_affine(), slope=slope):
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.SOPInstanceUID = generate_uid()
        dataset.PixelPaddingValue = PADDING
        dataset["PixelPaddingValue"].VR = "SS"
        answer = orthanc.upload(file_bytes(dataset))
    return answer["ParentSeries"]


def opened(watched: Watched, series: str) -> Page:
    page = watched.open(f"/stl/app/create.html?series={series}")
    page.wait_for_selector("#threshold:not([hidden])")
    return page


@pytest.fixture(scope="module")
def padded(orthanc: OrthancServer) -> str:
    """In each slice, a quarter is padding, a quarter 1000 HU, and half of it -1000 HU."""
    stored = np.full((20, 24, 10), 24, dtype=np.int16)
    stored[:5] = PADDING
    stored[15:] = 2024
    return uploaded(orthanc, stored)


@pytest.fixture(scope="module")
def fractions(orthanc: OrthancServer) -> str:
    """A brick of -1023.9 to -962.3: of its values the field shows six digits."""
    stored = np.zeros((24, 26, 14), dtype=np.int16)
    stored[4:20, 4:22, 3:11] = 500
    stored[4:12, 4:22, 3:11] = 499
    return uploaded(orthanc, stored, slope=0.1234567)


def test_padding_is_never_shown_inside(watched: Watched, padded: str):
    page = opened(watched, padded)
    page.locator("#lower").fill("-1000")
    assert inside_share(page) == pytest.approx(75)
    page.locator("#upper").fill("-500")
    assert inside_share(page) == pytest.approx(50)


def test_the_highest_value_as_it_stands_leaves_nothing_out(watched: Watched, fractions: str):
    page = opened(watched, fractions)
    page.get_by_label("Smoothing").select_option("None: shows the voxels")
    made(page)
    mesh = downloaded(page, "Download Surface as STL")
    sizes_mm = sorted(np.array([16, 18, 8]) * [0.7, 1.1, 2.5])
    assert sorted(mesh.bounding_box_oriented.primitive.extents) == pytest.approx(sizes_mm, rel=0.1)


def test_a_field_without_a_lowest_value_is_told_before_anything_is_sent(
    watched: Watched, padded: str
):
    page = opened(watched, padded)
    page.locator("#lower").fill("")
    assert inside_share(page) == 0
    page.get_by_role("button", name="Create the model").click()
    expect(page.get_by_role("alert")).to_have_text("Enter the lowest value inside, as a number.")


def test_a_field_without_a_highest_value_has_no_bound(watched: Watched, padded: str):
    page = opened(watched, padded)
    page.locator("#lower").fill("500")
    page.locator("#upper").fill("")
    assert inside_share(page) == pytest.approx(25)


def test_a_single_image_is_shown_as_it_was_acquired(watched: Watched, orthanc: OrthancServer):
    series = uploaded(orthanc, np.arange(600, dtype=np.int16).reshape(20, 30, 1))
    page = opened(watched, series)
    expect(page.locator("#slice-number")).to_have_text("1 / 1")
    assert page.locator("#slice-direction option").all_inner_texts() == ["As acquired"]


def test_images_that_are_left_out_are_told_before_the_model_is_made(
    watched: Watched, orthanc: OrthancServer
):
    datasets = ct_datasets(np.arange(2400, dtype=np.int16).reshape(12, 20, 10), oblique_affine())
    study, series = generate_uid(), generate_uid()
    datasets[-1].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    for dataset in datasets:
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.SOPInstanceUID = generate_uid()
    [stored, *_] = [orthanc.upload(file_bytes(dataset)) for dataset in datasets]
    page = opened(watched, stored["ParentSeries"])
    expect(page.locator("#threshold .message")).to_have_text("localizers left out: 1")
    expect(page.locator("#threshold-facts")).to_contain_text("9 voxels")
