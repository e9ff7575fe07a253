"""How fast models are made and tiles are served, beside the official plugins; how jobs fare."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tools.benchmarks import collection, models, page, tiles, waiting
from tools.benchmarks.printing import machine

_TABLES: Final = {
    "models": models.print_table,
    "waiting": waiting.print_table,
    "tiles": tiles.print_table,
    "collection": collection.print_table,
}


def main() -> int:
    """Prints the tables; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tools.benchmarks", description=__doc__)
    parser.add_argument("subject", nargs="?", choices=list(_TABLES), help="one table alone")
    parser.add_argument("--quick", action="store_true", help="few inputs, short runs")
    parser.add_argument("--only", default="", help="rows whose title holds this text")
    parser.add_argument("--save", type=Path, help="also write the tables into this page")
    arguments = parser.parse_args()
    met = []
    for subject in [arguments.subject] if arguments.subject else list(_TABLES):
        with page.kept_output() as printed:
            met.append(_TABLES[subject](arguments.only, is_quick=arguments.quick))
        if arguments.save:
            _save(arguments.save, subject, printed.getvalue())
    return int(not all(met))


def _save(path: Path, subject: str, printed: str) -> None:
    measured = f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine()}."
    path.write_text(page.replaced(path.read_text(), subject, printed, measured))


if __name__ == "__main__":
    sys.exit(main())
