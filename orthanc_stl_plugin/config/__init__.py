"""The plugin's section of orthanc.json: every setting, its default, its limits.

A setting is a field of `Settings`, or of one of its sections. `python -m tools.settings_page`
writes docs/settings.md from them; a test fails where one is missing there or in orthanc.json.
"""

from orthanc_stl_plugin.config.presentation import Presentation, Provider, Publish
from orthanc_stl_plugin.config.settings import (
    SECTION,
    Settings,
    documented,
    read_settings,
)
from orthanc_stl_plugin.config.texts import NO_TEXTS, Texts

__all__ = [
    "NO_TEXTS",
    "SECTION",
    "Presentation",
    "Provider",
    "Publish",
    "Settings",
    "Texts",
    "documented",
    "read_settings",
]
