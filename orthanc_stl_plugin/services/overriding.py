"""What a study says of itself, in place of what its DICOM attributes and the settings say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from orthanc_stl_plugin.config import Texts
from orthanc_stl_plugin.config.texts import Unfit, read_texts, texts
from orthanc_stl_plugin.iiif.descriptive import Description, Homepage, LabelledValue
from orthanc_stl_plugin.model.json_text import read_json

Override = Mapping[str, object]
NO_OVERRIDE: Final[Override] = {}


def read_override(text: str, language: str) -> Override:
    """The properties of a study's own, by the names of the fields of `Description`.

    Args:
        text: a JSON object with properties as IIIF writes them: label, summary, metadata,
            requiredStatement, rights, navDate and homepage (an address); texts may be plain.
        language: that of plain texts.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
        Unfit: it is something else.
    """
    value = read_json(text)
    if not isinstance(value, dict):
        raise Unfit("be a JSON object")
    if unknown := set(value) - set(_READERS):
        raise Unfit(f"have none but {', '.join(_READERS)}: not {sorted(unknown)}")
    return {_READERS[name][0]: _READERS[name][1](part, language) for name, part in value.items()}


def overridden(description: Description, override: Override) -> Description:
    """The description with a study's own properties."""
    return replace(description, **override)  # type: ignore[arg-type]  # see _READERS


def _texts(value: object, language: str) -> Texts:
    found = read_texts(value, language)
    if not found:
        raise Unfit("have no empty text")
    return found


def _pairs(value: object, language: str) -> tuple[LabelledValue, ...]:
    if not isinstance(value, list):
        raise Unfit("have a list of pairs as metadata")
    return tuple(_pair(pair, language) for pair in value)


def _pair(pair: object, language: str) -> LabelledValue:
    if not isinstance(pair, dict) or set(pair) != {"label", "value"}:
        raise Unfit('have pairs like {"label": ..., "value": ...}')
    return LabelledValue(_texts(pair["label"], language), _texts(pair["value"], language))


def _text(value: object, _language: str) -> str:
    if not isinstance(value, str):
        raise Unfit("have texts as rights, navDate and homepage")
    return value


def _homepage(value: object, language: str) -> Homepage:
    return Homepage(_text(value, language), texts("Object page", language="en"))


_READERS: Final[Mapping[str, tuple[str, Callable[[object, str], object]]]] = {
    "label": ("label", _texts),
    "summary": ("summary", _texts),
    "metadata": ("metadata", _pairs),
    "requiredStatement": ("required_statement", _pair),
    "rights": ("rights", _text),
    "navDate": ("nav_date", _text),
    "homepage": ("homepage", _homepage),
}
