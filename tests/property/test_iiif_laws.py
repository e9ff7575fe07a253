"""Laws of the IIIF Image API, for images, pyramids and requests of all kinds."""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import BadRequest, NotSupported
from orthanc_stl_plugin.iiif.image.info import scale_factors, sizes
from orthanc_stl_plugin.iiif.image.plan import LevelShape, Placement, RenderPlan, plan
from orthanc_stl_plugin.iiif.image.render import assemble, render
from orthanc_stl_plugin.iiif.image.request import Version, parse_request
from orthanc_stl_plugin.iiif.image.resolve import (
    Limits,
    Resolved,
    canonical,
    resolve,
    rotated_extent,
)

type Pixels = NDArray[np.uint8]
type Segments = tuple[str, str, str, str]

QUICK = settings(max_examples=150)
SIDES = st.one_of(st.integers(1, 40), st.integers(1, 3000))
NO_LIMITS = Limits()


@st.composite
def pyramids(draw: st.DrawFn) -> list[LevelShape]:
    """Any levels below any image: rounded up, down or to nowhere, of any tile size."""
    width, height = draw(SIDES), draw(SIDES)
    tile = st.integers(1, 64) if max(width, height) < 300 else st.integers(64, 600)
    levels = [LevelShape(width, height, draw(tile), draw(tile))]
    for ratio in sorted(
        draw(st.sets(st.sampled_from([2, 4, 8, 16, 3, 1.7, 2.9, 7.3]), max_size=4))
    ):
        up = draw(st.booleans())
        sides = [
            max(1, int(-(-side // ratio) if up else side // ratio)) for side in (width, height)
        ]
        if sides[0] <= levels[-1].width and sides[1] <= levels[-1].height:
            levels.append(LevelShape(sides[0], sides[1], draw(tile), draw(tile)))
    return levels


@st.composite
def requests(draw: st.DrawFn, version: Version, width: int, height: int) -> Segments:
    """Well-formed requests, most of them inside the image."""
    pixel = st.integers(0, max(width, height) + 3)
    percent = st.floats(0, 120).map(lambda value: f"{value:.4f}")
    side = st.integers(1, 2 * max(width, height))
    caret = "^" if version is Version.V3 and draw(st.booleans()) else ""
    region = draw(
        st.sampled_from(["full", "square"])
        | st.tuples(pixel, pixel, pixel, pixel).map(lambda four: ",".join(map(str, four)))
        | st.tuples(percent, percent, percent, percent).map(lambda four: "pct:" + ",".join(four))
    )
    size = draw(
        st.just("max")
        | side.map(lambda w: f"{w},")
        | side.map(lambda h: f",{h}")
        | percent.map(lambda n: f"pct:{n}")
        | st.tuples(side, side).map(lambda two: f"{two[0]},{two[1]}")
        | st.tuples(side, side).map(lambda two: f"!{two[0]},{two[1]}")
    )
    rotation = draw(st.sampled_from(["0", "90", "!0", "22.5", "360", "!270", "0.0001"]) | percent)
    last = draw(st.sampled_from(["default.jpg", "color.png", "gray.webp", "bitonal.tif"]))
    caret = "" if size == "max" and version is Version.V2 else caret
    return region, caret + size, rotation, last


LIMITS = st.builds(
    Limits, st.none() | st.integers(1, 2000), st.none(), st.none() | st.integers(1, 10**6)
)
WORDS = st.text(max_size=12) | st.text("0123456789,.:!^pctfulmaxsqe-", max_size=24)


def tiles_of(
    pixels: Pixels, level: LevelShape, plan_: RenderPlan
) -> Iterator[tuple[Placement, Pixels]]:
    """The tiles of a stored level, padded to their full size as DICOM pads them."""
    for placement in plan_.placements:
        x, y = placement.column * level.tile_width, placement.row * level.tile_height
        part = pixels[y : y + level.tile_height, x : x + level.tile_width]
        assert part.size
        padded = np.full((level.tile_height, level.tile_width, 1), 77, np.uint8)
        padded[: part.shape[0], : part.shape[1]] = part
        yield placement, padded


def noise(width: int, height: int) -> Pixels:
    return np.random.default_rng(width * 7 + height).integers(0, 256, (height, width, 1), np.uint8)


def one_of(levels: list[LevelShape], path: Segments) -> tuple[Resolved, RenderPlan]:
    request = parse_request(Version.V3, *path)
    resolved = resolve(request, levels[0].width, levels[0].height, NO_LIMITS)
    return resolved, plan(resolved, levels)


@QUICK
@given(st.sampled_from(Version), st.tuples(WORDS, WORDS, WORDS, WORDS), st.tuples(SIDES, SIDES))
def test_any_words_are_answered_or_refused(
    version: Version, words: Segments, extent: tuple[int, int]
) -> None:
    region, size, rotation, last = words
    for path in [
        (region, size, rotation, last),
        (region, "max", "0", "default.jpg"),
        ("full", size, "0", "default.jpg"),
        ("full", "max", rotation, "default.jpg"),
        ("full", "max", "0", last),
    ]:
        with suppress(BadRequest, NotSupported):
            made = resolve(parse_request(version, *path), *extent, Limits(max_area=10**6))
            assert made.output_width * made.output_height <= 10**6


@QUICK
@given(st.data(), st.sampled_from(Version), SIDES, SIDES, LIMITS)
def test_what_is_resolved_is_inside_the_image_and_the_limits(
    data: st.DataObject, version: Version, width: int, height: int, limits: Limits
) -> None:
    path = data.draw(requests(version, width, height))
    try:
        made = resolve(parse_request(version, *path), width, height, limits)
    except BadRequest:
        assume(False)
    assert 0 <= made.x < made.x + made.width <= width
    assert 0 <= made.y < made.y + made.height <= height
    assert made.output_width >= 1
    assert made.output_height >= 1
    assert made.output_width <= (limits.max_width or made.output_width)
    assert made.output_height <= (limits.max_width or made.output_height)
    assert made.output_width * made.output_height <= (limits.max_area or 10**12)
    assert 0 <= made.rotation_degrees < 360


@QUICK
@given(st.data(), st.sampled_from(Version), SIDES, SIDES, LIMITS)
def test_a_canonical_path_is_the_same_image_and_its_own_canonical_path(
    data: st.DataObject, version: Version, width: int, height: int, limits: Limits
) -> None:
    path = data.draw(requests(version, width, height))
    try:
        first = resolve(parse_request(version, *path), width, height, limits)
    except BadRequest:
        assume(False)
    written = canonical(first, version, (width, height), limits)
    region, size, rotation, last = written.split("/")
    second = resolve(parse_request(version, region, size, rotation, last), width, height, limits)
    assert canonical(second, version, (width, height), limits) == written
    same = ("x", "y", "width", "height", "output_width", "output_height", "mirrored", "format")
    assert [getattr(first, name) for name in same] == [getattr(second, name) for name in same]
    assert first.rotation_degrees == second.rotation_degrees


@QUICK
@given(st.data(), pyramids(), st.sampled_from([1, 2, 8]))
def test_placements_cover_the_canvas_exactly_once_with_pixels_of_the_level(
    data: st.DataObject, levels: list[LevelShape], largest_reduction: int
) -> None:
    full = levels[0]
    path = data.draw(requests(Version.V3, full.width, full.height))
    try:
        made = resolve(parse_request(Version.V3, *path), full.width, full.height, NO_LIMITS)
    except BadRequest:
        assume(False)
    plan_ = plan(made, levels, largest_reduction)
    level = levels[plan_.level]
    tile_width = -(-level.tile_width // plan_.reduce_by)
    tile_height = -(-level.tile_height // plan_.reduce_by)
    covered = np.zeros((plan_.canvas_height, plan_.canvas_width), np.uint8)
    for part in plan_.placements:
        assert 0 <= part.x < part.x + part.width <= tile_width
        assert 0 <= part.y < part.y + part.height <= tile_height
        assert part.column * tile_width + part.x + part.width <= -(-level.width // plan_.reduce_by)
        assert part.row * tile_height + part.y + part.height <= -(-level.height // plan_.reduce_by)
        covered[
            part.target_y : part.target_y + part.height, part.target_x : part.target_x + part.width
        ] += 1
    assert (covered == 1).all()
    left, upper, right, lower = plan_.crop
    assert 0 <= left < right <= plan_.canvas_width
    assert 0 <= upper < lower <= plan_.canvas_height


@QUICK
@given(st.data(), pyramids())
def test_a_region_at_full_size_is_the_stored_pixels(
    data: st.DataObject, levels: list[LevelShape]
) -> None:
    full = levels[0]
    assume(full.width * full.height < 200_000)
    pixels = noise(full.width, full.height)
    x, y = data.draw(st.integers(0, full.width - 1)), data.draw(st.integers(0, full.height - 1))
    width = data.draw(st.integers(1, full.width - x))
    height = data.draw(st.integers(1, full.height - y))
    path = (f"{x},{y},{width},{height}", f"{width},{height}", "0", "default.png")
    made, plan_ = one_of(levels, path)
    assert plan_.level == 0
    canvas = assemble(tiles_of(pixels, full, plan_), plan_, (0,))
    assert np.array_equal(render(canvas, plan_, made), pixels[y : y + height, x : x + width])


@QUICK
@given(st.data(), st.integers(1, 60), st.integers(1, 60), st.sampled_from([1, 3, 4]))
def test_every_image_has_the_size_of_its_turned_output(
    data: st.DataObject, width: int, height: int, channels: int
) -> None:
    path = data.draw(requests(Version.V3, width, height))
    try:
        made = resolve(parse_request(Version.V3, *path), width, height, NO_LIMITS)
    except BadRequest:
        assume(False)
    plan_ = plan(made, [LevelShape(width, height, 64, 64)])
    pixels = noise(width, height).repeat(channels, axis=2)
    canvas = assemble([(part, pixels) for part in plan_.placements], plan_, (0,) * channels)
    image = render(canvas, plan_, made)
    extent = rotated_extent(made.output_width, made.output_height, made.rotation_degrees)
    assert (image.shape[1], image.shape[0]) == extent
    assert image.shape[2] in (1, 3, 4)


def iiif_tiles(
    width: int, height: int, factor: int, tile: tuple[int, int]
) -> Iterator[tuple[str, str, int, int]]:
    """Region, size and place of every tile (3.0 implementation notes, section 3)."""
    for top in range(0, height, tile[1] * factor):
        for left in range(0, width, tile[0] * factor):
            wide = min(tile[0] * factor, width - left)
            high = min(tile[1] * factor, height - top)
            size = f"{-(-wide // factor)},{-(-high // factor)}"
            yield f"{left},{top},{wide},{high}", size, left // factor, top // factor


@settings(max_examples=60)
@given(
    st.integers(32, 400),
    st.integers(32, 400),
    st.lists(st.tuples(st.integers(16, 80), st.integers(16, 80)), min_size=4, max_size=4),
)
def test_the_tiles_of_every_level_are_stored_tiles_that_give_the_level(
    width: int, height: int, tile_sizes: list[tuple[int, int]]
) -> None:
    """Sides that are rounded up, as tiles are asked for; other tile sizes on every level.

    Levels have four pixels a side or more: of thinner ones the ratio cannot be told.
    """
    levels = [LevelShape(-(-width // 2**k), -(-height // 2**k), *tile_sizes[k]) for k in range(4)]
    for k, level in enumerate(levels):
        pixels = noise(level.width, level.height)
        together = np.zeros_like(pixels)
        count = np.zeros(pixels.shape, np.int32)
        tile = level.tile_width, level.tile_height
        for region, size, x, y in iiif_tiles(width, height, 2**k, tile):
            made, plan_ = one_of(levels, (region, size, "0", "default.jpg"))
            if made.output_width == made.output_height == 1:  # its scale cannot be told
                count[y, x] += 1
                together[y, x] = pixels[y, x]
                continue
            same = levels[plan_.level]
            assert (same.width, same.height) == (level.width, level.height)
            if same == level:
                assert plan_.stored_tile is not None
                assert (plan_.stored_tile.column, plan_.stored_tile.row) == (
                    x // tile[0],
                    y // tile[1],
                )
            canvas = assemble(tiles_of(pixels, same, plan_), plan_, (0,))
            image = render(canvas, plan_, made)
            together[y : y + image.shape[0], x : x + image.shape[1]] = image
            count[y : y + image.shape[0], x : x + image.shape[1]] += 1
        assert (count == 1).all()
        assert np.array_equal(together, pixels)


@QUICK
@given(pyramids(), LIMITS)
def test_the_advertised_sizes_are_served_exactly_and_ascend(
    levels: list[LevelShape], limits: Limits
) -> None:
    full = levels[0]
    extents = sizes(levels, limits)
    assert extents == sorted(set(extents))
    for width, height in extents:
        request = parse_request(Version.V3, "full", f"{width},{height}", "0", "default.jpg")
        made = resolve(request, full.width, full.height, limits)
        assert (made.output_width, made.output_height) == (width, height)


@QUICK
@given(pyramids())
def test_the_advertised_tiles_cover_the_image_once_at_every_scale_factor(
    levels: list[LevelShape],
) -> None:
    full = levels[0]
    assume(full.width * full.height < 500_000)
    for factor in scale_factors(levels):
        wide, high = -(-full.width // factor), -(-full.height // factor)
        count = np.zeros((high, wide), np.int32)
        for region, size, x, y in iiif_tiles(full.width, full.height, factor, (64, 64)):
            made, _ = one_of(levels, (region, size, "0", "default.jpg"))
            assert made.x % factor == made.y % factor == 0
            count[y : y + made.output_height, x : x + made.output_width] += 1
        assert (count == 1).all()
