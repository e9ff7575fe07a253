"""Our answers have the shapes of recipes of the IIIF Cookbook."""

import json
from typing import Any

import pytest

from orthanc_stl_plugin.config import read_settings
from orthanc_stl_plugin.services.ports.catalogue import InstanceEntry
from orthanc_stl_plugin.wsi.pyramid import FocalPlane, OpticalPath, Pyramid, Slide
from tests.support.collection_samples import (
    BASE,
    STL,
    WHOLE_SLIDE,
    FakeSlides,
    Stage,
    add_series,
    add_study,
    image,
    level,
    stack,
)

MUSEUM = {
    "RequiredStatement": "Museum",
    "Rights": "https://creativecommons.org/licenses/by-sa/4.0/",
    "HomepageTemplate": "https://museum.example/{AccessionNumber}",
    "Provider": {
        "Url": "https://museum.example/",
        "Name": {"en": "Museum"},
        "Logo": "https://museum.example/logo.png",
    },
}


@pytest.fixture(scope="module")
def stage() -> Stage:
    stage = Stage(read_settings({"Presentation": MUSEUM}))
    add_study(stage.catalogue, StudyDescription="Vase", StudyDate="20200131", AccessionNumber="12")
    add_series(stage.catalogue, "ct", *stack(5), SeriesNumber="1")
    add_series(stage.catalogue, "photos", image("p", Rows="600", Columns="400"), Modality="XC")
    model = InstanceEntry("m", "models", STL, {"ContentDescription": "Vase"})
    add_series(stage.catalogue, "models", model, Modality="M3D")
    add_series(
        stage.catalogue, "slide", InstanceEntry("w", "slide", WHOLE_SLIDE, {}), Modality="SM"
    )
    paths = [
        Pyramid((level(400, 300),), OpticalPath(name, name), FocalPlane(0))
        for name in ("Visible", "Infrared")
    ]
    stage.slides = FakeSlides({"slide": Slide(tuple(paths))})
    return stage


@pytest.fixture(scope="module")
def manifest(stage: Stage) -> Any:
    return json.loads(stage.presenter().study_manifest("study", BASE).content)


def paintings(manifest: Any) -> list[Any]:
    return [canvas["items"][0]["items"][0] for canvas in manifest["items"]]


def test_0005_an_image_has_its_service(manifest: Any):
    body = paintings(manifest)[0]["body"]
    assert body["type"] == "Image"
    assert body["service"][0]["type"] == "ImageService3"
    assert body["service"][0]["profile"] == "level2"


def test_0008_rights_and_a_required_statement(manifest: Any):
    assert manifest["rights"] == "http://creativecommons.org/licenses/by-sa/4.0/"
    assert manifest["requiredStatement"] == {
        "label": {"en": ["Attribution"]},
        "value": {"en": ["Museum"]},
    }


def test_0009_canvases_follow_each_other_and_are_painted_once(manifest: Any):
    assert len(manifest["items"]) == 8
    targets = [annotation["target"] for annotation in paintings(manifest)]
    assert targets == [canvas["id"] for canvas in manifest["items"]]


def test_0024_a_table_of_contents_names_every_canvas_once(manifest: Any):
    inside = [item for part in manifest["structures"] for item in part["items"]]
    assert {part["type"] for part in manifest["structures"]} == {"Range"}
    assert sorted(item["id"] for item in inside) == sorted(one["id"] for one in manifest["items"])


def test_0032_a_collection_lists_manifests_with_their_labels(stage: Stage):
    collection = json.loads(stage.collector().collection(BASE).content)
    (item,) = collection["items"]
    assert (collection["type"], item["type"]) == ("Collection", "Manifest")
    assert item["label"] == {"none": ["Vase"]}
    assert "items" not in item


def test_0033_optical_paths_are_a_choice(manifest: Any):
    choices = [one["body"] for one in paintings(manifest) if one["body"]["type"] == "Choice"]
    assert [[item["label"] for item in choice["items"]] for choice in choices] == [
        [{"none": ["Visible"]}, {"none": ["Infrared"]}]
    ]


def test_0046_models_are_renderings(manifest: Any):
    assert [set(one) for one in manifest["rendering"]] == [{"id", "type", "label", "format"}] * 2


def test_0047_a_homepage(manifest: Any):
    assert manifest["homepage"] == [
        {
            "id": "https://museum.example/12",
            "type": "Text",
            "label": {"en": ["Object page"]},
            "format": "text/html",
        }
    ]


def test_0053_data_about_the_object(manifest: Any):
    assert manifest["seeAlso"][0] == {
        "id": f"{BASE}/studies/study/iiif/dicom.json",
        "type": "Dataset",
        "label": {"en": ["DICOM attributes"]},
        "format": "application/dicom+json",
    }


def test_0117_a_thumbnail_with_a_service(stage: Stage):
    manifest = json.loads(stage.presenter().series_manifest("photos", BASE).content)
    (thumbnail,) = manifest["thumbnail"]
    assert thumbnail["id"].endswith("/full/133,200/0/default.jpg")
    assert thumbnail["service"][0]["sizes"] == [{"width": 133, "height": 200}]


def test_0202_a_stack_starts_in_its_middle(stage: Stage):
    manifest = json.loads(stage.presenter().series_manifest("ct", BASE).content)
    assert manifest["start"] == {"id": manifest["items"][2]["id"], "type": "Canvas"}


def test_0230_a_date_for_timelines_in_manifests_and_collections(stage: Stage, manifest: Any):
    collection = json.loads(stage.collector().collection(BASE).content)
    assert manifest["navDate"] == "2020-01-31T00:00:00Z"
    assert collection["items"][0]["navDate"] == manifest["navDate"]


def test_0234_a_provider_with_homepage_and_logo(manifest: Any):
    (provider,) = manifest["provider"]
    assert provider["type"] == "Agent"
    assert provider["homepage"][0]["id"] == "https://museum.example/"
    assert provider["logo"] == [
        {"id": "https://museum.example/logo.png", "type": "Image", "format": "image/png"}
    ]
