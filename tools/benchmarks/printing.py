"""Tables as Markdown, and the machine that they were measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path


def head(columns: Sequence[str], text_columns: int) -> str:
    """The first two lines of a table; all but the first `text_columns` columns are numbers."""
    marks = [*["---"] * text_columns, *["---:"] * (len(columns) - text_columns)]
    return f"{line(columns)}\n{line(marks)}"


def line(cells: Sequence[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    """Its cores, its processor and the version of Python."""
    processor = platform.processor() or platform.machine()
    if (facts := Path("/proc/cpuinfo")).exists():
        models = [one for one in facts.read_text().splitlines() if one.startswith("model name")]
        processor = models[0].split(":", 1)[1].strip() if models else processor
    return f"{os.cpu_count()} cores, {processor}; Python {platform.python_version()}"
