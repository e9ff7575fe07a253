import logging

import pytest

from orthanc_stl_plugin.services.audit import Audit, basic_user
from orthanc_stl_plugin.services.ports.catalogue import StudyEntry, StudyState
from tests.support.fake_catalogue import FakeCatalogue


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def entry(study_id: str, *labels: str) -> StudyEntry:
    return StudyEntry(study_id, "patient", (), labels, {}, {}, 0)


@pytest.fixture
def catalogue() -> FakeCatalogue:
    catalogue = FakeCatalogue()
    for study_id in "ab":
        catalogue.known_studies[study_id] = entry(study_id, "public")
    return catalogue


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_what_was_public_before_is_not_told(
    catalogue: FakeCatalogue, caplog: pytest.LogCaptureFixture
):
    Audit(catalogue, "public").look()
    assert lines(caplog) == []


def test_changes_of_labels_after_a_request_are_told_once(
    catalogue: FakeCatalogue, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    audit = Audit(catalogue, "public", Clock())
    audit.look()
    audit.requested("POST", "/x", "alice")
    catalogue.known_studies["a"] = entry("a")
    catalogue.known_studies["c"] = entry("c", "public")
    audit.look()
    audit.look()
    assert lines(caplog) == [
        "audit: alice asks for POST /x",
        "audit: study c was published",
        "audit: study a was withdrawn",
    ]


def test_the_archive_is_asked_only_for_a_while_after_a_request(catalogue: FakeCatalogue):
    clock = Clock()
    audit = Audit(catalogue, "public", clock)
    audit.look()
    catalogue.known_studies.clear()
    clock.seconds = 1
    before = catalogue.compared
    audit.look()
    assert catalogue.compared == before


def test_a_look_that_takes_long_is_followed_by_a_rest_and_by_the_last_look(
    catalogue: FakeCatalogue, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    clock, states = Clock(), catalogue.study_states

    def slow(label: str) -> list[StudyState]:
        clock.seconds += 2
        return states(label)

    monkeypatch.setattr(catalogue, "study_states", slow)
    audit = Audit(catalogue, "public", clock)
    audit.look()
    audit.requested("PUT", "/x", "alice")
    catalogue.known_studies.pop("a")
    audit.look()
    assert "audit: study a was withdrawn" not in lines(caplog)
    clock.seconds += 60
    audit.look()
    assert "audit: study a was withdrawn" in lines(caplog)
    assert catalogue.compared == 2


def test_where_all_is_public_nothing_is_asked(catalogue: FakeCatalogue):
    before = catalogue.compared
    Audit(catalogue, "").look()
    assert catalogue.compared == before


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Basic YWxpY2U6c2VjcmV0", "alice"),
        ("basic YWxpY2U6c2VjcmV0", "alice"),
        ("Basic w6k6eA==", "é"),
        ("Basic ???", ""),
        ("Bearer YWxpY2U6c2VjcmV0", ""),
        ("", ""),
    ],
)
def test_basic_authentication_names_who_asks(header: str, name: str):
    assert basic_user({"authorization": header}) == name
