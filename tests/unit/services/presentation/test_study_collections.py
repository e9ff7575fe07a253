import json
from dataclasses import replace
from typing import Any

import pytest

from orthanc_stl_plugin.config import read_settings
from orthanc_stl_plugin.errors import (
    ArchiveRefused,
    NotFound,
    PluginError,
    TooLarge,
    UnusableSource,
)
from orthanc_stl_plugin.services.presentation.change_discovery import Announcer
from orthanc_stl_plugin.services.presentation.document_cache import Document
from tests.support.collection_samples import (
    BASE,
    UNSEEN,
    WHOLE_SLIDE,
    FakeSlides,
    Stage,
    add_series,
    add_study,
    document,
    image,
)
from tests.support.memory_of_announcements import MemoryInMemory


@pytest.fixture
def stage() -> Stage:
    return Stage()


def read(document: Document) -> Any:
    return json.loads(document.content)


def add_objects(stage: Stage, count: int) -> None:
    for number in range(count):
        name = f"s{number:03}"
        add_study(stage.catalogue, name, StudyDescription=f"Object {number}", StudyDate="20200101")
        add_series(stage.catalogue, f"{name}-ct", image(f"{name}-i"), study=name)


def names(collection: Any) -> list[str]:
    return [item["label"]["none"][0] for item in collection["items"]]


def test_a_study_lists_its_series_that_can_be_seen(stage: Stage):
    add_study(stage.catalogue, StudyDescription="Mummy")
    add_series(stage.catalogue, "ct", image("1"), SeriesDescription="Thin")
    add_series(stage.catalogue, "sr", Modality="SR")
    add_series(stage.catalogue, "empty", image("2", Rows=""))
    collection = read(stage.collector().study_collection("study", BASE))
    assert collection["label"] == {"none": ["Mummy"]}
    assert names(collection) == ["Thin"]
    assert collection["items"][0]["type"] == "Manifest"
    assert collection["items"][0]["id"] == f"{BASE}/series/ct/iiif/manifest.json"


def test_the_collection_of_all_studies_has_the_rights_and_a_picture():
    rights = "http://rightsstatements.org/vocab/InC/1.0/"
    stage = Stage(read_settings({"Presentation": {"Rights": rights}}))
    add_objects(stage, 2)
    collection = read(stage.collector().collection(BASE))
    assert collection["rights"] == rights
    assert collection["thumbnail"] == collection["items"][0]["thumbnail"]


def test_a_patient_lists_the_studies(stage: Stage):
    add_objects(stage, 3)
    collection = read(stage.collector().patient_collection("patient", BASE))
    assert names(collection) == ["Object 0", "Object 1", "Object 2"]
    assert collection["items"][0]["navDate"] == "2020-01-01T00:00:00Z"


def test_only_labelled_studies_are_listed_for_the_public(stage: Stage):
    add_objects(stage, 3)
    stage.catalogue.label("s001", "other", "public")
    collector = stage.collector()
    assert names(read(collector.patient_collection("patient", BASE, "public"))) == ["Object 1"]
    assert names(read(collector.collection(BASE, "public"))) == ["Object 1"]
    assert names(read(collector.collection_page(1, BASE, "public"))) == ["Object 1"]
    stage.catalogue.label("s001")
    assert names(read(collector.collection(BASE, "public"))) == []
    with pytest.raises(NotFound):
        collector.patient_collection("patient", BASE, "public")
    with pytest.raises(NotFound):
        collector.collection_page(1, BASE, "public")


def test_a_hundred_objects_are_listed_at_once(stage: Stage):
    add_objects(stage, 100)
    collection = read(stage.collector().collection(BASE))
    assert len(collection["items"]) == 100
    assert {item["type"] for item in collection["items"]} == {"Manifest"}
    assert collection["thumbnail"] == collection["items"][0]["thumbnail"]


def test_more_objects_are_listed_by_the_hundred(stage: Stage):
    add_objects(stage, 250)
    collector = stage.collector()
    collection = read(collector.collection(BASE))
    assert names(collection) == ["1-100", "101-200", "201-250"]
    assert {item["type"] for item in collection["items"]} == {"Collection"}
    pages = [read(collector.collection_page(number, BASE)) for number in (1, 2, 3)]
    assert [page["id"] for page in pages] == [item["id"] for item in collection["items"]]
    assert [name for page in pages for name in names(page)] == [
        f"Object {number}" for number in range(250)
    ]


@pytest.mark.parametrize("number", [0, 4])
def test_a_page_that_is_not_there_is_not_found(stage: Stage, number: int):
    add_objects(stage, 250)
    with pytest.raises(NotFound, match=f"no part {number}"):
        stage.collector().collection_page(number, BASE)


def test_studies_without_anything_to_see_are_left_out(stage: Stage):
    add_objects(stage, 1)
    add_study(stage.catalogue, "report", ModalitiesInStudy="SR\\KO")
    assert names(read(stage.collector().collection(BASE))) == ["Object 0"]


def test_a_study_without_images_and_models_is_left_out_whatever_its_modality(stage: Stage):
    add_objects(stage, 1)
    add_study(stage.catalogue, "document", ModalitiesInStudy="OT")
    add_series(stage.catalogue, "pdf", document("p"), study="document", Modality="OT")
    collector = stage.collector()
    for _ in range(2):
        assert names(read(collector.collection(BASE))) == ["Object 0"]
    with pytest.raises(UnusableSource):
        stage.presenter().study_manifest("document", BASE)


@pytest.mark.parametrize("name", UNSEEN)
def test_a_study_of_video_or_floating_point_numbers_alone_is_left_out(stage: Stage, name: str):
    add_objects(stage, 1)
    add_study(stage.catalogue, "unseen")
    add_series(stage.catalogue, "x", UNSEEN[name], study="unseen")
    assert names(read(stage.collector().collection(BASE))) == ["Object 0"]


REFUSALS = [kind("NotDicom") for kind in (UnusableSource, TooLarge, NotFound, ArchiveRefused)]


@pytest.mark.parametrize("refusal", REFUSALS, ids=repr)
def test_a_slide_that_cannot_be_opened_is_listed_and_announced_alike(
    stage: Stage, refusal: PluginError
):
    stage.slides = FakeSlides(refused={"slide": refusal})
    tile = replace(image("w", NumberOfFrames="9"), sop_class_uid=WHOLE_SLIDE)
    add_study(stage.catalogue, StudyDescription="Broken", ModalitiesInStudy="SM")
    add_series(stage.catalogue, "slide", tile, Modality="SM")
    (member,) = read(stage.collector().collection(BASE))["items"]
    assert member["label"] == {"none": ["Broken"]}
    assert "thumbnail" not in member
    store = MemoryInMemory()
    Announcer(stage.catalogue, "", store, lambda: stage.now).changes(BASE)
    assert list(store.memory.announced) == ["study"]


def test_a_study_is_listed_whose_middle_instance_is_no_image(stage: Stage):
    add_study(stage.catalogue, StudyDescription="Mummy")
    add_series(stage.catalogue, "ot", image("1"), image("2", Rows=""))
    assert names(read(stage.collector().collection(BASE))) == ["Mummy"]


def test_a_study_with_too_many_frames_does_not_hide_the_others(stage: Stage):
    add_objects(stage, 1)
    add_study(stage.catalogue, "film")
    film = image("f", NumberOfFrames="50001")
    add_series(stage.catalogue, "us", film, image("x", Rows=""), study="film")
    assert len(read(stage.collector().collection(BASE))["items"]) == 2


def test_the_number_of_objects_is_that_of_the_list(stage: Stage):
    add_objects(stage, 2)
    add_study(stage.catalogue, "report", ModalitiesInStudy="SR")
    collection = read(stage.collector().collection(BASE))
    assert collection["summary"] == {"en": ["2 objects"]}
    assert collection["metadata"][0]["value"] == {"none": ["2"]}


def test_an_empty_archive_has_an_empty_collection(stage: Stage):
    collection = read(stage.collector().collection(BASE))
    assert collection["items"] == []
    assert collection["label"] == {"en": ["Collection"]}


def test_members_are_looked_at_once(stage: Stage):
    add_objects(stage, 5)
    collector = stage.collector()
    collector.collection(BASE)
    asked = stage.catalogue.asked
    collector.collection(BASE)
    assert stage.catalogue.asked == asked + 1
