"""Facts about Orthanc itself, and the additions to its web interface."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orthanc

PAGES: Final = Path(__file__).parent.parent / "pages"
EXPLORER_SCRIPT: Final = PAGES / "explorer" / "legacy.js"
_HOST_PLUGIN: Final = "python"  # what Orthanc calls the plugin that runs this one


class OrthancHost:
    """See the port `orthanc_stl_plugin.services.status.Host`."""

    def name(self) -> str:
        """See the port."""
        return str(_system().get("Name") or "")

    def version(self) -> str:
        """See the port."""
        return str(_system()["Version"])

    def plugins(self) -> Sequence[str]:
        """See the port."""
        names: list[str] = json.loads(orthanc.RestApiGet("/plugins"))
        return names


def extend_explorer(javascript: str) -> None:
    """Adds JavaScript to the built-in Orthanc Explorer."""
    orthanc.ExtendOrthancExplorer2(_HOST_PLUGIN, javascript)


def _system() -> dict[str, Any]:
    system: dict[str, Any] = json.loads(orthanc.RestApiGet("/system"))
    return system
