"""Studies for a fake catalogue, and slides for it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace

import numpy as np

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import NotFound, PluginError
from orthanc_stl_plugin.services.ports.catalogue import InstanceEntry, SeriesEntry, StudyEntry
from orthanc_stl_plugin.services.presentation.descriptions import Describer
from orthanc_stl_plugin.services.presentation.document_cache import StudyMemory
from orthanc_stl_plugin.services.presentation.manifests import Presenter
from orthanc_stl_plugin.services.presentation.series_view import Slides, Viewer
from orthanc_stl_plugin.services.presentation.study_collections import Collector
from orthanc_stl_plugin.wsi.pyramid import Level, Slide, TileTable
from tests.support.fake_catalogue import FakeCatalogue

CT = "1.2.840.10008.5.1.4.1.1.2"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
STL = "1.2.840.10008.5.1.4.1.1.104.3"
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
VIDEO = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
SPECTROSCOPY = "1.2.840.10008.5.1.4.1.1.4.2"
PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
MPEG_4 = "1.2.840.10008.1.2.4.102"
BASE = "https://m"
LATER = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


@dataclass
class FakeSlides:
    """Slides by series, and why those of other series cannot be opened."""

    slides: dict[str, Slide] = field(default_factory=dict)
    refused: dict[str, PluginError] = field(default_factory=dict)

    def slide(self, series_id: str) -> Slide:
        if series_id in self.refused:
            raise self.refused[series_id]
        if series_id not in self.slides:
            raise NotFound("NoSuchResource", level="series", id=series_id)
        return self.slides[series_id]


def level(width: int, height: int, instance_id: str = "w") -> Level:
    """A level of one tile."""
    tiles = TileTable(1, 1, (instance_id,), np.zeros(1, np.int64), np.zeros((1, 2), np.int32))
    return Level(width, height, width, height, None, (255, 255, 255), tiles)


def add_study(catalogue: FakeCatalogue, name: str = "study", **tags: object) -> StudyEntry:
    """A study without series, last changed on the first of January 2026."""
    known = {"StudyInstanceUID": f"1.{name}", "ModalitiesInStudy": "CT", **tags}
    metadata = {"LastUpdate": "20260101T000000"}
    study = StudyEntry(name, "patient", (), (), known, metadata, 0)
    catalogue.known_studies[name] = study
    return study


def add_series(
    catalogue: FakeCatalogue,
    name: str,
    *instances: InstanceEntry,
    study: str = "study",
    **tags: object,
) -> None:
    """A series with its instances."""
    catalogue.known_series[name] = SeriesEntry(name, study, {"Modality": "CT", **tags})
    catalogue.known_instances[name] = list(instances)


def image(name: str, series: str = "ct", **tags: object) -> InstanceEntry:
    """A CT slice of 64 columns and 48 rows."""
    known = {"Rows": "48", "Columns": "64", **tags}
    return InstanceEntry(name, series, CT, {key: value for key, value in known.items() if value})


def document(name: str) -> InstanceEntry:
    """An Encapsulated PDF."""
    return InstanceEntry(name, "documents", PDF, {}, has_pixel_data=False)


# Images of which no image service shows a pixel.
UNSEEN = {
    "video": replace(image("v"), sop_class_uid=VIDEO, transfer_syntax_uid=MPEG_4),
    "floating point": replace(image("f"), sop_class_uid=PARAMETRIC_MAP, has_pixel_data=False),
    "spectra": replace(image("s"), sop_class_uid=SPECTROSCOPY, has_pixel_data=False),
}


def stack(count: int) -> list[InstanceEntry]:
    """Axial slices from below, numbered from 1."""
    return [
        image(
            f"i{number}",
            InstanceNumber=str(number),
            ImagePositionPatient=f"0\\0\\{number}",
            ImageOrientationPatient="1\\0\\0\\0\\1\\0",
        )
        for number in range(1, count + 1)
    ]


@dataclass
class Stage:
    """Use cases on a fake catalogue, at a time when nothing has changed for a day."""

    settings: Settings = field(default_factory=Settings)
    catalogue: FakeCatalogue = field(default_factory=FakeCatalogue)
    slides: Slides = field(default_factory=FakeSlides)
    now: dt.datetime = LATER

    @property
    def viewer(self) -> Viewer:
        shows = self.settings.presentation.slide_labels
        return Viewer(self.catalogue, self.slides, shows_slide_labels=shows)

    def presenter(self) -> Presenter:
        words = self.settings.presentation
        return Presenter(
            self.catalogue,
            Describer(words),
            self.viewer,
            self.memory(),
            words.collection_label,
            self.settings.max_pixels,
        )

    def collector(self) -> Collector:
        words = self.settings.presentation
        label = words.collection_label
        return Collector(self.catalogue, Describer(words), self.viewer, self.memory(), label)

    def memory(self) -> StudyMemory:
        return StudyMemory(self.settings.manifest_cache_mib << 20, lambda: self.now)
