"""Faults injected for real: after each a right state, a clear message, nothing left behind."""

import base64
import os
import re
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest

from tests.integration.test_jobs import BLOCK, NOISE, finished, order, state, until
from tests.integration.test_processes import workers
from tests.support.orthanc_server import OrthancServer
from tools.demo import figurine

ONE_WORKER = {'"Workers" : 0': '"Workers" : 1'}


@pytest.fixture(scope="module")
def server() -> Iterator[OrthancServer]:
    with OrthancServer(ONE_WORKER) as running:
        yield running


@pytest.fixture
def study(server: OrthancServer) -> Iterator[str]:
    """A study of three slices, that a test may delete; afterwards all is as it should be."""
    images = figurine.ct_series(figurine.scan())
    stored = [server.upload(next(images)) for _ in range(3)]
    yield stored[0]["ParentStudy"]
    until(lambda: [one.name for one in server.spool.glob("*/*")] == ["lock"])
    again = server.upload(next(figurine.ct_series(figurine.scan())))["ParentStudy"]
    assert finished(server, order(server, again).json()["Path"])["State"] == "Success"


def busy(server: OrthancServer, study: str) -> str:
    """The path of a job that keeps the only worker busy."""
    path = str(order(server, study, NOISE).json()["Path"])
    until(lambda: server.get(path).json()["Content"].get("Stage") == "surface")
    return path


def models(server: OrthancServer) -> int:
    series = server.get("/series?expand").json()
    return sum(one["MainDicomTags"]["Modality"] == "M3D" for one in series)


def test_a_killed_worker_fails_its_job_with_a_sentence(server: OrthancServer, study: str):
    before = models(server)
    path = busy(server, study)
    os.kill(workers(server)[0], signal.SIGKILL)
    job = finished(server, path)
    assert job["State"] == "Failure"
    assert "the worker process ended" in job["ErrorDetails"]
    assert models(server) == before


def parts(number: int) -> np.ndarray:
    """So many blocks, each a label of its own."""
    mask = np.zeros((8, 8, 4 * number), dtype=np.uint8)
    for label in range(number):
        mask[2:6, 2:6, 4 * label + 1 : 4 * label + 4] = label + 1
    return mask


def instances(server: OrthancServer) -> set[str]:
    return set(server.get("/instances").json())


def test_a_server_killed_while_it_stores_models_removes_them_when_it_is_back():
    with OrthancServer(ONE_WORKER) as server:
        study = server.upload(next(figurine.ct_series(figurine.scan())))["ParentStudy"]
        kept = finished(server, order(server, study, parts(3), Split=True).json()["Path"])
        before = instances(server)
        path = order(server, study, parts(60), Split=True).json()["Path"]
        until(lambda: len(instances(server)) > len(before) + 2)
        assert state(server, path) == "Running"
        server.stop(signal.SIGKILL)
        server.session.close()
        server.__enter__()
        until(lambda: "removed" in server.get(path).json()["ErrorDetails"])
        job = server.get(path).json()
        assert job["State"] == "Failure"
        assert re.fullmatch(
            r"interrupted: the server stopped while the job was running;"
            r" what it had stored is removed \(models: \d+\)",
            job["ErrorDetails"],
        )
        assert instances(server) == before
        assert server.get(f"/jobs/{kept['ID']}").json()["State"] == "Success"


def test_a_source_that_is_deleted_meanwhile_fails_its_job(server: OrthancServer, study: str):
    blocking = busy(server, study)
    series = server.get(f"/studies/{study}").json()["Series"][0]
    answer = server.post("/stl/encode-series", {"Series": series, "Asynchronous": True})
    server.session.delete(f"{server.url}/series/{series}")
    server.post(f"{blocking}/cancel", {})
    job = finished(server, answer.json()["Path"])
    assert job["State"] == "Failure"
    assert "there is no instance" in job["ErrorDetails"]


def test_a_study_that_is_deleted_meanwhile_fails_its_job_and_is_not_made_again(
    server: OrthancServer, study: str
):
    blocking = busy(server, study)
    waiting = order(server, study).json()["Path"]
    server.session.delete(f"{server.url}/studies/{study}")
    server.post(f"{blocking}/cancel", {})
    job = finished(server, waiting)
    assert f"there is no study '{study}'" in job["ErrorDetails"]
    assert server.get(f"/studies/{study}").status_code == 404


@pytest.fixture
def small_spool(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB; the tests run in a mount namespace of their own."""
    folder = tmp_path / "spool"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("mask", [NOISE, NOISE[:24, :24, :24]], ids=["the source", "the model"])
def test_a_full_disk_fails_the_job_and_says_so(small_spool: Path, mask: np.ndarray):
    settings = {'"SpoolDirectory" : ""': f'"SpoolDirectory" : "{small_spool}"'}
    with OrthancServer(settings) as server:
        study = server.upload(next(figurine.ct_series(figurine.scan())))["ParentStudy"]
        job = finished(server, order(server, study, mask).json()["Path"])
        assert "the disk that holds SpoolDirectory is full" in job["ErrorDetails"]
        assert models(server) == 0
        assert [one.name for one in small_spool.glob("*/*")] == ["lock"]
        assert finished(server, order(server, study, BLOCK).json()["Path"])["State"] == "Success"


def read_until(server: OrthancServer, has_ended: threading.Event, seen: Counter[int]) -> None:
    while not has_ended.wait(0.02):
        for path in ("/system", "/jobs?expand", "/instances/nope/stl"):
            seen[server.get(path).status_code] += 1


def make_blocks(server: OrthancServer, study: str, lengths: range, made: dict[int, float]) -> None:
    for length in lengths:
        mask = np.zeros((30, 20, 20), dtype=np.uint8)
        mask[2 : 2 + length, 3:15, 4:16] = 1
        job = finished(server, order(server, study, mask).json()["Path"])
        [model] = job["Content"]["Instances"]
        made[length] = _volume(server.get(f"{model['Path']}/stl").content)


def test_many_clients_at_once_each_get_their_own_model_while_others_read():
    """20 orders by 8 clients, while 16 clients read other routes."""
    with OrthancServer({'"Workers" : 0': '"Workers" : 2'}) as server:
        study = server.upload(next(figurine.ct_series(figurine.scan())))["ParentStudy"]
        has_ended = threading.Event()
        seen: Counter[int] = Counter()
        volumes: dict[int, float] = {}
        with ThreadPoolExecutor(24) as clients:
            for _ in range(16):
                clients.submit(read_until, server, has_ended, seen)
            makers = [
                clients.submit(make_blocks, server, study, range(first, 24, 8), volumes)
                for first in range(4, 12)
            ]
            wait(makers)
            has_ended.set()
        assert [maker.exception() for maker in makers] == [None] * 8
        assert set(seen) == {200, 404}
        assert volumes == pytest.approx({n: n * 12 * 12 for n in range(4, 24)}, rel=0.03)


def _volume(stl: bytes) -> float:
    corners = np.frombuffer(stl[84:], dtype=np.dtype([("f", "<f4", (4, 3)), ("a", "<u2")]))["f"]
    one, two, three = (corners[:, number].astype(float) for number in (1, 2, 3))
    return float(np.einsum("ij,ij->", one, np.cross(two, three)) / 6)


def test_a_job_of_higher_priority_overtakes(server: OrthancServer, study: str):
    blocking = busy(server, study)
    slow = [order(server, study).json()["Path"] for _ in range(2)]
    urgent = order(server, study, Priority=10).json()["Path"]
    server.post(f"{blocking}/cancel", {})
    finished(server, slow[-1])
    times = [finished(server, path)["CompletionTime"] for path in (urgent, *slow)]
    assert times == sorted(times)
    assert state(server, urgent) == "Success"


def test_the_file_of_an_order_is_not_kept_when_it_has_failed(server: OrthancServer, study: str):
    body = {"Nifti": base64.b64encode(b"x" * 400).decode(), "ParentStudy": study}
    answer = server.post("/stl/encode-nifti", {**body, "Asynchronous": True})
    job = finished(server, answer.json()["Path"])
    assert "not a NIfTI file" in job["ErrorDetails"]
    assert server.post(f"/jobs/{job['ID']}/resubmit", {}).status_code == 409
