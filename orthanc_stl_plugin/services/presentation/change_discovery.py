"""What has been published, changed and withdrawn: found by comparison with what was announced.

Orthanc's own list of changes cannot tell it: it forgets resources that were deleted, does not
notice labels, and can be emptied. So what was announced is remembered, and compared with what
there is. In a large archive that takes seconds: requests are then answered from memory.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Final, Protocol

from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.iiif.presentation.addresses import Addresses
from orthanc_stl_plugin.iiif.presentation.discovery import (
    Activity,
    Kind,
    page_count,
    write_changes,
    write_changes_page,
)
from orthanc_stl_plugin.services.ports.catalogue import Catalogue, Level, StudyState
from orthanc_stl_plugin.services.presentation.document_cache import Document, document
from orthanc_stl_plugin.services.presentation.visibility import study_shows

# Where more studies are to be looked at, one question about all is faster than one about each.
_MOST_LOOKS: Final = 16
# The oldest are forgotten: a harvester that stayed away for so long starts anew.
MOST_WITHDRAWN: Final = 10_000
# So many studies are compared within a request, in some 0.2 ms each; more by `Announcer.tick`.
MOST_COMPARED_AT_ONCE: Final = 200
# Comparisons by `Announcer.tick` take at most this share of the time.
_MOST_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Announced:
    """What was said of a study.

    Attributes:
        created: when it was published, in UTC.
        updated: when it last changed, in UTC; as `created` when it never did.
        state: what tells whether it has changed since.
    """

    created: dt.datetime
    updated: dt.datetime
    state: str


@dataclass(frozen=True, slots=True)
class Memory:
    """All that was said.

    Attributes:
        announced: by study.
        withdrawn: when studies ceased to be public, in UTC, the oldest first.
        is_new: nothing was ever said.
    """

    announced: Mapping[str, Announced] = field(default_factory=dict)
    withdrawn: Mapping[str, dt.datetime] = field(default_factory=dict)
    is_new: bool = True


class MemoryStore(Protocol):
    """Keeps the memory over restarts."""

    def load(self) -> Memory:
        """What was saved last; a new memory if nothing was."""
        ...

    def save(self, memory: Memory) -> None:
        """Replaces what was saved."""
        ...


class Announcer:
    """Tells harvesters what is public, and what no longer is.

    Args:
        catalogue: knows what there is.
        label: Orthanc's label of what is public; empty when everything is.
        store: keeps what was said.
        now: the time, in UTC.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        label: str,
        store: MemoryStore,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._catalogue = catalogue
        self._label = label
        self._store = store
        self._now = now
        self._guard = threading.Lock()
        self._memory: Memory | None = None
        self._activities: Sequence[Activity] | None = None
        self._is_large = False
        self._next_at = 0.0  # of the monotonic clock, for `tick`
        self._is_due = True
        self._shows_nothing: Mapping[str, str] = {}  # the state of each study that was found so

    def changes(self, base: str) -> Document:
        """The list of all pages; `base` is the server's root, as the client sees it."""
        return document(write_changes(Addresses(base), self._current()))

    def page(self, number: int, base: str) -> Document:
        """One page, counted from 0. Studies that are not public any more are left out at once.

        Raises:
            NotFound: there is no such page.
        """
        said = self._current()
        if not 0 <= number < page_count(said):
            raise NotFound("NoSuchPage", page=number, count=page_count(said))
        still_holds = self._still_holds if self._is_large else None
        return document(write_changes_page(Addresses(base), said, number, still_holds))

    def tick(self) -> None:
        """Compares a large archive if somebody has asked since, and not all of the time."""
        if self._is_due and monotonic() >= self._next_at:
            started_at = monotonic()
            self._compare()
            self._next_at = monotonic() + (monotonic() - started_at) / _MOST_SHARE

    def _current(self) -> Sequence[Activity]:
        said = self._activities
        if said is None or not self._is_large:
            return self._compare()
        self._is_due = True
        return said

    def _compare(self) -> Sequence[Activity]:
        # One after the other, though reading takes its time: who read before a withdrawal, and
        # compares or saves after it, would publish the study again.
        with self._guard:
            self._is_due = False
            states = self._catalogue.study_states(self._label)
            self._is_large = len(states) > MOST_COMPARED_AT_ONCE
            now = self._now().replace(microsecond=0)
            before = self._memory or self._store.load()
            after = compared(before, self._showing(states, before), now)
            if after != before:
                self._store.save(after)
            if self._activities is None or after != before:
                self._activities = activities(after)
            self._memory = after
            return self._activities

    def _still_holds(self, activity: Activity) -> bool:
        """Whether a study that was said to be public is so now."""
        if activity.kind is Kind.DELETE:
            return True
        if self._label:
            return self._catalogue.has_label(activity.study_id, self._label)
        try:
            self._catalogue.study_of(Level.STUDY, activity.study_id)
        except NotFound:
            return False
        return True

    def _showing(self, states: list[StudyState], before: Memory) -> list[StudyState]:
        """Those that show something. What is still the same is not looked at again."""
        known = {study_id: one.state for study_id, one in before.announced.items()}
        digests = {one.study_id: _state(one) for one in states}
        shown = {one for one, digest in digests.items() if known.get(one) == digest}
        new = [
            one
            for one in states
            if one.study_id not in shown
            and self._shows_nothing.get(one.study_id) != digests[one.study_id]
        ]
        classes = self._catalogue.sop_classes(self._label) if len(new) > _MOST_LOOKS else {}
        shown |= {
            one.study_id
            for one in new
            if study_shows(
                self._catalogue, one.study_id, one.modalities, classes.get(one.study_id, ())
            )
        }
        self._shows_nothing = {
            study_id: digest for study_id, digest in digests.items() if study_id not in shown
        }
        return [one for one in states if one.study_id in shown]


def compared(memory: Memory, states: list[StudyState], now: dt.datetime) -> Memory:
    """The memory after these studies were found to be public, and to show something; no others.

    What is new is announced at the time it is found, however old the study: a harvester would
    never look back at the past. The very first time, studies are dated by their own last change.
    """
    announced: dict[str, Announced] = {}
    for study in states:
        state, known = _state(study), memory.announced.get(study.study_id)
        if known is None:
            time = min(_last_update(study) or now, now) if memory.is_new else now
            announced[study.study_id] = Announced(time, time, state)
        elif known.state != state:
            announced[study.study_id] = replace(known, updated=now, state=state)
        else:
            announced[study.study_id] = known
    gone = {study_id: now for study_id in memory.announced if study_id not in announced}
    withdrawn = {
        study_id: time
        for study_id, time in {**memory.withdrawn, **gone}.items()
        if study_id not in announced
    }
    excess = max(0, len(withdrawn) - MOST_WITHDRAWN)
    return Memory(announced, dict(list(withdrawn.items())[excess:]), is_new=False)


def activities(memory: Memory) -> list[Activity]:
    """All that was said, in the order of time."""
    said = [
        Activity(Kind.CREATE, study_id, one.created) for study_id, one in memory.announced.items()
    ]
    said += [
        Activity(Kind.UPDATE, study_id, one.updated)
        for study_id, one in memory.announced.items()
        if one.updated > one.created
    ]
    said += [Activity(Kind.DELETE, study_id, time) for study_id, time in memory.withdrawn.items()]
    return sorted(said, key=lambda one: (one.ended, one.kind, one.study_id))


def _state(study: StudyState) -> str:
    """A digest: Orthanc changes LastUpdate with every new instance, the count with every other."""
    text = repr((study.instance_count, sorted(study.metadata.items())))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _last_update(study: StudyState) -> dt.datetime | None:
    text = study.metadata.get("LastUpdate", "")
    try:
        return dt.datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
