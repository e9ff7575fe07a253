"""Files that are deleted, replaced or written are noticed at once, few or many."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orthanc_stl_plugin.services.file_watch import FileWatch, FileWatcher

CHANGES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "moved": lambda path: path.rename(path.with_suffix(".away")),
}


WATCHER = FileWatcher()


def watching(paths: list[Path]) -> FileWatch:
    return WATCHER.watch(paths)


def files(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"{number}.dcm" for number in range(count)]
    for path in paths:
        path.write_bytes(b"pixels")
    return paths


@pytest.mark.parametrize("count", [1, 3, 4, 40])
def test_files_that_are_only_read_are_quiet(tmp_path: Path, count: int):
    paths = files(tmp_path, count)
    watch = watching(paths)
    for path in paths:
        path.read_bytes()
    assert watch.is_quiet()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("count", [1, 3, 4, 40])
def test_one_file_that_is_gone_is_noticed_at_once_and_for_ever(
    tmp_path: Path, count: int, change: Callable[[Path], object]
):
    paths = files(tmp_path, count)
    watch = watching(paths)
    change(paths[-1])
    assert [watch.is_quiet(), watch.is_quiet()] == [False, False]


def test_a_file_that_is_still_open_elsewhere_is_gone_when_it_is_deleted(tmp_path: Path):
    paths = files(tmp_path, 4)
    watch = watching(paths)
    with paths[0].open("rb"):
        paths[0].unlink()
        assert not watch.is_quiet()


def test_what_was_never_there_is_not_quiet(tmp_path: Path):
    paths = files(tmp_path, 4)
    assert not watching([*paths, tmp_path / "none.dcm"]).is_quiet()


def test_many_watches_of_the_same_files_notice_a_deletion(tmp_path: Path):
    paths = files(tmp_path, 4)
    watches = [watching(paths) for _ in range(300)]
    assert all(watch.is_quiet() for watch in watches)
    paths[2].unlink()
    assert not any(watch.is_quiet() for watch in watches)


def test_what_happens_to_others_disturbs_nobody(tmp_path: Path):
    mine, others = files(tmp_path, 8)[:4], files(tmp_path, 8)[4:]
    watch, other = watching(mine), watching(others)
    others[0].unlink()
    assert watch.is_quiet()
    assert not other.is_quiet()


def test_without_a_queue_every_file_is_asked_for(tmp_path: Path):
    paths = files(tmp_path, 2)
    watch = FileWatch(WATCHER, paths)
    assert watch.is_quiet()
    paths[1].unlink()
    assert not watch.is_quiet()
