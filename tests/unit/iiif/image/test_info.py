"""The words of info.json, against the tables of section 5 of both versions."""

import json

import pytest

from orthanc_stl_plugin.iiif.image.info import (
    ImageDescription,
    info_v2,
    info_v3,
    scale_factors,
    sizes,
)
from orthanc_stl_plugin.iiif.image.plan import LevelShape
from orthanc_stl_plugin.iiif.image.resolve import Limits

ID = "https://example.org/iiif/3/abc"
LIMITS = Limits(max_area=25_000_000)
SLIDE = [
    LevelShape(6001, 4000, 512, 256),
    LevelShape(3000, 2000, 256, 256),
    LevelShape(1700, 1133, 512, 512),
]


def pairs(info: dict[str, object]) -> list[tuple[int, int]]:
    listed = info["sizes"]
    assert isinstance(listed, list)
    return [(size["width"], size["height"]) for size in listed]


def test_version_3_says_what_it_must() -> None:
    info = info_v3(ID, SLIDE, LIMITS, ImageDescription())
    assert next(iter(info)) == "@context"
    assert info["@context"] == "http://iiif.io/api/image/3/context.json"
    assert info["id"] == ID
    assert info["type"] == "ImageService3"
    assert info["protocol"] == "http://iiif.io/api/image"
    assert info["profile"] == "level2"
    assert (info["width"], info["height"]) == (6001, 4000)
    assert info["maxArea"] == 25_000_000
    assert "maxWidth" not in info


def test_version_3_lists_what_is_beyond_its_level_2() -> None:
    info = info_v3(ID, SLIDE, LIMITS, ImageDescription())
    assert info["extraFormats"] == ["webp", "gif", "tif"]
    assert info["extraQualities"] == ["color", "gray", "bitonal"]
    assert info["extraFeatures"] == [
        "canonicalLinkHeader",
        "mirroring",
        "profileLinkHeader",
        "rotationArbitrary",
        "sizeUpscaling",
    ]


def test_an_image_without_colour_does_not_list_the_quality() -> None:
    info = info_v3(ID, SLIDE, LIMITS, ImageDescription(has_colour=False))
    assert info["extraQualities"] == ["gray", "bitonal"]


def test_version_2_says_what_it_must() -> None:
    info = info_v2(ID, SLIDE, Limits(4000, 3000, 9_000_000), ImageDescription())
    assert next(iter(info)) == "@context"
    assert info["@context"] == "http://iiif.io/api/image/2/context.json"
    assert info["@id"] == ID
    assert info["protocol"] == "http://iiif.io/api/image"
    assert info["profile"] == [
        "http://iiif.io/api/image/2/level2.json",
        {
            "formats": ["webp", "gif", "tif"],
            "supports": [
                "canonicalLinkHeader",
                "mirroring",
                "profileLinkHeader",
                "rotationArbitrary",
                "regionSquare",
                "sizeAboveFull",
            ],
            "maxWidth": 4000,
            "maxHeight": 3000,
            "maxArea": 9_000_000,
        },
    ]


def test_sizes_are_those_of_the_levels_at_powers_of_two_and_rounded_up_elsewhere() -> None:
    assert sizes(SLIDE, Limits()) == [
        (188, 125),
        (376, 250),
        (751, 500),
        (1501, 1000),
        (3000, 2000),
        (6001, 4000),
    ]


def test_a_size_above_the_limits_is_not_advertised() -> None:
    assert sizes(SLIDE, Limits(max_area=6_000_000))[-1] == (3000, 2000)
    assert sizes(SLIDE, Limits(max_width=1501))[-1] == (1501, 1000)
    assert sizes(SLIDE, Limits(max_width=9000, max_height=999))[-1] == (751, 500)


def test_tiles_are_those_of_the_largest_level_at_powers_of_two() -> None:
    info = info_v3(ID, SLIDE, LIMITS, ImageDescription())
    assert info["tiles"] == [{"width": 512, "height": 256, "scaleFactors": [1, 2, 4, 8, 16, 32]}]


@pytest.mark.parametrize("tile", [(20000, 15000), (20000, 1), (8, 8)])
def test_an_image_whose_tiles_are_none_for_a_viewer_is_cut_into_512s(tile: tuple[int, int]) -> None:
    info = info_v3(ID, [LevelShape(20000, 15000, *tile)], LIMITS, ImageDescription())
    assert info["tiles"] == [
        {"width": 512, "height": 512, "scaleFactors": [1, 2, 4, 8, 16, 32, 64, 128]}
    ]


def test_limits_below_a_tile_leave_no_tiles() -> None:
    assert "tiles" not in info_v3(ID, SLIDE, Limits(max_width=300), ImageDescription())


def test_an_image_of_one_pixel_has_one_size_and_one_scale() -> None:
    level = LevelShape(1, 1, 1, 1)
    info = info_v3(ID, [level], LIMITS, ImageDescription())
    assert pairs(info) == [(1, 1)]
    assert scale_factors([level]) == [1]


def test_an_image_of_100000_pixels_a_side_goes_down_to_a_thumbnail() -> None:
    levels = [LevelShape(100_000, 100_000, 512, 512)]
    assert scale_factors(levels) == [2**k for k in range(10)]
    assert sizes(levels, Limits())[0] == (196, 196)


def test_rights_are_passed_on_in_the_word_of_each_version() -> None:
    rights = "https://creativecommons.org/publicdomain/zero/1.0/"
    described = ImageDescription(rights=rights)
    assert info_v3(ID, SLIDE, LIMITS, described)["rights"] == rights
    assert info_v2(ID, SLIDE, LIMITS, described)["license"] == rights


def test_square_pixels_have_a_physical_scale_in_version_2() -> None:
    info = info_v2(ID, SLIDE, LIMITS, ImageDescription(pixel_spacing_mm=(0.0005, 0.0005)))
    assert info["service"] == {
        "@context": "http://iiif.io/api/annex/services/physdim/1/context.json",
        "profile": "http://iiif.io/api/annex/services/physdim",
        "physicalScale": 0.0005,
        "physicalUnits": "mm",
    }


def test_oblong_pixels_have_no_single_physical_scale() -> None:
    info = info_v2(ID, SLIDE, LIMITS, ImageDescription(pixel_spacing_mm=(0.5, 1.0)))
    assert "service" not in info


def test_both_documents_are_json() -> None:
    for info in (info_v2, info_v3):
        document = info(ID, SLIDE, LIMITS, ImageDescription())
        assert json.loads(json.dumps(document)) == document
