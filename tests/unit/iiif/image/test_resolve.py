"""Regions, sizes, limits and canonical paths; the numbers are the specification's examples."""

import pytest

from orthanc_stl_plugin.errors import BadRequest, ConfigurationError
from orthanc_stl_plugin.iiif.image.request import Version, parse_request
from orthanc_stl_plugin.iiif.image.resolve import (
    Limits,
    Resolved,
    canonical,
    resolve,
    rotated_extent,
)

V2, V3 = Version.V2, Version.V3
WIDTH, HEIGHT = 300, 200  # the picture of the specification
NO_LIMITS = Limits()


def resolved(
    path: str,
    version: Version = V3,
    image: tuple[int, int] = (WIDTH, HEIGHT),
    limits: Limits = NO_LIMITS,
) -> Resolved:
    region, size, rotation, last = path.split("/")
    return resolve(parse_request(version, region, size, rotation, last), *image, limits)


def region_of(region: str, image: tuple[int, int] = (WIDTH, HEIGHT)) -> tuple[int, int, int, int]:
    made = resolved(f"{region}/max/0/default.jpg", image=image)
    return made.x, made.y, made.width, made.height


def size_of(
    size: str,
    version: Version = V3,
    region: str = "full",
    image: tuple[int, int] = (WIDTH, HEIGHT),
    limits: Limits = NO_LIMITS,
) -> tuple[int, int]:
    made = resolved(f"{region}/{size}/0/default.jpg", version, image, limits)
    return made.output_width, made.output_height


@pytest.mark.parametrize(
    ("region", "box"),
    [
        ("full", (0, 0, 300, 200)),
        ("square", (50, 0, 200, 200)),
        ("125,15,120,140", (125, 15, 120, 140)),
        ("pct:41.6,7.5,40,70", (125, 15, 120, 140)),
        ("125,15,200,200", (125, 15, 175, 185)),
        ("pct:41.6,7.5,66.6,100", (125, 15, 175, 185)),
        ("299,199,9,9", (299, 199, 1, 1)),
    ],
)
def test_the_regions_of_the_specification_s_pictures(
    region: str, box: tuple[int, int, int, int]
) -> None:
    assert region_of(region) == box


def test_regions_in_percent_that_meet_leave_no_gap_and_do_not_overlap() -> None:
    lefts = [region_of(f"pct:{k * 12.5},0,12.5,100", (301, 200)) for k in range(8)]
    assert sum(width for _, _, width, _ in lefts) == 301
    assert [x + width for x, _, width, _ in lefts[:-1]] == [x for x, _, _, _ in lefts[1:]]


@pytest.mark.parametrize(
    "region",
    ["300,0,10,10", "0,200,10,10", "pct:100,0,10,10", "pct:0,100,1,1", "pct:0,0,0.001,50"],
)
def test_a_region_without_a_pixel_is_a_bad_request(region: str) -> None:
    with pytest.raises(BadRequest, match="no pixel in an image of 300 x 200"):
        region_of(region)


@pytest.mark.parametrize(
    ("size", "extent"),
    [
        ("max", (300, 200)),
        ("^max", (300, 200)),
        ("150,", (150, 100)),
        ("^360,", (360, 240)),
        (",150", (225, 150)),
        ("^,240", (360, 240)),
        ("pct:50", (150, 100)),
        ("^pct:120", (360, 240)),
        ("225,100", (225, 100)),
        ("^360,360", (360, 360)),
        ("!225,100", (150, 100)),
        ("^!360,360", (360, 240)),
        ("!360,200", (300, 200)),
        ("!300,360", (300, 200)),
        ("!100,225", (100, 67)),
        ("!301,201", (300, 200)),
        ("!9000,9000", (300, 200)),
    ],
)
def test_the_sizes_of_the_specification_s_pictures(size: str, extent: tuple[int, int]) -> None:
    assert size_of(size) == extent


@pytest.mark.parametrize("size", ["301,", ",201", "pct:101", "301,10", "10,201"])
def test_version_3_enlarges_after_a_caret_only(size: str) -> None:
    with pytest.raises(BadRequest, match=r"\^"):
        size_of(size)


@pytest.mark.parametrize(
    ("size", "extent"),
    [
        ("full", (300, 200)),
        ("max", (300, 200)),
        ("600,", (600, 400)),
        (",400", (600, 400)),
        ("pct:200", (600, 400)),
        ("600,200", (600, 200)),
        ("!600,600", (600, 400)),
    ],
)
def test_version_2_enlarges_by_itself(size: str, extent: tuple[int, int]) -> None:
    assert size_of(size, V2) == extent


def test_a_narrow_region_keeps_a_pixel_across() -> None:
    assert size_of("10,", image=(10000, 3)) == (10, 1)
    assert size_of("!10,10", image=(10000, 3)) == (10, 1)
    assert size_of("pct:0.1", image=(10000, 3)) == (10, 1)


def test_a_percentage_that_leaves_no_pixel_at_all_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="leaves no pixel"):
        size_of("pct:0.1")


def test_the_edge_tile_of_version_2_keeps_the_rounding_of_its_pyramid() -> None:
    """901 x 1024 pixels at half size are 451 x 512 when both are rounded up; 451 alone says 513."""
    assert size_of("451,", V2, "2048,0,901,1024", (2949, 4000)) == (451, 512)


def test_a_last_row_of_one_pixel_is_served_at_every_scale() -> None:
    assert size_of("64,", V2, "0,1024,512,1", (4000, 1025)) == (64, 1)


@pytest.mark.parametrize(
    ("size", "limits", "extent"),
    [
        ("max", Limits(max_width=200), (200, 133)),
        ("max", Limits(max_width=200, max_height=100), (150, 100)),
        ("max", Limits(max_width=600), (300, 200)),
        ("^max", Limits(max_width=360), (360, 240)),
        ("max", Limits(max_area=15000), (150, 100)),
        ("^max", Limits(max_area=240000), (600, 400)),
        ("^max", Limits(max_width=450, max_area=240000), (450, 300)),
        ("^max", Limits(max_width=3000, max_area=240000), (600, 400)),
        ("!250,250", Limits(max_width=200), (200, 133)),
        ("!250,250", Limits(max_area=15000), (150, 100)),
        ("^!900,900", Limits(max_area=240000), (600, 400)),
    ],
)
def test_max_and_confined_sizes_stay_inside_the_limits(
    size: str, limits: Limits, extent: tuple[int, int]
) -> None:
    assert size_of(size, limits=limits) == extent


@pytest.mark.parametrize(
    ("size", "limits", "named"),
    [
        ("250,", Limits(max_width=200), "maxWidth 200"),
        (",200", Limits(max_width=400, max_height=150), "maxHeight 150"),
        ("^100,300", Limits(max_width=200), "maxHeight 200"),
        ("300,200", Limits(max_area=59999), "maxArea of 59999"),
        ("^pct:" + "9" * 30, Limits(max_area=59999), "maxArea of 59999"),
    ],
)
def test_a_size_above_a_limit_is_a_bad_request_that_names_it(
    size: str, limits: Limits, named: str
) -> None:
    with pytest.raises(BadRequest, match=named):
        size_of(size, limits=limits)


def test_a_strip_of_pixels_keeps_the_area_limit() -> None:
    assert size_of("max", image=(100000, 1), limits=Limits(max_area=1000)) == (1000, 1)


@pytest.mark.parametrize("degrees", ["45", "!322.1", "89.9"])
def test_what_surrounds_a_turned_strip_counts_as_well(degrees: str) -> None:
    limits = Limits(max_area=3000)
    path = "full/max/{}/default.jpg"
    assert resolved(path.format(180), image=(2000, 1), limits=limits).output_width == 2000
    with pytest.raises(BadRequest, match="maxArea of 3000"):
        resolved(path.format(degrees), image=(2000, 1), limits=limits)


def test_a_limit_of_height_takes_one_of_width() -> None:
    with pytest.raises(ConfigurationError, match="100"):
        Limits(max_height=100)


@pytest.mark.parametrize(("format_", "side"), [
    ("jpg", 65500), ("png", 1_000_000), ("gif", 65535), ("webp", 16383)
])  # fmt: skip
def test_an_image_larger_than_its_format_holds_is_a_bad_request(format_: str, side: int) -> None:
    path = "full/max/{}/default." + format_
    assert resolved(path.format(0), image=(side, 9)).output_width == side
    assert resolved(path.format(90), image=(9, side)).output_height == side
    with pytest.raises(BadRequest, match=str(side)):
        resolved(path.format(0), image=(side + 1, 9))


def test_a_full_turn_is_none() -> None:
    assert resolved("full/max/360/default.jpg").rotation_degrees == 0
    assert resolved("full/max/359.9999999/default.jpg").rotation_degrees == 0


@pytest.mark.parametrize(
    ("degrees", "extent"),
    [(0, (300, 200)), (90, (200, 300)), (180, (300, 200)), (45, (354, 354)), (30, (360, 324))],
)
def test_a_turned_image_lies_in_the_bounding_box_of_its_corners(
    degrees: float, extent: tuple[int, int]
) -> None:
    """300 cos 45 + 200 sin 45 = 353.6; 300 cos 30 + 200 sin 30 = 359.8 and 323.2 down."""
    assert rotated_extent(300, 200, degrees) == extent


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("full/max/0/default.jpg", "full/max/0/default.jpg"),
        ("0,0,300,200/300,/0/color.jpg", "full/max/0/default.jpg"),
        ("0,0,900,900/pct:100/360/default.jpg", "full/max/0/default.jpg"),
        ("square/max/!0/gray.png", "50,0,200,200/max/!0/gray.png"),
        ("full/150,/90.0/default.tif", "full/150,100/90/default.tif"),
        ("full/^150,/22.50/default.tif", "full/150,100/22.5/default.tif"),
        ("full/^360,/.5/default.gif", "full/^360,240/0.5/default.gif"),
        ("full/^max/0/bitonal.webp", "full/max/0/bitonal.webp"),
        ("pct:41.6,7.5,40,70/!60,60/0/default.jpg", "125,15,120,140/51,60/0/default.jpg"),
    ],
)
def test_the_canonical_path_of_version_3(path: str, expected: str) -> None:
    assert canonical(resolved(path), V3, (WIDTH, HEIGHT), NO_LIMITS) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("full/full/0/default.jpg", "full/full/0/default.jpg"),
        ("full/max/0/default.jpg", "full/full/0/default.jpg"),
        ("full/150,100/0/default.jpg", "full/150,/0/default.jpg"),
        ("full/,100/0/color.jpg", "full/150,/0/default.jpg"),
        ("full/150,150/0/default.jpg", "full/150,150/0/default.jpg"),
        ("full/600,/!90/gray.jpg", "full/600,/!90/gray.jpg"),
    ],
)
def test_the_canonical_path_of_version_2(path: str, expected: str) -> None:
    assert canonical(resolved(path, V2), V2, (WIDTH, HEIGHT), NO_LIMITS) == expected


def test_the_largest_permitted_size_has_a_name_of_its_own() -> None:
    limits = Limits(max_area=240000)
    made = resolved("full/^600,400/0/default.jpg", limits=limits)
    assert canonical(made, V3, (WIDTH, HEIGHT), limits) == "full/^max/0/default.jpg"


def test_gray_is_the_default_of_an_image_without_colour() -> None:
    request = parse_request(V3, "full", "max", "0", "gray.jpg")
    made = resolve(request, WIDTH, HEIGHT, NO_LIMITS, has_colour=False)
    assert canonical(made, V3, (WIDTH, HEIGHT), NO_LIMITS) == "full/max/0/default.jpg"
