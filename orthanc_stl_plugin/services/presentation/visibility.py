"""Whether a study shows anything: the same rule for collections and for harvesters.

No file is opened for it: a slide would take many milliseconds, or the transfer of all its files. So
a study whose images turn out to be damaged is listed, and its manifest is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydicom import uid

from orthanc_stl_plugin.formats.dicom.encapsulated import STL_SOP_CLASS_UID
from orthanc_stl_plugin.services.ports.catalogue import Catalogue, InstanceEntry, SeriesEntry
from orthanc_stl_plugin.services.presentation.canvases import IMAGE_KEYWORDS, is_image

# Series of these modalities hold neither images nor models.
WITHOUT_VIEW: Final = frozenset(
    {
        "ANN", "AU", "DOC", "ECG", "EPS", "FID", "HD", "KO", "PLAN", "PR", "REG", "RTPLAN",
        "RTRECORD", "RTSTRUCT", "RWV", "SMR", "SR", "STAIN", "TEXTUREMAP",
    }
)  # fmt: skip
# Their instances have pixels that are never video, which has colour and several frames.
_SURE: Final = frozenset(
    {
        STL_SOP_CLASS_UID,
        uid.BreastTomosynthesisImageStorage,
        uid.ComputedRadiographyImageStorage,
        uid.CTImageStorage,
        uid.DigitalIntraOralXRayImageStorageForPresentation,
        uid.DigitalMammographyXRayImageStorageForPresentation,
        uid.DigitalXRayImageStorageForPresentation,
        uid.EnhancedCTImageStorage,
        uid.EnhancedMRImageStorage,
        uid.MRImageStorage,
        uid.NuclearMedicineImageStorage,
        uid.OphthalmicTomographyImageStorage,
        uid.PositronEmissionTomographyImageStorage,
        uid.RTImageStorage,
        uid.UltrasoundImageStorage,
        uid.VLMicroscopicImageStorage,
        uid.VLPhotographicImageStorage,
        uid.VLSlideCoordinatesMicroscopicImageStorage,
        uid.VLWholeSlideMicroscopyImageStorage,
        uid.XRay3DAngiographicImageStorage,
        uid.XRayAngiographicImageStorage,
        uid.XRayRadiofluoroscopicImageStorage,
    }
)
# These too, but they occur in any kind of series, such as a picture of an ECG.
_CAPTURE: Final = uid.SecondaryCaptureImageStorage


def study_shows(
    catalogue: Catalogue, study_id: str, modalities: Iterable[str], sop_classes: Iterable[str] = ()
) -> bool:
    """Whether the study holds an image or a model.

    Args:
        catalogue: queried if `sop_classes` do not decide.
        study_id: Orthanc's identifier.
        modalities: of its series.
        sop_classes: of its instances, if known, to save queries.
    """
    seen = [modality not in WITHOUT_VIEW for modality in modalities]
    if not any(seen):
        return False
    classes = frozenset(sop_classes)
    if not _SURE.isdisjoint(classes) or (_CAPTURE in classes and all(seen)):
        return True
    return any(_shows(catalogue, one) for one in catalogue.series_of(study_id))


def _shows(catalogue: Catalogue, series: SeriesEntry) -> bool:
    """Whether an instance of the series is an image or a model; usually the first one is."""
    if str(series.tags.get("Modality", "")) in WITHOUT_VIEW:
        return False
    first = catalogue.instances_of(series.series_id, IMAGE_KEYWORDS, limit=1)
    return any(map(_is_seen, first)) or (
        series.instance_count > 1
        and any(map(_is_seen, catalogue.instances_of(series.series_id, IMAGE_KEYWORDS)))
    )


def _is_seen(one: InstanceEntry) -> bool:
    return one.sop_class_uid in _SURE or one.sop_class_uid == _CAPTURE or is_image(one)
