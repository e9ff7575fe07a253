"""Activity streams (IIIF Change Discovery 1.0, level 2): what was published, changed, withdrawn."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from orthanc_stl_plugin.iiif.presentation.addresses import Addresses
from orthanc_stl_plugin.iiif.presentation.canvas import Json

CONTEXT: Final = "http://iiif.io/api/discovery/1/context.json"
MEDIA_TYPE: Final = f'application/ld+json;profile="{CONTEXT}"'
PAGE_SIZE: Final = 100


class Kind(StrEnum):
    """The kinds of activities."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class Activity:
    """A change of the manifest of a study.

    Attributes:
        kind: the kind of change.
        study_id: Orthanc's identifier.
        ended: its time, in UTC.
    """

    kind: Kind
    study_id: str
    ended: dt.datetime


def page_count(activities: Sequence[Activity]) -> int:
    """The number of pages, at least 1."""
    return max(1, -(-len(activities) // PAGE_SIZE))


def write_changes(addresses: Addresses, activities: Sequence[Activity]) -> bytes:
    """The OrderedCollection, whose last page a harvester reads first (section 3.4)."""
    last = page_count(activities) - 1
    return _utf8(
        {
            "@context": CONTEXT,
            "id": addresses.changes(),
            "type": "OrderedCollection",
            "totalItems": len(activities),
            "first": _page_link(addresses, 0),
            "last": _page_link(addresses, last),
        }
    )


def write_changes_page(
    addresses: Addresses,
    activities: Sequence[Activity],
    number: int,
    still_holds: Callable[[Activity], bool] | None = None,
) -> bytes:
    """One page, counted from 0; activities ascend in time over all pages.

    Those that `still_holds` denies are left out: the next comparison withdraws them.
    """
    start = number * PAGE_SIZE
    page: Json = {
        "@context": CONTEXT,
        "id": addresses.changes_page(number),
        "type": "OrderedCollectionPage",
        "startIndex": start,
        "partOf": {"id": addresses.changes(), "type": "OrderedCollection"},
    }
    if number > 0:
        page["prev"] = _page_link(addresses, number - 1)
    if number + 1 < page_count(activities):
        page["next"] = _page_link(addresses, number + 1)
    shown = activities[start : start + PAGE_SIZE]
    if still_holds is not None:
        shown = [activity for activity in shown if still_holds(activity)]
    page["orderedItems"] = [_activity_json(addresses, activity) for activity in shown]
    return _utf8(page)


def _page_link(addresses: Addresses, number: int) -> Json:
    return {"id": addresses.changes_page(number), "type": "OrderedCollectionPage"}


def _activity_json(addresses: Addresses, activity: Activity) -> Json:
    return {
        "type": activity.kind.value,
        "endTime": activity.ended.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "object": {"id": addresses.study_manifest(activity.study_id), "type": "Manifest"},
    }


def _utf8(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
