"""The plugin's section of orthanc.json: every setting, its default, its limits.

A setting is a field of `Settings`, or of one of its sections. Its key in the configuration is the
name that `kinds` was given, its documentation stands in docs/settings.md (a test fails when one
is missing there or in orthanc.json).
"""

from orthanc_stl_plugin.config.presentation import Presentation, Provider, Publish
from orthanc_stl_plugin.config.settings import (
    SECTION,
    Settings,
    read_settings,
    setting_defaults,
    setting_keys,
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
    "read_settings",
    "setting_defaults",
    "setting_keys",
]
