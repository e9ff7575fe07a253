import errno
import fcntl
import shutil
from pathlib import Path
from threading import Thread
from typing import TextIO

import pytest

from orthanc_stl_plugin.errors import Busy, ConfigurationError
from orthanc_stl_plugin.services.jobs.task_folders import Spool


def test_a_task_folder_is_gone_after_the_task(tmp_path: Path):
    spool = Spool(str(tmp_path))
    with spool.task_folder() as folder:
        (folder / "a").write_text("b")
    assert not folder.exists()
    spool.close()


def test_a_task_folder_is_gone_after_a_failure(tmp_path: Path):
    spool = Spool(str(tmp_path))
    with pytest.raises(ValueError, match="x"), spool.task_folder() as folder:
        raise ValueError("x")
    assert not folder.exists()
    spool.close()


def write_on(folder: Path) -> None:
    """What a worker does in the moment before it is ended; it goes on until its folder is gone."""
    for number in range(20_000):
        try:
            (folder / str(number)).touch()
        except FileNotFoundError:
            return


def test_a_task_folder_is_gone_though_a_worker_still_writes_into_it(tmp_path: Path):
    spool = Spool(str(tmp_path))
    for _ in range(10):
        with spool.task_folder() as folder:
            worker = Thread(target=write_on, args=(folder,))
            worker.start()
        worker.join()
    assert [one.name for one in spool.folder.iterdir()] == ["lock"]
    spool.close()


def test_closing_leaves_nothing_of_who_still_writes(tmp_path: Path):
    for _ in range(10):
        spool = Spool(str(tmp_path))
        folder = spool.folder / "task"
        folder.mkdir()
        writer = Thread(target=write_on, args=(folder,))
        writer.start()
        spool.close()
        writer.join()
    assert list(tmp_path.iterdir()) == []


def test_closing_leaves_nothing(tmp_path: Path):
    Spool(str(tmp_path)).close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_is_removed_at_the_next_start(tmp_path: Path):
    crashed = Spool(str(tmp_path))
    (crashed.folder / "model.stl").write_text("left")
    crashed._lock.close()  # as the kernel does when a process dies
    spool = Spool(str(tmp_path))
    assert list(tmp_path.iterdir()) == [spool.folder]
    spool.close()


def test_the_folder_of_a_running_server_is_left_alone(tmp_path: Path):
    running, other = Spool(str(tmp_path)), Spool(str(tmp_path))
    assert running.folder.exists()
    running.close()
    other.close()


def test_a_place_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match='"SpoolDirectory" is .*file'):
        Spool(str(tmp_path / "file"))


def test_a_folder_for_something_else_names_its_own_setting(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match='"PyramidDirectory" is .*file'):
        Spool(str(tmp_path / "file"), "PyramidDirectory")


def test_a_full_disk_is_busy(tmp_path: Path):
    spool = Spool(str(tmp_path))
    with pytest.raises(Busy, match="SpoolDirectory is full"), spool.task_folder():
        raise OSError(errno.ENOSPC, "No space left on device")
    spool.close()


def test_a_folder_is_not_taken_for_abandoned_while_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Another server starts in the moment before the lock is taken."""
    others: list[Spool] = []
    lock = fcntl.flock

    def slow_lock(file: TextIO, how: int) -> None:
        if not others and how == fcntl.LOCK_EX:
            monkeypatch.setattr(fcntl, "flock", lock)
            others.append(Spool(str(tmp_path)))
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", slow_lock)
    spools = [Spool(str(tmp_path)), *others]
    assert len(spools) == 2
    for spool in spools:
        with spool.task_folder() as folder:
            assert folder.exists()
        spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_locks_is_a_wrong_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(file: TextIO, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(ConfigurationError, match="No locks available"):
        Spool(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", [".", "..", "lock"])
def test_what_a_cleaner_has_removed_is_made_anew(tmp_path: Path, what: str):
    spool = Spool(str(tmp_path / "spool"))
    removed = spool.folder / what
    if removed.is_file():
        removed.unlink()
    else:
        shutil.rmtree(removed.resolve())
    with spool.task_folder() as folder:
        assert folder.parent == spool.folder
        assert spool.folder.stat().st_mode & 0o777 == 0o700
    other = Spool(str(tmp_path / "spool"))
    assert spool.folder.exists()
    other.close()
    with spool.unnamed_file() as file:
        assert file.write(b"x") == 1
    spool.close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_task_whose_folder_is_removed_meanwhile_says_so(tmp_path: Path):
    spool = Spool(str(tmp_path))

    def write(folder: Path) -> None:
        shutil.rmtree(spool.folder)
        (folder / "model.stl").write_text("x")

    with pytest.raises(Busy, match="removed the folder in"), spool.task_folder() as folder:
        write(folder)
    spool.close()


def test_after_closing_there_is_no_new_folder(tmp_path: Path):
    spool = Spool(str(tmp_path))
    spool.close()
    with pytest.raises(Busy, match="shutting down"), spool.task_folder():
        pass
    assert list(tmp_path.iterdir()) == []
