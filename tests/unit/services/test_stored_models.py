import pytest

from orthanc_stl_plugin.errors import NotFound, UnusableSource
from orthanc_stl_plugin.formats.encapsulated import STL_SOP_CLASS_UID
from orthanc_stl_plugin.services.stored_models import stl_document
from tests.fake_archive import FakeArchive

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
