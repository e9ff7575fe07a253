import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial

import pytest

from orthanc_stl_plugin.errors import (
    ArchiveRefused,
    Busy,
    Cancelled,
    Conflict,
    NotFound,
    UnusableSource,
)
from orthanc_stl_plugin.model.job import JobRecord, JobState
from orthanc_stl_plugin.services.jobs.job import Ticket, Watch
from orthanc_stl_plugin.services.jobs.job_queue import JobEngine
from tests.support.memory_journal import MemoryJournal, remove_nothing


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def engine(journal: MemoryJournal) -> Iterator[JobEngine]:
    made = JobEngine(1, 3, 3, journal, remove_nothing)
    made.remember()
    yield made
    made.close()


class Gate:
    """Work that runs until it is let through, or cancelled."""

    def __init__(self) -> None:
        self.started, self.opened = threading.Event(), threading.Event()

    def __call__(self, watch: Watch) -> str:
        self.started.set()
        while not self.opened.wait(0.01):
            watch.check()
        return "through"


def blocked(engine: JobEngine) -> tuple[Ticket, Gate]:
    """A job that runs and keeps the only runner."""
    gate = Gate()
    ticket = engine.submit("Gate", gate)
    gate.started.wait(5)
    return ticket, gate


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def noted(order: list[str], name: str, watch: Watch) -> None:
    order.append(name)


def failing(watch: Watch) -> None:
    raise UnusableSource("NoVoxelInside")


def test_waiting_gives_the_result_of_the_work(engine: JobEngine):
    ticket = engine.submit("Add", lambda watch: 1 + 1)
    assert ticket.wait() == 2
    record = engine.record(ticket.job_id)
    assert (record.state, record.progress, record.error) == (JobState.SUCCESS, 100, None)
    assert record.started_at is not None
    assert record.completed_at is not None


def test_waiting_raises_what_the_work_raises(engine: JobEngine):
    ticket = engine.submit("Fail", failing)
    with pytest.raises(UnusableSource, match="empty"):
        ticket.wait()
    assert engine.record(ticket.job_id).state is JobState.FAILURE
    assert engine.record(ticket.job_id).error == "the mask is empty: no voxel is inside"


def test_an_unforeseen_error_tells_nothing_and_the_next_job_runs(engine: JobEngine):
    ticket = engine.submit("Fail", lambda watch: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ticket.wait()
    assert str(engine.record(ticket.job_id).error).startswith("internal error")
    assert engine.submit("Add", lambda watch: 2).wait() == 2


def test_jobs_run_in_the_order_of_priority_then_of_submission(engine: JobEngine):
    _, gate = blocked(engine)
    order: list[str] = []
    tickets = [
        engine.submit("Note", partial(noted, order, name), priority)
        for name, priority in (("first", 0), ("second", 0), ("urgent", 5))
    ]
    gate.opened.set()
    for ticket in tickets:
        ticket.wait()
    assert order == ["urgent", "first", "second"]


def test_progress_never_falls(engine: JobEngine):
    shares = iter([0.5, 0.2, 0.7])
    seen: list[int] = []

    def work(watch: Watch) -> None:
        for share in shares:
            watch.tell(share, Stage="surface")
            seen.append(engine.records()[0].progress)

    ticket = engine.submit("Work", work)
    ticket.wait()
    assert seen == [50, 50, 70]
    assert engine.record(ticket.job_id).content == {"Stage": "surface"}


def test_a_full_queue_is_busy_and_says_when_to_come_back(engine: JobEngine):
    _, gate = blocked(engine)
    for _ in range(3):
        engine.submit("Wait", lambda watch: None)
    with pytest.raises(Busy, match="3 jobs wait already, the limit of MaxPendingJobs") as caught:
        engine.submit("Wait", lambda watch: None)
    assert caught.value.retry_after_s > 0
    gate.opened.set()


def test_a_paused_job_keeps_its_place_in_a_full_queue(engine: JobEngine):
    _, gate = blocked(engine)
    for _ in range(3):
        engine.pause(engine.submit("Wait", lambda watch: None).job_id)
    with pytest.raises(Busy, match="3 jobs wait already"):
        engine.submit("Wait", lambda watch: None)
    gate.opened.set()


def test_a_failed_job_is_not_submitted_again_into_a_full_queue(engine: JobEngine):
    failed = engine.submit("Fail", failing)
    with pytest.raises(UnusableSource):
        failed.wait()
    _, gate = blocked(engine)
    for _ in range(3):
        engine.submit("Wait", lambda watch: None)
    with pytest.raises(Busy, match="3 jobs wait already"):
        engine.resubmit(failed.job_id)
    assert engine.record(failed.job_id).state is JobState.FAILURE
    gate.opened.set()


def test_cancelling_a_running_job_stops_it_and_frees_the_runner(engine: JobEngine):
    ticket, _ = blocked(engine)
    engine.cancel(ticket.job_id)
    with pytest.raises(Cancelled):
        ticket.wait()
    assert engine.record(ticket.job_id).is_cancelled
    assert engine.submit("Add", lambda watch: 2).wait() == 2


def test_a_job_whose_cancellation_was_accepted_in_the_last_moment_does_not_succeed(
    engine: JobEngine,
):
    gate = Gate()

    def work(watch: Watch) -> str:
        gate.started.set()
        gate.opened.wait(5)
        return "done"

    ticket = engine.submit("Work", work)
    gate.started.wait(5)
    engine.cancel(ticket.job_id)
    gate.opened.set()
    with pytest.raises(Cancelled):
        ticket.wait()
    record = engine.record(ticket.job_id)
    assert (record.state, record.is_cancelled) == (JobState.FAILURE, True)


@pytest.fixture
def committed(engine: JobEngine) -> Iterator[Ticket]:
    """A job whose work has committed, and goes on for a moment."""
    gate = Gate()

    def work(watch: Watch) -> str:
        watch.commit()
        return gate(watch)

    ticket = engine.submit("Work", work)
    gate.started.wait(5)
    threading.Timer(0.5, gate.opened.set).start()
    yield ticket
    assert ticket.wait() == "through"


def test_it_is_too_late_to_cancel_what_is_committed(engine: JobEngine, committed: Ticket):
    with pytest.raises(Conflict, match="has stored its results"):
        engine.cancel(committed.job_id)


def test_closing_lets_what_is_committed_come_to_its_end(engine: JobEngine, committed: Ticket):
    engine.close()


def test_what_a_stop_interrupts_says_so_and_is_not_called_cancelled(engine: JobEngine):
    ticket, _ = blocked(engine)
    engine.close()
    with pytest.raises(Busy, match="interrupted: the server stopped while the job was running"):
        ticket.wait()
    assert not engine.record(ticket.job_id).is_cancelled


def test_cancelling_a_waiting_job_keeps_it_from_running(engine: JobEngine):
    _, gate = blocked(engine)
    ran = threading.Event()
    ticket = engine.submit("Wait", lambda watch: ran.set())
    engine.cancel(ticket.job_id)
    gate.opened.set()
    engine.submit("Last", lambda watch: None).wait()
    assert not ran.is_set()
    assert engine.record(ticket.job_id).is_cancelled


def test_a_paused_job_waits_until_it_is_resumed(engine: JobEngine):
    _, gate = blocked(engine)
    ticket = engine.submit("Wait", lambda watch: "done")
    engine.pause(ticket.job_id)
    gate.opened.set()
    engine.submit("Other", lambda watch: None).wait()
    assert engine.record(ticket.job_id).state is JobState.PAUSED
    engine.resume(ticket.job_id)
    assert ticket.wait() == "done"


def test_a_failed_job_can_be_submitted_again(engine: JobEngine):
    answers = iter([UnusableSource("NotDicom"), "done"])

    def work(watch: Watch) -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    ticket = engine.submit("Work", work)
    with pytest.raises(UnusableSource):
        ticket.wait()
    assert engine.resubmit(ticket.job_id).wait() == "done"
    assert engine.record(ticket.job_id).error is None


def test_what_is_not_repeatable_is_let_go(engine: JobEngine):
    ticket = engine.submit("Fail", failing, is_repeatable=False)
    with pytest.raises(UnusableSource):
        ticket.wait()
    with pytest.raises(Conflict, match="what was sent with it is kept neither"):
        engine.resubmit(ticket.job_id)


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "resubmit"])
def test_what_makes_no_sense_after_success_is_a_conflict_with_a_reason(
    engine: JobEngine, action: str
):
    ticket = engine.submit("Add", lambda watch: 2)
    ticket.wait()
    with pytest.raises(Conflict, match="Success"):
        getattr(engine, action)(ticket.job_id)


def test_a_running_job_can_be_neither_paused_nor_forgotten(engine: JobEngine):
    ticket, gate = blocked(engine)
    for action in (engine.pause, engine.forget):
        with pytest.raises(Conflict):
            action(ticket.job_id)
    gate.opened.set()


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "resubmit", "forget", "record"])
def test_an_unknown_job_is_not_found(engine: JobEngine, action: str):
    with pytest.raises(NotFound, match="'nope'"):
        getattr(engine, action)("nope")


def test_only_so_many_finished_jobs_are_kept(engine: JobEngine, journal: MemoryJournal):
    ids = []
    for _ in range(5):
        ticket = engine.submit("Add", lambda watch: 2)
        ticket.wait()
        ids.append(ticket.job_id)
    assert [record.job_id for record in engine.records()] == ids[-3:]
    assert [record.job_id for record in journal.records] == ids[-3:]


def test_a_job_that_took_long_is_kept_when_it_ends(journal: MemoryJournal):
    engine = JobEngine(2, 9, 3, journal, remove_nothing)
    slow, gate = blocked(engine)
    for _ in range(5):
        engine.submit("Add", lambda watch: 2).wait()
    gate.opened.set()
    slow.wait()
    assert slow.job_id in [record.job_id for record in engine.records()]
    engine.close()


def test_a_finished_job_can_be_forgotten(engine: JobEngine, journal: MemoryJournal):
    ticket = engine.submit("Add", lambda watch: 2)
    ticket.wait()
    engine.forget(ticket.job_id)
    assert engine.records() == journal.records == []


def test_finished_jobs_survive_a_restart_as_they_were(engine: JobEngine, journal: MemoryJournal):
    ticket = engine.submit("Fail", failing)
    with pytest.raises(UnusableSource):
        ticket.wait()
    again = JobEngine(1, 3, 3, journal, remove_nothing)
    again.remember()
    assert again.record(ticket.job_id) == engine.record(ticket.job_id)
    with pytest.raises(Conflict, match="cannot run again"):
        again.resubmit(ticket.job_id)
    again.close()


def test_an_interrupted_job_says_so_after_the_restart(engine: JobEngine, journal: MemoryJournal):
    running, gate = blocked(engine)
    waiting = engine.submit("Wait", lambda watch: None)
    engine.pause(waiting.job_id)
    again = JobEngine(1, 3, 3, MemoryJournal(journal.records), remove_nothing)
    again.remember()
    assert str(again.record(running.job_id).error).startswith(
        "interrupted: the server stopped while the job"
    )
    assert "paused" in str(again.record(waiting.job_id).error)
    again.close()
    gate.opened.set()


class Models:
    """An archive that holds models by the series that they are in; it can refuse to remove them."""

    def __init__(self) -> None:
        self.of_series: dict[str, int] = {}
        self.is_locked = False

    def remove(self, series_instance_uid: str) -> int:
        if self.is_locked:
            raise ArchiveRefused("InstanceNotStored", status="locked")
        return self.of_series.pop(series_instance_uid, 0)

    def stored(self, number: int, then: Callable[[Watch], object], watch: Watch) -> object:
        self.of_series[watch.series_instance_uid] = number
        return then(watch)


def test_what_a_failed_job_has_stored_is_removed(journal: MemoryJournal):
    models = Models()
    engine = JobEngine(1, 3, 3, journal, models.remove)
    for work, left in ((failing, []), (lambda watch: None, [2])):
        with suppress(UnusableSource):
            engine.submit("Store", partial(models.stored, 2, work)).wait()
        assert list(models.of_series.values()) == left
    engine.close()


def test_what_cannot_be_removed_does_not_hide_the_reason_and_is_removed_after_a_restart(
    journal: MemoryJournal,
):
    models = Models()
    models.is_locked = True
    engine = JobEngine(1, 3, 3, journal, models.remove)
    engine.remember()
    ticket = engine.submit("Store", partial(models.stored, 2, failing))
    with pytest.raises(UnusableSource, match="the mask is empty"):
        ticket.wait()
    engine.close()
    models.is_locked = False
    again = JobEngine(1, 3, 3, journal, models.remove)
    again.remember()
    told = "the mask is empty: no voxel is inside; what it had stored is removed (models: 2)"
    assert again.record(ticket.job_id).error == told
    assert models.of_series == {}
    again.close()


def test_a_job_whose_models_cannot_be_removed_is_kept_until_they_are(journal: MemoryJournal):
    models = Models()
    models.is_locked = True
    engine = JobEngine(1, 3, 1, journal, models.remove)
    first, second = (engine.submit("Store", partial(models.stored, 2, failing)) for _ in range(2))
    for ticket in (first, second):
        with pytest.raises(UnusableSource):
            ticket.wait()
    engine.submit("Nothing", lambda watch: None).wait()
    assert [one.kind for one in engine.records()] == ["Store", "Store", "Nothing"]
    for ask in (engine.forget, engine.resubmit):
        with pytest.raises(Conflict, match=f"what job {first.job_id} has stored cannot be removed"):
            ask(first.job_id)
    models.is_locked = False
    engine.forget(first.job_id)
    with pytest.raises(UnusableSource):
        engine.resubmit(second.job_id).wait()
    assert models.of_series == {}
    engine.close()


def test_after_a_crash_the_models_of_jobs_that_ran_go_and_those_of_others_stay(
    journal: MemoryJournal,
):
    models = Models()
    engine = JobEngine(1, 3, 3, journal, models.remove)
    engine.remember()
    done = engine.submit("Store", partial(models.stored, 2, lambda watch: None))
    done.wait()
    gate = Gate()
    running = engine.submit("Store", partial(models.stored, 3, gate))
    gate.started.wait(5)
    again = JobEngine(1, 3, 3, MemoryJournal(journal.records), models.remove)
    again.remember()
    assert list(models.of_series.values()) == [2]
    assert again.record(done.job_id).state is JobState.SUCCESS
    assert again.record(running.job_id).error == (
        "interrupted: the server stopped while the job was running;"
        " what it had stored is removed (models: 3)"
    )
    again.close()
    gate.opened.set()
    engine.close()


def test_a_success_is_shown_when_it_is_written_down():
    journal = SlowJournal()
    journal.opened.set()
    engine = JobEngine(1, 3, 3, journal, remove_nothing)
    engine.remember()
    ticket, gate = blocked(engine)
    journal.started.clear()
    journal.opened.clear()
    gate.opened.set()
    journal.started.wait(5)
    assert engine.record(ticket.job_id).state is JobState.RUNNING
    journal.opened.set()
    ticket.wait()
    assert engine.record(ticket.job_id).state is JobState.SUCCESS
    engine.close()


class SlowJournal(MemoryJournal):
    """A journal that writes when it is let through."""

    def __init__(self) -> None:
        super().__init__()
        self.started, self.opened = threading.Event(), threading.Event()

    def save(self, records: Sequence[JobRecord]) -> None:
        self.started.set()
        assert self.opened.wait(10)
        super().save(records)


def test_the_queue_goes_on_while_the_journal_is_written_and_the_latest_state_is_kept():
    journal = SlowJournal()
    engine = JobEngine(1, 3, 3, journal, remove_nothing)
    ticket, gate = blocked(engine)
    threading.Thread(target=engine.remember, daemon=True).start()
    assert journal.started.wait(5)
    waiting = threading.Thread(target=engine.submit, args=("Gate", gate))
    waiting.start()
    until(lambda: [one.state for one in engine.records()] == [JobState.RUNNING, JobState.PENDING])
    assert journal.records == []
    gate.opened.set()
    journal.opened.set()
    assert ticket.wait() == "through"
    waiting.join()
    until(lambda: all(one.is_finished for one in engine.records()))
    assert journal.records == engine.records()
    engine.close()


def test_a_cancelled_job_says_so_though_the_server_stops_before_it_has_ended(engine: JobEngine):
    started, opened = threading.Event(), threading.Event()

    def deaf(watch: Watch) -> None:
        started.set()
        opened.wait(5)
        watch.check()

    ticket = engine.submit("Deaf", deaf)
    started.wait(5)
    engine.cancel(ticket.job_id)
    waiting = engine.submit("Wait", lambda watch: None)
    closing = threading.Thread(target=engine.close)
    closing.start()
    with pytest.raises(Busy):
        waiting.wait()  # so it closes by now
    opened.set()
    with pytest.raises(Cancelled):
        ticket.wait()
    closing.join()
    assert engine.record(ticket.job_id).is_cancelled


class HaltingJournal(MemoryJournal):
    """Takes its time to note that a job runs."""

    pause_s = 0.2

    def save(self, records: Sequence[JobRecord]) -> None:
        if any(one.state is JobState.RUNNING for one in records):
            time.sleep(self.pause_s)
        super().save(records)


def test_the_time_of_a_job_is_that_of_its_work_not_of_the_journal():
    journal = HaltingJournal()
    engine = JobEngine(1, 1, 1, journal, remove_nothing)
    engine.remember()
    ticket = engine.submit("Test", lambda watch: watch.check())
    ticket.wait()
    record = engine.record(ticket.job_id)
    assert record.started_at is not None
    assert record.completed_at is not None
    assert (record.completed_at - record.started_at).total_seconds() < journal.pause_s
    assert (record.started_at - record.created_at).total_seconds() >= journal.pause_s
    engine.close()


def test_after_closing_nothing_is_taken_and_what_runs_is_stopped(engine: JobEngine):
    ticket, _ = blocked(engine)
    engine.close()
    with pytest.raises(Busy, match="shutting down"):
        engine.submit("Add", lambda watch: 2)
    until(lambda: engine.record(ticket.job_id).is_finished)


def test_closing_waits_until_a_job_has_undone_its_work(engine: JobEngine):
    stored = ["model"]
    started = threading.Event()

    def work(watch: Watch) -> None:
        started.set()
        try:
            Gate()(watch)
        finally:
            time.sleep(0.3)
            stored.clear()

    engine.submit("Work", work)
    started.wait(5)
    engine.close()
    assert stored == []


@pytest.mark.parametrize("is_paused", [False, True])
def test_closing_answers_those_whose_jobs_wait(engine: JobEngine, is_paused: bool):
    blocked(engine)
    waiting = engine.submit("Wait", lambda watch: None)
    if is_paused:
        engine.pause(waiting.job_id)
    engine.close()
    until(lambda: engine.record(waiting.job_id).is_finished)
    with pytest.raises(Busy, match="interrupted: the server stopped"):
        waiting.wait()


def test_after_closing_no_job_is_submitted_again(engine: JobEngine):
    ticket = engine.submit("Fail", failing)
    with pytest.raises(UnusableSource):
        ticket.wait()
    engine.close()
    with pytest.raises(Busy, match="shutting down"):
        engine.resubmit(ticket.job_id)


class Payload:
    """What was sent with an order."""


def refusing(payload: Payload, watch: Watch) -> None:
    try:
        int("x")
    except ValueError as error:
        raise UnusableSource("NoVoxelInside") from error


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("work", [refusing, lambda payload, watch: 2])
def test_what_was_sent_is_given_back_when_the_job_has_ended(
    engine: JobEngine, work: Callable[[Payload, Watch], object]
):
    payload = Payload()
    sent = weakref.ref(payload)
    ticket = engine.submit("Nifti", partial(work, payload), is_repeatable=False)
    with suppress(UnusableSource):
        ticket.wait()
    del payload
    until(lambda: sent() is None)


@pytest.mark.usefixtures("without_collector")
def test_a_failed_job_holds_nothing_of_who_has_waited_for_it(engine: JobEngine):
    ticket = engine.submit("Fail", failing)

    def asked() -> weakref.ref[Payload]:
        payload = Payload()
        held = weakref.ref(payload)
        try:
            ticket.wait()
        except UnusableSource:
            return held
        raise AssertionError("it did not fail")

    assert asked()() is None
    with pytest.raises(UnusableSource, match="the mask is empty"):
        ticket.wait()
