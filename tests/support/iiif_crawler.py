"""Walks through IIIF documents of a server and opens everything that they name."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import requests
from iiif_prezi3 import Collection, Manifest
from PIL import Image

PRESENTATION = 'application/ld+json;profile="http://iiif.io/api/presentation/3/context.json"'
SCENE = 'application/ld+json;profile="http://iiif.io/api/presentation/4/context.json"'
# IIIF Presentation 3.0 appendix A: what is required, and what is recommended.
_EXPECTED = {
    "Manifest": {"id", "type", "label", "items", "metadata", "summary", "provider", "thumbnail"},
    "Collection": {"id", "type", "label", "items", "metadata", "summary", "provider"},
    "Canvas": {"id", "type", "label", "items", "height", "width", "thumbnail"},
    "Range": {"id", "type", "label", "items"},
    "AnnotationPage": {"id", "type", "items"},
    "Annotation": {"id", "type", "motivation", "body", "target"},
    "Image": {"id", "type", "format"},
    "Agent": {"id", "type", "label", "homepage", "logo"},
}


@dataclass
class Crawler:
    """Opens what the documents below `base` name, each address once.

    `expects_provider` asks for the institution, which the settings have to name. `most_images`
    bounds how many images of one document are opened: 2,000 slices are alike.
    """

    base: str
    most_images: int = 6
    expects_provider: bool = True
    opened: dict[str, int] = field(default_factory=dict)
    session: requests.Session = field(default_factory=requests.Session)

    def document(self, address: str) -> Any:
        """A manifest or collection, with everything in it that can be opened."""
        answer = self.get(address)
        assert answer.headers["Content-Type"] == PRESENTATION
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        content = answer.json()
        assert content["id"] == address
        kind = {"Manifest": Manifest, "Collection": Collection}[content["type"]]
        kind(**content)
        images = 0
        for value in values(content):
            expected = (
                set() if is_reference(value, content) else _EXPECTED.get(value["type"], set())
            )
            if not self.expects_provider:
                expected = expected - {"provider"}
            assert expected <= set(value), (value["type"], expected - set(value), address)
            if value["type"] == "Image" and images < self.most_images:
                images += 1
                self.image(value)
            elif value["type"] in {"Dataset", "Model"}:
                assert self.get(value["id"]).headers["Content-Type"] == value["format"]
        return content

    def image(self, value: dict[str, Any]) -> None:
        """The image has its size and format, and its service tells the whole size."""
        if value["id"] in self.opened or not value["id"].startswith(self.base):
            return
        answer = self.get(value["id"])
        assert answer.headers["Content-Type"] == value["format"]
        assert Image.open(io.BytesIO(answer.content)).size == (value["width"], value["height"])
        for service in value.get("service", ()):
            information = self.get(f"{service['id']}/info.json").json()
            told = ("id", "type", "profile", "width", "height")
            assert {name: information[name] for name in told} == {
                name: service[name] for name in told
            }

    def get(self, address: str) -> requests.Response:
        answer = self.session.get(address, timeout=120)
        assert answer.status_code == 200, f"{address}: {answer.status_code} {answer.text[:300]}"
        self.opened[address] = len(answer.content)
        return answer

    def everything(self, address: str) -> list[Any]:
        """A collection with all its members, and their members, and what these belong to."""
        found, waiting = [], [address]
        while waiting:
            document = self.document(waiting.pop())
            found.append(document)
            linked = [*document["items"], *document.get("partOf", ())]
            waiting += [
                one["id"]
                for one in linked
                if one["type"] in {"Manifest", "Collection"}
                and one["id"] not in self.opened
                and one["id"] not in waiting
            ]
        return found


def values(value: object) -> Iterator[dict[str, Any]]:
    """Every object with a type inside a JSON value, itself included."""
    if isinstance(value, list):
        for one in value:
            yield from values(one)
    elif isinstance(value, dict):
        if "type" in value:
            yield value
        for one in value.values():
            yield from values(one)


def is_reference(value: dict[str, Any], document: dict[str, Any]) -> bool:
    """A link to a resource that tells the rest elsewhere (section 4.3)."""
    if value["type"] in {"Manifest", "Collection"}:
        return value is not document
    return value["type"] == "Canvas" and "items" not in value
