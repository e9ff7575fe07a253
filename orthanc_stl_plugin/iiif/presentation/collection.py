"""Collections (IIIF Presentation 3.0 section 5.1), of manifests or of further collections."""

from __future__ import annotations

from dataclasses import dataclass

from orthanc_stl_plugin.config import Texts
from orthanc_stl_plugin.iiif.presentation.canvas import Json, Picture, Still, thumbnail_json
from orthanc_stl_plugin.iiif.presentation.descriptive import Description, Homepage, description_json
from orthanc_stl_plugin.iiif.presentation.manifest import (
    CONTEXT,
    NO_LINKS,
    Links,
    links_json,
    written,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a collection.

    Attributes:
        address: of the member.
        is_collection: whether it is a collection; otherwise a manifest.
        label: its name.
        thumbnail: an image of it, or None.
        nav_date: an xsd:dateTime; may be empty.
        homepage: its page, or None.
    """

    address: str
    is_collection: bool
    label: Texts
    thumbnail: Picture | Still | None = None
    nav_date: str = ""
    homepage: Homepage | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection.

    Attributes:
        address: its identifier, at which it is served.
        description: its descriptive properties.
        members: in their order; may be empty.
        links: related resources.
    """

    address: str
    description: Description
    members: tuple[Member, ...]
    links: Links = NO_LINKS


def write_collection(collection: Collection) -> bytes:
    """The JSON-LD of a collection; its thumbnail is its first member's."""
    head: Json = {"@context": CONTEXT, "id": collection.address, "type": "Collection"}
    head |= description_json(collection.description)
    thumbnails = (member.thumbnail for member in collection.members)
    first = next((thumbnail for thumbnail in thumbnails if thumbnail), None)
    if first:
        head["thumbnail"] = [thumbnail_json(first)]
    head |= links_json(collection.links)
    return written(head, (_member_json(member) for member in collection.members))


def _member_json(member: Member) -> Json:
    described: Json = {
        "id": member.address,
        "type": "Collection" if member.is_collection else "Manifest",
        "label": member.label.to_json(),
    }
    if member.nav_date:
        described["navDate"] = member.nav_date
    if member.thumbnail:
        described["thumbnail"] = [thumbnail_json(member.thumbnail)]
    if member.homepage:
        described["homepage"] = [member.homepage.to_json()]
    return described
