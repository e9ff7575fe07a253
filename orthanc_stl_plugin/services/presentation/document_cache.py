"""Answers, kept for as long as the study they tell of stays the same."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from orthanc_stl_plugin.iiif.presentation.collection import Member
from orthanc_stl_plugin.services.byte_cache import ByteCache, CacheCounts
from orthanc_stl_plugin.services.ports.catalogue import StudyEntry

# LastUpdate has whole seconds: what was made so soon after it may miss what came a moment later.
_SETTLED: Final = dt.timedelta(seconds=2)
_MEMBER_BYTES: Final = 2048  # roughly
_MEMBERS_PART: Final = 4


@dataclass(frozen=True, slots=True)
class Document:
    """An answer.

    Attributes:
        content: JSON in UTF-8.
        digest: changes whenever a byte of it does.
    """

    content: bytes
    digest: str


def document(content: bytes) -> Document:
    """The document of that content."""
    return Document(content, hashlib.sha256(content).hexdigest()[:32])


class StudyCache[V]:
    """What was made of a study, until the study changes.

    Args:
        max_bytes: the most that all values together may have.
        weigh: the bytes of a value.
        now: the time, in UTC.
    """

    def __init__(
        self, max_bytes: int, weigh: Callable[[V], int], now: Callable[[], dt.datetime]
    ) -> None:
        self._values = ByteCache[V](max_bytes, weigh)
        self._now = now

    def counts(self) -> CacheCounts:
        """What the cache has done and holds."""
        return self._values.counts()

    def get(self, study: StudyEntry, key: Hashable, make: Callable[[], V]) -> V:
        """The value as it was made of the same study before, or a new one."""
        last_update = _time(study.last_update)
        if last_update is None or self._now() - last_update <= _SETTLED:
            return make()
        return self._values.get((key, _revision(study)), make)


class StudyMemory:
    """What was made of studies.

    Args:
        max_bytes: the most that everything together may have.
        now: the time, in UTC.

    Attributes:
        documents: manifests, scenes and collections.
        members: what collections tell of each study; nothing of one that shows nothing.
    """

    def __init__(self, max_bytes: int, now: Callable[[], dt.datetime]) -> None:
        of_members = max_bytes // _MEMBERS_PART
        of_documents = max_bytes - of_members
        self.documents = StudyCache[Document](of_documents, lambda one: len(one.content), now)
        self.members = StudyCache[tuple[Member, ...]](of_members, lambda _: _MEMBER_BYTES, now)

    def counts(self) -> dict[str, CacheCounts]:
        """What its caches have done, and hold."""
        return {"iiif_document": self.documents.counts(), "iiif_member": self.members.counts()}


def _revision(study: StudyEntry) -> Hashable:
    """What changes whenever the study does, its override included."""
    metadata = tuple(sorted(study.metadata.items()))
    return study.study_id, study.instance_count, study.series_ids, metadata


def _time(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
