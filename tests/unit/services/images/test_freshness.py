"""Files that are deleted, replaced or written are noticed at once, few or many."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from orthanc_stl_plugin.services.images.freshness import Changes, Freshness

CHANGES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "moved": lambda path: path.rename(path.with_suffix(".away")),
}


NOTED = Changes()


def fresh(paths: list[Path]) -> Freshness:
    return NOTED.watch(paths)


def files(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"{number}.dcm" for number in range(count)]
    for path in paths:
        path.write_bytes(b"pixels")
    return paths


@pytest.mark.parametrize("count", [1, 3, 4, 40])
def test_files_that_are_only_read_are_sure(tmp_path: Path, count: int):
    paths = files(tmp_path, count)
    freshness = fresh(paths)
    for path in paths:
        path.read_bytes()
    assert freshness.is_sure()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("count", [1, 3, 4, 40])
def test_one_file_that_is_gone_is_noticed_at_once_and_for_ever(
    tmp_path: Path, count: int, change: Callable[[Path], object]
):
    paths = files(tmp_path, count)
    freshness = fresh(paths)
    change(paths[-1])
    assert [freshness.is_sure(), freshness.is_sure()] == [False, False]


def test_a_file_that_is_still_open_elsewhere_is_gone_when_it_is_deleted(tmp_path: Path):
    paths = files(tmp_path, 4)
    freshness = fresh(paths)
    with paths[0].open("rb"):
        paths[0].unlink()
        assert not freshness.is_sure()


def test_what_was_never_there_is_not_sure(tmp_path: Path):
    paths = files(tmp_path, 4)
    assert not fresh([*paths, tmp_path / "none.dcm"]).is_sure()


def test_many_who_watch_the_same_files_notice_a_deletion(tmp_path: Path):
    paths = files(tmp_path, 4)
    several = [fresh(paths) for _ in range(300)]
    assert all(one.is_sure() for one in several)
    paths[2].unlink()
    assert not any(one.is_sure() for one in several)


def test_what_happens_to_others_disturbs_nobody(tmp_path: Path):
    mine, others = files(tmp_path, 8)[:4], files(tmp_path, 8)[4:]
    mine_fresh, others_fresh = fresh(mine), fresh(others)
    others[0].unlink()
    assert mine_fresh.is_sure()
    assert not others_fresh.is_sure()


def test_of_thousands_that_are_deleted_the_last_is_noticed_too(tmp_path: Path):
    paths = files(tmp_path, 5000)
    each = [fresh([path]) for path in paths]
    for path in paths:
        path.unlink()
    assert not each[-1].is_sure()


def test_what_nobody_asks_for_any_more_is_not_watched_for_ever(tmp_path: Path):
    changes = Changes()
    before = watches()
    kept, shared = files(tmp_path, 2)
    one = changes.watch([kept, shared])
    others = tmp_path / "others"
    others.mkdir()
    for path in files(others, 50):
        assert changes.watch([path, shared]).is_sure()
        path.unlink()
    for path in files(others, 50):
        assert changes.watch([path]).is_sure()
    other = changes.watch([shared])
    assert watches() == before + 2
    assert (one.is_sure(), other.is_sure()) == (True, True)
    shared.unlink()
    assert (one.is_sure(), other.is_sure()) == (False, False)


def watches() -> int:
    """How many files the kernel watches for this process."""
    told = ""
    for path in list(Path("/proc/self/fdinfo").iterdir()):
        with suppress(FileNotFoundError):  # the folder itself was open
            told += path.read_text()
    return told.count("inotify wd:")


def test_without_a_queue_every_file_is_asked_for(tmp_path: Path):
    paths = files(tmp_path, 2)
    freshness = Freshness(NOTED, paths)
    assert freshness.is_sure()
    paths[1].unlink()
    assert not freshness.is_sure()


def test_a_change_of_the_archive_leaves_nothing_sure_until_it_is_compared(tmp_path: Path):
    changes = Changes()
    freshness = changes.watch(files(tmp_path, 2))
    changes.note()
    assert not freshness.is_sure()
    freshness.compared_at = changes.last
    assert freshness.is_sure()


def test_what_is_not_in_local_files_is_never_sure():
    assert not NOTED.watch(()).is_sure()
