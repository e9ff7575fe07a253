import pytest

from orthanc_stl_plugin.errors import Busy
from orthanc_stl_plugin.services.jobs.waiting_room import WaitingRoom


def test_a_third_of_the_threads_may_wait_and_the_next_is_told_the_limit():
    room = WaitingRoom(8)
    with room.place(), room.place():
        with pytest.raises(Busy, match="2 requests wait .* HttpThreadsCount = 8") as caught:
            room.place().__enter__()
        assert caught.value.retry_after_s > 0


def test_a_place_is_free_again_after_a_failure():
    room = WaitingRoom(2)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), room.place():
            raise ZeroDivisionError


def test_with_a_single_thread_one_may_wait():
    with WaitingRoom(1).place():
        pass
