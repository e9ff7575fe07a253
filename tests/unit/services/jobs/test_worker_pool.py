import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pebble import ProcessPool

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import Busy, ConfigurationError, TooLarge, UnusableSource, WorkerDied
from orthanc_stl_plugin.services.jobs.worker_pool import Workers, tick_s, worker_executable


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    pool = Workers(Settings(workers=1, max_task_seconds=2))
    yield pool
    pool.close()


def product(one: int, other: int) -> int:
    return one * other


def slow_product(one: int, other: int) -> int:
    time.sleep(1.5)
    return one * other


def process_id() -> int:
    return os.getpid()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse() -> None:
    raise UnusableSource("LabelEmpty", number=3, name="Liver")


def allocate(count: int) -> int:
    return len(bytearray(count))


def test_a_function_runs_in_another_process(workers: Workers):
    assert workers.run(process_id) != os.getpid()


def test_arguments_go_in_and_the_result_comes_out(workers: Workers):
    assert workers.run(product, 6, other=7) == 42


@pytest.mark.parametrize(("gone_s", "pause_s"), [(0.0, 0.005), (0.4, 0.02), (600.0, 0.05)])
def test_work_is_looked_at_often_at_first_and_then_by_twentieths(gone_s: float, pause_s: float):
    assert tick_s(gone_s) == pytest.approx(pause_s)


def test_an_error_of_the_function_comes_back_as_it_is(workers: Workers):
    with pytest.raises(UnusableSource, match="empty") as refusal:
        workers.run(refuse)
    sentence = refusal.value.sentence
    assert (sentence.code, sentence.parameters) == ("LabelEmpty", {"Number": 3, "Name": "Liver"})


def test_a_killed_worker_fails_its_task_and_the_next_task_works(workers: Workers):
    with pytest.raises(WorkerDied, match="ended with code -9"):
        workers.run(die)
    assert workers.run(product, 6, 7) == 42


def test_a_worker_that_is_killed_while_it_is_idle_is_replaced():
    pool = Workers(Settings(workers=1))
    os.kill(pool.run(process_id), signal.SIGKILL)
    time.sleep(1)
    assert pool.run(product, 6, 7) == 42
    pool.close()


def descriptors_and_threads() -> tuple[int, int]:
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


def test_a_worker_that_is_killed_while_it_is_idle_leaves_neither_descriptors_nor_threads():
    pool = Workers(Settings(workers=1))
    pool.run(process_id)
    before = descriptors_and_threads()
    for _ in range(2):
        os.kill(pool.run(process_id), signal.SIGKILL)
        time.sleep(1)
    assert pool.run(product, 6, 7) == 42
    assert descriptors_and_threads() == before
    pool.close()


def test_a_worker_that_is_killed_just_before_its_task_fails_it_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
):
    pool = Workers(Settings(workers=1))
    os.kill(pool.run(process_id), signal.SIGKILL)
    time.sleep(1)
    with monkeypatch.context() as patch:
        patch.setattr(ProcessPool, "active", True)  # as it was when it was looked at
        with pytest.raises(WorkerDied, match="before it took the task"):
            pool.run(product, 6, 7)
    assert pool.run(product, 6, 7) == 42
    pool.close()


def test_a_killed_worker_concerns_its_own_task_alone():
    pool = Workers(Settings(workers=2))
    with ThreadPoolExecutor(2) as threads:
        healthy = threads.submit(pool.run, slow_product, 6, 7)
        with pytest.raises(WorkerDied):
            pool.run(die)
        assert healthy.result() == 42
    pool.close()


def test_a_task_that_takes_too_long_is_stopped_and_the_next_works(workers: Workers):
    with pytest.raises(TooLarge, match="MaxTaskSeconds = 2"):
        workers.run(time.sleep, 60)
    assert workers.run(product, 6, 7) == 42


def test_a_task_above_the_memory_bound_says_so():
    bounded = Workers(Settings(workers=1, max_task_memory_mib=1024))
    with pytest.raises(TooLarge, match="MaxTaskMemoryMiB = 1024"):
        bounded.run(allocate, 2 << 30)
    assert bounded.run(product, 6, 7) == 42
    bounded.close()


def test_workers_start_where_the_system_allows_less_memory_than_there_is():
    script = """
import os, resource
from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.services.jobs.worker_pool import Workers
if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    workers = Workers(Settings(workers=1))
    print(workers.run(resource.getrlimit, resource.RLIMIT_AS))
    workers.close()
"""
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.strip() == f"({2 << 30}, {2 << 30})"


def test_a_closed_pool_is_busy():
    pool = Workers(Settings(workers=1))
    pool.close()
    with pytest.raises(Busy, match="shutting down"):
        pool.run(process_id)


@pytest.mark.parametrize("delay_s", [0, 0.1, 0.3])
def test_closing_answers_those_who_wait_at_once(delay_s: float):
    """Of a pool that is stopped, Pebble resolves some futures never."""
    pool = Workers(Settings(workers=1))
    pool.run(process_id)

    def ask() -> str:
        try:
            return str(pool.run(slow_product, 2, 3))
        except Busy as error:
            return str(error)

    with ThreadPoolExecutor(4) as callers:
        waiting = [callers.submit(ask) for _ in range(4)]
        time.sleep(delay_s)
        pool.close()
        assert {one.result(5) for one in waiting} == {"the server is shutting down"}


def test_closing_ends_the_processes():
    pool = Workers(Settings(workers=1))
    worker = pool.run(process_id)
    pool.close()
    assert not Path(f"/proc/{worker}").exists()


def test_the_found_interpreter_is_the_version_that_runs():
    assert "python3" in worker_executable("").name


def test_an_interpreter_that_is_not_there_is_a_wrong_setting():
    with pytest.raises(ConfigurationError, match="\"WorkerExecutable\" is '/nowhere/python'"):
        worker_executable("/nowhere/python")
