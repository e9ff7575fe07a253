"""Jobs that are stopped from outside: refused by Orthanc, too slow, too large, out of order."""

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.test_job_faults import ONE_WORKER, models
from tests.integration.test_jobs import BLOCK, NOISE, finished, order, until
from tests.integration.test_processes import workers
from tests.support.orthanc_server import OrthancServer
from tools.demo import figurine

TWO = BLOCK.copy()
TWO[9:11, 3:10, 4:12] = 2
LARGE_NOISE = (np.random.default_rng(2).random((90, 90, 90)) > 0.5).astype(np.uint8)
HUGE_NOISE = (np.random.default_rng(2).random((110, 110, 110)) > 0.5).astype(np.uint8)
LARGE_BLOCK = np.zeros((480, 480, 480), dtype=np.uint8)
LARGE_BLOCK[100:110, 100:110, 100:110] = 1
ANCHOR = '"HttpDescribeErrors" : true,'
REFUSES_THE_SECOND = """
function ReceivedInstanceFilter(dicom, origin, info)
    return dicom.Modality ~= 'M3D' or dicom.InstanceNumber ~= '2'
end
"""


STAGES = ("reading", "surface", "smoothing", "finishing")
EARLIER = {stage: STAGES[:number] for number, stage in enumerate(STAGES)}
TICK_S = 0.3


def uploaded(server: OrthancServer) -> str:
    return server.upload(next(figurine.ct_series(figurine.scan())))["ParentStudy"]


def makes_a_model(server: OrthancServer, study: str) -> bool:
    """True when a job works, and nothing of those before is left in the spool."""
    job = finished(server, order(server, study).json()["Path"])
    until(lambda: [one.name for one in server.spool.glob("*/*")] == ["lock"])
    return bool(job["State"] == "Success")


@pytest.fixture(scope="module")
def server() -> Iterator[OrthancServer]:
    with OrthancServer(ONE_WORKER) as running:
        yield running


@pytest.fixture(scope="module")
def study(server: OrthancServer) -> str:
    return uploaded(server)


@pytest.mark.parametrize(
    ("stage", "mask"),
    [
        ("reading", LARGE_BLOCK),
        ("surface", LARGE_NOISE),
        ("smoothing", LARGE_NOISE),
        ("finishing", NOISE),
    ],
)
def test_a_worker_killed_in_any_stage_fails_its_job_alone(
    server: OrthancServer, study: str, stage: str, mask: np.ndarray
):
    before = models(server)
    path, worker = stopped_in(server, study, stage, mask)
    os.kill(worker, signal.SIGKILL)
    job = finished(server, path)
    assert (job["State"], job["Content"]["Stage"]) == ("Failure", stage)
    assert "the worker process ended" in job["ErrorDetails"]
    assert models(server) == before
    assert makes_a_model(server, study)


def has_come_to(server: OrthancServer, path: str, stage: str) -> bool:
    told = server.get(path).json()["Content"].get("Stage")
    return told is not None and told not in EARLIER[stage]


def stopped_in(server: OrthancServer, study: str, stage: str, mask: np.ndarray) -> tuple[str, int]:
    """The path of a job whose worker stands still in a stage, and that worker."""
    for _ in range(10):
        path = order(server, study, mask).json()["Path"]
        until(partial(has_come_to, server, path, stage))
        [worker] = workers(server)
        os.kill(worker, signal.SIGSTOP)
        time.sleep(2 * TICK_S)  # what it had told before is passed on
        if server.get(path).json()["Content"]["Stage"] == stage:
            return path, worker
        os.kill(worker, signal.SIGCONT)
        server.post(f"{path}/cancel", {})
        finished(server, path)
    raise AssertionError(f"no job was met in the stage {stage}")


def test_a_worker_killed_while_its_model_is_stored_harms_nobody(server: OrthancServer, study: str):
    before = models(server)
    path = order(server, study, NOISE).json()["Path"]
    until(lambda: server.get(path).json()["Content"].get("Stage") == "storing")
    [worker] = workers(server)
    os.kill(worker, signal.SIGKILL)
    assert finished(server, path)["State"] == "Success"
    assert models(server) == before + 1
    assert makes_a_model(server, study)


def test_the_queue_keeps_its_order_under_load(server: OrthancServer, study: str):
    """Higher priorities first, and among equal ones who came first, whoever they are."""
    blocking = order(server, study, LARGE_NOISE).json()["Path"]
    until(lambda: server.get(blocking).json()["State"] == "Running")
    with ThreadPoolExecutor(8) as clients:
        answers = clients.map(lambda n: order(server, study, Priority=n % 3), range(16))
        paths = [answer.json()["Path"] for answer in answers]
    assert server.post(f"{blocking}/cancel", {}).status_code == 200
    jobs: list[dict[str, Any]] = [finished(server, path) for path in paths]
    by_end = sorted(jobs, key=lambda job: job["CompletionTime"])
    assert [job["ID"] for job in by_end] == [
        job["ID"] for job in sorted(jobs, key=lambda job: (-job["Priority"], job["CreationTime"]))
    ]


def test_progress_is_seen_to_grow_while_one_model_is_made(server: OrthancServer, study: str):
    path = order(server, study, LARGE_NOISE).json()["Path"]
    seen: list[tuple[int, str]] = []

    def is_over() -> bool:
        job = server.get(path).json()
        seen.append((job["Progress"], job["Content"].get("Stage", "")))
        return bool(job["State"] == "Success")

    until(is_over, 300)
    percents = [percent for percent, _ in seen]
    assert percents == sorted(percents)
    assert len(set(percents)) > 10
    stages = list(dict.fromkeys(stage for _, stage in seen if stage))
    in_order = ["reading", "surface", "smoothing", "finishing", "storing"]
    assert stages == [one for one in in_order if one in stages]
    assert {"surface", "smoothing", "storing"} <= set(stages)  # others may end between two looks


def test_what_orthanc_refuses_is_told_and_what_it_had_taken_is_removed(tmp_path: Path):
    script = tmp_path / "refuse.lua"
    script.write_text(REFUSES_THE_SECOND)
    lua = f'{ANCHOR} "LuaScripts" : {json.dumps([str(script)])},'
    with OrthancServer({ANCHOR: lua}) as server:
        study = uploaded(server)
        job = finished(server, order(server, study, TWO, Split=True).json()["Path"])
        assert (job["State"], job["Content"]["Stage"]) == ("Failure", "storing")
        assert job["ErrorDetails"] == "Orthanc has not stored the new instance: FilteredOut"
        assert models(server) == 0
        assert makes_a_model(server, study)


def test_two_thirds_of_orthancs_threads_stay_free_while_orders_are_waited_for():
    threads = f'{ANCHOR} "HttpThreadsCount" : 6,'
    with OrthancServer({**ONE_WORKER, ANCHOR: threads}) as server:
        study = uploaded(server)
        blocking = order(server, study, LARGE_NOISE).json()["Path"]
        until(lambda: server.get(blocking).json()["State"] == "Running")
        with ThreadPoolExecutor(6) as clients:
            orders = [clients.submit(order, server, study, Asynchronous=False) for _ in range(6)]
            until(lambda: sum(one.done() for one in orders) == 4)
            refused = [one.result() for one in orders if one.done()]
            assert [one.status_code for one in refused] == [503] * 4
            assert "HttpThreadsCount = 6" in refused[0].json()["Details"]
            assert int(refused[0].headers["Retry-After"]) > 0
            later = order(server, study)
            assert later.status_code == 200
            assert server.post(f"{blocking}/cancel", {}).status_code == 200
            assert sorted(one.result().status_code for one in orders) == [200] * 2 + [503] * 4
        assert finished(server, later.json()["Path"])["State"] == "Success"


def test_pictures_and_values_do_not_wait_behind_a_model_that_is_made():
    with OrthancServer(ONE_WORKER) as server:  # of its own: it has a second worker afterwards
        study = uploaded(server)
        small = finished(server, order(server, study).json()["Path"])
        [instance] = small["Content"]["Instances"]
        found = server.get(f"/studies/{study}/series").json()
        series = next(one["ID"] for one in found if one["MainDicomTags"]["Modality"] == "CT")
        blocking = order(server, study, HUGE_NOISE).json()["Path"]
        until(lambda: server.get(blocking).json()["Content"].get("Stage") == "surface")
        assert server.get(f"/instances/{instance['ID']}/preview-3d").status_code == 200
        assert server.get(f"/series/{series}/stl/values").status_code == 200
        assert server.get(blocking).json()["Content"]["Stage"] in STAGES
        assert server.post(f"{blocking}/cancel", {}).status_code == 200


def test_two_thirds_of_orthancs_threads_stay_free_while_pictures_are_waited_for():
    threads = f'{ANCHOR} "HttpThreadsCount" : 6,'
    with OrthancServer({**ONE_WORKER, ANCHOR: threads}) as server:
        job = finished(server, order(server, uploaded(server)).json()["Path"])
        picture = f"{job['Content']['Instances'][0]['Path']}/preview-3d"
        makers = set(workers(server))
        assert server.get(picture).status_code == 200
        [reader] = set(workers(server)) - makers
        os.kill(reader, signal.SIGSTOP)
        with ThreadPoolExecutor(6) as clients:
            try:
                asked = [clients.submit(server.get, f"{picture}?turn={n}") for n in range(6)]
                until(lambda: sum(one.done() for one in asked) == 4, 10)
                assert server.get("/system").status_code == 200
            finally:
                os.kill(reader, signal.SIGCONT)
        assert sorted(one.result().status_code for one in asked) == [200] * 2 + [503] * 4


def test_a_storage_without_room_is_told_and_nothing_is_left():
    full = f'{ANCHOR} "MaximumStorageSize" : 1, "MaximumStorageMode" : "Reject",'
    with OrthancServer({ANCHOR: full}) as server:
        study = uploaded(server)
        labels = np.zeros((100, 100, 100), dtype=np.uint8)
        labels[5:10, 5:10, 5:10] = 1
        labels[20:95, 20:95, 20:95] = 2
        job = finished(server, order(server, study, labels, Split=True).json()["Path"])
        assert (job["State"], job["Content"]["Stage"]) == ("Failure", "storing")
        assert job["ErrorDetails"].endswith("The file storage is full")
        assert models(server) == 0
        assert makes_a_model(server, study)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ('"MaxTaskSeconds" : {}', "the task took longer than MaxTaskSeconds = 1"),
        ('"MaxTaskMemoryMiB" : {}', "the task needs more memory than MaxTaskMemoryMiB = 1200"),
    ],
)
def test_a_job_that_breaks_a_bound_is_stopped_and_says_which(setting: str, sentence: str):
    bound = sentence.rpartition(" ")[2]
    default = {"1": "900", "1200": "0"}[bound]
    settings = {**ONE_WORKER, setting.format(default): setting.format(bound)}
    with OrthancServer(settings) as server:
        study = uploaded(server)
        job = finished(server, order(server, study, HUGE_NOISE).json()["Path"])
        assert (job["State"], job["ErrorDetails"]) == ("Failure", sentence)
        assert models(server) == 0
        assert makes_a_model(server, study)
