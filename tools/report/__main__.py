"""Makes every model of the shared data and tells how far each is from its source."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import Future
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from pebble import ProcessPool

from tools.report.conversion import ALL, Row, rows
from tools.report.samples import DATA, Sample, samples
from tools.report.table import markdown

PROCESSES: Final = 2
FILE_LIMIT_S: Final = 300.0


def main() -> int:
    """Prints the report; 1 when a model breaks a limit."""
    parser = argparse.ArgumentParser(prog="python -m tools.report", description=__doc__)
    parser.add_argument("--output", type=Path, help="write the report to this file")
    parser.add_argument("--only", default="", help="files whose path holds this text")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        print("There is nothing to report on: the shared data, ../shared/data, are absent.")
        return 0
    chosen = [sample for sample in samples() if arguments.only in sample.name]
    found = _without_repeats(_all_rows(chosen))
    text = markdown(found)
    if arguments.output is None:
        print(text)
    else:
        arguments.output.write_text(text)
    return int(any(row.problems for row in found))


def _all_rows(chosen: list[Sample]) -> list[Row]:
    """The rows of all samples, in their order; the largest files are begun first."""
    started: dict[Sample, Future[list[Row]]] = {}
    with ProcessPool(max_workers=PROCESSES, context=get_context("spawn")) as pool:
        for sample in sorted(chosen, key=lambda one: -one.path.stat().st_size):
            started[sample] = pool.schedule(rows, args=[sample], timeout=FILE_LIMIT_S)
        return [row for sample in chosen for row in _awaited(sample, started[sample])]


def _awaited(sample: Sample, future: Future[list[Row]]) -> list[Row]:
    try:
        found = future.result()
    except TimeoutError:
        problem = f"no answer within {FILE_LIMIT_S:g} s"
    except Exception as error:  # noqa: BLE001  # whatever goes wrong is what the report is about
        problem = f"{type(error).__name__}: {error}"
    else:
        print(f"{len(found):4} {sample.kind} of {sample.name}", file=sys.stderr)
        return found
    return [Row(sample.name, ALL, problems=(problem,))]


def _without_repeats(found: list[Row]) -> list[Row]:
    """Without the same refusal of both ways to read a file."""
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    sys.exit(main())
