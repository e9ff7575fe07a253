from dataclasses import replace
from datetime import UTC, datetime

import pydicom.datadict
import pytest

from orthanc_stl_plugin.formats.dicom.encapsulated import (
    ModelDescription,
    SeriesIdentity,
    parameters_text,
    stl_tags,
)
from orthanc_stl_plugin.model.identity import Reference
from orthanc_stl_plugin.model.labels import Segment
from orthanc_stl_plugin.model.mesh import MeshOptions, SmoothingMethod

SERIES = SeriesIdentity(
    number=12,
    description="2 models: Liver, Spleen",
    series_instance_uid="1.2.8",
    model_group_uid="1.2.9",
    made_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)
LIVER = ModelDescription(
    segment=Segment(5, "Liver", (255, 0, 0)),
    number=2,
    frame_of_reference_uid="1.2.3",
    references=(Reference("1.2.7", "1.2.840.10008.5.1.4.1.1.2", "1.2.4"),),
    modality="CT",
    algorithm_parameters="resolution 256",
    document_bytes=1234,
    icon={"Rows": "64"},
)
TAGS = stl_tags(LIVER, SERIES)


def test_every_tag_is_a_keyword_of_dicom():
    def check(tags: dict[str, object]) -> None:
        for keyword, value in tags.items():
            assert pydicom.datadict.tag_for_keyword(keyword) is not None, keyword
            for item in value if isinstance(value, list) else []:
                check(item)

    check(TAGS)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("DocumentTitle", "Liver"),
        ("ContentDescription", "Liver"),
        ("SeriesDescription", "2 models: Liver, Spleen"),
        ("SeriesNumber", "12"),
        ("SeriesInstanceUID", "1.2.8"),
        ("ModelGroupUID", "1.2.9"),
        ("InstanceNumber", "2"),
        ("FrameOfReferenceUID", "1.2.3"),
        ("EncapsulatedDocumentLength", "1234"),
        ("ContentDate", "20260102"),
        ("ContentTime", "030405"),
        ("BurnedInAnnotation", "NO"),
        ("RecommendedDisplayCIELabValue", "34891\\53480\\50167"),
        ("IconImageSequence", [{"Rows": "64"}]),
        (
            "SourceInstanceSequence",
            [
                {
                    "ReferencedSOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
                    "ReferencedSOPInstanceUID": "1.2.4",
                }
            ],
        ),
        (
            "ReferencedSeriesSequence",
            [
                {
                    "SeriesInstanceUID": "1.2.7",
                    "ReferencedInstanceSequence": [
                        {
                            "ReferencedSOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
                            "ReferencedSOPInstanceUID": "1.2.4",
                        }
                    ],
                }
            ],
        ),
        (
            "MeasurementUnitsCodeSequence",
            [{"CodeValue": "mm", "CodingSchemeDesignator": "UCUM", "CodeMeaning": "millimeter"}],
        ),
        (
            "ConceptNameCodeSequence",
            [
                {
                    "CodeValue": "85040-4",
                    "CodingSchemeDesignator": "LN",
                    "CodeMeaning": "CT 3D CAM model",
                }
            ],
        ),
    ],
)
def test_the_description_becomes_tags(keyword: str, value: object):
    assert TAGS[keyword] == value


def test_an_unknown_modality_is_a_model_of_mixed_modality():
    concept = stl_tags(replace(LIVER, modality=None), SERIES)["ConceptNameCodeSequence"]
    assert isinstance(concept, list)
    assert concept[0]["CodeValue"] == "129019"


def test_an_unknown_frame_of_reference_becomes_a_new_one():
    unknown = replace(LIVER, frame_of_reference_uid=None)
    one, other = (str(stl_tags(unknown, SERIES)["FrameOfReferenceUID"]) for _ in range(2))
    assert one != other


@pytest.mark.parametrize(
    ("change", "keyword"),
    [
        ({"references": ()}, "SourceInstanceSequence"),
        ({"references": ()}, "ReferencedSeriesSequence"),
        ({"segment": Segment(5, "Liver")}, "RecommendedDisplayCIELabValue"),
    ],
)
def test_what_is_not_known_is_not_told(change: dict[str, object], keyword: str):
    assert keyword not in stl_tags(replace(LIVER, **change), SERIES)  # type: ignore[arg-type]


def test_a_single_model_is_in_no_group():
    assert "ModelGroupUID" not in stl_tags(LIVER, replace(SERIES, model_group_uid=None))


def test_a_name_that_dicom_could_not_hold_is_made_safe():
    tags = stl_tags(replace(LIVER, segment=Segment(1, "a\\b\nc" + "x" * 100)), SERIES)
    assert str(tags["ContentDescription"]).startswith("a/b cx")
    assert len(str(tags["ContentDescription"])) == 64


def test_the_parameters_can_be_read_by_a_person():
    options = MeshOptions(resolution=128, iterations=7, triangles=5000)
    assert parameters_text(options) == (
        "resolution 128, smoothing Constrained x 7, at most 5000 triangles"
    )


def test_a_bound_of_the_error_is_said():
    assert parameters_text(MeshOptions(max_error_mm=0.25)).endswith("x 15, reduced within 0.25 mm")


def test_no_smoothing_is_said():
    options = MeshOptions(method=SmoothingMethod.NONE)
    assert parameters_text(options) == "resolution 256, smoothing none"
