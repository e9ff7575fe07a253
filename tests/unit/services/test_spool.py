import errno
from pathlib import Path

import pytest

from orthanc_stl_plugin.errors import Busy, ConfigurationError
from orthanc_stl_plugin.services.spool import Spool


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
