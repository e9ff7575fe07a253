"""Writes the table of docs/settings.md from the declared settings: python -m tools.settings_page"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from orthanc_stl_plugin.config import documented

PAGE: Final = Path(__file__).parents[1] / "docs" / "settings.md"
_HEAD: Final = "| Setting | Default | Meaning |\n|---|---|---|\n"


def with_table(page: str) -> str:
    """The page with the table of all settings in place of its own, which ends it."""
    rows = [
        f"| `{place}` | `{json.dumps(default)}` | {meaning} |\n"
        for place, default, meaning in documented()
    ]
    return page[: page.index(_HEAD)] + _HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
