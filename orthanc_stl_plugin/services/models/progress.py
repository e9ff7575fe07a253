"""The progress of a job that makes models, by fixed shares of its stages.

The job fetches the source, a worker process makes the models, and the job stores them. The worker
writes its progress into a file in its folder, where the job reads it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Final

from orthanc_stl_plugin.model.progress import Stage
from orthanc_stl_plugin.services.jobs.job import Watch

# Shares of a job at the end of its three parts, storing being the last.
_FETCHED: Final = 0.1
_READ: Final = 0.2
_MADE: Final = 0.9

_OF_STRUCTURE: Final = {
    Stage.READING: 0.1,
    Stage.SURFACE: 0.2,
    Stage.SMOOTHING: 0.45,
    Stage.REDUCTION: 0.1,
    Stage.FINISHING: 0.15,
}
_ENDS: Final = dict(zip(_OF_STRUCTURE, accumulate(_OF_STRUCTURE.values()), strict=True))
_NAME: Final = "progress.json"


class WorkerProgress:
    """Writes the progress of a worker at every step.

    Args:
        folder: of the worker's task; None if the progress is not needed.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._structures = 1
        self._names: list[str] = []
        self._start, self._end = _FETCHED, _READ
        self._write(Stage.READING)

    def plan(self, structures: int) -> None:
        """Reports that the source is read, and how many structures are made from it."""
        self._structures = structures
        self.begin(Stage.READING)

    def begin(self, stage: Stage) -> None:
        """Reports that a stage of the current structure begins."""
        of_one = (_MADE - _READ) / self._structures
        end = len(self._names) + _ENDS[stage]
        self._start = _READ + of_one * (end - _OF_STRUCTURE[stage])
        self._end = _READ + of_one * end
        self._write(stage)

    def advance(self, stage: Stage, done: int, of: int) -> None:
        """Reports how many parts of the stage are done, out of how many."""
        self.begin(stage)
        self._start += (self._end - self._start) * done / of
        self._write(stage)

    def made(self, name: str) -> None:
        """Reports that the current structure is done."""
        self._names.append(name)
        if len(self._names) < self._structures:
            self.begin(Stage.READING)
        else:
            self._start = self._end = _MADE
            self._write(Stage.FINISHING)

    def _write(self, stage: Stage) -> None:
        if self._folder is None:
            return
        progress = {
            "share": self._start,
            "until": self._end,
            "Stage": stage,
            "Structures": self._names,
        }
        new = self._folder / f"{_NAME}.new"
        new.write_text(json.dumps(progress))
        new.replace(self._folder / _NAME)  # so that readers never see a part of it


def show_fetching(watch: Watch, done: int, of: int) -> None:
    """Shows how many of the source's instances are fetched."""
    _show(watch, Stage.READING, 0.0, _FETCHED, done, of)


def show_making(watch: Watch, folder: Path) -> None:
    """Shows what the worker has written last; raises what `Watch.check` raises."""
    watch.check()
    with suppress(FileNotFoundError):  # the worker has not begun
        watch.tell(**json.loads((folder / _NAME).read_bytes()))


def show_storing(watch: Watch, done: int, of: int) -> None:
    """Shows how many of the models are stored."""
    _show(watch, Stage.STORING, _MADE, 1.0, done, of)


def _show(watch: Watch, stage: Stage, start: float, end: float, done: int, of: int) -> None:
    share, until = (start + (end - start) * min(step, of) / of for step in (done, done + 1))
    watch.tell(share, until, Stage=str(stage))
