import datetime as dt
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from orthanc_stl_plugin.config import Presentation, Settings, read_settings
from orthanc_stl_plugin.config.texts import texts
from orthanc_stl_plugin.errors import ConfigurationError, NotFound, TooLarge, UnusableSource
from orthanc_stl_plugin.iiif.presentation.descriptive import Description
from orthanc_stl_plugin.services.ports.catalogue import InstanceEntry
from orthanc_stl_plugin.services.presentation.descriptions import Describer
from orthanc_stl_plugin.services.presentation.overrides import Overrides
from orthanc_stl_plugin.wsi.pyramid import (
    AssociatedImage,
    Flavour,
    FocalPlane,
    OpticalPath,
    Pyramid,
    Slide,
)
from tests.support.collection_samples import (
    BASE,
    PARAMETRIC_MAP,
    STL,
    UNSEEN,
    WHOLE_SLIDE,
    FakeSlides,
    Stage,
    add_series,
    add_study,
    image,
    level,
    stack,
)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def study_manifest(stage: Stage) -> Any:
    return json.loads(stage.presenter().study_manifest("study", BASE).content)


def series_manifest(stage: Stage, series_id: str) -> Any:
    return json.loads(stage.presenter().series_manifest(series_id, BASE).content)


def labels(items: list[Any]) -> list[str]:
    return [text for item in items for values in item["label"].values() for text in values]


def with_words(**words: object) -> Stage:
    return Stage(read_settings({"Presentation": words}))


def test_a_stack_has_a_canvas_for_each_slice_in_its_order(stage: Stage):
    add_study(stage.catalogue, StudyDescription="Mummy")
    add_series(stage.catalogue, "ct", *reversed(stack(3)))
    manifest = study_manifest(stage)
    assert manifest["label"] == {"none": ["Mummy"]}
    assert [canvas["id"] for canvas in manifest["items"]] == [
        f"{BASE}/instances/i{number}/frames/0/iiif/canvas" for number in (1, 2, 3)
    ]
    assert labels(manifest["items"]) == ["1/3", "2/3", "3/3"]
    assert (manifest["items"][0]["width"], manifest["items"][0]["height"]) == (64, 48)
    assert manifest["viewingDirection"] == "top-to-bottom"
    middle = manifest["items"][1]
    assert manifest["start"] == {"id": middle["id"], "type": "Canvas"}
    assert manifest["thumbnail"] == middle["thumbnail"]
    assert "structures" not in manifest


def test_a_film_has_a_canvas_for_each_frame(stage: Stage):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "us", image("film", NumberOfFrames="3"), Modality="US")
    manifest = study_manifest(stage)
    services = [
        canvas["items"][0]["items"][0]["body"]["service"][0]["id"] for canvas in manifest["items"]
    ]
    assert services == [f"{BASE}/instances/film/frames/{frame}/iiif/3" for frame in range(3)]
    assert "viewingDirection" not in manifest


def test_images_are_painted_in_a_size_that_the_settings_allow():
    stage = Stage(read_settings({"MaxPixels": 65536}))
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", image("1", Columns="600", Rows="400"))
    (canvas,) = study_manifest(stage)["items"]
    assert (canvas["width"], canvas["height"]) == (600, 400)
    body = canvas["items"][0]["items"][0]["body"]
    assert (body["width"], body["height"]) == (313, 209)


def test_series_are_the_table_of_contents_by_their_numbers(stage: Stage):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "b", image("2"), SeriesNumber="10", SeriesDescription="Last")
    add_series(stage.catalogue, "a", image("1"), SeriesNumber="9", SeriesDescription="First")
    add_series(stage.catalogue, "c", image("3"), SeriesNumber="IV")
    manifest = study_manifest(stage)
    assert labels(manifest["structures"]) == ["First", "Last", "CT IV"]  # no number: last
    assert [one["items"][0]["id"] for one in manifest["structures"]] == [
        canvas["id"] for canvas in manifest["items"]
    ]


def test_orientations_of_a_series_are_parts_of_its_contents(stage: Stage):
    coronal = image(
        "c", ImagePositionPatient="0\\0\\0", ImageOrientationPatient="1\\0\\0\\0\\0\\-1"
    )
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", *stack(2), coronal)
    (contents,) = series_manifest(stage, "ct")["structures"]
    assert labels(contents["items"]) == ["Axial", "Coronal"]


def test_models_are_pictures_with_files_to_download(stage: Stage):
    add_study(stage.catalogue)
    model = InstanceEntry("m", "models", STL, {"DocumentTitle": "Liver"})
    add_series(stage.catalogue, "ct", image("1"))
    add_series(stage.catalogue, "models", model, Modality="M3D")
    manifest = study_manifest(stage)
    canvas = manifest["items"][1]
    assert canvas["label"] == {"none": ["Liver"]}
    assert canvas["items"][0]["items"][0]["body"]["id"] == (
        f"{BASE}/instances/m/preview-3d?size=1024"
    )
    assert manifest["rendering"] == [
        {
            "id": f"{BASE}/instances/m/stl",
            "type": "Model",
            "label": {"none": ["Liver (STL)"]},
            "format": "model/stl",
        },
        {
            "id": f"{BASE}/instances/m/glb",
            "type": "Model",
            "label": {"none": ["Liver (GLB)"]},
            "format": "model/gltf-binary",
        },
    ]
    assert manifest["summary"] == {"en": ["2 series with 1 image and 1 model"]}
    assert f"{BASE}/series/models/iiif/scene.json" in [one["id"] for one in manifest["seeAlso"]]


def test_models_come_after_the_images_they_were_made_from(stage: Stage):
    add_study(stage.catalogue)
    model = InstanceEntry("m", "models", STL, {"DocumentTitle": "Liver"})
    add_series(stage.catalogue, "models", model, Modality="M3D", SeriesNumber="1")
    add_series(stage.catalogue, "ct", image("1"), SeriesNumber="2")
    assert labels(study_manifest(stage)["items"]) == ["1/1", "Liver"]


def test_a_scene_shows_every_model_of_the_series(stage: Stage):
    add_study(stage.catalogue)
    models = [
        InstanceEntry(name, "models", STL, {"InstanceNumber": number, "ContentDescription": name})
        for name, number in (("spleen", "2"), ("liver", "1"))
    ]
    add_series(stage.catalogue, "models", *models, Modality="M3D")
    scene = json.loads(stage.presenter().scene("models", BASE).content)
    parts = scene["items"][0]["items"][0]["items"]
    assert [part["body"]["id"] for part in parts] == [
        f"{BASE}/instances/{name}/glb" for name in ("liver", "spleen")
    ]


def test_models_of_another_modality_are_shown_too(stage: Stage):
    add_study(stage.catalogue, ModalitiesInStudy="OT")
    model = InstanceEntry("m", "models", STL, {"DocumentTitle": "Liver"})
    add_series(stage.catalogue, "models", model, Modality="OT")
    manifest = study_manifest(stage)
    assert [canvas["label"] for canvas in manifest["items"]] == [{"none": ["Liver"]}]
    assert len(manifest["rendering"]) == 2


def test_images_make_no_scene(stage: Stage):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", image("1"))
    with pytest.raises(UnusableSource, match="no 3D model"):
        stage.presenter().scene("ct", BASE)


def slide_of(*pyramids: Pyramid) -> Slide:
    overview = AssociatedImage(Flavour.OVERVIEW, level(30, 20, "overview"))
    label = AssociatedImage(Flavour.LABEL, level(10, 10, "label"))
    return Slide(pyramids, (overview, label))


def pyramid(path: str = "0", name: str = "", plane: int = 0, scan: int = 0) -> Pyramid:
    return Pyramid((level(4000, 3000),), OpticalPath(path, name), FocalPlane(plane), scan)


def with_slide(stage: Stage, slide: Slide) -> None:
    add_study(stage.catalogue, ModalitiesInStudy="SM")
    entry = InstanceEntry("w", "slide", WHOLE_SLIDE, {})
    add_series(stage.catalogue, "slide", entry, Modality="SM", SeriesDescription="Slide")
    stage.slides = FakeSlides({"slide": slide})


def test_a_whole_slide_is_one_canvas_and_its_other_images_follow(stage: Stage):
    with_slide(stage, slide_of(pyramid()))
    manifest = study_manifest(stage)
    assert labels(manifest["items"]) == ["Slide", "Overview", "Label"]
    slide = manifest["items"][0]
    assert (slide["width"], slide["height"]) == (4000, 3000)
    body = slide["items"][0]["items"][0]["body"]
    assert body["service"][0]["id"] == f"{BASE}/series/slide/iiif/3"
    assert manifest["items"][1]["id"] == f"{BASE}/instances/overview/frames/0/iiif/canvas"


@dataclass
class NoSlides:
    """Slides of which none can be shown."""

    def slide(self, series_id: str) -> Slide:
        raise UnusableSource("NoTotalPixelMatrix")


@pytest.mark.parametrize(("shows_labels", "count"), [(True, 1), (False, 0)])
def test_a_label_without_its_slide_is_an_image(shows_labels: bool, count: int):
    stage = with_words(SlideLabels=shows_labels)
    with_slide(stage, slide_of())
    stage.slides = NoSlides()
    tags = {"Rows": "9", "Columns": "9"}
    stage.catalogue.known_instances["slide"] = [
        InstanceEntry("l", "slide", WHOLE_SLIDE, {**tags, "ImageType": "ORIGINAL\\PRIMARY\\LABEL"}),
        InstanceEntry("t", "slide", WHOLE_SLIDE, {**tags, "NumberOfFrames": "900"}),
    ]
    if count:
        assert len(study_manifest(stage)["items"]) == count
    else:
        with pytest.raises(UnusableSource):
            study_manifest(stage)


def test_a_paper_label_is_left_out_when_the_settings_say_so():
    stage = with_words(SlideLabels=False)
    with_slide(stage, slide_of(pyramid()))
    assert labels(study_manifest(stage)["items"]) == ["Slide", "Overview"]


def test_optical_paths_and_focal_planes_are_a_choice(stage: Stage):
    with_slide(stage, slide_of(pyramid("1", "DAPI"), pyramid("1", "DAPI", 1), pyramid("2")))
    choice = study_manifest(stage)["items"][0]["items"][0]["items"][0]["body"]
    assert choice["type"] == "Choice"
    assert labels(choice["items"]) == ["DAPI", "DAPI, focal plane 2", "Optical path 2"]
    assert [one["service"][0]["id"] for one in choice["items"]] == [
        f"{BASE}/series/slide/{middle}iiif/3" for middle in ("", "pyramids/1/", "pyramids/2/")
    ]


def test_scans_of_a_series_have_canvases_of_their_own(stage: Stage):
    with_slide(stage, Slide((pyramid(), pyramid(scan=1))))
    assert [canvas["id"] for canvas in study_manifest(stage)["items"]] == [
        f"{BASE}/series/slide/iiif/canvas",
        f"{BASE}/series/slide/iiif/canvas/1",
    ]


def test_segmentations_are_left_out_where_there_are_images(stage: Stage):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", image("1"))
    add_series(stage.catalogue, "seg", image("2"), Modality="SEG")
    assert len(study_manifest(stage)["items"]) == 1
    assert len(series_manifest(stage, "seg")["items"]) == 1


def test_a_study_of_segmentations_alone_shows_them(stage: Stage):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "seg", image("2"), Modality="SEG")
    assert len(study_manifest(stage)["items"]) == 1


@pytest.mark.parametrize("modality", ["SR", "RTSTRUCT", "PR"])
def test_a_study_without_anything_to_see_is_refused(stage: Stage, modality: str):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "x", image("1"), Modality=modality)
    with pytest.raises(UnusableSource, match="holds no image"):
        stage.presenter().study_manifest("study", BASE)
    with pytest.raises(UnusableSource, match="holds no image"):
        stage.presenter().series_manifest("x", BASE)


@pytest.mark.parametrize("tags", [{"Rows": ""}, {"Rows": "0"}, {"Columns": "-5"}, {"Rows": "x"}])
def test_an_instance_without_pixels_is_no_image(stage: Stage, tags: dict[str, str]):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", image("1"), image("2", **tags))
    assert len(study_manifest(stage)["items"]) == 1


@pytest.mark.parametrize("name", UNSEEN)
def test_video_and_floating_point_numbers_are_not_painted(stage: Stage, name: str):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", image("1"), UNSEEN[name])
    assert len(study_manifest(stage)["items"]) == 1
    with pytest.raises(UnusableSource, match="holds no image"):
        stage.presenter().instance_manifest(UNSEEN[name].instance_id, BASE)


def test_a_parametric_map_of_integers_is_painted(stage: Stage):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "map", replace(image("1"), sop_class_uid=PARAMETRIC_MAP))
    assert len(study_manifest(stage)["items"]) == 1


def test_a_number_of_frames_without_bounds_is_refused(stage: Stage):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", image("1", NumberOfFrames="2000000000"))
    with pytest.raises(TooLarge, match="2000000000 frames"):
        stage.presenter().study_manifest("study", BASE)


@pytest.mark.parametrize(
    "tags",
    [
        {"ImagePositionPatient": "a\\b\\c"},
        {"ImagePositionPatient": "1\\2"},
        {"ImageOrientationPatient": "nan\\0\\0\\0\\inf\\0"},
        {"InstanceNumber": "first"},
        {"NumberOfFrames": "-3"},
    ],
)
def test_a_slice_with_a_broken_place_is_still_shown(stage: Stage, tags: dict[str, str]):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", *stack(2), image("odd", **tags))
    assert len(study_manifest(stage)["items"]) == 3


def test_no_patient_is_named_unless_the_settings_do():
    tags: dict[str, Any] = {
        "PatientName": "Doe^Jane",
        "PatientID": "P-77",
        "PatientBirthDate": "19700102",
        "AccessionNumber": "ACC-9",
        "ReferringPhysicianName": "House^G",
        "StudyID": "S-12",
        "SpecimenDescriptionSequence": [
            {"SpecimenShortDescription": "Liver", "SpecimenIdentifier": "L-34"}
        ],
    }
    secrets = ("Doe", "P-77", "1970", "ACC-9", "House", "S-12", "L-34")
    stage = Stage()
    add_study(stage.catalogue, **tags)
    add_series(stage.catalogue, "ct", image("1"))
    presenter, collector = stage.presenter(), stage.collector()
    answers = [
        presenter.study_manifest("study", BASE),
        presenter.series_manifest("ct", BASE),
        presenter.dicom_json("study"),
        collector.study_collection("study", BASE),
        collector.patient_collection("patient", BASE),
        collector.collection(BASE),
    ]
    assert not [secret for secret in secrets for one in answers if secret.encode() in one.content]


def test_a_patient_is_named_when_the_settings_do():
    stage = with_words(Metadata=[{"PatientName": {"en": "Name", "ja": "名前"}}])
    add_study(stage.catalogue, PatientName="Yamada^Tarou=山田^太郎")
    add_series(stage.catalogue, "ct", image("1"))
    assert study_manifest(stage)["metadata"][0] == {
        "label": {"en": ["Name"], "ja": ["名前"]},
        "value": {"none": ["Yamada, Tarou", "山田, 太郎"]},
    }


def test_tags_of_the_series_describe_the_study_too(stage: Stage):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", image("1"), BodyPartExamined="SKULL")
    metadata = study_manifest(stage)["metadata"]
    assert {"label": {"en": ["Body part"]}, "value": {"none": ["SKULL"]}} in metadata


def metadata_of(stage: Stage) -> dict[str, list[str]]:
    pairs = study_manifest(stage)["metadata"]
    return {pair["label"]["en"][0]: next(iter(pair["value"].values())) for pair in pairs}


def test_the_maker_of_a_model_is_not_that_of_the_object(stage: Stage):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", image("1"))
    own = {"Manufacturer": "orthanc_stl_plugin", "ManufacturerModelName": "orthanc_stl_plugin"}
    add_series(stage.catalogue, "model", image("2"), **own)
    assert not {"Manufacturer", "Device"} & metadata_of(stage).keys()
    add_series(stage.catalogue, "other", image("3"), Manufacturer="Zeiss")
    assert metadata_of(stage)["Manufacturer"] == ["Zeiss"]


@pytest.mark.parametrize("nothing", ["?", " - ", "n/a", "UNKNOWN", ".", "--"])
def test_what_stands_for_no_value_is_none(stage: Stage, nothing: str):
    add_study(stage.catalogue, StudyDescription=nothing)
    add_series(stage.catalogue, "ct", image("1"), Manufacturer=nothing, BodyPartExamined="SKULL")
    assert study_manifest(stage)["label"] == {"none": ["SKULL CT"]}
    assert "Manufacturer" not in metadata_of(stage)
    add_series(stage.catalogue, "more", image("2"), Manufacturer="Zeiss")
    assert metadata_of(stage)["Manufacturer"] == ["Zeiss"]


def test_the_values_have_the_language_of_the_settings():
    stage = with_words(ValueLanguage="ar")
    add_study(stage.catalogue, StudyDescription="نقش")
    add_series(stage.catalogue, "ct", image("1"))
    assert study_manifest(stage)["label"] == {"ar": ["نقش"]}


@pytest.mark.parametrize(
    "text", ['"', "'", "a < b", "</script>", "\u2028", "&amp;", "نقش", "花瓶", "{PatientName}"]
)
def test_odd_characters_come_through_unchanged(stage: Stage, text: str):
    add_study(stage.catalogue, StudyDescription=f"x{text}x", PatientName="Doe")
    add_series(stage.catalogue, "ct", image("1"))
    assert study_manifest(stage)["label"] == {"none": [f"x{text}x"]}


def test_a_value_is_never_taken_for_html(stage: Stage):
    add_study(stage.catalogue, StudyDescription="<img src=x onerror=alert(1)>")
    add_series(stage.catalogue, "ct", image("1"))
    assert study_manifest(stage)["label"] == {"none": ["<img src=x onerror=alert(1)> "]}


def test_the_page_of_an_object_comes_from_its_template():
    stage = with_words(HomepageTemplate="https://museum.example/{AccessionNumber}")
    add_study(stage.catalogue, AccessionNumber="12/3")
    add_study(stage.catalogue, "other")
    for study in ("study", "other"):
        add_series(stage.catalogue, f"{study}-ct", image("1"), study=study)
    assert study_manifest(stage)["homepage"][0]["id"] == "https://museum.example/12%2F3"
    other = json.loads(stage.presenter().study_manifest("other", BASE).content)
    assert "homepage" not in other


def test_a_keyword_that_dicom_does_not_know_is_refused():
    with pytest.raises(ConfigurationError, match="'StudyDscription' is no keyword"):
        Describer(Presentation(label=("{StudyDscription}",)))


def test_an_override_replaces_what_it_names(stage: Stage):
    own = {
        "label": {"en": "Vase", "nl": ["Vaas"]},
        "metadata": [{"label": "Maker", "value": ["A", "B"]}],
        "requiredStatement": {"label": {"en": "By"}, "value": "Museum"},
        "rights": "https://creativecommons.org/licenses/by/4.0/",
        "navDate": "0500-01-01T00:00:00Z",
        "homepage": "https://museum.example/vase",
    }
    study = add_study(stage.catalogue, StudyDescription="CT of a vase")
    metadata = {**study.metadata, "IIIF": json.dumps(own)}
    stage.catalogue.known_studies["study"] = replace(study, metadata=metadata)
    add_series(stage.catalogue, "ct", image("1"))
    manifest = study_manifest(stage)
    assert manifest["label"] == {"en": ["Vase"], "nl": ["Vaas"]}
    assert manifest["metadata"] == [{"label": {"none": ["Maker"]}, "value": {"none": ["A", "B"]}}]
    assert manifest["requiredStatement"]["value"] == {"none": ["Museum"]}
    assert manifest["rights"] == "http://creativecommons.org/licenses/by/4.0/"
    assert manifest["navDate"] == "0500-01-01T00:00:00Z"
    assert manifest["homepage"][0]["id"] == "https://museum.example/vase"


def with_metadata(stage: Stage, own: str) -> None:
    study = stage.catalogue.known_studies["study"]
    metadata = {**study.metadata, "IIIF": own}
    stage.catalogue.known_studies["study"] = replace(study, metadata=metadata)


@pytest.mark.parametrize(
    "own",
    [
        "no JSON",
        "[]",
        '{"labl": "x"}',
        '{"label": 3}',
        '{"label": ""}',
        '{"metadata": {}}',
        '{"metadata": [{"label": "x"}]}',
        '{"rights": 3}',
        '{"rights": "CC BY 4.0"}',
        '{"rights": "https://creativecommons.org/licenses/by/4.0/ "}',
        '{"homepage": "museum.example/vase"}',
        '{"homepage": "javascript:alert(1)"}',
        '{"navDate": "1850"}',
        '{"navDate": "1850-01-01"}',
        '{"navDate": "1850-01-01T00:00:00"}',
        '{"navDate": "1850-02-30T00:00:00Z"}',
        '{"navDate": "1850-01-01T25:00:00Z"}',
        '{"navDate": 1850}',
        "[" * 100_000,
        '{"label": ' + "[" * 50 + "]" * 50 + "}",
    ],
)
def test_a_bad_override_is_left_out_and_logged(
    stage: Stage, caplog: pytest.LogCaptureFixture, own: str
):
    add_study(stage.catalogue, StudyDescription="Vase", StudyDate="20200131")
    add_series(stage.catalogue, "ct", image("1"))
    plain = study_manifest(stage)
    with_metadata(stage, own)
    assert study_manifest(stage) == plain
    assert "metadata 'IIIF' of study study: " in caplog.text
    assert "is left out" in caplog.text


def test_of_an_override_only_what_is_wrong_is_left_out(stage: Stage):
    add_study(stage.catalogue, StudyDescription="Vase", StudyDate="20200131")
    add_series(stage.catalogue, "ct", image("1"))
    with_metadata(stage, '{"label": "Krater", "navDate": "1850", "rights": "CC BY"}')
    manifest = study_manifest(stage)
    assert manifest["label"] == {"none": ["Krater"]}
    assert manifest["navDate"] == "2020-01-31T00:00:00Z"
    assert "rights" not in manifest


@pytest.mark.parametrize(
    "date",
    [
        "1850-01-01T00:00:00Z",
        "-0447-02-28T12:00:00Z",
        "2024-02-29T23:59:59.5+01:00",
        "0000-02-29T00:00:00Z",
    ],
)
def test_dates_of_an_override_are_those_of_xsd(stage: Stage, date: str):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", image("1"))
    with_metadata(stage, json.dumps({"navDate": date}))
    assert study_manifest(stage)["navDate"] == date


def test_an_override_may_take_away_what_the_settings_say():
    stage = with_words(
        HomepageTemplate="https://museum.example/{AccessionNumber}",
        Rights="http://creativecommons.org/licenses/by/4.0/",
    )
    add_study(stage.catalogue, AccessionNumber="12", StudyDate="20200131")
    add_series(stage.catalogue, "ct", image("1"))
    with_metadata(stage, '{"homepage": "", "rights": "", "navDate": "", "metadata": []}')
    assert not {"homepage", "rights", "navDate"} & set(study_manifest(stage))


def test_the_faults_of_overrides_are_told_until_they_are_mended(stage: Stage):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", image("1"))
    overrides = Overrides("IIIF", "none")
    description = Description(texts("x"), texts("y"))
    with_metadata(stage, '{"rights": "CC BY"}')
    overrides.apply(stage.catalogue.known_studies["study"], description)
    told = "'rights' is left out: it must be an address that begins with http:// or https://"
    assert overrides.faults(stage.catalogue) == {"study": [told]}
    with_metadata(stage, "{}")
    assert overrides.faults(stage.catalogue) == {}
    with_metadata(stage, "no JSON")
    overrides.apply(stage.catalogue.known_studies["study"], description)
    del stage.catalogue.known_studies["study"]
    assert overrides.faults(stage.catalogue) == {}


def test_a_frame_has_a_manifest_at_the_address_that_was_asked(stage: Stage):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "us", image("film", NumberOfFrames="3"))
    presenter = stage.presenter()
    manifest = json.loads(presenter.frame_manifest("film", 2, BASE, f"{BASE}/x").content)
    assert manifest["id"] == f"{BASE}/x"
    assert labels(manifest["items"]) == ["3/3"]
    with pytest.raises(NotFound, match="no frame 3"):
        presenter.frame_manifest("film", 3, BASE, f"{BASE}/x")


def test_what_does_not_exist_is_not_found(stage: Stage):
    presenter = stage.presenter()
    for ask in (presenter.study_manifest, presenter.series_manifest, presenter.scene):
        with pytest.raises(NotFound, match="nope"):
            ask("nope", BASE)


def test_a_manifest_is_made_once(stage: Stage):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", *stack(2))
    presenter = stage.presenter()
    first = presenter.study_manifest("study", BASE)
    asked = stage.catalogue.asked
    assert presenter.study_manifest("study", BASE) is first
    assert stage.catalogue.asked == asked + 1
    assert presenter.study_manifest("study", "https://other") != first


def test_a_changed_study_is_presented_anew(stage: Stage):
    study = add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", *stack(2))
    presenter = stage.presenter()
    first = presenter.study_manifest("study", BASE)
    add_series(stage.catalogue, "ct", *stack(3))
    stage.catalogue.known_studies["study"] = replace(study, instance_count=3)
    second = presenter.study_manifest("study", BASE)
    assert second.digest != first.digest


def test_nothing_is_kept_that_was_made_while_the_study_was_still_arriving(stage: Stage):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", *stack(2))
    stage.now = dt.datetime(2026, 1, 1, 0, 0, 1, tzinfo=dt.UTC)
    presenter = stage.presenter()
    presenter.study_manifest("study", BASE)
    add_series(stage.catalogue, "ct", *stack(3))
    manifest = json.loads(presenter.study_manifest("study", BASE).content)
    assert len(manifest["items"]) == 3


def test_the_name_of_a_series_manifest_holds_that_of_its_study(stage: Stage):
    add_study(stage.catalogue, StudyDescription="Mummy")
    add_series(stage.catalogue, "ct", image("1"), SeriesDescription="Thin")
    assert series_manifest(stage, "ct")["label"] == {"none": ["Mummy"]}
    add_series(stage.catalogue, "ct2", image("2"), SeriesDescription="Thick")
    manifest = series_manifest(stage, "ct2")
    assert manifest["label"] == {"none": ["Mummy, Thick"]}
    assert manifest["partOf"][0] == {
        "id": f"{BASE}/studies/study/iiif/collection.json",
        "type": "Collection",
        "label": {"none": ["Mummy"]},
    }


def test_the_manifest_of_an_instance_is_part_of_a_manifest(stage: Stage):
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", image("1"), SeriesDescription="Thin")
    manifest = json.loads(stage.presenter().instance_manifest("1", BASE).content)
    assert manifest["partOf"] == [
        {
            "id": f"{BASE}/series/ct/iiif/manifest.json",
            "type": "Manifest",
            "label": {"none": ["Thin"]},
        }
    ]


def test_the_defaults_of_the_settings_suit_a_specimen():
    stage = Stage(Settings())
    specimen = {"SpecimenShortDescription": "Papyrus", "SpecimenDetailedDescription": "A letter"}
    add_study(stage.catalogue)
    add_series(stage.catalogue, "ct", image("1"), SpecimenDescriptionSequence=[specimen])
    manifest = study_manifest(stage)
    assert manifest["label"] == texts("Papyrus").to_json()
    assert manifest["summary"] == {"en": ["1 series with 1 image"]}
    assert "A letter" not in json.dumps(manifest)


def test_a_long_text_is_the_summary_where_the_settings_say_so():
    stage = with_words(Summary=["{SpecimenDescriptionSequence.SpecimenDetailedDescription}"])
    add_study(stage.catalogue)
    specimen = {"SpecimenDetailedDescription": "A letter"}
    add_series(stage.catalogue, "ct", image("1"), SpecimenDescriptionSequence=[specimen])
    assert study_manifest(stage)["summary"] == texts("A letter").to_json()
