from datetime import UTC, datetime

import pydicom.datadict
import pytest

from orthanc_stl_plugin.formats.encapsulated import ModelDescription, parameters_text, stl_tags
from orthanc_stl_plugin.model.mesh import MeshOptions, SmoothingMethod

DESCRIPTION = ModelDescription(
    title="Liver",
    frame_of_reference_uid="1.2.3",
    algorithm_parameters="resolution 256",
    document_bytes=1234,
    made_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)


def test_every_tag_is_a_keyword_of_dicom():
    def check(tags: dict[str, object]) -> None:
        for keyword, value in tags.items():
            assert pydicom.datadict.tag_for_keyword(keyword) is not None, keyword
            for item in value if isinstance(value, list) else []:
                check(item)

    check(stl_tags(DESCRIPTION))


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("DocumentTitle", "Liver"),
        ("FrameOfReferenceUID", "1.2.3"),
        ("EncapsulatedDocumentLength", "1234"),
        ("ContentDate", "20260102"),
        ("ContentTime", "030405"),
        ("BurnedInAnnotation", "NO"),
    ],
)
def test_the_description_becomes_tags(keyword: str, value: str):
    assert stl_tags(DESCRIPTION)[keyword] == value


def test_the_unit_is_the_millimetre_of_ucum():
    assert stl_tags(DESCRIPTION)["MeasurementUnitsCodeSequence"] == [
        {"CodeValue": "mm", "CodingSchemeDesignator": "UCUM", "CodeMeaning": "millimeter"}
    ]


def test_an_unknown_frame_of_reference_becomes_a_new_one():
    unknown = ModelDescription("a", None, "b", 1, DESCRIPTION.made_at)
    one, other = (str(stl_tags(unknown)["FrameOfReferenceUID"]) for _ in range(2))
    assert one != other
    assert one.startswith(("1.", "2.25."))


def test_the_parameters_can_be_read_by_a_person():
    options = MeshOptions(resolution=128, iterations=7, triangles=5000)
    assert parameters_text(options) == (
        "resolution 128, smoothing Taubin x 7, at most 5000 triangles"
    )


def test_no_smoothing_is_said():
    options = MeshOptions(method=SmoothingMethod.NONE)
    assert parameters_text(options) == "resolution 256, smoothing none"
