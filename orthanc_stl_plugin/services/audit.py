"""The audit log: what was made, published, withdrawn and deleted, and who asked for changes.

Orthanc says what it did, but not for whom; who asked is known from the requests. The log has both,
with their times.
"""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from orthanc_stl_plugin.services.ports.catalogue import Catalogue

_CHANGING_S: Final = 30
"""How long after a request its change of labels is looked for: requests are noted before they
are carried out."""

_RESTS: Final = 20
"""How many times as long as a look the rest after it is: in large archives a look takes long."""

_log = logging.getLogger(__name__)


class Audit:
    """Writes the log, as warnings: Orthanc shows these by default.

    Args:
        catalogue: knows the labels of studies.
        label: of the studies that the public sees; empty where all are public.
        now: a clock, in seconds.
    """

    def __init__(
        self, catalogue: Catalogue, label: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._catalogue = catalogue
        self._label = label
        self._now = now
        self._published: frozenset[str] | None = None
        self._is_due = True
        self._changes_until = 0.0
        self._rests_until = 0.0

    def requested(self, method: str, path: str, user: str) -> None:
        """Notes a request that may change something; its real method, not what it pretends."""
        self._is_due = True
        self._changes_until = self._now() + _CHANGING_S
        _log.warning("audit: %s asks for %s %s", _one_line(user), method, _one_line(path))

    def deleted(self, level: str, identifier: str) -> None:
        """Notes a deleted study, series or instance."""
        _log.warning("audit: %s %s was deleted", level, identifier)

    def look(self) -> None:
        """Notes which studies were published and withdrawn since it was last called."""
        started = self._now()
        if not self._label or not self._is_due or started < self._rests_until:
            return
        states = self._catalogue.study_states(self._label)
        self._is_due = started < self._changes_until
        published = frozenset(state.study_id for state in states)
        if self._published is not None:
            for study_id in sorted(published - self._published):
                _log.warning("audit: study %s was published", study_id)
            for study_id in sorted(self._published - published):
                _log.warning("audit: study %s was withdrawn", study_id)
        self._published = published
        self._rests_until = self._now() + _RESTS * (self._now() - started)


def basic_user(headers: Mapping[str, str]) -> str:
    """Whom a request names by Basic authentication (RFC 7617); empty if nobody.

    Orthanc has checked the password, where it asks for one.
    """
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials).decode("utf-8", "replace").partition(":")[0]
    except ValueError:
        return ""


def _one_line(text: str) -> str:
    """The text without what could begin a line of its own in the log."""
    return text.encode("unicode_escape").decode("ascii")
