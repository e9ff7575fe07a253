import datetime as dt
import json
import threading
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.services.ports.catalogue import InstanceEntry, StudyEntry, StudyState
from orthanc_stl_plugin.services.presentation import change_discovery
from orthanc_stl_plugin.services.presentation.change_discovery import (
    MOST_COMPARED_AT_ONCE,
    MOST_WITHDRAWN,
    Announcer,
    Memory,
    activities,
    compared,
)
from tests.support.collection_samples import (
    BASE,
    SECONDARY_CAPTURE,
    STL,
    UNSEEN,
    add_series,
    add_study,
    document,
    image,
)
from tests.support.fake_catalogue import FakeCatalogue
from tests.support.memory_of_announcements import MemoryInMemory

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@dataclass
class Scene:
    """An announcer at a time that the test moves."""

    label: str = ""
    catalogue: FakeCatalogue = field(default_factory=FakeCatalogue)
    store: MemoryInMemory = field(default_factory=MemoryInMemory)
    now: dt.datetime = START

    def __post_init__(self) -> None:
        self.announcer = self.restarted()

    def restarted(self) -> Announcer:
        return Announcer(self.catalogue, self.label, self.store, lambda: self.now)

    def announced(self) -> list[str]:
        self.announcer.changes(BASE)
        return list(self.store.memory.announced)

    def said(self) -> list[tuple[str, str, str]]:
        self.now += dt.timedelta(hours=1)
        page: Any = json.loads(self.announcer.page(0, BASE).content)
        return [
            (one["type"], one["object"]["id"].split("/")[4], one["endTime"])
            for one in page["orderedItems"]
        ]


@dataclass
class Hindrance:
    """Holds up the first who comes."""

    has_come: threading.Event = field(default_factory=threading.Event)
    may_go: threading.Event = field(default_factory=threading.Event)

    def pass_by(self) -> None:
        if not self.has_come.is_set():
            self.has_come.set()
            self.may_go.wait(10)


@dataclass
class SlowCatalogue(FakeCatalogue):
    """Tells the first who asks late what was true when it was asked."""

    hindrance: Hindrance = field(default_factory=Hindrance)

    def study_states(self, label: str) -> list[StudyState]:
        states = super().study_states(label)
        self.hindrance.pass_by()
        return states


@dataclass
class SlowMemory(MemoryInMemory):
    """Saves late what it is given first."""

    hindrance: Hindrance = field(default_factory=Hindrance)

    def save(self, memory: Memory) -> None:
        self.hindrance.pass_by()
        super().save(memory)


def add_object(catalogue: FakeCatalogue, name: str) -> StudyEntry:
    """A study of one image."""
    add_series(catalogue, f"{name}-ct", image(f"{name}-1"), study=name)
    return add_study(catalogue, name)


def withdraw_while_someone_asks(scene: Scene, hindrance: Hindrance) -> None:
    """A study is published, someone asks and is held up, it is withdrawn, someone else asks."""
    add_object(scene.catalogue, "a")
    first, second = (
        threading.Thread(target=scene.announcer.changes, args=(BASE,)) for _ in range(2)
    )
    first.start()
    assert hindrance.has_come.wait(10)
    del scene.catalogue.known_studies["a"]
    second.start()
    second.join(0.2)  # it may have to wait for the first
    hindrance.may_go.set()
    first.join(10)
    second.join(10)


def test_the_first_time_studies_are_dated_by_their_own_change():
    scene = Scene()
    add_object(scene.catalogue, "a")
    assert scene.said() == [("Create", "a", "2026-01-01T00:00:00Z")]


def test_a_study_that_comes_later_is_announced_when_it_is_found():
    scene = Scene()
    scene.said()
    add_object(scene.catalogue, "old")
    assert scene.said() == [("Create", "old", "2026-03-01T02:00:00Z")]
    assert scene.said() == [("Create", "old", "2026-03-01T02:00:00Z")]


def test_a_study_that_changes_is_updated():
    scene = Scene()
    study = add_object(scene.catalogue, "a")
    scene.said()
    changed = replace(study, metadata={"LastUpdate": "20260301T003000"})
    scene.catalogue.known_studies["a"] = changed
    assert scene.said() == [
        ("Create", "a", "2026-01-01T00:00:00Z"),
        ("Update", "a", "2026-03-01T02:00:00Z"),
    ]


def test_another_title_of_its_own_updates_a_study():
    scene = Scene()
    study = add_object(scene.catalogue, "a")
    scene.said()
    titled = replace(study, metadata={**study.metadata, "IIIF": '{"label": "Vase"}'})
    scene.catalogue.known_studies["a"] = titled
    assert [kind for kind, _, _ in scene.said()] == ["Create", "Update"]


def test_a_deleted_study_is_told_as_deleted():
    scene = Scene()
    add_object(scene.catalogue, "a")
    scene.said()
    del scene.catalogue.known_studies["a"]
    assert scene.said() == [("Delete", "a", "2026-03-01T02:00:00Z")]
    assert scene.said() == [("Delete", "a", "2026-03-01T02:00:00Z")]


def test_a_study_deleted_while_the_plugin_was_stopped_is_told_too():
    scene = Scene()
    add_object(scene.catalogue, "a")
    scene.said()
    del scene.catalogue.known_studies["a"]
    scene.announcer = scene.restarted()
    assert [kind for kind, _, _ in scene.said()] == ["Delete"]


def test_taking_the_label_away_withdraws_and_giving_it_back_publishes_again():
    scene = Scene("public")
    add_object(scene.catalogue, "a")
    assert scene.said() == []
    scene.catalogue.label("a", "public")
    assert scene.said() == [("Create", "a", "2026-03-01T02:00:00Z")]
    scene.catalogue.label("a")
    assert scene.said() == [("Delete", "a", "2026-03-01T03:00:00Z")]
    scene.catalogue.label("a", "public")
    assert scene.said() == [("Create", "a", "2026-03-01T04:00:00Z")]


def test_a_study_without_anything_to_see_is_not_announced():
    scene = Scene()
    add_study(scene.catalogue, "report", ModalitiesInStudy="SR")
    assert scene.said() == []


@pytest.mark.parametrize("unseen", [document("p"), *UNSEEN.values()])
def test_a_study_is_not_announced_before_it_shows_something(unseen: InstanceEntry):
    scene = Scene()
    study = add_study(scene.catalogue, "a", ModalitiesInStudy="OT")
    add_series(scene.catalogue, "x", unseen, study="a", Modality="OT")
    assert [scene.said(), scene.said()] == [[], []]
    add_series(scene.catalogue, "y", unseen, image("1"), study="a", Modality="OT")
    scene.catalogue.known_studies["a"] = replace(study, instance_count=3)
    assert [kind for kind, _, _ in scene.said()] == ["Create"]


def test_a_study_of_whose_images_a_document_alone_is_left_is_withdrawn():
    scene = Scene()
    study = add_object(scene.catalogue, "a")
    scene.catalogue.known_studies["a"] = replace(study, instance_count=2)
    assert [kind for kind, _, _ in scene.said()] == ["Create"]
    scene.catalogue.known_instances["a-ct"] = [document("p")]
    scene.catalogue.known_studies["a"] = replace(study, instance_count=1)
    assert [kind for kind, _, _ in scene.said()] == ["Delete"]


def test_a_study_of_models_is_announced():
    scene = Scene()
    add_study(scene.catalogue, "a", ModalitiesInStudy="M3D")
    model = InstanceEntry("m", "models", STL, {})
    add_series(scene.catalogue, "models", model, study="a", Modality="M3D")
    assert [kind for kind, _, _ in scene.said()] == ["Create"]


def test_studies_are_looked_at_once():
    scene = Scene()
    add_object(scene.catalogue, "a")
    add_study(scene.catalogue, "document", ModalitiesInStudy="OT")
    scene.said()
    asked = scene.catalogue.asked
    scene.said()
    assert scene.catalogue.asked == asked


@pytest.mark.parametrize("count", [3, 300])
def test_many_studies_are_looked_at_as_one_by_one(count: int):
    scene = Scene()
    for number in range(count):
        add_object(scene.catalogue, f"ct{number}")
        name = f"ecg{number}"
        picture = replace(image(f"{name}-1"), sop_class_uid=SECONDARY_CAPTURE)
        add_study(scene.catalogue, name, ModalitiesInStudy="ECG\\OT")
        add_series(scene.catalogue, f"{name}-ecg", picture, study=name, Modality="ECG")
        add_series(scene.catalogue, f"{name}-pdf", document("p"), study=name, Modality="OT")
    told = scene.announced()
    assert sorted(told) == sorted(f"ct{number}" for number in range(count))


def test_a_large_archive_of_images_takes_one_question_more_than_its_states():
    scene = Scene()
    for number in range(300):
        add_object(scene.catalogue, f"ct{number}")
    assert len(scene.announced()) == 300
    assert scene.catalogue.asked == 1


def large(label: str = "") -> Scene:
    """An archive of more studies than a request compares."""
    scene = Scene(label)
    for number in range(MOST_COMPARED_AT_ONCE + 1):
        add_object(scene.catalogue, f"ct{number}")
        scene.catalogue.label(f"ct{number}", "public")
    scene.announcer.tick()
    return scene


def test_requests_compare_a_large_archive_only_if_nothing_was_compared_before():
    scene = Scene()
    for number in range(MOST_COMPARED_AT_ONCE + 1):
        add_object(scene.catalogue, f"ct{number}")
    for _ in range(5):
        scene.announcer.changes(BASE)
        scene.announcer.page(0, BASE)
    assert scene.catalogue.compared == 1


def test_what_has_come_to_a_large_archive_is_announced_after_the_next_tick(
    monkeypatch: pytest.MonkeyPatch,
):
    clock = [0.0]
    monkeypatch.setattr(change_discovery, "monotonic", lambda: clock[0])
    scene = large()
    add_object(scene.catalogue, "new")
    assert "new" not in scene.announced()
    clock[0] += 3600
    scene.announcer.tick()
    assert "new" in scene.announced()


def test_a_large_archive_is_not_compared_again_unless_somebody_has_asked(
    monkeypatch: pytest.MonkeyPatch,
):
    clock = [0.0]
    monkeypatch.setattr(change_discovery, "monotonic", lambda: clock[0])
    scene = large()
    for _ in range(3):
        clock[0] += 3600
        scene.announcer.tick()
    assert scene.catalogue.compared == 1


def test_comparing_a_large_archive_takes_a_fifth_of_the_time_at_most(
    monkeypatch: pytest.MonkeyPatch,
):
    clock = [0.0]
    monkeypatch.setattr(change_discovery, "monotonic", lambda: clock[0])
    scene = large()
    states = scene.catalogue.study_states

    def slow_states(label: str) -> list[StudyState]:
        clock[0] += 10
        return states(label)

    monkeypatch.setattr(scene.catalogue, "study_states", slow_states)
    for _ in range(300):
        clock[0] += 1
        scene.announcer.changes(BASE)
        scene.announcer.tick()
    assert 4 <= scene.catalogue.compared - 1 <= 6


@pytest.mark.parametrize("label", ["", "public"])
def test_a_study_that_is_no_longer_public_is_on_no_page_of_a_large_archive(label: str):
    scene = large(label)
    before = scene.said()
    if label:
        scene.catalogue.label("ct5")
    else:
        del scene.catalogue.known_studies["ct5"]
    after = scene.said()
    assert [one for one in before if one not in after] == [one for one in before if one[1] == "ct5"]
    assert scene.catalogue.compared == 1


def test_the_memory_is_saved_only_when_it_changes():
    scene = Scene()
    add_object(scene.catalogue, "a")
    for _ in range(3):
        scene.said()
    assert scene.store.saved == 1


def test_who_asked_before_a_withdrawal_does_not_announce_the_study_after_it():
    catalogue = SlowCatalogue()
    scene = Scene(catalogue=catalogue)
    withdraw_while_someone_asks(scene, catalogue.hindrance)
    assert (list(scene.store.memory.announced), list(scene.store.memory.withdrawn)) == ([], ["a"])
    assert [kind for kind, _, _ in scene.said()] == ["Delete"]


def test_what_was_found_first_is_not_saved_last():
    store = SlowMemory()
    scene = Scene(store=store)
    withdraw_while_someone_asks(scene, store.hindrance)
    assert (list(store.memory.announced), list(store.memory.withdrawn)) == ([], ["a"])


def test_a_page_that_is_not_there_is_not_found():
    scene = Scene()
    with pytest.raises(NotFound, match="no page 1"):
        scene.announcer.page(1, BASE)


def test_activities_ascend_in_time():
    states = [
        StudyState(f"s{number}", ("CT",), {"LastUpdate": f"202601{30 - number:02}T000000"})
        for number in range(9)
    ]
    times = [one.ended for one in activities(compared(Memory(), states, START))]
    assert times == sorted(times)


def test_a_study_from_the_future_is_announced_now():
    state = StudyState("s", ("CT",), {"LastUpdate": "29990101T000000"})
    (activity,) = activities(compared(Memory(), [state], START))
    assert activity.ended == START


def test_the_oldest_withdrawals_are_forgotten():
    states = [StudyState(f"s{number}", ("CT",), {}) for number in range(MOST_WITHDRAWN + 5)]
    before = compared(Memory(), states, START)
    half = compared(before, states[10:], START)
    after = compared(half, [], START + dt.timedelta(hours=1))
    assert len(after.withdrawn) == MOST_WITHDRAWN
    assert "s0" not in after.withdrawn
    assert f"s{MOST_WITHDRAWN}" in after.withdrawn
