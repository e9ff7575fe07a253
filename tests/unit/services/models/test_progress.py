from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from orthanc_stl_plugin.errors import Cancelled
from orthanc_stl_plugin.model.job import JobRecord
from orthanc_stl_plugin.model.progress import Stage
from orthanc_stl_plugin.services.jobs.job import Watch
from orthanc_stl_plugin.services.jobs.job_queue import JobEngine
from orthanc_stl_plugin.services.models.progress import (
    WorkerProgress,
    show_fetching,
    show_making,
    show_storing,
)
from tests.support.memory_journal import MemoryJournal, remove_nothing

MAKING = (Stage.SURFACE, Stage.SMOOTHING, Stage.REDUCTION, Stage.FINISHING)


def run(act: Callable[[Watch, Callable[[], None]], None]) -> list[JobRecord]:
    """The records of a job, at each moment that `act` asks for one, and at the end."""
    engine = JobEngine(1, 1, 1, MemoryJournal(), remove_nothing)
    seen: list[JobRecord] = []

    def work(watch: Watch) -> None:
        act(watch, lambda: seen.append(engine.records()[0]))

    try:
        engine.submit("Test", work).wait()
        return [*seen, engine.records()[0]]
    finally:
        engine.close()


def percents(records: list[JobRecord]) -> list[int]:
    return [record.progress for record in records]


def test_before_the_first_instance_is_fetched_progress_is_0(tmp_path: Path):
    def act(watch: Watch, look: Callable[[], None]) -> None:
        show_fetching(watch, 0, 1)
        look()
        show_making(watch, tmp_path)
        look()

    assert percents(run(act)) == [0, 0, 100]


@pytest.mark.parametrize("structures", [1, 3, 40])
def test_a_job_goes_through_all_stages_to_100_and_moves_at_each_structure(
    tmp_path: Path, structures: int
):

    def act(watch: Watch, look: Callable[[], None]) -> None:
        for done in range(3):
            show_fetching(watch, done, 3)
            look()
        worker = WorkerProgress(tmp_path)
        worker.plan(structures)
        for number in range(structures):
            for stage in MAKING:
                worker.begin(stage)
                show_making(watch, tmp_path)
                look()
            worker.made(f"structure {number}")
            show_making(watch, tmp_path)
            look()
        for done in range(structures):
            show_storing(watch, done, structures)
            look()

    seen = run(act)
    assert percents(seen) == sorted(percents(seen))
    assert (seen[0].progress, seen[-1].progress) == (0, 100)
    stages = dict.fromkeys(record.content["Stage"] for record in seen)
    assert list(stages) == [str(stage) for stage in Stage]
    assert seen[-1].content["Structures"] == [f"structure {n}" for n in range(structures)]
    ends = [one for one in seen if one.content["Stage"] == "storing"]
    assert all(one.progress >= 90 for one in ends)
    by_count = {len(one.content.get("Structures", ())): one.progress for one in seen}  # type: ignore[arg-type]
    assert all(late > early for early, late in pairwise(by_count.values()))


def test_parts_of_a_stage_move_the_progress(tmp_path: Path):
    def act(watch: Watch, look: Callable[[], None]) -> None:
        worker = WorkerProgress(tmp_path)
        worker.plan(1)
        for part in range(5):
            worker.advance(Stage.SMOOTHING, part, 5)
            show_making(watch, tmp_path)
            look()

    shown = percents(run(act))
    assert all(late > early for early, late in pairwise(shown))


def test_a_worker_without_a_folder_reports_to_nobody():
    worker = WorkerProgress()
    worker.plan(2)
    worker.begin(Stage.SURFACE)
    worker.made("one")


def test_a_cancelled_job_is_heard_of_before_its_worker_reports_anything(tmp_path: Path):
    engine = JobEngine(1, 1, 1, MemoryJournal(), remove_nothing)

    def work(watch: Watch) -> None:
        engine.cancel(engine.records()[0].job_id)
        show_making(watch, tmp_path)

    with pytest.raises(Cancelled):
        engine.submit("Test", work).wait()
    engine.close()
