"""Encapsulated STL: the tags of a conforming instance (PS3.3 A.85.1) for /tools/create-dicom.

Orthanc fills in the patient and study of the parent, missing UIDs, and, from the media type, the
SOP class and the modality M3D.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydicom.uid import generate_uid

from orthanc_stl_plugin import __version__
from orthanc_stl_plugin.formats.dicom.cielab import cielab_from_rgb
from orthanc_stl_plugin.model.identity import Reference
from orthanc_stl_plugin.model.labels import Code, Segment
from orthanc_stl_plugin.model.mesh import MeshOptions, SmoothingMethod

# DICOM has no SOP class for glTF: a private element (PS3.5 section 7.8) holds the textured model in
# the same instance as the shape.
TEXTURED_MODEL_CREATOR: Final = "orthanc_stl_plugin"
TEXTURED_MODEL_GROUP: Final = 0x4D33
TEXTURED_MODEL_CREATOR_ELEMENT: Final = 0x0010
TEXTURED_MODEL_ELEMENT: Final = 0x1001
# Present among the tags of an instance with a private element.
PRIVATE_KEYWORD: Final = "PrivateCreator"
STL_SOP_CLASS_UID: Final = "1.2.840.10008.5.1.4.1.1.104.3"
MANUFACTURER: Final = "orthanc_stl_plugin"
MILLIMETRE: Final = Code("mm", "UCUM", "millimeter")  # CID 7063
# CID 7063, and the inch; case matters in UCUM.
MILLIMETRES_PER_UNIT: Final[Mapping[str, float]] = {
    "um": 0.001, "mm": 1.0, "cm": 10.0, "m": 1000.0, "[in_i]": 25.4,
}  # fmt: skip
_MIXED: Final = Code("129019", "DCM", "Mixed Modality 3D CAM model")
_CONCEPTS: Final = {  # CID 7061
    "CT": Code("85040-4", "LN", "CT 3D CAM model"),
    "MR": Code("85041-2", "LN", "MR 3D CAM model"),
    "US": Code("129018", "DCM", "US 3D CAM model"),
}
_ALGORITHM_FAMILY: Final = Code("123103", "DCM", "Edge Detection")  # CID 7162
_LONGEST_LO: Final = 64  # PS3.5 section 6.2
_LONGEST_ST: Final = 1024
_LONGEST_LT: Final = 10_240
_NAMES_IN_DESCRIPTION: Final = 3
_UTF_8: Final = "ISO_IR 192"  # PS3.3 C.12.1.1.2
_NO_TEXT: Final = re.compile(r"[\x00-\x1f\x7f]+")

# Clients may not choose these: they are determined by the parent or by the model.
RESERVED_TAGS: Final = frozenset(
    {
        "AccessionNumber",
        "EncapsulatedDocument",
        "EncapsulatedDocumentLength",
        "FrameOfReferenceUID",
        "MIMETypeOfEncapsulatedDocument",
        "MeasurementUnitsCodeSequence",
        "Modality",
        "PatientBirthDate",
        "PatientID",
        "PatientName",
        "PatientSex",
        "PixelData",
        "ReferringPhysicianName",
        "SOPClassUID",
        "SOPInstanceUID",
        "SeriesInstanceUID",
        "StudyDate",
        "StudyDescription",
        "StudyID",
        "StudyInstanceUID",
        "StudyTime",
        "TransferSyntaxUID",
    }
)


@dataclass(frozen=True, slots=True)
class SeriesIdentity:
    """The attributes that all models of a request share.

    Attributes:
        number: of their series.
        description: of their series.
        series_instance_uid: of their series.
        model_group_uid: marks the parts of an assembly (PS3.3 C.35.1); None for a single model.
        made_at: local time.
    """

    number: int
    description: str
    series_instance_uid: str
    model_group_uid: str | None
    made_at: datetime


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """The attributes of a single model.

    Attributes:
        segment: its identity.
        number: its Instance Number, from 1.
        frame_of_reference_uid: of the source; None if unknown, for a new one.
        references: the instances that it was made from.
        modality: of the source images, or None.
        algorithm_parameters: a readable text on how the surface was made; empty for an attached
            model.
        document_bytes: the length of the STL file.
        icon: an item of the Icon Image Sequence.
    """

    segment: Segment
    number: int
    frame_of_reference_uid: str | None
    references: Sequence[Reference]
    modality: str | None
    algorithm_parameters: str
    document_bytes: int
    icon: Mapping[str, str]


def stl_tags(model: ModelDescription, series: SeriesIdentity) -> dict[str, object]:
    """The tags by keyword: texts, and lists of mappings for sequences.

    Their character set holds every name.
    """
    date, time = f"{series.made_at:%Y%m%d}", f"{series.made_at:%H%M%S}"
    tags: dict[str, object] = {
        "SpecificCharacterSet": _UTF_8,
        "SeriesInstanceUID": series.series_instance_uid,
        "SeriesDescription": _text(series.description, _LONGEST_LO),
        "SeriesNumber": str(series.number),
        "SeriesDate": date,
        "SeriesTime": time,
        "FrameOfReferenceUID": model.frame_of_reference_uid or generate_uid(),
        "PositionReferenceIndicator": "",
        "Manufacturer": MANUFACTURER,
        "ManufacturerModelName": MANUFACTURER,
        "DeviceSerialNumber": "1",
        "SoftwareVersions": __version__,
        "InstanceNumber": str(model.number),
        "ContentDate": date,
        "ContentTime": time,
        "AcquisitionDateTime": "",
        "BurnedInAnnotation": "NO",
        "DocumentTitle": _text(model.segment.name, _LONGEST_ST),
        "ContentDescription": _text(model.segment.name, _LONGEST_LO),
        "ConceptNameCodeSequence": [_item(_CONCEPTS.get(model.modality or "", _MIXED))],
        "EncapsulatedDocumentLength": str(model.document_bytes),
        "MeasurementUnitsCodeSequence": [_item(MILLIMETRE)],
        "ModelModification": "NO",
        "ModelMirroring": "NO",
        "IconImageSequence": [dict(model.icon)],
    }
    if model.algorithm_parameters:
        tags["DerivationAlgorithmSequence"] = [_algorithm(model.algorithm_parameters)]
    if model.references:
        tags["SourceInstanceSequence"] = [_instance(one) for one in model.references]
        tags["ReferencedSeriesSequence"] = _by_series(model.references)
    if model.segment.rgb is not None:
        cielab = cielab_from_rgb(model.segment.rgb)
        tags["RecommendedDisplayCIELabValue"] = "\\".join(map(str, cielab))
    if series.model_group_uid is not None:
        tags["ModelGroupUID"] = series.model_group_uid
    return tags


def series_description(names: Sequence[str]) -> str:
    """The description of a series of models with these names."""
    if len(names) == 1:
        return names[0]
    listed = ", ".join(names[:_NAMES_IN_DESCRIPTION])
    return f"{len(names)} models: {listed}" + ("..." if len(names) > _NAMES_IN_DESCRIPTION else "")


def lost_letters(name: str, kept: str) -> str:
    """The letters of a ContentDescription that were lost when it was stored."""
    return "".join(
        letter for letter in name[:_LONGEST_LO] if not letter.isascii() and letter not in kept
    )


def parameters_text(options: MeshOptions) -> str:
    """The options of a surface as one line of text."""
    smoothing = (
        "none"
        if options.method is SmoothingMethod.NONE
        else f"{options.method} x {options.iterations}"
    )
    bound = f", at most {options.triangles} triangles" if options.triangles else ""
    if options.max_error_mm:
        bound = f", reduced within {options.max_error_mm:g} mm"
    return f"resolution {options.resolution}, smoothing {smoothing}{bound}"


def _algorithm(parameters: str) -> dict[str, object]:
    return {
        "AlgorithmFamilyCodeSequence": [_item(_ALGORITHM_FAMILY)],
        "AlgorithmName": f"{MANUFACTURER} marching cubes",
        "AlgorithmVersion": __version__,
        "AlgorithmParameters": _text(parameters, _LONGEST_LT),
    }


def _instance(reference: Reference) -> dict[str, str]:
    return {
        "ReferencedSOPClassUID": reference.sop_class_uid,
        "ReferencedSOPInstanceUID": reference.sop_instance_uid,
    }


def _by_series(references: Sequence[Reference]) -> list[dict[str, object]]:
    """The Referenced Series Sequence (PS3.3 C.12.2): every source lies in the same study."""
    series: dict[str, list[dict[str, str]]] = {}
    for reference in references:
        if reference.series_instance_uid is not None:
            series.setdefault(reference.series_instance_uid, []).append(_instance(reference))
    return [
        {"SeriesInstanceUID": uid, "ReferencedInstanceSequence": instances}
        for uid, instances in series.items()
    ]


def _text(text: str, longest: int) -> str:
    """The text made valid for any VR: no control characters, no backslash, not too long."""
    return _NO_TEXT.sub(" ", text).replace("\\", "/").strip()[:longest].strip()


def _item(code: Code) -> dict[str, str]:
    return {
        "CodeValue": code.value,
        "CodingSchemeDesignator": code.scheme,
        "CodeMeaning": code.meaning,
    }
