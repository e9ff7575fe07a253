"""Whether a job's progress is that of the time: bench inputs as jobs of a real Orthanc."""

from __future__ import annotations

import base64
import gzip
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import nibabel as nib
import numpy as np

from tests.support.orthanc_server import OrthancServer
from tools.benchmarks.inputs import Case, cases
from tools.benchmarks.printing import head, line
from tools.demo import figurine

COLUMNS: Final = ("input", "resolution", "s", "worst factor", "at share", "shown", "limit", "met")
LIMIT: Final = 2.0
SMALLEST_SHARE: Final = 0.05
LOOK_S: Final = 0.01
RUNS: Final = 3
_ONE_RUN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Look:
    """What a job showed at a moment: seconds of its run, percent, stage."""

    seconds: float
    percent: int
    stage: str


def factor(share: float, percent: int) -> float:
    """How far the progress is from the share of the time, as a factor of at least 1."""
    shown = max(percent, 1) / 100
    return max(shown / share, share / shown)


def watched(server: OrthancServer, study: str, case: Case) -> list[Look]:
    """A job that makes the models of a case, looked at until it ends; the last look is its end."""
    image = nib.Nifti1Image(np.asarray(case.voxels()), np.diag([*case.spacing_mm, 1.0]))
    body = {
        "Nifti": base64.b64encode(_compressed(image)).decode(),
        "ParentStudy": study,
        "Resolution": case.resolution,
        "Split": case.is_labels,
        "Asynchronous": True,
    }
    path = server.post("/stl/encode-nifti", body).json()["Path"]
    looks: list[Look] = []
    while True:
        job: dict[str, Any] = server.get(path).json()
        stage = str(job["Content"].get("Stage", ""))
        looks.append(Look(job["EffectiveRuntime"], job["Progress"], stage))
        if job["State"] in {"Success", "Failure"}:
            if job["State"] == "Failure":
                raise RuntimeError(job["ErrorDetails"])
            return looks
        time.sleep(LOOK_S)


def worst(looks: Sequence[Look]) -> tuple[float, float, int]:
    """The largest factor, and the share of the time and the percent that were shown there."""
    end = looks[-1].seconds
    shares = [(look.seconds / end, look.percent) for look in looks[:-1]]
    counted = [one for one in shares if one[0] >= SMALLEST_SHARE] or [(1.0, 100)]
    return max((factor(*one), *one) for one in counted)


def print_table(only: str, *, is_quick: bool) -> bool:
    """Prints the table; whether no factor is above its limit.

    Args:
        only: inputs whose title holds this text.
        is_quick: few inputs.
    """
    chosen = [one for one in cases() if only in one.title and (one.is_quick or not is_quick)]
    print(
        "\nProgress of a job beside the share of its time that has gone, looked at every"
        f" {1000 * LOOK_S:.0f} ms from a share of {SMALLEST_SHARE:g} on, in a real Orthanc; the"
        f" median of the worst of {RUNS} runs.\n\n" + head(COLUMNS, 1),
        flush=True,
    )
    is_met = True
    for cells in rows(chosen):
        is_met &= cells[-1] == "yes"
        print(line(cells), flush=True)
    return is_met


def rows(chosen: Sequence[Case]) -> Iterator[list[str]]:
    """The table, a row for each case."""
    with OrthancServer() as server:
        study = server.upload(next(figurine.ct_series(figurine.scan())))["ParentStudy"]
        for case in chosen:
            runs = [watched(server, study, case)]
            while len(runs) < RUNS and runs[0][-1].seconds < _ONE_RUN_S:
                runs.append(watched(server, study, case))
            found, share, percent = sorted(map(worst, runs))[len(runs) // 2]
            yield [
                case.title, str(case.resolution), f"{runs[-1][-1].seconds:.2f}",
                f"{found:.2f}", f"{share:.2f}", f"{percent} %", f"{LIMIT:g}",
                "yes" if found <= LIMIT else "NO",
            ]  # fmt: skip


def _compressed(image: Any) -> bytes:
    return gzip.compress(image.to_bytes(), 1)
