"""The progress of a job that makes models, from the first byte fetched to the last model stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orthanc_stl_plugin.model.mesh import MeshOptions
from orthanc_stl_plugin.model.progress import Stage
from orthanc_stl_plugin.services.jobs.job import Watch
from orthanc_stl_plugin.services.jobs.worker_pool import Watcher
from orthanc_stl_plugin.services.models.effort import (
    FETCHING_US,
    Account,
    SourceSize,
    storing_us,
    unread,
)

_EXPECTED_PACE: Final = 1.0  # the rates are those of a machine that does nothing else
_EXPECTED_US: Final = (
    10_000.0  # from then on what is seen of a job counts more than what was expected
)
_PACES: Final = (0.1, 30.0)
_TELLING_US: Final = 1e6  # a job that is foretold to take less tells less of the pace
# A worker may tell nothing for so long: what is shown goes on, through several short steps.
_SILENCE_US: Final = 20_000.0


class Pace:
    """How many times as long as the rates foretell work takes here: each job that ends tells.

    Of a short one the start of its worker, or whatever came between, may be the most.
    """

    def __init__(self) -> None:
        self.factor = _EXPECTED_PACE

    def learn(self, gone_us: float, foretold_us: float) -> None:
        """A job took so long: a long one counts as much as all before it."""
        lowest, highest = _PACES
        found = min(highest, max(lowest, gone_us / foretold_us))
        weight = 0.5 * min(1.0, foretold_us / _TELLING_US)
        self.factor *= (found / self.factor) ** weight


class Course(Watcher):
    """Passes on to a job how far its work is; where nothing tells, the time that has gone does.

    Args:
        watch: of the job.
        options: how the surfaces are made.
        folder: where the worker will write its account.
        pace: of the jobs before it; it learns from this one.
    """

    def __init__(self, watch: Watch, options: MeshOptions, folder: Path, pace: Pace) -> None:
        self._watch = watch
        self._options = options
        self._folder = folder
        self._pace = pace
        self._expected = pace.factor
        self.size = SourceSize()
        self._spent_us = 0.0
        self._account = unread(self.size, options)
        self._told: Account | None = None

    def fetch(self, done: int, of: int, source_bytes: int) -> None:
        """So many of the instances of the source are fetched; they have so many bytes."""
        if not done:  # nobody knows how much they are
            self._watch.tell(0, Stage=str(Stage.READING))
            return
        all_bytes = source_bytes * of // done
        self._foretell(SourceSize(all_bytes, all_bytes))
        self._spent_us = done * FETCHING_US
        left_us = self._account.step_us + self._account.left_us
        self._tell(Stage.READING, self._spent_us, (of - done) * FETCHING_US, left_us)

    def make(self, size: SourceSize) -> None:
        """The source is there, of this size: a worker goes on."""
        self._foretell(size)
        self._spent_us = self._gone_us() / self._expected
        self.tick()

    def tick(self) -> None:
        """See `Watcher`; raises Cancelled when somebody has cancelled the job."""
        self._watch.tick()
        self._account = told = Account.read(self._folder) or self._account
        if told != self._told:
            self._told = told
            done_us = self._spent_us + told.done_us
            names = list(told.structures)
            self._tell(told.stage, done_us, told.step_us, told.left_us, Structures=names)

    def store(self, done: int, triangles: Sequence[int], **content: object) -> None:
        """So many of the models, of so many triangles each, are stored; the next one follows.

        When all of them are, they stay: see `Watch.commit`.
        """
        if not done:
            self.tick()
            self._spent_us += self._account.done_us
        costs = [storing_us(one) for one in triangles]
        done_us = self._spent_us + sum(costs[:done])
        if done == len(costs):
            self._watch.commit()
            self._pace.learn(self._gone_us(), done_us)
        self._tell(
            Stage.STORING, done_us, sum(costs[done : done + 1]), sum(costs[done + 1 :]), **content
        )

    def _foretell(self, size: SourceSize) -> None:
        self.size = size
        self._account = unread(size, self._options)

    def _gone_us(self) -> float:
        return self._watch.gone_s() * 1e6

    def _tell(
        self, stage: Stage, done_us: float, step_us: float, left_us: float, **content: object
    ) -> None:
        # The rates are wrong by a factor, the other way round for what is left as like as not: so
        # what is done counts as the mean of what it took and of what it should have taken.
        foretold_us = done_us * self._expected
        drift = math.sqrt((self._gone_us() + _EXPECTED_US) / (foretold_us + _EXPECTED_US))
        done_us *= drift
        total_us = done_us + step_us + left_us
        ahead_us = min(max(step_us, _SILENCE_US), step_us + left_us)
        self._watch.tell(
            done_us / total_us,
            until=(done_us + ahead_us) / total_us,
            seconds=ahead_us * drift * self._expected / 1e6,
            Stage=str(stage),
            **content,
        )
