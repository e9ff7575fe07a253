"""What every implementation of the catalogue port does; run on the fake and on a real Orthanc."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from orthanc_stl_plugin.errors import NotFound
from orthanc_stl_plugin.services.ports.catalogue import (
    Catalogue,
    InstanceEntry,
    Level,
    SeriesEntry,
    StudyChoice,
    StudyEntry,
)
from tests.conformance.remote_catalogue import RemoteCatalogue
from tests.support.dicom_samples import file_bytes, image_dataset, item
from tests.support.fake_catalogue import FakeCatalogue
from tests.support.orthanc_server import PLUGIN_SCRIPT, OrthancServer

SCRIPT = Path(__file__).parent / "served_catalogue.py"
UNKNOWN = "6ed7e8a4-60deff42-5e22a424-2128629f-158d0b3a"
CT = "1.2.840.10008.5.1.4.1.1.2"


def slice_of(study: str, number: int, date: str, patient: str = "A") -> Dataset:
    dataset = image_dataset(np.zeros((3, 4), np.int16), number)
    dataset.PatientID = patient
    dataset.PatientName = "Doe^Jane"
    dataset.StudyInstanceUID = f"1.2.{study}"
    dataset.SeriesInstanceUID = f"1.2.{study}.1"
    dataset.SOPInstanceUID = f"1.2.{study}.1.{number}"
    dataset.StudyDescription = f"Vase {study} 花瓶"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    if date:
        dataset.StudyDate = date
    dataset.SpecimenDescriptionSequence = [item(SpecimenShortDescription="Clay")]
    return dataset


# Two slices of one study, one of another, one of another patient's without a date.
SLICES = [
    slice_of("8", 1, "20200202"),
    slice_of("8", 2, "20200202"),
    slice_of("7", 3, "20190101"),
    slice_of("9", 4, "", "B"),
]


@dataclass
class Setting:
    """A catalogue, and the identifiers of what was stored, in its order."""

    catalogue: Catalogue
    instances: list[str] = field(default_factory=list)
    series: list[str] = field(default_factory=list)
    studies: list[str] = field(default_factory=list)
    patients: list[str] = field(default_factory=list)


@pytest.fixture(scope="module", params=["fake", "real"])
def setting(request: pytest.FixtureRequest) -> Iterator[Setting]:
    if request.param == "fake":
        yield fake()
        return
    with OrthancServer({PLUGIN_SCRIPT: str(SCRIPT)}) as server:
        setting = Setting(RemoteCatalogue(server))
        for one in SLICES:
            stored = server.upload(file_bytes(one))
            setting.instances.append(stored["ID"])
            setting.series.append(stored["ParentSeries"])
            setting.studies.append(stored["ParentStudy"])
            setting.patients.append(stored["ParentPatient"])
        for label in ("public", "museum"):
            put = server.session.put(f"{server.url}/studies/{setting.studies[0]}/labels/{label}")
            assert put.ok
        metadata = f"{server.url}/studies/{setting.studies[0]}/metadata/IIIF"
        assert server.session.put(metadata, data='{"label": "é"}'.encode()).ok
        yield setting


def fake() -> Setting:
    catalogue = FakeCatalogue()
    setting = Setting(catalogue)
    for number, one in enumerate(SLICES):
        study, series = f"study{one.StudyInstanceUID}", f"series{one.StudyInstanceUID}"
        names = {"SOPInstanceUID": one.SOPInstanceUID, "InstanceNumber": str(one.InstanceNumber)}
        tags = {**names, "Rows": "3", "Columns": "4"}
        entry = InstanceEntry(f"instance{number}", series, CT, tags, ExplicitVRLittleEndian)
        catalogue.known_instances.setdefault(series, []).append(entry)
        specimen = [{"SpecimenShortDescription": "Clay"}]
        series_tags = {"Modality": "CT", "SpecimenDescriptionSequence": specimen}
        catalogue.known_series[series] = SeriesEntry(series, study, series_tags)
        count = len(catalogue.known_instances[series])
        study_tags = {
            "StudyInstanceUID": str(one.StudyInstanceUID),
            "StudyDescription": str(one.StudyDescription),
            "PatientName": str(one.PatientName),
            "ModalitiesInStudy": "CT",
            "NumberOfStudyRelatedInstances": str(count),
            **({"StudyDate": str(one.StudyDate)} if "StudyDate" in one else {}),
        }
        catalogue.known_studies[study] = StudyEntry(
            study, one.PatientID, (series,), (), study_tags, {"LastUpdate": "x"}, count
        )
        setting.instances.append(f"instance{number}")
        setting.series.append(series)
        setting.studies.append(study)
        setting.patients.append(one.PatientID)
    first = setting.studies[0]
    catalogue.label(first, "public", "museum")
    known = catalogue.known_studies[first]
    metadata = {**known.metadata, "IIIF": '{"label": "é"}'}
    catalogue.known_studies[first] = replace(known, metadata=metadata)
    return setting


def ids(studies: list[StudyEntry]) -> list[str]:
    return [study.study_id for study in studies]


def test_a_study_is_told_with_its_patients_tags_labels_metadata_and_numbers(setting: Setting):
    study = setting.catalogue.study(setting.studies[0])
    assert study.study_id == setting.studies[0]
    assert study.patient_id == setting.patients[0]
    assert study.series_ids == (setting.series[0],)
    assert study.labels == ("museum", "public")
    assert study.tags["StudyDescription"] == "Vase 8 花瓶"
    assert study.tags["PatientName"] == "Doe^Jane"
    assert study.tags["ModalitiesInStudy"] == "CT"
    assert study.metadata["IIIF"] == '{"label": "é"}'
    assert study.last_update
    assert study.instance_count == 2


def test_a_study_in_a_list_is_told_the_same(setting: Setting):
    listed = {study.study_id: study for study in setting.catalogue.studies(StudyChoice())}
    for study_id in setting.studies:
        assert listed[study_id] == setting.catalogue.study(study_id)


def test_studies_come_by_their_dates_those_without_first(setting: Setting):
    by_date = [setting.studies[3], setting.studies[2], setting.studies[0]]
    assert ids(setting.catalogue.studies(StudyChoice())) == by_date


@pytest.mark.parametrize(("since", "limit", "chosen"), [(1, 1, [2]), (1, 0, [2, 0]), (3, 9, [])])
def test_a_part_of_the_list_can_be_had(setting: Setting, since: int, limit: int, chosen: list[int]):
    found = setting.catalogue.studies(StudyChoice(since=since, limit=limit))
    assert ids(found) == [setting.studies[index] for index in chosen]


@pytest.mark.parametrize("label", ["public", "museum"])
def test_labelled_studies_are_found_and_counted(setting: Setting, label: str):
    assert ids(setting.catalogue.studies(StudyChoice(label))) == [setting.studies[0]]
    assert setting.catalogue.study_count(label) == 1
    assert [one.study_id for one in setting.catalogue.study_states(label)] == [setting.studies[0]]
    assert setting.catalogue.sop_classes(label) == {setting.studies[0]: (CT,)}
    assert setting.catalogue.has_label(setting.studies[0], label)


@pytest.mark.parametrize("label", ["Public", "publi", "public-2"])
def test_a_label_counts_as_it_is_written(setting: Setting, label: str):
    assert setting.catalogue.studies(StudyChoice(label)) == []
    assert setting.catalogue.study_count(label) == 0
    assert setting.catalogue.study_states(label) == []
    assert setting.catalogue.sop_classes(label) == {}
    assert not setting.catalogue.has_label(setting.studies[0], label)


def test_all_studies_are_counted_without_a_label(setting: Setting):
    assert setting.catalogue.study_count("") == 3
    assert {one.study_id for one in setting.catalogue.study_states("")} == set(setting.studies)
    assert setting.catalogue.sop_classes("").keys() == set(setting.studies)


def test_the_state_of_a_study_has_its_modalities_metadata_and_size(setting: Setting):
    (state,) = setting.catalogue.study_states("public")
    assert state.modalities == ("CT",)
    assert state.instance_count == 2
    assert state.metadata == setting.catalogue.study(setting.studies[0]).metadata


def test_the_studies_of_a_patient_are_found(setting: Setting):
    of_a = ids(setting.catalogue.studies(StudyChoice(patient_id=setting.patients[0])))
    of_b = ids(setting.catalogue.studies(StudyChoice(patient_id=setting.patients[3])))
    assert of_a == [setting.studies[2], setting.studies[0]]
    assert of_b == [setting.studies[3]]
    of_a_public = setting.catalogue.studies(StudyChoice("public", setting.patients[0]))
    assert ids(of_a_public) == [setting.studies[0]]


def test_series_are_told_with_the_tags_that_were_asked_for(setting: Setting):
    wanted = ("SpecimenDescriptionSequence", "ManufacturerModelName")
    (series,) = setting.catalogue.series_of(setting.studies[0], wanted)
    assert (series.series_id, series.study_id) == (setting.series[0], setting.studies[0])
    assert series.tags["Modality"] == "CT"
    assert series.tags["SpecimenDescriptionSequence"] == [{"SpecimenShortDescription": "Clay"}]
    assert "ManufacturerModelName" not in series.tags


def test_instances_are_told_with_the_tags_that_were_asked_for(setting: Setting):
    found = setting.catalogue.instances_of(setting.series[0], ("Rows", "Columns"))
    assert {one.instance_id for one in found} == set(setting.instances[:2])
    assert {one.series_id for one in found} == {setting.series[0]}
    assert {one.sop_class_uid for one in found} == {CT}
    assert {one.transfer_syntax_uid for one in found} == {ExplicitVRLittleEndian}
    assert all(one.has_pixel_data for one in found)
    assert {(one.tags["Rows"], one.tags["Columns"]) for one in found} == {("3", "4")}
    assert sorted(str(one.tags["InstanceNumber"]) for one in found) == ["1", "2"]


def test_a_part_of_the_instances_can_be_had_in_the_order_they_were_stored(setting: Setting):
    parts = [
        setting.catalogue.instances_of(setting.series[0], since=since, limit=1)
        for since in range(3)
    ]
    assert [[one.instance_id for one in part] for part in parts] == [
        [setting.instances[0]],
        [setting.instances[1]],
        [],
    ]


def test_a_series_knows_how_many_instances_it_has(setting: Setting):
    counts = [
        setting.catalogue.series_of(setting.studies[index])[0].instance_count for index in (0, 3)
    ]
    assert counts == [2, 1]


def test_one_instance_is_told_as_in_its_series(setting: Setting):
    wanted = ("Rows", "Columns")
    one = setting.catalogue.instance(setting.instances[3], wanted)
    assert [one] == setting.catalogue.instances_of(setting.series[3], wanted)


def test_everything_knows_its_study(setting: Setting):
    study_of = setting.catalogue.study_of
    assert study_of(Level.INSTANCE, setting.instances[1]) == setting.studies[0]
    assert study_of(Level.SERIES, setting.series[2]) == setting.studies[2]
    assert study_of(Level.STUDY, setting.studies[3]) == setting.studies[3]


@pytest.mark.parametrize("unknown", ["nope", UNKNOWN, "../system", "", "é", "%00"])
def test_what_is_unknown_is_not_found_or_empty(setting: Setting, unknown: str):
    catalogue = setting.catalogue
    with pytest.raises(NotFound):
        catalogue.study(unknown)
    with pytest.raises(NotFound):
        catalogue.instance(unknown)
    for level in (Level.STUDY, Level.SERIES, Level.INSTANCE):
        with pytest.raises(NotFound):
            catalogue.study_of(level, unknown)
    assert catalogue.series_of(unknown) == []
    assert catalogue.instances_of(unknown) == []
    assert not catalogue.has_label(unknown, "public")
    if unknown:
        assert catalogue.studies(StudyChoice(patient_id=unknown)) == []


@pytest.mark.parametrize("label", ["", "a/b", "../public", "public?x", "é"])
def test_an_odd_label_is_carried_by_none(setting: Setting, label: str):
    assert not setting.catalogue.has_label(setting.studies[0], label)
