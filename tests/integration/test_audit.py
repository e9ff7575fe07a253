"""What the audit log says of what Orthanc did, and of who asked for it."""

import time
from collections.abc import Iterator

import numpy as np
import pytest

from tests.support import dicom_samples as samples
from tests.support.orthanc_server import PUBLISHED, STAFF, OrthancServer

PATIENCE_S = 10
ALICE = {**STAFF, "X-User": "alice"}


@pytest.fixture(scope="module")
def server() -> Iterator[OrthancServer]:
    server = OrthancServer(PUBLISHED, is_verbose=False)
    server.session.headers.update(STAFF)
    with server:
        yield server


@pytest.fixture
def study(server: OrthancServer) -> str:
    stored = samples.f_volume().astype(np.int16)
    image = samples.file_bytes(samples.ct_datasets(stored, samples.oblique_affine())[0])
    answer = server.post("/instances", image, headers=ALICE)
    return str(answer.json()["ParentStudy"])


def audited(server: OrthancServer, text: str) -> int:
    """How many lines of the audit log hold a text; waits for the first."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := lines_with(server, text)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def lines_with(server: OrthancServer, text: str) -> int:
    return sum("audit: " in line and text in line for line in server.log.splitlines())


def test_a_study_is_published_and_withdrawn_however_that_is_asked(
    server: OrthancServer, study: str
):
    own = f"{server.url}/studies/{study}/labels/public"
    time.sleep(1.5)  # the first look only learns what is public
    server.session.put(own, headers=ALICE).raise_for_status()
    assert audited(server, f"study {study} was published") == 1
    assert audited(server, f"alice (127.0.0.1) asks for PUT /studies/{study}/labels/public") == 1
    server.session.get(f"{own}?_method=DELETE", headers=ALICE).raise_for_status()
    assert audited(server, f"study {study} was withdrawn") == 1
    assert audited(server, f"alice (127.0.0.1) asks for DELETE /studies/{study}/labels/public") == 1


def test_what_is_deleted_is_noted_with_all_that_goes_along(server: OrthancServer, study: str):
    series = server.get(f"/studies/{study}", headers=ALICE).json()["Series"]
    bulk = {"Resources": [study]}
    server.post("/tools/bulk-delete", bulk, headers=ALICE).raise_for_status()
    assert audited(server, f"study {study} was deleted") == 1
    assert [audited(server, f"series {one} was deleted") for one in series] == [1] * len(series)
    assert audited(server, "alice (127.0.0.1) asks for POST /tools/bulk-delete") == 1


def test_a_model_is_noted_by_its_structure_and_instance(server: OrthancServer, study: str):
    body = {
        "File": "data:;base64,c29saWQ=", "Format": "STL", "ParentStudy": study, "Name": "Vase"
    }  # fmt: skip
    assert server.post("/stl/attach", body, headers=ALICE).status_code == 422
    assert lines_with(server, "model 'Vase' was made") == 0
    roi = samples.RoiSample(1, "Vase", samples.prism(samples.F_OUTLINE, [0.0, 2.0, 4.0]))
    dataset = samples.rtstruct_dataset([roi])
    dataset.SOPInstanceUID += ".6"
    dataset.SeriesInstanceUID += ".6"
    structures = server.post("/instances", samples.file_bytes(dataset), headers=ALICE).json()
    order = {"Instance": structures["ID"], "Resolution": 32}
    answer = server.post("/stl/encode-rtstruct", order, headers=ALICE)
    assert answer.ok, answer.text
    made = answer.json()
    assert audited(server, f"model 'Vase' was made: instance {made['ID']}") == 1


def test_a_name_counts_in_requests_of_staff_only(server: OrthancServer):
    visitor = {"X-Staff": "", "X-User": "bob"}
    server.session.post(f"{server.url}/stl/attach", data=b"x", headers=visitor)
    assert audited(server, "somebody (127.0.0.1) asks for POST /stl/attach") == 1
    assert lines_with(server, "bob") == 0


def test_no_path_begins_a_line_of_its_own(server: OrthancServer):
    path = "/studies/a%0Aaudit: forged/labels/public"
    server.session.put(server.url + path, headers=ALICE)
    assert audited(server, "PUT /studies/a\\naudit: forged") == 1
    assert not any(line.startswith("audit: forged") for line in server.log.splitlines())
