import pytest

from orthanc_stl_plugin.errors import NotFound, UnusableSource
from orthanc_stl_plugin.formats.dicom.encapsulated import PRIVATE_KEYWORD, STL_SOP_CLASS_UID
from orthanc_stl_plugin.services.models.stored import (
    Look,
    glb_document,
    stl_document,
    stored_model,
)
from tests.support.fake_archive import FakeArchive

ASCII = b"solid x\nendsolid x\n"
BINARY = bytes(80) + (1).to_bytes(4, "little") + bytes(50)


def holding(document: bytes | None, **tags: object) -> FakeArchive:
    known = {"SOPClassUID": STL_SOP_CLASS_UID, "EncapsulatedDocument": None, **tags}
    return FakeArchive(instances={"i": (known, document)})


def test_the_length_tag_takes_the_padding_away():
    assert stl_document(holding(ASCII, EncapsulatedDocumentLength="19"), "i").content == ASCII


def test_the_padding_of_a_text_without_length_is_taken_away():
    assert stl_document(holding(ASCII), "i").content == ASCII


def test_a_binary_file_keeps_its_last_zero_byte():
    assert stl_document(holding(BINARY), "i").content == BINARY


def test_a_length_that_cannot_be_right_is_ignored():
    assert stl_document(holding(BINARY, EncapsulatedDocumentLength="7"), "i").content == BINARY


def test_a_media_type_is_enough_to_know_an_stl():
    archive = holding(BINARY, SOPClassUID="1.2", MIMETypeOfEncapsulatedDocument="model/stl")
    assert stl_document(archive, "i").content == BINARY


def test_another_kind_of_instance_is_refused_with_its_kind():
    archive = holding(BINARY, SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    with pytest.raises(UnusableSource, match="holds no STL: its SOP class is 1.2.840"):
        stl_document(archive, "i")


def test_an_empty_document_is_refused():
    with pytest.raises(UnusableSource, match="empty STL"):
        stl_document(holding(b""), "i")


def test_an_instance_without_a_document_is_refused():
    archive = FakeArchive(instances={"i": ({"SOPClassUID": STL_SOP_CLASS_UID}, None)})
    with pytest.raises(UnusableSource, match="no EncapsulatedDocument"):
        stl_document(archive, "i")


def test_an_unknown_instance_is_not_found():
    with pytest.raises(NotFound):
        stl_document(FakeArchive(), "i")


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ({"DocumentTitle": "Left rib/2"}, "Left_rib_2.stl"),
        ({"ContentDescription": "Foie", "DocumentTitle": "x"}, "Foie.stl"),
        ({"SeriesDescription": '"; rm -rf'}, "rm_-rf.stl"),
        ({"DocumentTitle": "骨"}, "model.stl"),
        ({"DocumentTitle": "../../etc"}, "etc.stl"),
        ({}, "model.stl"),
    ],
)
def test_the_file_name_comes_from_the_title_and_is_safe(tags: dict[str, object], name: str):
    assert stl_document(holding(BINARY, **tags), "i").file_name == name


def look(**tags: object) -> Look:
    return stored_model(holding(BINARY, **tags), "i").look


def test_a_model_without_further_tags_is_in_millimetres_opaque_and_of_no_colour():
    assert look() == Look("model", rgb=None, opacity=1.0, millimetres_per_unit=1.0)


def test_the_name_is_told_as_it_was_written():
    assert look(ContentDescription="Foie gauche/2", DocumentTitle="x").name == "Foie gauche/2"


def test_the_recommended_colour_and_opacity_are_taken():
    red = look(
        RecommendedDisplayCIELabValue="34885\\53485\\50171", RecommendedPresentationOpacity="0.4"
    )
    assert (red.rgb, red.opacity) == ((255, 0, 0), 0.4)


@pytest.mark.parametrize("value", ["", "1\\2", "a\\b\\c", "70000\\0\\0", "-1\\0\\0"])
def test_a_colour_that_cannot_be_read_is_none(value: str):
    assert look(RecommendedDisplayCIELabValue=value).rgb is None


@pytest.mark.parametrize("value", ["", "half", "nan", "-0.1", "1.1"])
def test_an_opacity_that_cannot_be_read_is_1(value: str):
    assert look(RecommendedPresentationOpacity=value).opacity == 1


@pytest.mark.parametrize(
    ("unit", "millimetres"), [("um", 0.001), ("mm", 1), ("cm", 10), ("m", 1000), ("[in_i]", 25.4)]
)
def test_the_unit_of_the_document_is_known(unit: str, millimetres: float):
    units = [{"CodeValue": unit, "CodingSchemeDesignator": "UCUM"}]
    assert look(MeasurementUnitsCodeSequence=units).millimetres_per_unit == millimetres


@pytest.mark.parametrize("units", [[], [{}], [{"CodeValue": ""}], ""])
def test_a_unit_that_is_left_empty_means_millimetres(units: object):
    assert look(MeasurementUnitsCodeSequence=units).millimetres_per_unit == 1


def test_an_unknown_unit_is_refused_because_any_size_would_be_a_guess():
    with pytest.raises(UnusableSource, match="has the unit 'MM': known are um, mm, cm, m"):
        look(MeasurementUnitsCodeSequence=[{"CodeValue": "MM"}])


def test_the_digest_changes_with_the_document_and_with_the_look():
    def digest(document: bytes, **tags: object) -> str:
        return stored_model(holding(document, **tags), "i").digest

    other = BINARY[:-1] + b"\1"
    digests = {digest(BINARY), digest(other), digest(BINARY, DocumentTitle="Rib")}
    assert len(digests) == 3
    assert digest(BINARY) in digests


GLB = b"glTF" + (2).to_bytes(4, "little") + (13).to_bytes(4, "little") + b"x"


def test_looks_come_back_without_padding():
    archive = holding(BINARY, **{PRIVATE_KEYWORD: None, "SeriesDescription": "Vase"})
    archive.known_textured_models["i"] = GLB
    document = glb_document(archive, "i")
    assert document is not None
    assert (document.content, document.file_name) == (GLB, "Vase.glb")


def test_a_model_without_looks_has_only_its_shape():
    assert glb_document(holding(BINARY), "i") is None


@pytest.mark.parametrize("content", [b"", b"something else"])
def test_a_private_element_of_other_software_is_left_alone(content: bytes):
    archive = holding(BINARY, **{PRIVATE_KEYWORD: "somebody"})
    assert glb_document(archive, "i") is None
    archive.known_textured_models["i"] = content
    assert glb_document(archive, "i") is None
