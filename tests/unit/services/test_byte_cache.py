import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_stl_plugin.services.byte_cache import ByteCache


def made(value: bytes, calls: list[bytes]):
    def make() -> bytes:
        calls.append(value)
        return value

    return make


def test_a_value_is_made_once():
    calls: list[bytes] = []
    cache = ByteCache[bytes](10, len)
    assert cache.get("a", made(b"xyz", calls)) == b"xyz"
    assert cache.get("a", made(b"other", calls)) == b"xyz"
    assert calls == [b"xyz"]


def test_the_value_not_used_for_the_longest_time_makes_room():
    calls: list[bytes] = []
    cache = ByteCache[bytes](6, len)
    for key in ("a", "b", "a", "c"):
        cache.get(key, made(b"12" if key != "c" else b"345", calls))
    assert cache.counts().byte_count == 5
    cache.get("a", made(b"new", calls))
    assert calls == [b"12", b"12", b"345"]
    cache.get("b", made(b"x", calls))
    assert calls[-1] == b"x"


def test_a_value_larger_than_the_cache_is_given_but_not_kept():
    calls: list[bytes] = []
    cache = ByteCache[bytes](2, len)
    assert cache.get("a", made(b"123", calls)) == b"123"
    assert cache.counts().byte_count == 0
    cache.get("a", made(b"123", calls))
    assert len(calls) == 2


def test_forgetting_a_value_gives_its_bytes_back_once():
    cache = ByteCache[bytes](10, len)
    cache.get("a", lambda: b"123")
    cache.forget("a")
    cache.forget("a")
    assert cache.counts().byte_count == 0


def test_many_callers_wait_for_one_maker_and_no_lock_is_held_meanwhile():
    calls: list[bytes] = []
    cache, go = ByteCache[bytes](10, len), threading.Event()

    def slow() -> bytes:
        calls.append(b"")
        assert go.wait(10)
        return b"slow"

    with ThreadPoolExecutor(8) as callers:
        waiting = [callers.submit(cache.get, "slow", slow) for _ in range(6)]
        assert cache.get("other", lambda: b"quick") == b"quick"
        go.set()
        assert [one.result(10) for one in waiting] == [b"slow"] * 6
    assert len(calls) == 1
    counts = cache.counts()
    assert (counts.hits, counts.misses, counts.values) == (5, 2, 2)


def test_an_error_reaches_the_caller_and_nothing_is_kept():
    cache = ByteCache[bytes](10, len)

    def failing() -> bytes:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get("a", failing)
    assert cache.get("a", lambda: b"yes") == b"yes"


def test_what_is_asked_for_stays_when_others_come_once():
    cache = ByteCache[bytes](4, len)
    cache.keep("asked", b"1")
    for number in range(20):
        assert cache.known("asked") == b"1"
        cache.keep(number, b"2")
    assert [cache.known(number) for number in (0, 15)] == [None, None]


def test_what_is_kept_again_counts_once():
    cache = ByteCache[bytes](10, len)
    cache.keep("a", b"123")
    cache.keep("a", b"45")
    assert (cache.known("a"), cache.counts().byte_count) == (b"45", 2)


def test_what_is_kept_while_it_is_made_counts_once():
    cache = ByteCache[bytes](10, len)

    def made_meanwhile() -> bytes:
        cache.keep("a", b"123")
        return b"4567"

    for _ in range(9):
        assert cache.get("a", made_meanwhile) == b"4567"
        assert (cache.counts().values, cache.counts().byte_count) == (1, 4)
        cache.forget("a")
    assert cache.get("b", lambda: b"0123456789") == b"0123456789"


def test_an_error_does_not_keep_what_was_read_until_it():
    class Content:
        pass

    cache = ByteCache[bytes](10, len)
    read = []

    def broken() -> bytes:
        content = Content()
        read.append(weakref.ref(content))
        raise ZeroDivisionError

    gc.disable()
    try:
        with pytest.raises(ZeroDivisionError):
            cache.get("a", broken)
        assert read[0]() is None
    finally:
        gc.enable()


@given(st.lists(st.tuples(st.sampled_from("akf"), st.integers(0, 9), st.binary(max_size=6))))
def test_what_is_held_is_counted_and_within_the_bound(steps: list[tuple[str, int, bytes]]):
    cache = ByteCache[bytes](12, len)
    for action, key, value in steps:
        if action == "k":
            cache.keep(key, value)
        elif action == "f":
            cache.forget(key)
        else:
            cache.known(key)
        held = [known for number in range(10) if (known := cache.known(number)) is not None]
        counts = cache.counts()
        assert (counts.values, counts.byte_count) == (len(held), sum(map(len, held)))
        assert counts.byte_count <= 12


def test_of_what_is_cheap_to_make_one_of_eight_makes_others_go():
    cache = ByteCache[bytes](100, len)
    for number in range(101):
        cache.keep(number, b"1")
    for number in range(101, 181):
        cache.keep(number, b"1")
    kept = [number for number in range(181) if cache.known(number) is not None]
    assert len(kept) == 100
    assert len([number for number in kept if number > 100]) == 10
