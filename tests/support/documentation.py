"""What README.md and the pages of docs/ say of routes, base URIs and settings."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PROJECT: Final = Path(__file__).parents[2]
_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE"})
PAGES: Final = [*sorted(_PROJECT.glob("*.md")), *sorted(_PROJECT.glob("d*/*.md"))]
"""README.md and its neighbours, and those of docs/ and docker/."""


def table_rows() -> list[str]:
    """All lines of tables that begin with code."""
    lines = [line for page in PAGES for line in page.read_text().splitlines()]
    return [line for line in lines if line.startswith("| `")]


def documented_routes() -> list[str]:
    """The routes in all tables, as "METHOD /path"."""
    first_cells = [row.split("`")[1] for row in table_rows()]
    return [cell for cell in first_cells if cell.split(" ")[0] in _METHODS]
