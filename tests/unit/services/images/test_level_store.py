"""Folders of made levels: one maker for each, the oldest make room, damaged ones are made again."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from orthanc_stl_plugin.errors import Busy
from orthanc_stl_plugin.formats.pixels.level_file import LevelWriter
from orthanc_stl_plugin.services.images import level_store as subject
from orthanc_stl_plugin.services.images.level_store import Pyramids
from orthanc_stl_plugin.services.jobs.waiting_room import WaitingRoom

ROOM = WaitingRoom(6)
ROOM_FOR_TWO = 900_000
"""Bytes: the levels of one are 393,750."""


@pytest.fixture
def pyramids(tmp_path: Path) -> Iterator[Pyramids]:
    made = Pyramids(tmp_path, ROOM_FOR_TWO, ROOM)
    yield made
    made.close()


def write(folder: Path) -> None:
    writer = LevelWriter(folder, lambda tile: tile.tobytes(), (600, 500))
    writer.push(np.zeros((500, 600, 1), np.uint8))
    writer.close()


def make(pyramids: Pyramids, key: str, how: Callable[[Path], None] = write) -> None:
    pyramids.wait(pyramids.start(key, how))


def test_what_was_made_is_known(pyramids: Pyramids):
    assert pyramids.known("a") is None
    make(pyramids, "a")
    known = pyramids.known("a")
    assert known is not None
    assert [(level.width, level.height) for level in known] == [(600, 500), (300, 250), (150, 125)]


def test_what_was_made_is_known_after_a_restart(pyramids: Pyramids, tmp_path: Path):
    make(pyramids, "a")
    pyramids.close()
    again = Pyramids(tmp_path, 1, ROOM)
    assert again.known("a")
    again.close()


def test_two_who_want_the_same_share_one_maker(pyramids: Pyramids):
    release = threading.Event()
    made = []

    def slowly(folder: Path) -> None:
        release.wait(10)
        made.append(folder)
        write(folder)

    futures = [pyramids.start("a", slowly) for _ in range(2)]
    release.set()
    for future in futures:
        pyramids.wait(future)
    make(pyramids, "a", slowly)
    assert len(made) == 1


def test_those_not_used_for_the_longest_time_make_room(pyramids: Pyramids, tmp_path: Path):
    for age_s, key in ((300, "a"), (200, "b")):
        make(pyramids, key)
        moment = (tmp_path / f"{key}.levels").stat().st_mtime - age_s
        os.utime(tmp_path / f"{key}.levels", (moment, moment))
    assert pyramids.known("a")  # used just now
    make(pyramids, "c")
    assert pyramids.known("b") is None
    assert pyramids.known("c")


def test_the_last_one_is_kept_however_large(tmp_path: Path):
    small = Pyramids(tmp_path, 1, ROOM)
    make(small, "a")
    make(small, "b")
    assert small.known("a") is None
    assert small.known("b")
    small.close()


@pytest.mark.parametrize("name", ["1.npy", "1.tiles"])
@pytest.mark.parametrize("content", [b"torn", b"", None])
def test_a_damaged_pyramid_is_made_again(
    pyramids: Pyramids, tmp_path: Path, name: str, content: bytes | None
):
    make(pyramids, "a")
    damaged = tmp_path / "a.levels" / name
    damaged.unlink()
    if content is not None:
        damaged.write_bytes(content)
    make(pyramids, "a")
    known = pyramids.known("a")
    assert known is not None
    assert len(known) == 3


@pytest.fixture
def others(tmp_path: Path) -> Iterator[Pyramids]:
    """Another server with the same folder."""
    made = Pyramids(tmp_path, ROOM_FOR_TWO, ROOM)
    yield made
    made.close()


def test_who_is_slower_to_make_a_pyramid_uses_that_of_the_other_server(
    pyramids: Pyramids, others: Pyramids, tmp_path: Path
):
    def slower(folder: Path) -> None:
        make(others, "a")
        write(folder)

    make(pyramids, "a", slower)
    assert pyramids.known("a")
    assert len(list(tmp_path.glob("*.levels"))) == 1
    assert [one.name for one in tmp_path.glob("*/*") if one.parent.suffix != ".levels"] == [
        "lock",
        "lock",
    ]


def test_two_servers_may_make_room_at_once(tmp_path: Path):
    """Each keeps one pyramid: whatever the other does, its next one is made."""
    servers = [Pyramids(tmp_path, 1, ROOM) for _ in range(2)]

    def fill(number: int) -> None:
        for turn in range(20):
            make(servers[number], f"{number}-{turn}")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(fill, range(2)))
    for server in servers:
        server.close()


def test_what_fails_leaves_nothing_and_may_be_tried_again(pyramids: Pyramids, tmp_path: Path):
    def fail(folder: Path) -> None:
        (folder / "0.tiles").write_bytes(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        make(pyramids, "a", fail)
    assert list(tmp_path.glob("*.levels")) == []
    make(pyramids, "a")
    assert pyramids.known("a")


def test_a_full_disk_is_busy(pyramids: Pyramids):
    def fill(folder: Path) -> None:
        with Path("/dev/full").open("wb") as full:
            full.write(b"tile")

    with pytest.raises(Busy):
        make(pyramids, "a", fill)


def test_who_waits_too_long_comes_again(pyramids: Pyramids, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subject, "WAIT_S", 0.01)
    release = threading.Event()

    def slowly(folder: Path) -> None:
        release.wait(10)
        write(folder)

    future = pyramids.start("a", slowly)
    with pytest.raises(Busy, match="is being made"):
        pyramids.wait(future)
    release.set()
    future.result(10)


def test_a_pyramid_is_made_though_too_many_wait(tmp_path: Path):
    room = WaitingRoom(1)
    pyramids = Pyramids(tmp_path, ROOM_FOR_TWO, room)
    with room.place():
        future = pyramids.start("a", write)
        with pytest.raises(Busy, match="HttpThreadsCount"):
            pyramids.wait(future)
    future.result(10)
    assert pyramids.known("a")
    pyramids.close()


def test_who_waits_for_a_pyramid_when_the_server_stops_comes_again(pyramids: Pyramids):
    release = threading.Event()

    def slowly(folder: Path) -> None:
        release.wait(10)
        write(folder)

    pyramids.start("a", slowly)
    waiting = pyramids.start("b", write)
    pyramids.close()
    with pytest.raises(Busy, match="shutting down"):
        pyramids.wait(waiting)
    with pytest.raises(Busy, match="shutting down"):
        pyramids.start("c", write)
    release.set()
