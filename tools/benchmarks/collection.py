"""How fast manifests, collections and changes of a large collection are answered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Final

import numpy as np
import requests
from pydicom.dataset import Dataset

from tests.support.dicom_samples import file_bytes, image_dataset
from tests.support.orthanc_server import OrthancServer
from tools.benchmarks.printing import head, line, machine

_OBJECTS: Final = 1000
_SLICES: Final = 2000
_QUICK: Final = 100
_RUNS: Final = 100
_QUICK_RUNS: Final = 10
_LARGE_GOAL_S: Final = 0.3
_COLUMNS: Final = ("answer", "KiB", "first, ms", "median, ms", "p99, ms", "304, ms", "goal", "met")


@dataclass(frozen=True, slots=True)
class _Row:
    """An address to request, and the goal for its 99th percentile in seconds."""

    title: str
    path: str
    goal_s: float | None = None


def print_table(only: str, *, is_quick: bool) -> bool:
    """Prints the table; whether every goal is met."""
    objects, slices = (_QUICK, _QUICK) if is_quick else (_OBJECTS, _SLICES)
    runs = _QUICK_RUNS if is_quick else _RUNS
    print(
        f"\n# A collection of {objects} studies, and one of {slices} slices\n\n{machine()}.\n\n"
        "One client, one request after the other. The first answer is made, the others are kept;"
        " a client that has it already gets 304.\n"
    )
    print(head(_COLUMNS, text_columns=1))
    is_met = True
    with OrthancServer() as server:
        rows = _filled(server, objects, slices)
        for row in rows:
            if only in row.title:
                cells, row_is_met = _measured(server, row, runs)
                is_met &= row_is_met
                print(line(cells), flush=True)
    return is_met


def _filled(server: OrthancServer, objects: int, slices: int) -> Sequence[_Row]:
    for number in range(1, objects):
        server.upload(file_bytes(_image(f"1.2.3.{number}", 1, f"P{number // 3}")))
    stored = server.upload(file_bytes(_image("1.2.3.0", 1, "P0")))
    for number in range(2, slices + 1):
        server.upload(file_bytes(_image("1.2.4", number, "S")))
    stack = server.upload(file_bytes(_image("1.2.4", 1, "S")))
    study, series = stack["ParentStudy"], stack["ParentSeries"]
    return (
        _Row("whole collection", "/iiif/collection.json"),
        _Row("a hundred studies", "/iiif/collection/1.json"),
        _Row("studies of a patient", f"/patients/{stored['ParentPatient']}/iiif/collection.json"),
        _Row("manifest of a study", f"/studies/{stored['ParentStudy']}/iiif/manifest.json"),
        _Row(f"study of {slices} slices", f"/studies/{study}/iiif/manifest.json", _LARGE_GOAL_S),
        _Row(f"series of {slices} slices", f"/series/{series}/iiif/manifest.json", _LARGE_GOAL_S),
        _Row("list of changes", "/iiif/discovery/all-changes.json"),
        _Row("page of changes", "/iiif/discovery/page-0.json"),
    )


def _image(study: str, number: int, patient: str) -> Dataset:
    dataset = image_dataset(np.zeros((64, 64), np.int16), number)
    dataset.PatientID = patient
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.1"
    dataset.SOPInstanceUID = f"{study}.1.{number}"
    dataset.StudyDescription, dataset.StudyDate = f"Object {study}", "20200101"
    dataset.ImagePositionPatient = [0, 0, number]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    return dataset


def _measured(server: OrthancServer, row: _Row, runs: int) -> tuple[list[str], bool]:
    first_s, answer = _timed(server, row.path, {})
    known = {"If-None-Match": answer.headers["ETag"]}
    full = sorted(_timed(server, row.path, {})[0] for _ in range(runs))
    unchanged = sorted(_timed(server, row.path, known)[0] for _ in range(runs))
    p99_s = full[math.ceil(0.99 * runs) - 1]
    is_met = row.goal_s is None or p99_s < row.goal_s
    cells = [
        row.title,
        f"{len(answer.content) / 1024:.0f}",
        *(f"{1000 * seconds:.1f}" for seconds in (first_s, median(full), p99_s, median(unchanged))),
        f"{1000 * row.goal_s:g}" if row.goal_s else "",
        ("yes" if is_met else "NO") if row.goal_s else "",
    ]
    return cells, is_met


def _timed(
    server: OrthancServer, path: str, headers: dict[str, str]
) -> tuple[float, requests.Response]:
    start = perf_counter()
    answer = server.get(path, headers=headers)
    seconds = perf_counter() - start
    assert answer.status_code == (304 if headers else 200), answer.text
    return seconds, answer
