"""How fast models are made and tiles are served, beside the official plugins; how jobs fare."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from tools.benchmarks import collection, models, progress, tiles, waiting

_TABLES: Final = {
    "models": models.print_table,
    "progress": progress.print_table,
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
    arguments = parser.parse_args()
    chosen = [arguments.subject] if arguments.subject else list(_TABLES)
    met = [_TABLES[one](arguments.only, is_quick=arguments.quick) for one in chosen]
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
