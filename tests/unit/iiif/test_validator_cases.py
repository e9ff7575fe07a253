"""What PyPI's iiif-validator asks at its levels 0 to 3, on a picture of the same kind: 100 squares.

Its picture has 10 x 10 squares of 100 pixels; it looks for the colour that most of a crop has.
"""

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from orthanc_stl_plugin.errors import BadRequest, NotSupported
from orthanc_stl_plugin.iiif.image.encode import encode
from orthanc_stl_plugin.iiif.image.plan import LevelShape, plan
from orthanc_stl_plugin.iiif.image.render import assemble, render
from orthanc_stl_plugin.iiif.image.request import Version, parse_request
from orthanc_stl_plugin.iiif.image.resolve import Limits, resolve

type Pixels = NDArray[np.uint8]

V2, V3 = Version.V2, Version.V3
BOTH = pytest.mark.parametrize("version", Version)
LIMITS = Limits(max_area=25_000_000)
COLOURS = np.random.default_rng(5).integers(0, 256, (10, 10, 3), np.uint8)  # row, column
PICTURE = COLOURS.repeat(100, 0).repeat(100, 1)
LEVELS = [LevelShape(side, side, 256, 256) for side in (1000, 500, 250)]


def pillow_jpeg(pixels: Pixels, /, *, icc_profile: bytes | None) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(
        file, "JPEG", quality=90, icc_profile=icc_profile
    )
    return file.getvalue()


def fetched(version: Version, path: str) -> Image.Image:
    """The answer to a path, from tiles of a pyramid made by averaging."""
    resolved = resolve(parse_request(version, *path.split("/")), 1000, 1000, LIMITS)
    plan_ = plan(resolved, LEVELS)
    stored = np.asarray(Image.fromarray(PICTURE).reduce(2**plan_.level))
    tiles = [
        (part, stored[part.row * 256 :, part.column * 256 :][:256, :256])
        for part in plan_.placements
    ]
    pixels = render(assemble(tiles, plan_, (255, 255, 255)), plan_, resolved)
    image = Image.open(BytesIO(encode(pixels, resolved.format, pillow_jpeg)[0]))
    image.load()
    return image


def most_common(image: Image.Image, box: tuple[int, int, int, int] | None = None) -> list[int]:
    colours = image.convert("RGB").crop(box or (0, 0, *image.size)).getcolors(1_000_000)
    assert colours
    colour = max(colours)[1]
    assert isinstance(colour, tuple)
    return list(colour)


def shows(image: Image.Image, column: int, row: int, box: tuple[int, int, int, int]) -> bool:
    """Whether a square's colour is met within the validator's tolerance of 6."""
    difference = np.array(most_common(image, box)) - COLOURS[row, column].astype(int)
    return bool(np.abs(difference).max() < 6)


def shows_all_squares(image: Image.Image) -> bool:
    wide, high = image.size[0] // 10, image.size[1] // 10
    return all(
        shows(image, x, y, (x * wide + 13, y * high + 13, (x + 1) * wide, (y + 1) * high))
        for x in range(10)
        for y in range(10)
    )


@BOTH
@pytest.mark.parametrize(
    ("size", "extent"),
    [
        ("max", (1000, 1000)),
        (",600", (600, 600)),
        ("517,", (517, 517)),
        ("pct:45", (450, 450)),
        ("350,750", (350, 750)),
        ("733,401", (733, 401)),
        ("!700,400", (400, 400)),
    ],
)
def test_sizes_of_the_whole(version: Version, size: str, extent: tuple[int, int]) -> None:
    image = fetched(version, f"full/{size}/0/default.jpg")
    assert image.size == extent
    assert shows_all_squares(image)


@BOTH
@pytest.mark.parametrize("square", [(0, 0), (9, 9), (3, 7), (8, 1)])
def test_regions_in_pixels_and_percent(version: Version, square: tuple[int, int]) -> None:
    x, y = square
    for path, side in [
        (f"{x * 100 + 13},{y * 100 + 13},74,74/max/0/default.jpg", 74),
        (f"pct:{x * 10 + 1},{y * 10 + 1},9,9/max/0/default.jpg", 90),
        (f"{x * 100},{y * 100},100,100/35,35/0/default.jpg", 35),
        (f"{x * 100},{y * 100},100,100/89,89/0/default.jpg", 89),
    ]:
        image = fetched(version, path)
        assert image.size == (side, side)
        assert shows(image, x, y, (0, 0, side, side))


@BOTH
def test_a_square_region_is_square(version: Version) -> None:
    assert fetched(version, "square/max/0/default.jpg").size == (1000, 1000)


@BOTH
@pytest.mark.parametrize(
    ("rotation", "upper_left", "lower_right"),
    [
        ("0", (0, 0), (9, 9)),
        ("90", (0, 9), (9, 0)),
        ("180", (9, 9), (0, 0)),
        ("270", (9, 0), (0, 9)),
        ("!0", (9, 0), (0, 9)),
        ("!180", (0, 9), (9, 0)),
    ],
)
def test_turned_and_mirrored_corners(
    version: Version, rotation: str, upper_left: tuple[int, int], lower_right: tuple[int, int]
) -> None:
    image = fetched(version, f"full/max/{rotation}/default.jpg")
    assert shows(image, *upper_left, (12, 12, 76, 76))
    assert shows(image, *lower_right, (912, 912, 976, 976))


@BOTH
@pytest.mark.parametrize("degrees", [1, 44, 135, 200, 359])
def test_other_angles_are_an_image(version: Version, degrees: int) -> None:
    assert min(fetched(version, f"full/max/{degrees}/default.jpg").size) > 1000


@BOTH
def test_gray_and_bitonal_qualities(version: Version) -> None:
    assert fetched(version, "full/max/0/gray.jpg").mode == "L"
    bitonal = np.asarray(fetched(version, "full/max/0/bitonal.jpg"))
    assert ((bitonal < 15) | (bitonal > 240)).mean() > 0.95
    assert fetched(version, "full/max/0/color.jpg").mode == "RGB"


@BOTH
@pytest.mark.parametrize(
    ("format_", "name"), [("png", "PNG"), ("gif", "GIF"), ("webp", "WEBP"), ("tif", "TIFF")]
)
def test_formats(version: Version, format_: str, name: str) -> None:
    image = fetched(version, f"full/max/0/default.{format_}")
    assert image.format == name
    assert shows_all_squares(image)


@pytest.mark.parametrize(
    ("size", "extent"),
    [
        ("^1333,1333", (1333, 1333)),
        ("^,1100", (1100, 1100)),
        ("^1999,", (1999, 1999)),
        ("^pct:200", (2000, 2000)),
        ("^!2000,500", (500, 500)),
        ("^!2000,3000", (2000, 2000)),
    ],
)
def test_version_3_enlarges_after_a_caret(size: str, extent: tuple[int, int]) -> None:
    image = fetched(V3, f"full/{size}/0/default.jpg")
    assert image.size == extent
    assert shows_all_squares(image)


def test_version_2_enlarges_by_itself() -> None:
    image = fetched(V2, "full/,1444/0/default.jpg")
    assert image.size == (1444, 1444)
    assert shows_all_squares(image)


def test_version_3_gives_the_image_for_a_larger_box() -> None:
    """The validator wants 400 here; section 4.2: "not larger than the extracted region"."""
    image = fetched(V3, "full/!2000,3000/0/default.jpg")
    assert image.size == (1000, 1000)
    assert shows_all_squares(image)


@pytest.mark.parametrize("size", ["1500,1500", ",1500", "1500,", "pct:200", "full"])
def test_version_3_refuses_to_enlarge_without_a_caret(size: str) -> None:
    with pytest.raises(BadRequest):
        fetched(V3, f"full/{size}/0/default.jpg")


@BOTH
def test_random_words_are_bad_requests(version: Version) -> None:
    """Characters 48 to 122, as the validator draws them."""
    draw = np.random.default_rng(11)
    for _ in range(300):
        word = "".join(chr(code) for code in draw.integers(48, 123, 6))
        for path in (
            f"{word}/max/0/default.jpg",
            f"full/{word}/0/default.jpg",
            f"full/max/{word}/default.jpg",
            f"full/max/0/{word}.jpg",
            f"full/max/0/default.{word[:3]}",
        ):
            with pytest.raises(BadRequest):
                parse_request(version, *path.split("/", 3))


@BOTH
@pytest.mark.parametrize("format_", ["jp2", "pdf"])
def test_formats_that_are_not_built_are_not_supported(version: Version, format_: str) -> None:
    with pytest.raises(NotSupported):
        fetched(version, f"full/max/0/default.{format_}")
