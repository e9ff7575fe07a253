"""A cache with a limit in bytes; a value that several callers request at once is made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

_KEPT_ONE_OF: Final = 8


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """The statistics of a cache.

    Attributes:
        hits: requests answered without work, including those that waited for another caller's.
        misses: requests whose value had to be made.
        values: the number of values held.
        byte_count: their size.
        max_bytes: the limit of their size.
    """

    hits: int
    misses: int
    values: int
    byte_count: int
    max_bytes: int


@dataclass(slots=True)
class _Entry[V]:
    """A value, its size in bytes, and whether it was used since its last chance."""

    value: V
    byte_count: int
    was_asked: bool = False


class ByteCache[V]:
    """Values by key, except None; unused ones are evicted for new ones.

    Eviction visits the values in turn, and gives a used one a second chance (F. J. Corbato, A
    paging experiment with the Multics system, 1968). So a hit needs no lock: threads that queue for
    one would cost more than everything else that a cached tile takes.

    Args:
        max_bytes: the limit for all values together; a larger value is not kept.
        weigh: the size of a value in bytes.
    """

    def __init__(self, max_bytes: int, weigh: Callable[[V], int]) -> None:
        self._max_bytes = max_bytes
        self._weigh = weigh
        self._guard = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry[V]] = OrderedDict()
        self._being_made: dict[Hashable, Future[V]] = {}
        self._bytes = 0
        self._hits = 0
        self._misses = 0

    def known(self, key: Hashable) -> V | None:
        """The value of a key, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.was_asked = True
        self._hits += 1
        return entry.value

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of a key; without one, `make` is called, while no lock is held.

        Raises:
            Exception: whatever `make` raises, for everyone who waited for it; nothing is kept.
        """
        value = self.known(key)
        if value is not None:
            return value
        with self._guard:
            value = self.known(key)
            if value is not None:
                return value
            promised = self._being_made.get(key)
            is_ours = promised is None
            if promised is None:
                promised = self._being_made[key] = Future()
            self._misses += is_ours
            self._hits += not is_ours
        try:
            return self._made(key, make, promised) if is_ours else promised.result()
        finally:
            del promised  # see _made

    def keep(self, key: Hashable, value: V) -> None:
        """Keeps a value that was cheap to make elsewhere.

        When the cache is full, only every eighth such value evicts others: if far more values are
        requested than fit, replacing them costs more than keeping some saves (M. K. Qureshi and
        others, Adaptive insertion policies for high performance caching, 2007).
        """
        self._misses += 1
        has_room = self._bytes + self._weigh(value) <= self._max_bytes
        if not has_room and self._misses % _KEPT_ONE_OF:
            return
        with self._guard:
            self._drop(key)
            self._add(key, value)

    def forget(self, key: Hashable) -> None:
        """Removes the value of a key, if there is one."""
        with self._guard:
            self._drop(key)

    def counts(self) -> CacheCounts:
        """The statistics of the cache."""
        with self._guard:
            return CacheCounts(
                self._hits, self._misses, len(self._entries), self._bytes, self._max_bytes
            )

    def _made(self, key: Hashable, make: Callable[[], V], promised: Future[V]) -> V:
        try:
            value = make()
            promised.set_result(value)
        except BaseException as error:
            with self._guard:
                del self._being_made[key]
            promised.set_exception(error)
            raise
        finally:
            # The error refers to this frame, and the promise to the error: in this cycle, all
            # that was read would stay in memory until the next garbage collection.
            del promised
        with self._guard:
            del self._being_made[key]
            self._drop(key)
            self._add(key, value)
        return value

    def _drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.byte_count

    def _add(self, key: Hashable, value: V) -> None:
        byte_count = self._weigh(value)
        if byte_count > self._max_bytes:
            return
        while self._bytes + byte_count > self._max_bytes:
            self._look_at_next()
        self._entries[key] = _Entry(value, byte_count)
        self._bytes += byte_count

    def _look_at_next(self) -> None:
        key, entry = self._entries.popitem(last=False)
        if entry.was_asked:
            entry.was_asked = False
            self._entries[key] = entry
        else:
            self._bytes -= entry.byte_count
