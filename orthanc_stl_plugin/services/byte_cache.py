"""A cache bounded in bytes; what several callers want at once is made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """What a cache has done and holds.

    Attributes:
        hits: answers without work, those included that waited for another caller's.
        misses: answers that had to be made.
        values: how many are held.
        byte_count: how many bytes these have.
        max_bytes: the most that they may have.
    """

    hits: int
    misses: int
    values: int
    byte_count: int
    max_bytes: int


class ByteCache[V]:
    """Values by key, None excepted; those not used for the longest time make room for new ones.

    Args:
        max_bytes: the most that all values together may have; a larger value is not kept.
        weigh: the bytes of a value.
    """

    def __init__(self, max_bytes: int, weigh: Callable[[V], int]) -> None:
        self._max_bytes = max_bytes
        self._weigh = weigh
        self._guard = threading.Lock()
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._being_made: dict[Hashable, Future[V]] = {}
        self._bytes = 0
        self._hits = 0
        self._misses = 0

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of a key; `make` is called, without a lock held, if there is none.

        Raises:
            Exception: whatever `make` raises, to everyone who waited for it; nothing is kept.
        """
        # No lock for what is there: threads that queue for one cost more than all the rest here.
        value = self._values.get(key)
        if value is not None:
            self._hits += 1
            try:  # noqa: SIM105 - suppress() takes as long as the rest of this branch
                self._values.move_to_end(key)
            except KeyError:  # dropped meanwhile
                pass
            return value
        with self._guard:
            value = self._values.get(key)
            if value is not None:
                self._hits += 1
                return value
            promised = self._being_made.get(key)
            is_ours = promised is None
            if promised is None:
                promised = self._being_made[key] = Future()
            self._misses += is_ours
            self._hits += not is_ours
        return self._made(key, make, promised) if is_ours else promised.result()

    def forget(self, key: Hashable) -> None:
        """Drops the value of a key, if there is one."""
        with self._guard:
            if key in self._values:
                self._bytes -= self._weigh(self._values.pop(key))

    def counts(self) -> CacheCounts:
        """What the cache has done and holds."""
        with self._guard:
            return CacheCounts(
                self._hits, self._misses, len(self._values), self._bytes, self._max_bytes
            )

    def _made(self, key: Hashable, make: Callable[[], V], promised: Future[V]) -> V:
        try:
            value = make()
        except BaseException as error:
            with self._guard:
                del self._being_made[key]
            promised.set_exception(error)
            raise
        with self._guard:
            del self._being_made[key]
            self._keep(key, value)
        promised.set_result(value)
        return value

    def _keep(self, key: Hashable, value: V) -> None:
        weight = self._weigh(value)
        if weight > self._max_bytes:
            return
        self._values[key] = value
        self._bytes += weight
        while self._bytes > self._max_bytes:
            self._bytes -= self._weigh(self._values.popitem(last=False)[1])
