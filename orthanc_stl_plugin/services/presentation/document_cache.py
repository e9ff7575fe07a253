"""Answers about studies, kept until the study changes."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from orthanc_stl_plugin.iiif.presentation.collection import Member
from orthanc_stl_plugin.services.byte_cache import ByteCache, CacheCounts
from orthanc_stl_plugin.services.ports.catalogue import StudyEntry

# LastUpdate has whole seconds: a later change within the same second would go unnoticed.
_SETTLED: Final = dt.timedelta(seconds=2)
_MEMBER_BYTES: Final = 2048  # roughly
_MEMBERS_PART: Final = 4


@dataclass(frozen=True, slots=True)
class Document:
    """An answer.

    Attributes:
        content: JSON in UTF-8.
        digest: differs for different content.
    """

    content: bytes
    digest: str


def document(content: bytes) -> Document:
    """The document with that content."""
    return Document(content, hashlib.sha256(content).hexdigest()[:32])


class StudyCache[V]:
    """Values about studies, kept until the study changes.

    Args:
        max_bytes: the limit for all values together.
        weigh: the size of a value in bytes.
        now: the time, in UTC.
    """

    def __init__(
        self, max_bytes: int, weigh: Callable[[V], int], now: Callable[[], dt.datetime]
    ) -> None:
        self._values = ByteCache[V](max_bytes, weigh)
        self._now = now

    def counts(self) -> CacheCounts:
        """The statistics of the cache."""
        return self._values.counts()

    def get(self, study: StudyEntry, key: Hashable, make: Callable[[], V]) -> V:
        """The value made before for the unchanged study, or a new one."""
        last_update = _time(study.last_update)
        if last_update is None or self._now() - last_update <= _SETTLED:
            return make()
        return self._values.get((key, _revision(study)), make)


class StudyMemory:
    """All caches of documents about studies.

    Args:
        max_bytes: the limit for all values together.
        now: the time, in UTC.

    Attributes:
        documents: manifests, scenes and collections.
        members: each study as a member of collections; none if it shows nothing.
    """

    def __init__(self, max_bytes: int, now: Callable[[], dt.datetime]) -> None:
        of_members = max_bytes // _MEMBERS_PART
        of_documents = max_bytes - of_members
        self.documents = StudyCache[Document](of_documents, lambda one: len(one.content), now)
        self.members = StudyCache[tuple[Member, ...]](of_members, lambda _: _MEMBER_BYTES, now)

    def counts(self) -> dict[str, CacheCounts]:
        """The statistics of its caches."""
        return {"iiif_document": self.documents.counts(), "iiif_member": self.members.counts()}


def _revision(study: StudyEntry) -> Hashable:
    """A value that changes whenever the study does, including its own properties."""
    metadata = tuple(sorted(study.metadata.items()))
    return study.study_id, study.instance_count, study.series_ids, metadata


def _time(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
