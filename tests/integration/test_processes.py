"""Workers and files: what runs beside Orthanc, what dies, what is left."""

import base64
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import requests

from tests.support.orthanc_server import OrthancServer
from tools.demo import figurine


def slow_body(study: str) -> dict[str, object]:
    """A request that keeps a worker busy for seconds: a block of noise."""
    mask = np.random.default_rng(1).random((64, 64, 64)) > 0.5
    nifti = nib.Nifti1Image(mask.astype(np.uint8), np.eye(4)).to_bytes()
    return {"Nifti": base64.b64encode(nifti).decode(), "ParentStudy": study}


def uploaded(server: OrthancServer) -> str:
    return server.upload(next(figurine.ct_series(figurine.scan())))["ParentStudy"]


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


class Request(threading.Thread):
    """A request for a model, on its way in a thread."""

    def __init__(self, server: OrthancServer, study: str) -> None:
        super().__init__()
        self._server, self._body = server, slow_body(study)
        self.answer: requests.Response | None = None
        self.start()
        wait_until(lambda: bool(list(server.spool.glob("*/*/source.nii"))))

    def run(self) -> None:
        try:
            self.answer = requests.post(
                f"{self._server.url}/stl/encode-nifti", json=self._body, timeout=120
            )
        except requests.ConnectionError:
            self.answer = None


def workers(server: OrthancServer) -> list[int]:
    def is_worker(process: int) -> bool:
        try:
            return b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes()
        except OSError:
            return False

    return [child for child in server.children() if is_worker(child)]


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_orthanc_answers_while_a_model_is_made():
    with OrthancServer({'"Workers" : 0': '"Workers" : 1'}) as server:
        request = Request(server, uploaded(server))
        answered = 0
        while request.is_alive():
            assert server.get("/system").status_code == 200
            assert server.get("/instances/nope/stl").status_code == 404
            answered += 1
        assert answered > 20
        assert request.answer is not None
        assert request.answer.status_code == 200


def test_a_killed_worker_is_a_clear_500_once_and_the_next_call_works():
    with OrthancServer({'"Workers" : 0': '"Workers" : 1'}) as server:
        study = uploaded(server)
        request = Request(server, study)
        wait_until(lambda: bool(workers(server)))
        time.sleep(0.5)
        os.kill(workers(server)[0], signal.SIGKILL)
        request.join()
        assert request.answer is not None
        assert request.answer.status_code == 500
        assert "the worker process ended" in request.answer.json()["Details"]
        assert [path.name for path in server.spool.glob("*/*")] == ["lock"]
        nifti = figurine.nifti(figurine.mask(figurine.scan()))
        body = {"Nifti": base64.b64encode(nifti).decode(), "ParentStudy": study}
        assert server.post("/stl/encode-nifti", body).status_code == 200


def test_nothing_is_left_when_orthanc_stops():
    with OrthancServer() as server:
        server.get("/system")
        wait_until(lambda: bool(workers(server)))
        children = server.children()
        server.stop()
        assert server.process.returncode == 0, server.log[-2000:]
        wait_until(lambda: not any(alive(child) for child in children), 5)
        assert list(server.spool.iterdir()) == []


def test_stopping_in_the_middle_of_a_model_leaves_nothing():
    with OrthancServer() as server:
        Request(server, uploaded(server))
        children = server.children()
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 15
        wait_until(lambda: not any(alive(child) for child in children), 5)
        assert list(server.spool.iterdir()) == []


@pytest.mark.parametrize("busy", [True, False])
def test_after_a_crash_the_workers_end_and_the_next_start_cleans_up(busy: bool):
    with OrthancServer() as server:
        if busy:
            Request(server, uploaded(server))
        wait_until(lambda: bool(workers(server)))
        children = workers(server)
        server.stop(signal.SIGKILL)
        wait_until(lambda: not any(alive(child) for child in children), 10)
        assert len(list(server.spool.iterdir())) == 1
        server.session.close()
        server.__enter__()
        assert len(list(server.spool.iterdir())) == 1
        assert [path.name for path in server.spool.glob("*/*")] == ["lock"]
