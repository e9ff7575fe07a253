import datetime as dt
import json
from typing import Any

from orthanc_stl_plugin.iiif.presentation.addresses import Addresses
from orthanc_stl_plugin.iiif.presentation.discovery import (
    Activity,
    Kind,
    page_count,
    write_changes,
    write_changes_page,
)

M = Addresses("https://m")
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def some(count: int) -> list[Activity]:
    return [
        Activity(Kind.CREATE, f"s{number}", START + dt.timedelta(seconds=number))
        for number in range(count)
    ]


def page(count: int, number: int) -> Any:
    return json.loads(write_changes_page(M, some(count), number))


def test_the_collection_names_its_first_and_last_page():
    assert json.loads(write_changes(M, some(201))) == {
        "@context": "http://iiif.io/api/discovery/1/context.json",
        "id": "https://m/iiif/discovery/all-changes.json",
        "type": "OrderedCollection",
        "totalItems": 201,
        "first": {"id": "https://m/iiif/discovery/page-0.json", "type": "OrderedCollectionPage"},
        "last": {"id": "https://m/iiif/discovery/page-2.json", "type": "OrderedCollectionPage"},
    }


def test_pages_are_linked_both_ways():
    first, middle, last = (page(201, number) for number in range(3))
    assert "prev" not in first
    assert first["next"]["id"] == middle["id"]
    assert middle["prev"]["id"] == first["id"]
    assert middle["next"]["id"] == last["id"]
    assert "next" not in last
    assert [one["startIndex"] for one in (first, middle, last)] == [0, 100, 200]


def test_an_activity_tells_what_happened_to_which_manifest_and_when():
    assert page(1, 0)["orderedItems"] == [
        {
            "type": "Create",
            "endTime": "2026-01-01T00:00:00Z",
            "object": {"id": "https://m/studies/s0/iiif/manifest.json", "type": "Manifest"},
        }
    ]


def test_all_pages_together_hold_every_activity_once():
    found = [
        one["object"]["id"] for number in range(3) for one in page(201, number)["orderedItems"]
    ]
    assert len(found) == len(set(found)) == 201


def test_nothing_at_all_is_one_empty_page():
    assert page_count([]) == 1
    assert page(0, 0)["orderedItems"] == []
