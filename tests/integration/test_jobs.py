"""Jobs in a real Orthanc: ours among its own, watched, cancelled, remembered."""

import base64
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from tests.support.orthanc_server import OrthancServer
from tools.demo import figurine

ONE_WORKER = {'"Workers" : 0': '"Workers" : 1', '"MaxPendingJobs" : 100': '"MaxPendingJobs" : 2'}
BLOCK = np.zeros((12, 14, 16), dtype=np.uint8)
BLOCK[2:8, 3:10, 4:12] = 1
NOISE = (np.random.default_rng(1).random((72, 72, 72)) > 0.5).astype(np.uint8)


@pytest.fixture(scope="module")
def server() -> Iterator[OrthancServer]:
    with OrthancServer(ONE_WORKER) as running:
        yield running


@pytest.fixture(scope="module")
def study(server: OrthancServer) -> str:
    return server.upload(next(figurine.ct_series(figurine.scan())))["ParentStudy"]


def order(server: OrthancServer, study: str, mask: np.ndarray = BLOCK, **more: object) -> Any:
    nifti = nib.Nifti1Image(mask, np.eye(4)).to_bytes()
    body = {"Nifti": base64.b64encode(nifti).decode(), "ParentStudy": study, **more}
    return server.post("/stl/encode-nifti", {"Asynchronous": True, **body})


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def state(server: OrthancServer, path: str) -> str:
    return str(server.get(path).json()["State"])


def finished(server: OrthancServer, path: str) -> dict[str, Any]:
    until(lambda: state(server, path) in {"Success", "Failure"})
    job: dict[str, Any] = server.get(path).json()
    return job


def archive_job(server: OrthancServer, study: str) -> str:
    """A job of Orthanc itself that has ended."""
    answer = server.post(f"/studies/{study}/archive", {"Asynchronous": True}).json()
    finished(server, answer["Path"])
    return str(answer["ID"])


def test_an_asynchronous_order_answers_with_its_job_and_the_job_makes_the_model(
    server: OrthancServer, study: str
):
    answer = order(server, study)
    assert answer.status_code == 200
    assert answer.json()["Path"] == f"/jobs/{answer.json()['ID']}"
    job = finished(server, answer.json()["Path"])
    assert (job["State"], job["Progress"], job["ErrorCode"]) == ("Success", 100, 0)
    [made] = job["Content"]["Instances"]
    assert server.get(f"{made['Path']}/stl").status_code == 200
    assert made["Name"] == "Model from NIfTI"


def test_our_jobs_have_the_fields_of_orthancs(server: OrthancServer, study: str):
    ours = finished(server, order(server, study).json()["Path"])
    theirs = server.get(f"/jobs/{archive_job(server, study)}").json()
    assert set(theirs) == set(ours)
    assert {type(value) for value in theirs.values()} == {type(value) for value in ours.values()}


def test_both_kinds_are_in_one_list(server: OrthancServer, study: str):
    theirs, ours = archive_job(server, study), order(server, study).json()["ID"]
    assert {theirs, ours} <= set(server.get("/jobs").json())
    expanded = {job["ID"]: job["Type"] for job in server.get("/jobs?expand").json()}
    assert (expanded[theirs], expanded[ours]) == ("Archive", "StlEncodeNifti")
    finished(server, f"/jobs/{ours}")


def test_orthancs_own_jobs_answer_as_without_us(server: OrthancServer, study: str):
    with OrthancServer({'"JobsInOrthanc" : true': '"JobsInOrthanc" : false'}) as plain:
        plain_study = plain.upload(next(figurine.ct_series(figurine.scan())))["ParentStudy"]
        answers: list[list[object]] = []
        for one, its_study in ((server, study), (plain, plain_study)):
            job_id = archive_job(one, its_study)
            asked = [
                one.get(f"/jobs/{job_id}"),
                one.post(f"/jobs/{job_id}/cancel", {}),
                one.post(f"/jobs/{job_id}/pause", {}),
                one.post(f"/jobs/{job_id}/resume", {}),
                one.get(f"/jobs/{job_id}/archive"),
                one.session.delete(f"{one.url}/jobs/{job_id}"),
                one.get(f"/jobs/{job_id}"),
                one.get("/jobs/nope"),
                one.post("/jobs/nope/cancel", {}),
            ]
            told = [(a.status_code, a.headers.get("Content-Type", "")[:16]) for a in asked]
            texts = [
                a.text for a in asked if a.url.count(job_id) == 0 or a.request.method == "POST"
            ]
            answers.append([*told, *texts, sorted(asked[0].json())])
        assert answers[0] == answers[1]


def test_a_failed_job_tells_why(server: OrthancServer, study: str):
    job = finished(server, order(server, study, BLOCK * 0).json()["Path"])
    assert job["State"] == "Failure"
    assert "all of its 12 x 14 x 16 voxels are zero" in job["ErrorDetails"]
    assert job["Content"]["Error"] == job["ErrorDetails"]
    answer = server.post(f"/jobs/{job['ID']}/resubmit", {})
    assert answer.status_code == 409
    assert "cannot run again" in answer.json()["Details"]


def test_a_cancelled_job_stops_soon_and_leaves_nothing(server: OrthancServer, study: str):
    before = server.get("/statistics").json()
    path = order(server, study, NOISE).json()["Path"]
    until(lambda: server.get(path).json()["Content"].get("Stage") == "surface")
    started = time.monotonic()
    assert server.post(f"{path}/cancel", {}).status_code == 200
    job = finished(server, path)
    assert time.monotonic() - started < 2
    assert (job["State"], job["ErrorCode"]) == ("Failure", 37)
    assert server.get("/statistics").json() == before
    until(lambda: [one.name for one in server.spool.glob("*/*")] == ["lock"])
    assert finished(server, order(server, study).json()["Path"])["State"] == "Success"


def test_a_job_that_is_paused_waits(server: OrthancServer, study: str):
    running = order(server, study, NOISE).json()["Path"]
    until(lambda: state(server, running) == "Running")
    waiting = order(server, study).json()["Path"]
    assert server.post(f"{waiting}/pause", {}).status_code == 200
    assert state(server, waiting) == "Paused"
    assert server.post(f"{running}/pause", {}).status_code == 409
    server.post(f"{running}/cancel", {})
    finished(server, running)
    assert state(server, waiting) == "Paused"
    server.post(f"{waiting}/resume", {})
    assert finished(server, waiting)["State"] == "Success"


def test_a_full_queue_is_503_with_retry_after(server: OrthancServer, study: str):
    jobs = [order(server, study, NOISE).json()["Path"]]
    until(lambda: state(server, jobs[0]) == "Running")
    jobs += [order(server, study).json()["Path"] for _ in range(2)]
    answer = order(server, study)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "MaxPendingJobs" in answer.json()["Details"]
    for path in jobs:
        server.post(f"{path}/cancel", {})
        finished(server, path)


def test_a_finished_job_can_be_forgotten(server: OrthancServer, study: str):
    path = order(server, study).json()["Path"]
    finished(server, path)
    assert server.session.delete(server.url + path).status_code == 200
    assert server.get(path).status_code == 404


def test_contradicting_ways_to_wait_are_refused(server: OrthancServer, study: str):
    answer = order(server, study, Synchronous=True)
    assert answer.status_code == 400
    assert "contradict" in answer.json()["Details"]


def test_jobs_survive_a_restart_and_interrupted_ones_say_so():
    with OrthancServer(ONE_WORKER) as server:
        study = server.upload(next(figurine.ct_series(figurine.scan())))["ParentStudy"]
        done = order(server, study).json()["Path"]
        finished(server, done)
        before = server.get(done).json()
        interrupted = order(server, study, NOISE).json()["Path"]
        until(lambda: server.get(interrupted).json()["Content"].get("Stage") == "surface")
        server.stop()
        assert server.process.returncode == 0
        server.session.close()
        server.__enter__()
        after = server.get(done).json()
        assert {**after, "Timestamp": ""} == {**before, "Timestamp": ""}
        assert server.get(interrupted).json()["State"] == "Failure"
        assert finished(server, order(server, study).json()["Path"])["State"] == "Success"


def test_jobs_that_a_crash_interrupts_say_so():
    with OrthancServer(ONE_WORKER) as server:
        study = server.upload(next(figurine.ct_series(figurine.scan())))["ParentStudy"]
        running, waiting, paused = (order(server, study, NOISE).json()["Path"] for _ in range(3))
        server.post(f"{paused}/pause", {}).raise_for_status()
        until(lambda: server.get(running).json()["Content"].get("Stage") == "surface")
        server.stop(signal.SIGKILL)
        server.session.close()
        server.__enter__()
        for path in (running, waiting, paused):
            job = server.get(path).json()
            assert (job["State"], "interrupted" in job["ErrorDetails"]) == ("Failure", True)
        assert finished(server, order(server, study).json()["Path"])["State"] == "Success"


def test_jobs_can_be_kept_apart_from_orthancs():
    with OrthancServer({'"JobsInOrthanc" : true': '"JobsInOrthanc" : false'}) as server:
        study = server.upload(next(figurine.ct_series(figurine.scan())))["ParentStudy"]
        answer = order(server, study).json()
        assert answer["Path"] == f"/stl/jobs/{answer['ID']}"
        assert finished(server, answer["Path"])["State"] == "Success"
        assert server.get("/jobs").json() == []
        assert server.get("/stl/jobs").json() == [answer["ID"]]
        assert server.get("/stl/jobs/nope").status_code == 404
