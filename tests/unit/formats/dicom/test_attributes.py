import json

import pytest

from orthanc_stl_plugin.formats.dicom.attributes import (
    dicom_json,
    filled,
    filled_address,
    is_known,
    keywords_of,
    midnight,
    readable_values,
    stored_values,
)

SPECIMEN = {
    "SpecimenDescriptionSequence": [
        {
            "SpecimenShortDescription": "Clay",
            "PrimaryAnatomicStructureSequence": [{"CodeMeaning": "Brain"}, {"CodeMeaning": "Skin"}],
        },
        {"SpecimenShortDescription": "Clay"},
        {"SpecimenShortDescription": "Straw"},
    ]
}


def test_values_are_parted_at_backslashes_and_trimmed():
    assert stored_values({"ImageType": "ORIGINAL\\ PRIMARY \\\\"}, "ImageType") == (
        "ORIGINAL",
        "PRIMARY",
    )


def test_a_backslash_in_a_long_text_is_a_backslash():
    assert stored_values({"AdditionalPatientHistory": "a\\b"}, "AdditionalPatientHistory") == (
        "a\\b",
    )


@pytest.mark.parametrize("found", [None, "", "  ", [], {}, 3])
def test_what_is_no_value_is_left_out(found: object):
    assert stored_values({"StudyDescription": found}, "StudyDescription") == ()


def test_a_path_reaches_into_every_item_and_names_each_value_once():
    path = "SpecimenDescriptionSequence.SpecimenShortDescription"
    assert stored_values(SPECIMEN, path) == ("Clay", "Straw")


def test_a_path_reaches_into_nested_sequences():
    path = "SpecimenDescriptionSequence.PrimaryAnatomicStructureSequence.CodeMeaning"
    assert stored_values(SPECIMEN, path) == ("Brain", "Skin")


@pytest.mark.parametrize(
    ("keyword", "stored", "readable"),
    [
        ("StudyDate", "19950903", ("1995-09-03",)),
        ("StudyDate", "1995.09.03", ("1995-09-03",)),
        ("StudyDate", "1995", ("1995",)),
        ("StudyTime", "173032.500", ("17:30:32",)),
        ("StudyTime", "1730", ("17:30",)),
        ("AcquisitionDateTime", "20200131235959.1+0100", ("2020-01-31 23:59:59",)),
        ("AcquisitionDateTime", "2020", ("2020",)),
        ("PatientAge", "045Y", ("45 Y",)),
        ("PatientName", "Doe^Archibald^J^Dr^III", ("Doe, Dr Archibald J, III",)),
        (
            "PatientName",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
            ("Yamada, Tarou", "山田, 太郎", "やまだ, たろう"),
        ),
        ("PatientName", "^^^^", ()),
        ("StudyDescription", "نقش", ("نقش",)),
        ("NoSuchKeyword", "x", ("x",)),
    ],
)
def test_values_are_written_as_people_write_them(
    keyword: str, stored: str, readable: tuple[str, ...]
):
    assert readable_values({keyword: stored}, keyword) == readable


def test_a_template_takes_the_readable_values():
    tags = {"Modality": "CT", "StudyDate": "20200131"}
    assert filled("{Modality} of {StudyDate}!", tags) == "CT of 2020-01-31!"


def test_a_template_with_a_missing_value_gives_nothing():
    assert filled("{Modality} {StudyDate}", {"Modality": "CT"}) is None


def test_values_are_no_templates_themselves():
    assert (
        filled("{Modality}", {"Modality": "{PatientName}", "PatientName": "x"}) == "{PatientName}"
    )


def test_values_in_an_address_are_encoded():
    tags = {"AccessionNumber": "a/b?c#d é"}
    assert filled_address("https://m/{AccessionNumber}.html", tags) == (
        "https://m/a%2Fb%3Fc%23d%20%C3%A9.html"
    )


def test_the_keywords_of_templates_are_known():
    assert keywords_of(["{A} {B.C}", "none", "{D}"]) == ("A", "B.C", "D")


def test_only_keywords_of_dicom_are_known():
    assert is_known("SpecimenDescriptionSequence.SpecimenShortDescription")
    assert not is_known("SpecimenDescriptionSequence.Short")


@pytest.mark.parametrize(
    ("stored", "time"),
    [
        ("19950903", "1995-09-03T00:00:00Z"),
        ("20200229", "2020-02-29T00:00:00Z"),
        ("20190229", None),
        ("2020", None),
        ("", None),
        ("?", None),
        ("00000101", None),
    ],
)
def test_a_date_for_timelines_is_whole_and_valid(stored: str, time: str | None):
    assert midnight({"StudyDate": stored}, "StudyDate") == time


def test_dicom_json_has_the_form_of_ps3_18_annex_f():
    tags = {
        "PatientName": "Yamada^Tarou=山田^太郎",
        "StudyDate": "20200131",
        "Rows": "12",
        "SliceThickness": "2.5\\x\\nan",
        "StudyDescription": "",
        "SpecimenDescriptionSequence": [{"SpecimenShortDescription": "Clay"}],
    }
    specimen = "SpecimenDescriptionSequence.SpecimenShortDescription"
    assert dicom_json(tags, [*tags, specimen, "Modality", "NoSuchKeyword"]) == {
        "00080020": {"vr": "DA", "Value": ["20200131"]},
        "00081030": {"vr": "LO"},
        "00100010": {
            "vr": "PN",
            "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}],
        },
        "00180050": {"vr": "DS", "Value": [2.5]},
        "00280010": {"vr": "US", "Value": [12]},
        "00400560": {
            "vr": "SQ",
            "Value": [{"00400600": {"vr": "LO", "Value": ["Clay"]}}],
        },
    }


def test_only_the_asked_attributes_are_in_dicom_json():
    assert dicom_json({"PatientName": "x", "Modality": "CT"}, ["Modality"]) == {
        "00080060": {"vr": "CS", "Value": ["CT"]}
    }


def test_items_of_sequences_have_only_the_asked_attributes_in_dicom_json():
    anatomy = {"CodeValue": "T-62000", "CodeMeaning": "Liver"}
    specimen = {
        "SpecimenIdentifier": "DOE^JANE S-17",
        "SpecimenShortDescription": "Biopsy",
        "PrimaryAnatomicStructureSequence": [anatomy],
        "SpecimenPreparationSequence": [{"CodeMeaning": "Doe"}],
    }
    sequence = "SpecimenDescriptionSequence"
    paths = [
        f"{sequence}.SpecimenShortDescription",
        f"{sequence}.PrimaryAnatomicStructureSequence.CodeMeaning",
    ]
    assert dicom_json({sequence: [specimen]}, paths) == {
        "00400560": {
            "vr": "SQ",
            "Value": [
                {
                    "00082228": {
                        "vr": "SQ",
                        "Value": [{"00080104": {"vr": "LO", "Value": ["Liver"]}}],
                    },
                    "00400600": {"vr": "LO", "Value": ["Biopsy"]},
                }
            ],
        }
    }


@pytest.mark.parametrize(
    ("tags", "path"),
    [
        ({"SpecimenDescriptionSequence": [{"SpecimenUID": "1.2"}]}, "SpecimenDescriptionSequence"),
        ({"PatientName": "Doe^Jane"}, "PatientName.CodeMeaning"),
        ({"SpecimenDescriptionSequence": "1.2"}, "SpecimenDescriptionSequence.SpecimenUID"),
    ],
)
def test_what_a_path_shows_no_value_of_has_none_in_dicom_json(tags: dict[str, object], path: str):
    assert readable_values(tags, path) == ()
    assert '"Value"' not in json.dumps(dicom_json(tags, [path]))
