"""Whether there is anything to see: from modalities, else from a look at some instances."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from orthanc_stl_plugin.formats.encapsulated import STL_SOP_CLASS_UID
from orthanc_stl_plugin.services.canvases import IMAGE_KEYWORDS, is_image
from orthanc_stl_plugin.services.catalogue import Catalogue, InstanceEntry, SeriesEntry, StudyEntry

# Series of these hold neither images nor models.
WITHOUT_VIEW: Final = frozenset(
    {
        "ANN", "AU", "DOC", "ECG", "EPS", "FID", "HD", "KO", "PLAN", "PR", "REG", "RTPLAN",
        "RTRECORD", "RTSTRUCT", "RWV", "SMR", "SR", "STAIN", "TEXTUREMAP",
    }
)  # fmt: skip


def is_showable(study: StudyEntry) -> bool:
    """The study has a series of a kind that may be seen."""
    return may_show(str(study.tags.get("ModalitiesInStudy", "")).split("\\"))


def may_show(modalities: Iterable[str]) -> bool:
    """Not all of them are of a kind that nobody can see."""
    return any(modality not in WITHOUT_VIEW for modality in modalities)


def study_shows(catalogue: Catalogue, study_id: str) -> bool:
    """The study holds an image or a model: modalities such as OT do not tell.

    Slides are not opened for it, which would take long: one that is broken counts too.
    """
    return any(_shows(catalogue, one) for one in catalogue.series_of(study_id))


def _shows(catalogue: Catalogue, series: SeriesEntry) -> bool:
    """One instance of the series is an image or a model: as a rule the first one."""
    if str(series.tags.get("Modality", "")) in WITHOUT_VIEW:
        return False
    first = catalogue.instances_of(series.series_id, IMAGE_KEYWORDS, limit=1)
    return any(map(_is_seen, first)) or (
        series.instance_count > 1
        and any(map(_is_seen, catalogue.instances_of(series.series_id, IMAGE_KEYWORDS)))
    )


def _is_seen(one: InstanceEntry) -> bool:
    return one.sop_class_uid == STL_SOP_CLASS_UID or is_image(one)
