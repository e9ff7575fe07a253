import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orthanc_stl_plugin.errors import Cancelled, Conflict
from orthanc_stl_plugin.model.job import JobRecord
from orthanc_stl_plugin.model.mesh import MeshOptions
from orthanc_stl_plugin.model.progress import Stage
from orthanc_stl_plugin.services.jobs.job import Watch
from orthanc_stl_plugin.services.jobs.job_queue import JobEngine
from orthanc_stl_plugin.services.models.effort import Meter, SourceSize, unread
from orthanc_stl_plugin.services.models.progress import Course, Pace
from tests.support.memory_journal import MemoryJournal, remove_nothing

SIZE = SourceSize(1000, 1000)


def told(
    folder: Path, act: Callable[[Course, Callable[[], None]], None], pace: Pace | None = None
) -> list[JobRecord]:
    """The records of a job, at each moment that `act` asks for one."""
    engine = JobEngine(1, 1, 1, MemoryJournal(), remove_nothing)
    seen: list[JobRecord] = []

    def work(watch: Watch) -> None:
        act(
            Course(watch, MeshOptions(), folder, pace or Pace()),
            lambda: seen.append(engine.records()[0]),
        )

    try:
        engine.submit("Test", work).wait()
    finally:
        engine.close()
    return seen


def test_before_the_first_instance_nothing_is_known_and_nothing_told(tmp_path: Path):
    def act(course: Course, look: Callable[[], None]) -> None:
        course.fetch(0, 1, 0)
        time.sleep(0.05)
        look()

    assert [record.progress for record in told(tmp_path, act)] == [0]


def test_a_job_goes_through_all_stages_and_never_falls_back(tmp_path: Path):
    def act(course: Course, look: Callable[[], None]) -> None:
        for done in range(4):
            course.fetch(done, 3, 1000 * done)
            look()
        meter = Meter(tmp_path, course.size, MeshOptions())
        meter.plan([1e6])
        for stage in (Stage.SURFACE, Stage.SMOOTHING, Stage.FINISHING):
            meter.begin(stage)
            if stage is Stage.SURFACE:
                meter.found(200_000)
            course.tick()
            look()
        meter.made("Liver", 200_000)
        for done in range(2):
            course.store(done, [200_000])
            look()

    seen = told(tmp_path, act)
    stages = [record.content["Stage"] for record in seen]
    assert list(dict.fromkeys(stages)) == [
        "reading", "surface", "smoothing", "finishing", "storing"
    ]  # fmt: skip
    percents = [record.progress for record in seen]
    assert percents == sorted(percents)
    assert percents[-1] == 99
    assert seen[-1].content["Structures"] == ["Liver"]


def test_what_is_shown_goes_on_through_short_steps_while_the_worker_is_silent(tmp_path: Path):
    account = unread(SIZE, MeshOptions())
    reading = account.step_us / (account.step_us + account.left_us)

    def act(course: Course, look: Callable[[], None]) -> None:
        course.make(SIZE)
        time.sleep(0.1)
        look()

    (seen,) = told(tmp_path, act)
    assert reading < seen.progress / 100 < 1


def test_the_time_until_the_worker_takes_the_source_counts(tmp_path: Path):
    account = unread(SIZE, MeshOptions())
    waited_us, left_us = 1e5, account.step_us + account.left_us

    def act(course: Course, look: Callable[[], None]) -> None:
        time.sleep(waited_us / 1e6)
        course.make(SIZE)
        look()

    (seen,) = told(tmp_path, act)
    assert waited_us / (waited_us + left_us) < seen.progress / 100 < 0.95


def test_the_pace_comes_near_to_what_jobs_take():
    pace = Pace()
    for _ in range(10):
        pace.learn(gone_us=6e6, foretold_us=2e6)
    assert pace.factor == pytest.approx(3, rel=0.01)


def test_a_short_job_that_waited_for_its_worker_tells_little_of_the_pace():
    pace = Pace()
    before = pace.factor
    pace.learn(gone_us=9e5, foretold_us=3e4)
    assert before < pace.factor < 1.1 * before


def test_on_a_slow_machine_the_next_job_goes_on_more_slowly(tmp_path: Path):
    shown: list[int] = []
    for factor in (1.0, 10.0):
        pace = Pace()
        pace.factor = factor

        def act(course: Course, look: Callable[[], None]) -> None:
            course.make(SourceSize(2 * 10**8, 2 * 10**8))
            time.sleep(0.2)
            look()

        shown += [record.progress for record in told(tmp_path, act, pace)]
    assert shown[1] < shown[0]


def test_the_size_of_a_series_is_foretold_by_its_first_instances(tmp_path: Path):
    sizes: list[SourceSize] = []

    def act(course: Course, look: Callable[[], None]) -> None:
        course.fetch(2, 10, 3000)
        sizes.append(course.size)

    told(tmp_path, act)
    assert sizes == [SourceSize(15_000, 15_000)]


def test_a_cancelled_job_is_heard_of_before_its_worker_tells_anything(tmp_path: Path):
    engine = JobEngine(1, 1, 1, MemoryJournal(), remove_nothing)

    def work(watch: Watch) -> None:
        course = Course(watch, MeshOptions(), tmp_path, Pace())
        course.make(SIZE)
        engine.cancel(engine.records()[0].job_id)
        course.tick()

    with pytest.raises(Cancelled):
        engine.submit("Test", work).wait()
    engine.close()


def test_when_all_models_are_stored_it_is_too_late_to_cancel(tmp_path: Path):
    engine = JobEngine(1, 1, 1, MemoryJournal(), remove_nothing)

    def work(watch: Watch) -> None:
        course = Course(watch, MeshOptions(), tmp_path, Pace())
        for done in range(3):
            course.store(done, [10, 20])
        with pytest.raises(Conflict):
            engine.cancel(engine.records()[0].job_id)

    engine.submit("Test", work).wait()
    engine.close()
