"""Who sends a request, and which studies they may see."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final

from orthanc_stl_plugin.config import Publish
from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.services.byte_cache import ByteCache
from orthanc_stl_plugin.services.ports.catalogue import Catalogue, Level

_KNOWN_BYTES: Final = 8 << 20
_ENTRY_BYTES: Final = 200
_LONGEST_NAME: Final = 100


class Publication:
    """Recognises staff by a header from the reverse proxy, and published studies by their label.

    Everybody else is the public: a missing or wrong header opens nothing.
    """

    def __init__(self, settings: Publish, catalogue: Catalogue) -> None:
        self.label = settings.label
        self._staff_header = settings.staff_header.lower()
        self._user_header = settings.user_header.lower()
        self._staff_value = settings.staff_value.encode()
        self._catalogue = catalogue
        # An identifier is derived from the UIDs above it, so it never moves to another study.
        self._studies = ByteCache[str](_KNOWN_BYTES, lambda _: _ENTRY_BYTES)

    @property
    def is_restricted(self) -> bool:
        """Whether anything is hidden from the public."""
        return bool(self.label)

    def is_public(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with these headers (by lower-case name) does not come from staff."""
        if not self.is_restricted:
            return False
        value = headers.get(self._staff_header, "").encode("utf-8", "replace")
        return not hmac.compare_digest(value, self._staff_value)

    def user(self, headers: Mapping[str, str]) -> str:
        """Who of the staff sends a request with these headers; empty where that is unknown."""
        if not self._user_header or self.is_public(headers):
            return ""
        return headers.get(self._user_header, "")[:_LONGEST_NAME]

    def check(self, level: Level, identifier: str) -> None:
        """Checks that the public may see a study, series or instance now.

        Raises:
            NotFound: it may not, or there is none; the error does not say which.
        """
        if not self._is_published(level, identifier):
            raise NotFound("NothingPublicNamed", id=identifier[:80])

    def _is_published(self, level: Level, identifier: str) -> bool:
        try:
            study_id = self._studies.get(
                (level, identifier), lambda: self._catalogue.study_of(level, identifier)
            )
        except NotFound:
            return False
        return self._catalogue.has_label(study_id, self.label)
