"""Descriptive properties of manifests and collections (IIIF Presentation 3.0 section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from orthanc_stl_plugin.config import Provider, Texts
from orthanc_stl_plugin.iiif.presentation.canvas import Json

_LOGO_TYPES: Final = {
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "webp": "image/webp",
}
# The identifiers of these statements start with http: (section 3.1, rights).
_STATEMENT_HOSTS: Final = ("creativecommons.org", "rightsstatements.org")


@dataclass(frozen=True, slots=True)
class LabelledValue:
    """A label and its value, both by language."""

    label: Texts
    value: Texts

    def to_json(self) -> Json:
        """The form in metadata and requiredStatement."""
        return {"label": self.label.to_json(), "value": self.value.to_json()}


@dataclass(frozen=True, slots=True)
class Homepage:
    """A web page about the object."""

    address: str
    label: Texts

    def to_json(self) -> Json:
        """The form in homepage."""
        return {
            "id": self.address,
            "type": "Text",
            "label": self.label.to_json(),
            "format": "text/html",
        }


@dataclass(frozen=True, slots=True)
class Description:
    """The descriptive properties of a resource.

    Attributes:
        label: never empty.
        summary: never empty.
        metadata: pairs to show.
        required_statement: the text that every viewer must show, or None.
        rights: the address of a licence or rights statement; may be empty.
        nav_date: an xsd:dateTime with its time zone; may be empty.
        provider: the institution, or None.
        homepage: the page of the object itself, or None.
    """

    label: Texts
    summary: Texts
    metadata: tuple[LabelledValue, ...] = ()
    required_statement: LabelledValue | None = None
    rights: str = ""
    nav_date: str = ""
    provider: Provider | None = None
    homepage: Homepage | None = None


def description_json(description: Description) -> Json:
    """The properties that are not empty."""
    provider, homepage = description.provider, description.homepage
    statement = description.required_statement
    properties: Json = {
        "label": description.label.to_json(),
        "summary": description.summary.to_json(),
        "metadata": [pair.to_json() for pair in description.metadata],
        "requiredStatement": statement.to_json() if statement else None,
        "rights": rights_uri(description.rights),
        "navDate": description.nav_date,
        "provider": [_provider_json(provider)] if provider else None,
        "homepage": [homepage.to_json()] if homepage else None,
    }
    return {name: value for name, value in properties.items() if value}


def rights_uri(address: str) -> str:
    """The identifier of a rights statement: with http, even where browsers show https."""
    parts = urlsplit(address)
    host = parts.netloc.removeprefix("www.")
    if host in _STATEMENT_HOSTS:
        return parts._replace(scheme="http", netloc=host).geturl()
    return address


def _provider_json(provider: Provider) -> Json:
    agent: Json = {
        "id": provider.url,
        "type": "Agent",
        "label": provider.name.to_json(),
        "homepage": [Homepage(provider.url, provider.name).to_json()],
    }
    if provider.logo:
        extension = urlsplit(provider.logo).path.rpartition(".")[2].lower()
        media_type = {"format": _LOGO_TYPES[extension]} if extension in _LOGO_TYPES else {}
        agent["logo"] = [{"id": provider.logo, "type": "Image"} | media_type]
    return agent
