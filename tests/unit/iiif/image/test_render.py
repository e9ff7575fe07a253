"""Pixels: cropped, scaled, mirrored, turned and recoloured in the order of section 4.6."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from orthanc_stl_plugin.iiif.image.plan import LevelShape, RenderPlan, plan
from orthanc_stl_plugin.iiif.image.render import assemble, render
from orthanc_stl_plugin.iiif.image.request import Version, parse_request
from orthanc_stl_plugin.iiif.image.resolve import Limits, Resolved, resolve

type Pixels = NDArray[np.uint8]

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)

# three columns, two rows: every corner its own colour
FLAG = np.array([[RED, GREEN, BLUE], [BLACK, WHITE, (255, 255, 0)]], np.uint8)


def prepared(
    path: str, pixels: Pixels, tile: int = 64, largest_reduction: int = 1
) -> tuple[Resolved, RenderPlan]:
    height, width = pixels.shape[:2]
    request = parse_request(Version.V3, *path.split("/"))
    resolved = resolve(request, width, height, Limits())
    return resolved, plan(resolved, [LevelShape(width, height, tile, tile)], largest_reduction)


def rendered(path: str, pixels: Pixels) -> Pixels:
    """The image of a path, every tile of 64 x 64 pixels handed over by itself."""
    resolved, plan_ = prepared(path, pixels)
    tiles = [
        (part, pixels[part.row * 64 : part.row * 64 + 64, part.column * 64 : part.column * 64 + 64])
        for part in plan_.placements
    ]
    return render(assemble(tiles, plan_, (0,) * pixels.shape[2]), plan_, resolved)


def scene(width: int, height: int) -> Pixels:
    """A smooth picture with an edge, no axis like another."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    red = 128 + 100 * np.sin(x / 17) * np.cos(y / 29)
    green = x * 255 / width
    blue = np.where(x + 2 * y > width, 200, 40)
    return np.stack([red, green, blue], axis=2).astype(np.uint8)


def test_a_region_at_full_size_is_copied() -> None:
    assert np.array_equal(rendered("1,0,2,2/2,2/0/default.png", FLAG), FLAG[:, 1:])


@pytest.mark.parametrize(
    ("rotation", "rows"),
    [
        ("0", [[RED, GREEN, BLUE], [BLACK, WHITE, (255, 255, 0)]]),
        ("!0", [[BLUE, GREEN, RED], [(255, 255, 0), WHITE, BLACK]]),
        ("90", [[BLACK, RED], [WHITE, GREEN], [(255, 255, 0), BLUE]]),
        ("180", [[(255, 255, 0), WHITE, BLACK], [BLUE, GREEN, RED]]),
        ("270", [[BLUE, (255, 255, 0)], [GREEN, WHITE], [RED, BLACK]]),
        ("!90", [[(255, 255, 0), BLUE], [WHITE, GREEN], [BLACK, RED]]),
    ],
)
def test_right_angles_turn_clockwise_after_mirroring(
    rotation: str, rows: list[list[tuple[int, int, int]]]
) -> None:
    turned = rendered(f"full/max/{rotation}/default.png", FLAG)
    assert np.array_equal(turned, np.array(rows, np.uint8))


def test_any_other_angle_leaves_transparent_corners_where_the_format_has_them() -> None:
    turned = rendered("full/max/30/default.png", scene(300, 200))
    assert turned.shape == (324, 360, 4)  # 300 sin 30 + 200 cos 30, 300 cos 30 + 200 sin 30
    assert [int(turned[y, x, 3]) for y, x in [(0, 0), (0, -1), (-1, 0), (-1, -1)]] == [0, 0, 0, 0]
    assert (turned[162, 180] == [*scene(300, 200)[100, 150], 255]).all()


def test_any_other_angle_leaves_white_corners_in_jpeg() -> None:
    turned = rendered("full/max/30/default.jpg", scene(300, 200))
    assert turned.shape == (324, 360, 3)
    assert (turned[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()


def test_a_turn_by_a_small_angle_is_clockwise() -> None:
    """The upper left corner of the picture moves to the right, the lower left one does not."""
    white = np.full((100, 100, 1), 255, np.uint8)
    turned = rendered("full/max/10/default.png", white)
    assert int(turned[0, :, 3].argmax()) == pytest.approx(100 * np.sin(np.radians(10)), abs=4)


def test_no_row_or_column_around_a_turned_image_is_empty() -> None:
    turned = rendered("full/max/45/default.png", np.full((80, 120, 3), 9, np.uint8))
    opaque = turned[:, :, 3] > 0
    assert opaque[[1, -2]].any(axis=1).all()
    assert opaque[:, [1, -2]].any(axis=0).all()


def test_gray_is_the_luma_in_one_channel() -> None:
    gray = rendered("full/max/0/gray.png", FLAG)
    assert gray[:, :, 0].tolist() == [[76, 150, 29], [0, 255, 226]]  # .299, .587, .114


def test_bitonal_is_black_or_white() -> None:
    bitonal = rendered("full/max/0/bitonal.png", FLAG)
    assert bitonal[:, :, 0].tolist() == [[0, 255, 0], [0, 255, 255]]


def test_corners_stay_transparent_in_gray_and_bitonal() -> None:
    for quality in ("gray", "bitonal"):
        turned = rendered(f"full/max/45/{quality}.png", scene(90, 60))
        assert turned.shape[2] == 4
        assert turned[0, 0, 3] == 0
        assert (turned[:, :, 0] == turned[:, :, 2]).all()


def test_a_gray_image_stays_in_one_channel() -> None:
    gray = scene(100, 80)[:, :, :1]
    assert rendered("full/50,/0/color.jpg", gray).shape == (40, 50, 1)
    assert rendered("full/50,/0/gray.jpg", gray).shape == (40, 50, 1)
    assert rendered("full/50,/10/default.jpg", gray).shape[2] == 1


@pytest.mark.parametrize("size", ["!150,150", "140,50", "pct:73", "^600,600", "^pct:250"])
@pytest.mark.parametrize("region", ["full", "33,21,200,111", "pct:10.5,20,50,66.6"])
@pytest.mark.parametrize("filter_", [Image.Resampling.LANCZOS, Image.Resampling.BOX])
def test_a_scaled_region_is_close_to_cropping_and_resizing_the_whole(
    region: str, size: str, filter_: Image.Resampling
) -> None:
    picture = scene(301, 203)
    resolved, _ = prepared(f"{region}/{size}/0/default.png", picture)
    right, lower = resolved.x + resolved.width, resolved.y + resolved.height
    reference = Image.fromarray(picture).crop((resolved.x, resolved.y, right, lower))
    extent = resolved.output_width, resolved.output_height
    expected = np.asarray(reference.resize(extent, filter_), np.int16)
    difference = np.abs(rendered(f"{region}/{size}/0/default.png", picture) - expected)
    assert float(difference.mean()) < 2


@pytest.mark.parametrize("size", ["66,", "50,", "50,40", "40,"])
def test_tiles_that_were_decoded_smaller_give_the_same_image(size: str) -> None:
    picture = scene(403, 301)
    resolved, plan_ = prepared(f"3,5,400,296/{size}/0/default.png", picture, 64, 8)
    assert plan_.reduce_by > 1
    padded = np.full((320, 448, 3), 255, np.uint8)
    padded[:301, :403] = picture
    reduced = np.asarray(Image.fromarray(padded).reduce(plan_.reduce_by))
    side = 64 // plan_.reduce_by
    tiles = [
        (part, reduced[part.row * side :, part.column * side :][:side, :side])
        for part in plan_.placements
    ]
    image = render(assemble(tiles, plan_, WHITE), plan_, resolved)
    reference = Image.fromarray(picture[5:301, 3:403])
    extent = resolved.output_width, resolved.output_height
    expected = np.asarray(reference.resize(extent, Image.Resampling.LANCZOS), np.int16)
    assert float(np.abs(image - expected).mean()) < 2


def test_a_missing_tile_has_the_colour_of_what_is_absent() -> None:
    picture = scene(128, 64)
    _, plan_ = prepared("full/max/0/default.png", picture)
    second = [(part, picture[:, 64:]) for part in plan_.placements if part.column == 1]
    canvas = assemble(second, plan_, (1, 2, 3))
    assert (canvas[:, :64] == (1, 2, 3)).all()
    assert np.array_equal(canvas[:, 64:], picture[:, 64:])


def test_a_gray_tile_fills_every_channel_of_a_canvas_in_colour() -> None:
    gray = scene(64, 64)[:, :, 0]
    _, plan_ = prepared("full/max/0/default.png", gray)
    canvas = assemble([(plan_.placements[0], gray)], plan_, WHITE)
    assert np.array_equal(canvas, np.stack([gray] * 3, axis=2))


def test_a_tile_that_is_smaller_than_it_should_be_leaves_the_absent_colour() -> None:
    picture = scene(64, 64)
    _, plan_ = prepared("full/max/0/default.png", picture)
    canvas = assemble([(plan_.placements[0], picture[:40, :50])], plan_, WHITE)
    assert np.array_equal(canvas[:40, :50], picture[:40, :50])
    assert (canvas[40:] == 255).all()
    assert (canvas[:, 50:] == 255).all()


def test_a_single_whole_tile_is_not_copied() -> None:
    picture = scene(64, 64)
    _, plan_ = prepared("full/max/0/default.png", picture)
    assert np.shares_memory(assemble([(plan_.placements[0], picture)], plan_, WHITE), picture)
