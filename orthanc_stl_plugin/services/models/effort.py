"""How long making models takes, stage by stage: the measure of a job's progress.

The rates are those of the benchmark's inputs on two cores. Only their proportions count: a machine
that is slower in all is at the same share of its work.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from orthanc_stl_plugin.model.mesh import MeshOptions, SmoothingMethod
from orthanc_stl_plugin.model.progress import Progress, Stage
from orthanc_stl_plugin.services.jobs.worker_pool import tick_s

FETCHING_US: Final = 1500.0
"""To take an instance out of Orthanc."""

_READING_US_PER_BYTE: Final = 0.003
_READING_US_PER_CONTOUR_BYTE: Final = 0.1
_READING_FIXED_US: Final = 3000.0
_FIXED_US: Final = {
    Stage.SURFACE: 1300.0,
    Stage.SMOOTHING: 2000.0,
    Stage.FINISHING: 4000.0,
    Stage.STORING: 11_000.0,
}
_US_PER_TRIANGLE: Final = {
    Stage.SURFACE: 0.27,
    Stage.REDUCTION: 1.4,
    Stage.FINISHING: 0.65,
    Stage.STORING: 1.4,
}
_SMOOTHING_US: Final = (0.4, 0.03)  # of a triangle: once, and for each iteration
_TRIANGLES_BY_VOXELS: Final = 20.0  # by v ** (2 / 3); a ball has 14
_MOST_TRIANGLES: Final = 12.0  # by the square of the resolution
_FILLING_US_PER_VOXEL: Final = 0.12
_SHARE_INSIDE: Final = 0.05  # of the voxels of a volume that is not read yet
_PACKED_BY_PLAIN: Final = 0.0043  # where all voxels of a mask are equal; the rest is its surface
_TRIANGLES_PER_PACKED_BYTE: Final = 1.8
_TRIANGLES_BY_CONTOUR_BYTES: Final = 1150.0  # by b ** 0.4, of a ROI; some have half, some twice
_LEAST_US: Final = 2000.0
_NAME: Final = "account.json"


@dataclass(frozen=True, slots=True)
class SourceSize:
    """Bytes of a source in its file, and after decompression.

    Of a structure set: bytes of its contours, how many ROIs have them, and how many are made.
    """

    packed_bytes: int = 0
    plain_bytes: int = 0
    contour_bytes: int = 0
    rois: int = 1
    wanted_rois: int = 1


@dataclass(frozen=True, slots=True)
class Account:
    """How far the worker is: what is done, what it does, and what is left after that.

    Attributes:
        stage: what it does.
        structures: the names of the structures that are made.
        done_us: microseconds, at the rates above, like all that follow.
        step_us: what is left of the stage.
        left_us: all that comes afterwards, the storing included.
    """

    stage: Stage
    structures: tuple[str, ...]
    done_us: float
    step_us: float
    left_us: float

    @classmethod
    def read(cls, folder: Path) -> Account | None:
        """The account that a worker wrote last into a folder; None before its first."""
        try:
            told: dict[str, Any] = json.loads((folder / _NAME).read_bytes())
        except FileNotFoundError:
            return None
        told |= {"stage": Stage(told["stage"]), "structures": tuple(told["structures"])}
        return cls(**told)


def reading_us(source_bytes: int) -> float:
    """What reading a source takes, of so many bytes after decompression."""
    return _READING_FIXED_US + source_bytes * _READING_US_PER_BYTE


def storing_us(triangles: int) -> float:
    """What storing a model takes."""
    return _FIXED_US[Stage.STORING] + triangles * _US_PER_TRIANGLE[Stage.STORING]


def unread(size: SourceSize, options: MeshOptions) -> Account:
    """The account of a source of which nothing but its size is known."""
    if size.contour_bytes:
        triangles = _TRIANGLES_BY_CONTOUR_BYTES * (size.contour_bytes / size.rois) ** 0.4
        triangles = min(triangles, _most_triangles(options))
        left_us = size.wanted_rois * sum(_stages_us(triangles, options).values())
        text_us = size.contour_bytes * _READING_US_PER_CONTOUR_BYTE
        return Account(Stage.READING, (), 0.0, _READING_FIXED_US + text_us, left_us)
    if size.packed_bytes < size.plain_bytes:
        of_surface = size.packed_bytes - size.plain_bytes * _PACKED_BY_PLAIN
        triangles = min(max(of_surface, 0) * _TRIANGLES_PER_PACKED_BYTE, _most_triangles(options))
    else:
        triangles = _expected_triangles(size.plain_bytes * _SHARE_INSIDE, options)
    left_us = sum(_stages_us(triangles, options).values())
    return Account(Stage.READING, (), 0.0, reading_us(size.plain_bytes), left_us)


class Meter(Progress):
    """Keeps the account of a worker, and writes it down as often as it is looked at.

    Args:
        folder: where to write; see `Account.read`.
        size: of the source.
        options: how the surfaces are made.
    """

    def __init__(self, folder: Path, size: SourceSize, options: MeshOptions) -> None:
        self._path = folder / _NAME
        self._options = options
        start = unread(size, options)
        self._stage, self._advanced = start.stage, 0.0
        self._done_us, self._step_us, self._later_us = 0.0, start.step_us, start.left_us
        self._expected = [1.0]
        self._filling_us = [0.0]
        self._may_have_pieces = False
        self._found: list[int] = [0]
        self._in_piece = 0
        self._names: list[str] = []
        self._made_us = 0.0
        self._begun = self._written = time.monotonic()

    def plan(
        self, voxels: Sequence[float], *, are_drawn: bool = False, as_one: bool = False
    ) -> None:
        """See `Progress`."""
        self._expected = [_expected_triangles(one, self._options) for one in voxels]
        self._filling_us = [are_drawn * one * _FILLING_US_PER_VOXEL for one in voxels]
        self._may_have_pieces = are_drawn
        if as_one:
            self._expected, self._filling_us = [sum(self._expected)], [sum(self._filling_us)]

    def begin(self, stage: Stage) -> None:
        """See `Progress`."""
        self._done_us += self._step_us
        self._stage, self._advanced = stage, 0.0
        structure = _stages_us(self._triangles(), self._options)
        structure[Stage.READING] = self._filling_us[min(len(self._names), len(self._expected) - 1)]
        is_in_piece = stage in {Stage.SURFACE, Stage.SMOOTHING} and self._in_piece > 0
        piece = _stages_us(self._in_piece, self._options) if is_in_piece else structure
        self._step_us = piece[stage]
        if stage is Stage.SURFACE:
            self._in_piece = 0
        after = list(Stage)[list(Stage).index(stage) + 1 :]
        self._later_us = sum((piece if one is Stage.SMOOTHING else structure)[one] for one in after)
        if is_in_piece:
            other_pieces = 1 - self._found[-1] / self._triangles()
            self._later_us += other_pieces * (structure[Stage.SURFACE] + structure[Stage.SMOOTHING])
        self._later_us += self._others_us(len(self._names) + 1)
        self._tell(is_worth=self._step_us > _LEAST_US)

    def found(self, triangles: int) -> None:
        """See `Progress`."""
        self._found[-1] += triangles
        self._in_piece += triangles

    def advance(self, share: float) -> None:
        """See `Progress`."""
        self._advanced = min(1.0, self._advanced + share)
        self._tell(is_worth=False)

    def made(self, name: str, triangles: int) -> None:
        """The structure in work is made: it has so many triangles in the end."""
        self._done_us += self._step_us
        self._step_us, self._advanced, self._in_piece = 0.0, 0.0, 0
        self._names.append(name)
        self._found.append(0)
        self._made_us += storing_us(triangles)
        self._later_us = self._others_us(len(self._names))
        self._tell(is_worth=len(self._names) == len(self._expected))

    def account(self) -> Account:
        """How far the work is."""
        advanced_us = self._step_us * self._advanced
        return Account(
            stage=self._stage,
            structures=tuple(self._names),
            done_us=self._done_us + advanced_us,
            step_us=self._step_us - advanced_us,
            left_us=self._later_us,
        )

    def _triangles(self) -> float:
        """Of the structure in work."""
        number = min(len(self._names), len(self._expected) - 1)
        found, expected = self._found[-1], self._expected[number] * self._surplus()
        more_may_come = self._may_have_pieces and self._stage in {Stage.SURFACE, Stage.SMOOTHING}
        return max(found, expected) if more_may_come or not found else found

    def _surplus(self) -> float:
        """How many triangles the structures made so far have for each that was expected."""
        made = len(self._names)
        return sum(self._found[:made]) / sum(self._expected[:made]) if made else 1.0

    def _others_us(self, first: int) -> float:
        """The storing of the structures that are made, and all of those from `first` on."""
        surplus = self._surplus()
        to_come = (_stages_us(one * surplus, self._options) for one in self._expected[first:])
        making_us = sum(sum(one.values()) for one in to_come)
        return self._made_us + making_us + sum(self._filling_us[first:])

    def _tell(self, *, is_worth: bool) -> None:
        now = time.monotonic()
        if not is_worth and now - self._written < tick_s(now - self._begun):
            return
        self._written = now
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self.account())))
        new.replace(self._path)  # so that nobody reads half of it


def _expected_triangles(voxels: float, options: MeshOptions) -> float:
    triangles: float = _TRIANGLES_BY_VOXELS * max(voxels, 1.0) ** (2 / 3)
    return min(triangles, _most_triangles(options))


def _most_triangles(options: MeshOptions) -> float:
    return _MOST_TRIANGLES * options.resolution**2


def _stages_us(triangles: float, options: MeshOptions) -> dict[Stage, float]:
    """What each stage of a structure takes that has so many triangles when it is found."""
    kept = triangles if options.triangles is None else min(triangles, options.triangles)
    once, each = _SMOOTHING_US
    is_smoothed = options.method is not SmoothingMethod.NONE
    of_stage = {
        Stage.SURFACE: triangles * _US_PER_TRIANGLE[Stage.SURFACE],
        Stage.SMOOTHING: is_smoothed * triangles * (once + each * options.iterations),
        Stage.REDUCTION: (triangles > kept) * triangles * _US_PER_TRIANGLE[Stage.REDUCTION],
        Stage.FINISHING: kept * _US_PER_TRIANGLE[Stage.FINISHING],
        Stage.STORING: kept * _US_PER_TRIANGLE[Stage.STORING],
    }
    return {stage: us and us + _FIXED_US.get(stage, 0.0) for stage, us in of_stage.items()}
