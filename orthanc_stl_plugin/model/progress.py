"""How far a job is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_HALF_WAY_S: Final = 5.0


class Stage(StrEnum):
    """What a job does, in this order.

    Every structure after the first begins again with READING.
    """

    READING = "reading"
    SURFACE = "surface"
    SMOOTHING = "smoothing"
    REDUCTION = "reduction"
    FINISHING = "finishing"
    STORING = "storing"


@dataclass(frozen=True, slots=True)
class Progress:
    """The share of a job that is done; it creeps on during a step that reports nothing.

    Attributes:
        share: 0-1, at the moment `since`.
        until: the share when the step in work is done.
        since: monotonic clock, in seconds.
    """

    share: float = 0.0
    until: float = 0.0
    since: float = 0.0

    def at(self, now: float) -> float:
        """The share shown at a moment, 0-1: half of the step after 5 s, never all of it."""
        gone_s = now - self.since
        return self.share + (self.until - self.share) * gone_s / (gone_s + _HALF_WAY_S)

    def moved(self, now: float, share: float, until: float) -> Progress:
        """The progress at the start of the next step; it never falls below what was shown."""
        start = max(self.at(now), min(1.0, share))
        return Progress(start, max(start, min(1.0, until)), now)
