"""Encapsulated STL: the tags of a conforming instance (PS3.3 A.85.1) for /tools/create-dicom.

Orthanc itself fills in the patient and study of the parent, the UIDs that are not given, and the
SOP class and modality M3D, from the media type.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydicom.uid import generate_uid

from orthanc_stl_plugin import __version__
from orthanc_stl_plugin.model.labels import Code
from orthanc_stl_plugin.model.mesh import MeshOptions, SmoothingMethod

STL_SOP_CLASS_UID: Final = "1.2.840.10008.5.1.4.1.1.104.3"
MANUFACTURER: Final = "orthanc_stl_plugin"
MILLIMETRE: Final = Code("mm", "UCUM", "millimeter")  # CID 7063
_MIXED: Final = Code("129019", "DCM", "Mixed Modality 3D CAM model")  # CID 7061
_ALGORITHM_FAMILY: Final = Code("123103", "DCM", "Edge Detection")  # CID 7162
_LONGEST_LO: Final = 64  # PS3.5 section 6.2
_LONGEST_ST: Final = 1024

# What a client may not choose: it belongs to the parent, or to what is being made.
RESERVED_TAGS: Final = frozenset(
    {
        "AccessionNumber",
        "EncapsulatedDocument",
        "EncapsulatedDocumentLength",
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
        "StudyDate",
        "StudyDescription",
        "StudyID",
        "StudyInstanceUID",
        "StudyTime",
        "TransferSyntaxUID",
    }
)


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What is to be told of a model.

    Attributes:
        title: the name of the structure or object.
        frame_of_reference_uid: of the source, or None where it is unknown: a new one is made.
        algorithm_parameters: how the surface was made, for people to read.
        document_bytes: the length of the STL file.
        made_at: local time.
    """

    title: str
    frame_of_reference_uid: str | None
    algorithm_parameters: str
    document_bytes: int
    made_at: datetime


def stl_tags(description: ModelDescription) -> dict[str, object]:
    """The tags by keyword: texts, and lists of mappings for sequences."""
    date, time = f"{description.made_at:%Y%m%d}", f"{description.made_at:%H%M%S}"
    return {
        "SeriesDescription": description.title[:_LONGEST_LO],
        "SeriesNumber": "1",
        "SeriesDate": date,
        "SeriesTime": time,
        "FrameOfReferenceUID": description.frame_of_reference_uid or generate_uid(),
        "PositionReferenceIndicator": "",
        "Manufacturer": MANUFACTURER,
        "ManufacturerModelName": MANUFACTURER,
        "DeviceSerialNumber": "1",
        "SoftwareVersions": __version__,
        "InstanceNumber": "1",
        "ContentDate": date,
        "ContentTime": time,
        "AcquisitionDateTime": "",
        "BurnedInAnnotation": "NO",
        "DocumentTitle": description.title[:_LONGEST_ST],
        "ContentDescription": description.title[:_LONGEST_LO],
        "ConceptNameCodeSequence": [_item(_MIXED)],
        "EncapsulatedDocumentLength": str(description.document_bytes),
        "MeasurementUnitsCodeSequence": [_item(MILLIMETRE)],
        "ModelModification": "NO",
        "ModelMirroring": "NO",
        "DerivationAlgorithmSequence": [
            {
                "AlgorithmFamilyCodeSequence": [_item(_ALGORITHM_FAMILY)],
                "AlgorithmName": f"{MANUFACTURER} marching cubes",
                "AlgorithmVersion": __version__,
                "AlgorithmParameters": description.algorithm_parameters[:_LONGEST_ST],
            }
        ],
    }


def parameters_text(options: MeshOptions) -> str:
    """The options of a surface in one line."""
    smoothing = (
        "none"
        if options.method is SmoothingMethod.NONE
        else f"{options.method} x {options.iterations}"
    )
    bound = f", at most {options.triangles} triangles" if options.triangles else ""
    return f"resolution {options.resolution}, smoothing {smoothing}{bound}"


def _item(code: Code) -> dict[str, str]:
    return {
        "CodeValue": code.value,
        "CodingSchemeDesignator": code.scheme,
        "CodeMeaning": code.meaning,
    }
