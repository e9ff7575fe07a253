"""Descriptions of studies, from DICOM attributes, the settings, and their own properties."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from orthanc_stl_plugin.config import NO_TEXTS, Presentation, Texts
from orthanc_stl_plugin.config.texts import texts
from orthanc_stl_plugin.errors import ConfigurationError
from orthanc_stl_plugin.formats.dicom.attributes import (
    dicom_json,
    filled,
    filled_address,
    is_known,
    keywords_of,
    midnight,
    readable_values,
)
from orthanc_stl_plugin.formats.dicom.encapsulated import MANUFACTURER
from orthanc_stl_plugin.iiif.presentation.descriptive import Description, Homepage, LabelledValue
from orthanc_stl_plugin.services.ports.catalogue import (
    COUNTED_KEYWORDS,
    SeriesEntry,
    StudyEntry,
    Tags,
)
from orthanc_stl_plugin.services.presentation.overrides import Overrides

_NO_VALUES: Final = frozenset({"", "?", "??", "???", "-", "--", ".", "n/a", "unknown"})
_MAKERS: Final = frozenset({"Manufacturer", "ManufacturerModelName"})


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of series, images and models in a study."""

    series: int = 0
    images: int = 0
    models: int = 0

    def summary(self) -> Texts:
        """As a sentence: "2 series with 15 images and 1 model"."""
        things = [
            f"{number} {noun if number == 1 else noun + 's'}"
            for number, noun in ((self.images, "image"), (self.models, "model"))
            if number
        ]
        summary = " with ".join(
            part for part in (f"{self.series} series", " and ".join(things)) if part
        )
        return texts(summary, language="en")

    def metadata(self) -> tuple[LabelledValue, ...]:
        """As pairs."""
        numbers = (("Images", self.images), ("Models", self.models))
        return tuple(
            LabelledValue(texts(name, language="en"), texts(str(number)))
            for name, number in numbers
            if number
        )


class Describer:
    """Describes studies according to the settings.

    Attributes:
        keywords: of the tags that it needs.
        overrides: the properties that studies have of their own.

    Raises:
        ConfigurationError: the settings contain a keyword that DICOM does not have.
    """

    def __init__(self, settings: Presentation) -> None:
        self._settings = settings
        self.overrides = Overrides(settings.override_metadata, settings.value_language)
        templates = (*settings.label, *settings.summary, settings.homepage_template)
        self._labels = [pair for one in settings.metadata for pair in one.items()]
        metadata = tuple(path for path, _ in self._labels)
        dates = (settings.nav_date,) if settings.nav_date else ()
        series_paths = keywords_of(settings.series_label)
        study_paths = (*keywords_of(templates), *metadata, *dates)
        for path in (*study_paths, *series_paths):
            if not is_known(path):
                raise ConfigurationError(f'"Presentation": {path!r} is no keyword of DICOM')
        self._shown = (*keywords_of(settings.label), *metadata)
        wanted = _first_parts((*series_paths, *study_paths))
        self.keywords = tuple(one for one in wanted if one not in COUNTED_KEYWORDS)

    def study(
        self, study: StudyEntry, series: Sequence[SeriesEntry], counts: Counts
    ) -> Description:
        """The description of a study's manifest and collection; see `merged` for its tags."""
        chosen, study = self._settings, replace(study, tags=merged(study, series))
        address = filled_address(chosen.homepage_template, study.tags)
        statement = LabelledValue(chosen.required_statement_label, chosen.required_statement)
        description = Description(
            label=self._first(chosen.label, study.tags) or texts("Study", language="en"),
            summary=self._first(chosen.summary, study.tags) or counts.summary(),
            metadata=(*self._metadata(study.tags), *counts.metadata()),
            required_statement=statement if chosen.required_statement else None,
            rights=chosen.rights,
            nav_date=midnight(study.tags, chosen.nav_date) or "",
            provider=chosen.provider if chosen.provider.url else None,
            homepage=Homepage(address, chosen.homepage_label) if address else None,
        )
        return self.overrides.apply(study, description)

    def general(self, label: Texts, summary: Texts, pairs: Sequence[LabelledValue]) -> Description:
        """The description of a collection of several studies, without details of any of them."""
        chosen = self._settings
        statement = LabelledValue(chosen.required_statement_label, chosen.required_statement)
        return Description(
            label=label,
            summary=summary,
            metadata=tuple(pairs),
            required_statement=statement if chosen.required_statement else None,
            rights=chosen.rights,
            provider=chosen.provider if chosen.provider.url else None,
        )

    def series_label(self, tags: Tags) -> Texts:
        """The name of a series; never empty."""
        return self._first(self._settings.series_label, tags) or texts("Series", language="en")

    def attributes(self, study: StudyEntry, series: Sequence[SeriesEntry]) -> dict[str, object]:
        """The attributes that the manifest shows, in the DICOM JSON Model."""
        return dicom_json(merged(study, series), ("StudyInstanceUID", *self._shown))

    def _metadata(self, tags: Tags) -> Iterable[LabelledValue]:
        for path, label in self._labels:
            if value := self._plain(readable_values(tags, path)):
                yield LabelledValue(label, value)

    def _first(self, templates: Sequence[str], tags: Tags) -> Texts:
        return next(
            (self._plain([text]) for one in templates if (text := filled(one, tags))), NO_TEXTS
        )

    def _plain(self, values: Iterable[str]) -> Texts:
        return texts(*map(plain, values), language=self._settings.value_language)


def merged(study: StudyEntry, series: Iterable[SeriesEntry]) -> Tags:
    """The tags of a study, completed by those of its series; the first series with a tag counts.

    What stands for no value is none, and the software that made a model is not the maker of what
    the study shows.
    """
    tags: dict[str, object] = {}
    for source in (study.tags, *(one.tags for one in series)):
        for keyword, value in source.items():
            if not tags.get(keyword) and not _says_nothing(keyword, value):
                tags[keyword] = value
    return tags


def _says_nothing(keyword: str, value: object) -> bool:
    if not isinstance(value, str):
        return False
    text = value.strip(" \0").lower()
    return text in _NO_VALUES or (keyword in _MAKERS and text == MANUFACTURER)


def plain(value: str) -> str:
    """The text in a form that no viewer takes for HTML (IIIF Presentation 3.0 section 4.5)."""
    return f"{value} " if value.startswith("<") and value.endswith(">") else value


def _first_parts(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path.partition(".")[0] for path in paths))
