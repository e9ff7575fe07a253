"""What docker/container/backup.py does with the files of a backup and of a restore."""

import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "docker/container/backup.py"
FIRST, SECOND = "state-20260101T000000Z", "state-20260102T000000Z"
ONE, TWO = f"{'aa' * 16}", f"{'bb' * 16}"


def place(name: str) -> str:
    """Where Orthanc stores a file."""
    return f"{name[:2]}/{name[2:4]}/{name}"


class Archive:
    """A folder as Orthanc stores it, and one of backups."""

    def __init__(self, folder: Path) -> None:
        self.storage, self.backup = folder / "storage", folder / "backup"
        self.storage.mkdir()
        self.backup.mkdir()
        with closing(sqlite3.connect(self.storage / "index")) as index, index:
            index.execute("PRAGMA journal_mode = WAL")
            index.execute("CREATE TABLE AttachedFiles (uuid TEXT)")

    def store(self, name: str, content: bytes) -> None:
        path = self.storage / place(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        with closing(sqlite3.connect(self.storage / "index")) as index, index:
            index.execute("INSERT INTO AttachedFiles VALUES (?)", (name,))

    def delete(self, name: str) -> None:
        (self.storage / place(name)).unlink()
        with closing(sqlite3.connect(self.storage / "index")) as index, index:
            index.execute("DELETE FROM AttachedFiles WHERE uuid = ?", (name,))

    def names(self) -> list[str]:
        """What the index names."""
        with closing(sqlite3.connect(self.storage / "index")) as index:
            return [name for (name,) in index.execute("SELECT uuid FROM AttachedFiles ORDER BY 1")]

    def files(self) -> dict[str, bytes]:
        """The stored files, by name."""
        found = [path for path in self.storage.rglob("*") if path.is_file()]
        return {path.name: path.read_bytes() for path in found if path.parent != self.storage}

    def step(self, *words: str, largest: int = -1) -> subprocess.CompletedProcess[str]:
        """Runs the program; no file that it writes may get larger than that many bytes."""

        def limit() -> None:
            if largest >= 0:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

        folders = ["--storage", str(self.storage), "--backup", str(self.backup)]
        return subprocess.run(
            [sys.executable, str(PROGRAM), *words, *folders],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            preexec_fn=limit,
        )

    def back_up(self, state: str, *options: str) -> subprocess.CompletedProcess[str]:
        """All steps of backup.sh, up to the first that fails."""
        (self.backup / state).mkdir(exist_ok=True)
        for step in ("copy", "index"):
            assert self.step(step, "--state", state).returncode == 0
        return self.step("finish", "--state", state, *options)

    def restore(self) -> None:
        """All steps of restore.sh."""
        for step in ("verify", "lay", "swap", "keep"):
            done = self.step(step)
            assert done.returncode == 0, done.stderr


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Two stored files, and a backup of them."""
    made = Archive(tmp_path)
    made.store(ONE, b"the first file")
    made.store(TWO, b"the second file")
    done = made.back_up(FIRST)
    assert done.returncode == 0, done.stderr
    return made


def damage(path: Path) -> None:
    """Changes one byte in the middle, and not the length."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_restore_brings_back_files_and_index(archive: Archive) -> None:
    before = archive.files()
    archive.delete(ONE)
    archive.store("cc" * 16, b"a third file")
    archive.restore()
    assert archive.files() == before
    assert archive.names() == [ONE, TWO]
    assert not [path for path in archive.storage.iterdir() if path.name.startswith(".")]


def test_the_checksums_are_those_of_sha256sum(archive: Archive) -> None:
    command = ["sha256sum", "--check", "--strict", f"{FIRST}/checksums"]
    done = subprocess.run(command, cwd=archive.backup, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.count(": OK") == 3


def test_what_a_killed_orthanc_wrote_last_is_in_the_backup(archive: Archive) -> None:
    script = (
        "import os, sqlite3, sys; index = sqlite3.connect(sys.argv[1]);"
        "index.execute(\"INSERT INTO AttachedFiles VALUES ('last')\"); index.commit(); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", script, archive.storage / "index"], check=False)
    assert (archive.storage / "index-wal").stat().st_size > 0
    assert archive.back_up(SECOND).returncode == 0
    assert [path.name for path in sorted((archive.backup / SECOND).iterdir())] == [
        "checksums",
        "index",
    ]
    archive.restore()
    assert archive.names() == [ONE, TWO, "last"]


def test_a_disk_that_fills_leaves_the_earlier_backup_whole(archive: Archive) -> None:
    before = archive.files()
    archive.delete(ONE)
    archive.store("cc" * 16, bytes(100_000))
    (archive.backup / SECOND).mkdir()
    done = archive.step("copy", "--state", SECOND, largest=50_000)
    assert done.returncode != 0
    assert "File too large" in done.stderr
    assert not list(archive.backup.rglob("*.new"))
    assert (archive.backup / "current").read_text() == f"{FIRST}\n"
    archive.restore()
    assert archive.files() == before


def test_an_index_that_is_damaged_makes_no_backup(archive: Archive) -> None:
    with (archive.storage / "index").open("r+b") as index:
        index.seek(4096)
        index.write(b"\xff" * 64)
    (archive.backup / SECOND).mkdir()
    archive.step("copy", "--state", SECOND)
    archive.step("index", "--state", SECOND)
    done = archive.step("finish", "--state", SECOND)
    assert done.returncode != 0
    assert "index is damaged" in done.stderr
    assert (archive.backup / "current").read_text() == f"{FIRST}\n"
    assert archive.step("verify").returncode == 0


def test_the_next_backup_removes_what_it_does_not_need(archive: Archive) -> None:
    archive.delete(ONE)
    assert archive.back_up(SECOND).returncode == 0
    assert sorted(path.name for path in archive.backup.iterdir()) == ["current", SECOND, "storage"]
    assert not (archive.backup / "storage" / place(ONE)).exists()
    assert (archive.backup / "storage" / place(TWO)).exists()


def test_a_file_that_is_damaged_in_the_backup_is_copied_again(archive: Archive) -> None:
    damage(archive.backup / "storage" / place(ONE))
    assert archive.step("verify").returncode != 0
    assert archive.back_up(SECOND).returncode == 0
    assert archive.step("verify").returncode == 0


def test_a_quick_backup_does_not_read_what_was_checked_before(archive: Archive) -> None:
    damage(archive.backup / "storage" / place(ONE))
    archive.store("cc" * 16, b"a third file")
    assert archive.back_up(SECOND, "--quick").returncode == 0
    done = archive.step("verify")
    assert done.returncode != 0
    assert f"{place(ONE)} is damaged" in done.stderr


@pytest.mark.parametrize("name", [f"storage/{place(ONE)}", f"{FIRST}/index"])
def test_a_damaged_backup_is_found(archive: Archive, name: str) -> None:
    damage(archive.backup / name)
    done = archive.step("verify")
    assert done.returncode != 0
    assert f"{name} is damaged" in done.stderr


@pytest.mark.parametrize("name", [f"storage/{place(ONE)}", f"{FIRST}/index"])
def test_a_backup_that_lacks_a_file_is_found(archive: Archive, name: str) -> None:
    (archive.backup / name).unlink()
    done = archive.step("verify")
    assert done.returncode != 0
    assert f"{name} is missing" in done.stderr


@pytest.mark.parametrize("text", ["", "state-1\n", "../elsewhere\n"])
def test_a_folder_without_a_finished_backup_is_refused(archive: Archive, text: str) -> None:
    (archive.backup / "current").write_text(text)
    done = archive.step("verify")
    assert done.returncode != 0
    assert "no finished backup" in done.stderr


def test_a_file_that_the_index_names_and_nobody_has_is_told(archive: Archive) -> None:
    (archive.storage / place(ONE)).unlink()
    done = archive.back_up(SECOND)
    assert done.returncode == 0
    assert f"1 files of the index are missing, {ONE} first" in done.stderr


def test_files_that_have_not_changed_take_no_further_disk_in_a_restore(archive: Archive) -> None:
    assert archive.step("lay").returncode == 0
    assert (archive.storage / place(ONE)).stat().st_nlink == 2


def test_a_file_that_is_damaged_in_orthanc_comes_from_the_backup(archive: Archive) -> None:
    before = archive.files()
    damage(archive.storage / place(ONE))
    archive.restore()
    assert archive.files() == before


@pytest.mark.parametrize("steps", [("lay",), ("lay", "swap")])
def test_what_was_there_is_put_back(archive: Archive, steps: tuple[str, ...]) -> None:
    archive.delete(ONE)
    archive.store("cc" * 16, b"a third file")
    before = archive.files()
    for step in steps:
        assert archive.step(step).returncode == 0
    assert archive.step("back").returncode == 0
    assert archive.files() == before
    assert archive.names() == [TWO, "cc" * 16]
    assert not [path for path in archive.storage.iterdir() if path.name.startswith(".")]


def test_a_restore_that_was_killed_half_way_is_undone(archive: Archive) -> None:
    before = archive.files()
    assert archive.step("lay").returncode == 0
    moving = archive.storage / ".before-restore.part"
    moving.mkdir()
    (archive.storage / "aa").rename(moving / "aa")
    refused = archive.step("lay")
    assert refused.returncode != 0
    assert "cut short" in refused.stderr
    assert archive.step("back").returncode == 0
    assert archive.files() == before
    archive.restore()
    assert archive.files() == before


def test_what_is_no_file_of_orthanc_stays_where_it_is(archive: Archive) -> None:
    (archive.storage / "lost+found").mkdir()
    archive.restore()
    assert (archive.storage / "lost+found").is_dir()
