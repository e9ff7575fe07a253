"""How far work is: what it tells of itself, and what is shown of that at any moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """What a job does, in this order; with each of several structures it comes back to SURFACE.

    With structures that are drawn it comes back to READING.
    """

    READING = "reading"
    SURFACE = "surface"
    SMOOTHING = "smoothing"
    REDUCTION = "reduction"
    FINISHING = "finishing"
    STORING = "storing"


class Progress:
    """What the making of surfaces tells of itself; this one does not listen."""

    def plan(
        self, voxels: Sequence[float], *, are_drawn: bool = False, as_one: bool = False
    ) -> None:
        """So many structures are to be made, each of about so many voxels, or all of them as one.

        Drawn ones are contours, which have to be filled: for each the stage READING begins again.
        """

    def begin(self, stage: Stage) -> None:
        """The stage before is done, this one begins."""

    def found(self, triangles: int) -> None:
        """The structure in work has so many triangles more."""

    def advance(self, share: float) -> None:
        """So much more of the stage is done; all of it is 1."""


SILENT = Progress()


@dataclass(frozen=True, slots=True)
class Gauge:
    """A share of work that moves on by itself, for the time of a step that cannot tell more.

    Attributes:
        share: 0-1, at the moment `since`.
        until: where the step ends; the gauge comes nearer and nearer, but does not arrive.
        seconds: how long the step is expected to take.
        since: of a clock that only goes forward, in seconds.
    """

    share: float = 0.0
    until: float = 0.0
    seconds: float = 0.0
    since: float = 0.0

    def at(self, now: float) -> float:
        """The share at a moment, 0-1: it never falls."""
        if self.until <= self.share or self.seconds <= 0:
            return self.share
        gone = math.tanh((now - self.since) / self.seconds)
        return self.share + (self.until - self.share) * gone

    def moved(self, now: float, share: float, until: float, seconds: float) -> Gauge:
        """The gauge for the next step, from `share` to `until`; never lower than this one is."""
        start = max(self.at(now), min(1.0, share))
        return Gauge(start, max(start, min(1.0, until)), seconds, now)
