import json
from typing import Any

import pytest

from orthanc_stl_plugin.config import Provider, Texts
from orthanc_stl_plugin.config.texts import texts
from orthanc_stl_plugin.iiif.presentation.canvas import Canvas, Picture, Still, canvas_json, fitted
from orthanc_stl_plugin.iiif.presentation.descriptive import (
    Description,
    Homepage,
    LabelledValue,
    description_json,
    rights_uri,
)
from orthanc_stl_plugin.iiif.presentation.manifest import Manifest, Range, write_manifest
from orthanc_stl_plugin.iiif.presentation.scene import Part, Scene, write_scene

SERVICE = "https://m/instances/i/frames/0/iiif/3"
CANVAS = "https://m/instances/i/frames/0/iiif/canvas"
MAX_PIXELS = 25_000_000
PLAIN = Description(texts("Vase"), texts("1 image", language="en"))


def canvas(*pictures: Picture) -> Canvas:
    return Canvas(CANVAS, texts("1/1"), pictures or (Picture(SERVICE, 300, 200),))


def written(manifest: Manifest) -> Any:
    return json.loads(write_manifest(manifest, MAX_PIXELS))


def body(one: Canvas, max_pixels: int = MAX_PIXELS) -> Any:
    page: Any = canvas_json(one, max_pixels)["items"]
    return page[0]["items"][0]["body"]


def test_a_canvas_has_the_size_of_its_image():
    assert canvas_json(canvas(), MAX_PIXELS) | {"items": None} == {
        "id": CANVAS,
        "type": "Canvas",
        "label": {"none": ["1/1"]},
        "height": 200,
        "width": 300,
        "thumbnail": [
            {
                "id": f"{SERVICE}/full/200,133/0/default.jpg",
                "type": "Image",
                "format": "image/jpeg",
                "height": 133,
                "width": 200,
                "service": [
                    {
                        "id": SERVICE,
                        "type": "ImageService3",
                        "profile": "level2",
                        "height": 200,
                        "width": 300,
                        "sizes": [{"height": 133, "width": 200}],
                    }
                ],
            }
        ],
        "items": None,
    }


@pytest.mark.parametrize("size", [(100, 84), (2000, 199), (199, 400)])
def test_a_thumbnail_that_viewers_could_only_enlarge_has_no_service(size: tuple[int, int]):
    found: Any = canvas_json(canvas(Picture(SERVICE, *size)), MAX_PIXELS)
    assert "service" not in found["thumbnail"][0]
    assert body(canvas(Picture(SERVICE, *size)))["service"][0]["id"] == SERVICE


def test_an_image_is_painted_whole_onto_its_canvas():
    page: Any = canvas_json(canvas(), MAX_PIXELS)["items"]
    annotation = page[0]["items"][0]
    assert annotation["motivation"] == "painting"
    assert annotation["target"] == CANVAS
    assert annotation["body"]["id"] == f"{SERVICE}/full/max/0/default.jpg"
    assert (annotation["body"]["width"], annotation["body"]["height"]) == (300, 200)


def test_several_images_of_a_canvas_are_a_choice_with_labels():
    paths = [Picture(f"{SERVICE}{name}", 10, 10, texts(name)) for name in ("a", "b")]
    choice = body(canvas(*paths))
    assert choice["type"] == "Choice"
    assert [one["label"] for one in choice["items"]] == [{"none": ["a"]}, {"none": ["b"]}]


def test_the_image_of_a_gigapixel_slide_is_asked_for_in_a_moderate_size():
    one = body(canvas(Picture(SERVICE, 100_000, 50_001)))
    assert one["id"] == f"{SERVICE}/full/2000,1000/0/default.jpg"
    assert one["service"][0]["width"] == 100_000


@pytest.mark.parametrize(
    ("size", "still", "fit"),
    [
        ((3000, 2000), "max", (1224, 816)),
        ((1900, 1900), "max", (1000, 1000)),
        ((1000, 1000), "max", (1000, 1000)),
        ((10_000, 5000), "max", (1414, 707)),
        ((10_000, 2500), "2000,500", (2000, 500)),
    ],
)
def test_the_image_of_a_canvas_has_no_more_pixels_than_its_service_gives(
    size: tuple[int, int], still: str, fit: tuple[int, int]
):
    one = body(canvas(Picture(SERVICE, *size)), 1_000_000)
    assert one["id"] == f"{SERVICE}/full/{still}/0/default.jpg"
    assert (one["width"], one["height"]) == fit


@pytest.mark.parametrize(
    ("size", "limit", "fit"),
    [
        ((300, 200), 200, (200, 133)),
        ((200, 300), 200, (133, 200)),
        ((200, 200), 200, (200, 200)),
        ((1, 1), 200, (1, 1)),
        ((100_000, 1), 200, (200, 1)),
        ((401, 3), 200, (200, 1)),
    ],
)
def test_a_size_is_fitted_and_never_enlarged(
    size: tuple[int, int], limit: int, fit: tuple[int, int]
):
    assert fitted(*size, limit) == fit


def test_a_picture_without_a_service_stands_for_itself():
    still = Still("https://m/p?size=1024", "https://m/p?size=200", "image/png", 1024)
    found = canvas_json(Canvas(CANVAS, texts("Liver"), (still,)), MAX_PIXELS)
    assert (found["width"], found["height"]) == (1024, 1024)
    assert found["thumbnail"] == [
        {
            "id": "https://m/p?size=200",
            "type": "Image",
            "format": "image/png",
            "height": 200,
            "width": 200,
        }
    ]


def test_a_manifest_begins_with_its_context_and_has_its_thumbnail():
    manifest = written(Manifest("https://m/manifest.json", PLAIN, (canvas(),)))
    assert next(iter(manifest)) == "@context"
    assert manifest["id"] == "https://m/manifest.json"
    assert manifest["thumbnail"] == manifest["items"][0]["thumbnail"]
    assert "structures" not in manifest
    assert "behavior" not in manifest


def test_canvases_follow_each_other_one_by_one():
    manifest = written(
        Manifest("https://m/a", PLAIN, (canvas(), canvas()), viewing_direction="top-to-bottom")
    )
    assert manifest["behavior"] == ["individuals"]
    assert manifest["viewingDirection"] == "top-to-bottom"
    assert len(manifest["items"]) == 2


def test_a_table_of_contents_has_parts_and_canvases():
    part = Range("https://m/r/1", texts("Axial"), (CANVAS,))
    manifest = written(
        Manifest(
            "https://m/a", PLAIN, (canvas(),), (Range("https://m/r", texts("CT"), (), (part,)),)
        )
    )
    assert manifest["structures"] == [
        {
            "id": "https://m/r",
            "type": "Range",
            "label": {"none": ["CT"]},
            "items": [
                {
                    "id": "https://m/r/1",
                    "type": "Range",
                    "label": {"none": ["Axial"]},
                    "items": [{"id": CANVAS, "type": "Canvas"}],
                }
            ],
        }
    ]


def test_half_a_surrogate_pair_does_not_break_the_json():
    label = Texts((("none", ("a\ud800b",)),))
    manifest = written(Manifest("https://m/a", Description(label, label), (canvas(),)))
    assert manifest["label"] == {"none": ["a?b"]}


def test_everything_that_is_known_is_described():
    provider = Provider("https://m/", texts("Museum", language="en"), "https://m/logo.svg?x")
    description = Description(
        label=texts("Vase"),
        summary=texts("A vase"),
        metadata=(LabelledValue(texts("Date", language="en"), texts("1995", "1996")),),
        required_statement=LabelledValue(texts("By"), texts("Museum")),
        rights="https://creativecommons.org/licenses/by/4.0/",
        nav_date="1995-01-01T00:00:00Z",
        provider=provider,
        homepage=Homepage("https://m/vase", texts("Page")),
    )
    assert description_json(description) == {
        "label": {"none": ["Vase"]},
        "summary": {"none": ["A vase"]},
        "metadata": [{"label": {"en": ["Date"]}, "value": {"none": ["1995", "1996"]}}],
        "requiredStatement": {"label": {"none": ["By"]}, "value": {"none": ["Museum"]}},
        "rights": "http://creativecommons.org/licenses/by/4.0/",
        "navDate": "1995-01-01T00:00:00Z",
        "provider": [
            {
                "id": "https://m/",
                "type": "Agent",
                "label": {"en": ["Museum"]},
                "homepage": [
                    {
                        "id": "https://m/",
                        "type": "Text",
                        "label": {"en": ["Museum"]},
                        "format": "text/html",
                    }
                ],
                "logo": [
                    {"id": "https://m/logo.svg?x", "type": "Image", "format": "image/svg+xml"}
                ],
            }
        ],
        "homepage": [
            {
                "id": "https://m/vase",
                "type": "Text",
                "label": {"none": ["Page"]},
                "format": "text/html",
            }
        ],
    }


@pytest.mark.parametrize(
    ("address", "identifier"),
    [
        (
            "https://www.rightsstatements.org/vocab/InC/1.0/",
            "http://rightsstatements.org/vocab/InC/1.0/",
        ),
        ("http://creativecommons.org/publicdomain/zero/1.0/",) * 2,
        ("https://museum.example/terms",) * 2,
        ("",) * 2,
    ],
)
def test_a_rights_statement_is_named_by_its_identifier(address: str, identifier: str):
    assert rights_uri(address) == identifier


def test_a_scene_has_one_annotation_for_each_part():
    parts = (Part("https://m/1/glb", texts("Liver")), Part("https://m/2/glb", texts("Spleen")))
    picture = Picture(SERVICE, 10, 10)
    scene = json.loads(write_scene(Scene("https://m/s/iiif/scene.json", PLAIN, parts, picture)))
    assert scene["@context"] == "http://iiif.io/api/presentation/4/context.json"
    (space,) = scene["items"]
    assert space["type"] == "Scene"
    annotations = space["items"][0]["items"]
    assert [one["body"]["id"] for one in annotations] == ["https://m/1/glb", "https://m/2/glb"]
    assert {one["body"]["format"] for one in annotations} == {"model/gltf-binary"}
    assert all(one["target"] == {"id": space["id"], "type": "Scene"} for one in annotations)
    assert len({one["id"] for one in annotations}) == 2
