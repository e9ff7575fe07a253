"""The grammar of IIIF Image 3.0 and 2.1.1, section 4, word by word."""

import pytest

from orthanc_stl_plugin.errors import BadRequest, NotSupported
from orthanc_stl_plugin.iiif.image.request import (
    Format,
    ImageRequest,
    NamedRegion,
    PercentRegion,
    PixelRegion,
    Quality,
    Size,
    SizeForm,
    Version,
    parse_request,
)

BOTH = pytest.mark.parametrize("version", Version)


def parsed(
    version: Version = Version.V3,
    region: str = "full",
    size: str = "max",
    rotation: str = "0",
    last: str = "default.jpg",
) -> ImageRequest:
    return parse_request(version, region, size, rotation, last)


@BOTH
@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("full", NamedRegion.FULL),
        ("square", NamedRegion.SQUARE),
        ("125,15,120,140", PixelRegion(125, 15, 120, 140)),
        ("0,0,1,1", PixelRegion(0, 0, 1, 1)),
        ("pct:41.6,7.5,40,70", PercentRegion(41.6, 7.5, 40, 70)),
        ("pct:.5,0,66.6,100", PercentRegion(0.5, 0, 66.6, 100)),
        ("pct:0,0,33.333333333333336,200", PercentRegion(0, 0, 33.333333333333336, 200)),
    ],
)
def test_the_regions_of_section_4_1(
    version: Version, text: str, region: NamedRegion | PixelRegion | PercentRegion
) -> None:
    assert parsed(version, region=text).region == region


@BOTH
@pytest.mark.parametrize(
    "text",
    [
        "",
        "Full",
        "full ",
        "1,2,3",
        "1,2,3,4,5",
        "1,2,3,",
        "-1,0,10,10",
        "+1,0,10,10",
        "1.0,0,10,10",
        "1e1,0,10,10",
        "0x1,0,10,10",
        "1_0,0,10,10",
        " 1,0,10,10",
        "0,0,0,10",
        "0,0,10,0",
        "٣,0,10,10",
        "²,0,10,10",
        "9" * 400 + ",0,10,10",
        "pct:",
        "pct:1,2,3",
        "pct:-1,2,3,4",
        "pct:nan,0,10,10",
        "pct:inf,0,10,10",
        "pct:1e1,0,10,10",
        "pct:1.2.3,0,10,10",
        "pct:.,0,10,10",
        "pct:0,0,0,10",
        "pct:0,0,10,0.0",
        "pct:" + "9" * 400 + ",0,10,10",
        "percent:0,0,10,10",
        "square,1",
        "\ud800",
        "0,0,10,10\n",
    ],
)
def test_what_is_no_region_is_a_bad_request(version: Version, text: str) -> None:
    with pytest.raises(BadRequest, match="region"):
        parsed(version, region=text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("max", Size(SizeForm.MAX, upscaling=False)),
        ("150,", Size(SizeForm.WIDTH, upscaling=False, width=150)),
        (",150", Size(SizeForm.HEIGHT, upscaling=False, height=150)),
        ("pct:50", Size(SizeForm.PERCENT, upscaling=False, percent=50)),
        ("225,100", Size(SizeForm.EXACT, upscaling=False, width=225, height=100)),
        ("!225,100", Size(SizeForm.CONFINED, upscaling=False, width=225, height=100)),
    ],
)
def test_the_sizes_of_version_3_enlarge_after_a_caret_only(text: str, size: Size) -> None:
    enlarging = Size(size.form, True, size.width, size.height, size.percent)
    assert parsed(size=text).size == size
    assert parsed(size="^" + text).size == enlarging


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("full", Size(SizeForm.FULL, upscaling=False)),
        ("max", Size(SizeForm.MAX, upscaling=False)),
        ("150,", Size(SizeForm.WIDTH, upscaling=True, width=150)),
        (",150", Size(SizeForm.HEIGHT, upscaling=True, height=150)),
        ("pct:12.5", Size(SizeForm.PERCENT, upscaling=True, percent=12.5)),
        ("225,100", Size(SizeForm.EXACT, upscaling=True, width=225, height=100)),
        ("!225,100", Size(SizeForm.CONFINED, upscaling=True, width=225, height=100)),
    ],
)
def test_the_sizes_of_version_2_enlarge_by_themselves(text: str, size: Size) -> None:
    assert parsed(Version.V2, size=text).size == size


@BOTH
@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "!,",
        "!10,",
        "!,10",
        "!max",
        "!^10,10",
        ",^240",
        "^^max",
        "150",
        "150,,",
        "1,2,3",
        "-1,",
        "1.5,",
        "1e3,",
        "0,",
        ",0",
        "0,0",
        "10,0",
        "!0,10",
        "pct:",
        "pct:0",
        "pct:0.0",
        "pct:-5",
        "pct:nan",
        "pct:1e2",
        "!pct:50",
        "pct:50,50",
        "9" * 400 + ",",
        "MAX",
        "\x00",
    ],
)
def test_what_is_no_size_is_a_bad_request(version: Version, text: str) -> None:
    with pytest.raises(BadRequest, match="size"):
        parsed(version, size=text)


def test_version_3_knows_no_size_full() -> None:
    with pytest.raises(BadRequest, match="version 3 says max"):
        parsed(size="full")


@pytest.mark.parametrize("text", ["^max", "^10,", "^full", "^pct:120"])
def test_version_2_knows_no_caret(text: str) -> None:
    with pytest.raises(BadRequest):
        parsed(Version.V2, size=text)


@BOTH
@pytest.mark.parametrize(
    ("text", "degrees", "mirrored"),
    [
        ("0", 0, False),
        ("!0", 0, True),
        ("90", 90, False),
        ("!180", 180, True),
        ("22.5", 22.5, False),
        (".5", 0.5, False),
        ("360", 360, False),
        ("007", 7, False),
    ],
)
def test_the_rotations_of_section_4_3(
    version: Version, text: str, degrees: float, mirrored: bool
) -> None:
    request = parsed(version, rotation=text)
    assert (request.rotation_degrees, request.mirrored) == (degrees, mirrored)


@BOTH
@pytest.mark.parametrize(
    "text",
    ["", "!", "!!0", "-90", "360.1", "361", "nan", "inf", "1e1", "90!", "0°", "+1", "9" * 400],
)
def test_what_is_no_rotation_is_a_bad_request(version: Version, text: str) -> None:
    with pytest.raises(BadRequest, match="rotation"):
        parsed(version, rotation=text)


@BOTH
@pytest.mark.parametrize("quality", Quality)
@pytest.mark.parametrize("format_", Format)
def test_every_quality_comes_in_every_format(
    version: Version, quality: Quality, format_: Format
) -> None:
    request = parsed(version, last=f"{quality}.{format_}")
    assert (request.quality, request.format) == (quality, format_)


@BOTH
@pytest.mark.parametrize(
    "last", ["", "default", ".jpg", "default.", "native.jpg", "grey.jpg", "default.jpeg", "a.b.jpg"]
)
def test_an_unknown_quality_or_format_is_a_bad_request(version: Version, last: str) -> None:
    with pytest.raises(BadRequest, match="is no (quality|format)"):
        parsed(version, last=last)


@BOTH
@pytest.mark.parametrize("format_", ["jp2", "pdf"])
def test_a_format_of_the_specification_that_is_not_built_is_not_supported(
    version: Version, format_: str
) -> None:
    with pytest.raises(NotSupported, match=format_):
        parsed(version, last=f"default.{format_}")


def test_a_message_shows_a_long_value_short_and_on_one_line() -> None:
    with pytest.raises(BadRequest) as caught:
        parsed(region="\n" + "x" * 10000)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)
