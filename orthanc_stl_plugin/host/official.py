"""Official plugins that are loaded too, which keep their addresses."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from orthanc_stl_plugin.web.route import Route

STL_PLUGIN: Final = "OrthancSTL"
_ADDRESSES: Final = {"OrthancWSI": "/wsi/", STL_PLUGIN: "/stl/"}
_log = logging.getLogger(__name__)


def official_plugins(configuration: Mapping[str, Any]) -> frozenset[str]:
    """The official plugins with addresses like ours that Orthanc's configuration loads.

    They are found by their libraries: whether /plugins lists them yet depends on the order in which
    plugins are loaded.
    """
    named = [Path(str(one)) for one in configuration.get("Plugins", [])]
    files = [
        file.name
        for path in named
        for file in (path.iterdir() if path.is_dir() else (path,))
        if ".so" in file.suffixes
    ]
    return frozenset(name for name in _ADDRESSES if any(name in file for file in files))


def free_routes(routes: Iterable[Route], official: frozenset[str]) -> list[Route]:
    """The routes without those of official plugins that are loaded."""
    taken = tuple(_ADDRESSES[name] for name in sorted(official))
    for name in sorted(official):
        _log.warning(
            "the plugin %s is loaded: this one has no routes below %s", name, _ADDRESSES[name]
        )
    return [route for route in routes if not route.template.startswith(taken)]
