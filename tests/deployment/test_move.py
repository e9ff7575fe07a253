"""From one Orthanc with SQLite to two with PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.conftest import STATE, Slide, contents, stored
from tests.deployment.museum import PROJECT, Museum
from tests.deployment.test_scale import FILES, REPLICAS

BACKUP = str(Path(STATE) / "single/backups")
NAMES = b'{"label": "Amphora"}'
Moved = tuple[Museum, Slide, dict[str, bytes]]


@pytest.fixture(scope="module")
def moved() -> Iterator[Moved]:
    """The museum after the move, a published slide with a name of its own, and all files before."""
    before = Museum(Path(STATE) / "single")
    before.add_staff()
    try:
        before.up()
        slide = stored(before, Path(STATE) / "samples/published")
        stored(before, Path(STATE) / "samples/hidden")
        study = f"/studies/{slide.study}"
        assert before.staff.ask("PUT", f"{study}/labels/published").ok
        assert before.staff.ask("PUT", f"{study}/metadata/IIIF", data=NAMES).ok
        assert before.staff.ask("PUT", f"{study}/attachments/1200", data=b"a note").ok
        files = contents(before)
        before.run("./backup.sh", BACKUP)
    finally:
        before.down()
    after = Museum(Path(STATE) / "moved", FILES, REPLICAS)
    after.add_staff()
    after.run("./make-postgresql-password.sh")
    try:
        after.up()
        after.run("./move-index.sh", BACKUP)
        yield after, slide, files
    finally:
        after.down()


def test_all_files_are_there(moved: Moved) -> None:
    museum, _, files = moved
    assert contents(museum) == files


def test_labels_names_and_attachments_are_there(moved: Moved) -> None:
    museum, slide, _ = moved
    study = f"/studies/{slide.study}"
    assert museum.staff.get(f"{study}/labels").json() == ["published"]
    assert museum.staff.get(f"{study}/metadata/IIIF").content == NAMES
    assert museum.staff.get(f"{study}/attachments/1200/data").content == b"a note"
    assert "Amphora" in museum.public.get(f"{study}/iiif/manifest.json").text


def test_moving_again_changes_nothing_and_waits_for_an_orthanc_that_starts(moved: Moved) -> None:
    museum, _, files = moved
    museum.podman("restart", f"{PROJECT}_orthanc_1")
    museum.run("./move-index.sh", BACKUP)
    assert contents(museum) == files
