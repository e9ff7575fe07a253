"""The command `orthanc-stl-plugin`: prints what other programs' configurations need."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_EXPLORER: Final = Path(__file__).parent / "pages" / "explorer"
_STYLES: Final = _EXPLORER / "oe2.css"


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command with `arguments`, else with those of the process."""
    parser = argparse.ArgumentParser(prog="orthanc-stl-plugin", description=__doc__)
    parser.add_argument(
        "what",
        choices=("explorer2-json", "explorer2-css"),
        help="the section of Orthanc's configuration that gives Orthanc Explorer 2 its buttons,"
        " or the style sheet that it names",
    )
    what = parser.parse_args(arguments).what
    sys.stdout.write(explorer2_section() if what == "explorer2-json" else _STYLES.read_text())


def explorer2_section() -> str:
    """The JSON of the section; it names the style sheet where this package has it."""
    configuration = json.loads((_EXPLORER / "oe2.json").read_text(encoding="utf-8"))
    configuration["OrthancExplorer2"]["CustomCssPath"] = str(_STYLES)
    return json.dumps(configuration, indent=2) + "\n"
