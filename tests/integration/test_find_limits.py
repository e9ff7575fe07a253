"""An Orthanc whose answers to searches are limited: everything is there all the same."""

import re
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pydicom.uid import generate_uid

from tests.support.dicom_samples import ct_datasets, file_bytes, image_dataset
from tests.support.orthanc_server import OrthancServer

ANYWHERE = '"HttpDescribeErrors" : true,'
LIMITS = {
    ANYWHERE: f'{ANYWHERE} "LimitFindInstances" : 7, "LimitFindResults" : 3,',
    '"Workers" : 0': '"Workers" : 1',
}
SLICES = 8


@pytest.fixture(scope="module")
def server() -> Iterator[OrthancServer]:
    with OrthancServer(LIMITS) as server:
        yield server


def changes(server: OrthancServer) -> list[tuple[str, str]]:
    """What has been told of each study, on all pages."""
    collection = server.get("/iiif/discovery/all-changes.json").json()
    page: dict[str, Any] = {"next": collection["first"]}
    told = []
    while "next" in page:
        page = server.session.get(page["next"]["id"]).json()
        told += [(one["type"], one["object"]["id"].split("/")[4]) for one in page["orderedItems"]]
    return told


def new_studies(server: OrthancServer, count: int) -> set[str]:
    studies = set()
    for _ in range(count):
        dataset = image_dataset(np.zeros((8, 8), np.int16))
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
        dataset.SOPInstanceUID = generate_uid()
        studies.add(server.upload(file_bytes(dataset))["ParentStudy"])
    return studies


def test_all_slices_of_a_series_are_its_source(server: OrthancServer):
    stored = np.zeros((20, 20, SLICES), np.int16)
    stored[4:16, 4:16, :] = 1500
    slices = ct_datasets(stored, np.diag([1.0, 1.0, 2.0, 1.0]))
    series = [server.upload(file_bytes(one)) for one in slices][-1]["ParentSeries"]
    assert server.get(f"/series/{series}/stl/values").json()["OriginalShape"][-1] == SLICES
    answer = server.post("/stl/encode-series", {"Series": series, "Threshold": 200})
    assert answer.ok, answer.text
    tags = server.get(f"/instances/{answer.json()['ID']}/simplified-tags").text
    assert len(set(re.findall(r'"ReferencedSOPInstanceUID" : "(.*)"', tags))) == SLICES


def test_a_part_of_the_collection_holds_all_its_studies(server: OrthancServer):
    new_studies(server, 101)
    page = server.get("/iiif/collection/1.json").json()
    assert len({one["id"] for one in page["items"]}) == 100


def test_no_study_is_told_as_deleted_that_is_there(server: OrthancServer):
    first = new_studies(server, 3)
    assert first <= {study for _, study in changes(server)}
    time.sleep(1.1)  # the changes are told by the second
    second = new_studies(server, 5)
    told = changes(server)
    assert {kind for kind, _ in told} <= {"Create", "Update"}
    assert first | second <= {study for _, study in told}
