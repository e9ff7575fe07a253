"""A study's own IIIF properties, which replace those from DICOM and the settings."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from orthanc_stl_plugin.config import Texts
from orthanc_stl_plugin.config.section import web_address
from orthanc_stl_plugin.config.texts import read_texts, texts
from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.iiif.presentation.descriptive import Description, Homepage, LabelledValue
from orthanc_stl_plugin.model.json_text import read_json
from orthanc_stl_plugin.services.ports.catalogue import Catalogue, StudyEntry

_MOST_FAULTY: Final = 20
_GREGORIAN_CYCLE: Final = 400
# xsd:dateTime with the time zone that Presentation 3.0 section 3.1 requires; years have 4 digits or
# more, and a minus before the common era.
_DATE_TIME: Final = re.compile(
    r"(-?[0-9]{4,9})(-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Override:
    """A study's own properties.

    Attributes:
        properties: by the names of the fields of `Description`.
        faults: sentences that say why others are left out.
    """

    properties: Mapping[str, object] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


class Overrides:
    """The properties that studies have of their own, stored as Orthanc's metadata.

    Args:
        name: of that metadata.
        language: of plain texts.
    """

    def __init__(self, name: str, language: str) -> None:
        self._name = name
        self._language = language
        self._faulty: dict[str, None] = {}

    def apply(self, study: StudyEntry, description: Description) -> Description:
        """The description with the study's own properties; invalid ones are logged and left out."""
        override = self._read(study)
        for fault in override.faults:
            _log.warning("metadata %r of study %s: %s", self._name, study.study_id, fault)
        if override.faults and len(self._faulty) < _MOST_FAULTY:
            self._faulty[study.study_id] = None
        return replace(description, **override.properties)  # type: ignore[arg-type]  # see _READERS

    def faults(self, catalogue: Catalogue) -> dict[str, list[str]]:
        """The current faults in the metadata of presented studies, by study."""
        found = {}
        for study_id in list(self._faulty):
            faults: tuple[str, ...] = ()
            with suppress(NotFound):
                faults = self._read(catalogue.study(study_id)).faults
            if faults:
                found[study_id] = list(faults)
            else:
                self._faulty.pop(study_id, None)
        return found

    def _read(self, study: StudyEntry) -> Override:
        text = study.metadata.get(self._name, "")
        return read_override(text, self._language) if text else Override()


def read_override(text: str, language: str) -> Override:
    """A study's valid properties, and the faults of the others.

    Args:
        text: a JSON object with properties as IIIF writes them: label, summary, metadata,
            requiredStatement, rights, navDate and homepage (an address); texts may be plain.
        language: that of plain texts.
    """
    try:
        value = read_json(text)
    except ValueError as error:
        return Override(faults=(f"it is left out, as it is no JSON: {error}",))
    if not isinstance(value, dict):
        return Override(faults=("it is left out, as it must be a JSON object",))
    properties: dict[str, object] = {}
    faults = []
    for name, part in value.items():
        if name not in _READERS:
            faults.append(f"{name!r} is left out: it may have {', '.join(_READERS)}")
            continue
        field_name, read = _READERS[name]
        try:
            properties[field_name] = read(part, language)
        except ValueError as error:
            faults.append(f"{name!r} is left out: it must {error}")
    return Override(properties, tuple(faults))


def _texts(value: object, language: str) -> Texts:
    found = read_texts(value, language)
    if not found:
        raise ValueError("have no empty text")
    return found


def _pairs(value: object, language: str) -> tuple[LabelledValue, ...]:
    if not isinstance(value, list):
        raise ValueError("be a list of pairs")  # noqa: TRY004  # completes "it must ..."
    return tuple(_pair(pair, language) for pair in value)


def _pair(pair: object, language: str) -> LabelledValue:
    if not isinstance(pair, dict) or set(pair) != {"label", "value"}:
        raise ValueError('have pairs like {"label": ..., "value": ...}')
    return LabelledValue(_texts(pair["label"], language), _texts(pair["value"], language))


def _rights(value: object, _language: str) -> str:
    return web_address(value)


def _homepage(value: object, _language: str) -> Homepage | None:
    address = web_address(value)
    return Homepage(address, texts("Object page", language="en")) if address else None


def _nav_date(value: object, _language: str) -> str:
    if value != "" and not (isinstance(value, str) and _is_date_time(value)):
        raise ValueError('be a time with its zone, such as "1850-01-01T00:00:00Z"')
    return str(value)


def _is_date_time(text: str) -> bool:
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return False
    year, moment, _, zone = found.groups()
    # The calendar repeats; Python does not support years before the common era.
    known_year = 2000 + int(year) % _GREGORIAN_CYCLE
    try:
        dt.datetime.fromisoformat(f"{known_year}{moment}{zone}")
    except ValueError:
        return False
    return True


_READERS: Final[Mapping[str, tuple[str, Callable[[object, str], object]]]] = {
    "label": ("label", _texts),
    "summary": ("summary", _texts),
    "metadata": ("metadata", _pairs),
    "requiredStatement": ("required_statement", _pair),
    "rights": ("rights", _rights),
    "navDate": ("nav_date", _nav_date),
    "homepage": ("homepage", _homepage),
}
