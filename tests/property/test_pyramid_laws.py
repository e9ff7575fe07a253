"""Laws of slides: every frame is on its own tile, and bytes of no kind break the reader."""

import tracemalloc
from dataclasses import replace
from functools import cache
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orthanc_stl_plugin.errors import PluginError
from orthanc_stl_plugin.formats.pixels.image_file import open_image
from orthanc_stl_plugin.formats.pixels.slide_image import slide_image
from orthanc_stl_plugin.wsi.build import slide
from orthanc_stl_plugin.wsi.pyramid import Flavour, FrameAddress, OpticalPath, Pyramid
from orthanc_stl_plugin.wsi.slide_image import (
    Concatenation,
    FullTiling,
    SlideImage,
    SparseTiling,
)
from tests.support.slide_samples import (
    NATIVE,
    RAW_ITEMS,
    LevelSample,
    Tables,
    WrittenLevel,
    written_level,
)

QUICK = settings(max_examples=60)
HOSTILE_PEAK_BYTES = 32 << 20


@st.composite
def samples(draw: st.DrawFn) -> LevelSample:
    """Levels of all kinds, of few frames."""
    is_full = draw(st.booleans())
    sample = LevelSample(
        width=draw(st.integers(1, 40)),
        height=draw(st.integers(1, 40)),
        tile_width=draw(st.integers(8, 48)),
        tile_height=draw(st.integers(8, 48)),
        paths=draw(st.sampled_from([("1",), ("G", "R"), ("b", "a", "c")])),
        planes_z_mm=draw(st.sampled_from([(0.0,), (-0.5, 0.25), (0.0, 0.001, 0.002)])),
        is_full=is_full,
        tables=draw(st.sampled_from(Tables)),
        is_open=draw(st.booleans()),
        rgb=draw(st.booleans()),
    )
    if not is_full and len(sample.planes_z_mm) == 1 and len(sample.paths) == 1:
        tiles = sample.tiles()
        gone = draw(st.sets(st.sampled_from(tiles), max_size=len(tiles) - 1))
        sample = replace(sample, missing=frozenset(gone))
    count = len(sample.tiles())
    cuts = draw(st.sets(st.integers(1, count), max_size=3)) - {count}
    if cuts:
        bounds = [0, *sorted(cuts), count]
        sample = replace(sample, part_sizes=tuple(np.diff(bounds).tolist()))
    return sample


def pyramids_of(written: WrittenLevel, order: list[int]) -> dict[tuple[str, int], Pyramid]:
    images = [
        slide_image(written.files[at].instance_id, open_image(written.files[at].content))
        for at in order
    ]
    return {
        (pyramid.optical_path.identifier, pyramid.focal_plane.number): pyramid
        for pyramid in slide(images).pyramids
    }


# Only all parts of a concatenation together show that tiles have two focal planes.
PLANES_APART = LevelSample(
    1, 1, 8, 8, paths=("G", "R"), planes_z_mm=(-0.5, 0.25), is_full=False, part_sizes=(1, 2, 1)
)


@QUICK
@given(samples(), st.sampled_from([NATIVE, RAW_ITEMS]), st.randoms(use_true_random=False))
@example(PLANES_APART, NATIVE, Random(0))  # noqa: S311
def test_every_written_frame_is_on_its_tile_and_no_other(sample, codec, random) -> None:
    written = written_level(sample, codec=codec)
    order = list(range(len(written.files)))
    random.shuffle(order)
    pyramids = pyramids_of(written, order)
    known = {
        tile: FrameAddress(file.instance_id, frame_index)
        for file in written.files
        for frame_index, tile in enumerate(file.tiles)
    }
    found = {
        (path, plane, column, row): address
        for path, identifier in enumerate(sample.paths)
        for plane in range(len(sample.planes_z_mm))
        if (pyramid := pyramids.get((identifier, plane))) is not None
        for row in range(sample.rows)
        for column in range(sample.columns)
        if (address := pyramid.levels[0].frame(column, row)) is not None
    }
    assert found == known


@QUICK
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(1, 3), st.data())
def test_full_tiling_is_sparse_tiling_with_the_places_written_down(
    columns: int, rows: int, planes: int, paths: int, data: st.DataObject
) -> None:
    count = columns * rows * planes * paths
    there = data.draw(st.integers(1, count), label="frames that are there")
    path, plane, row, column = np.unravel_index(np.arange(count), (paths, planes, rows, columns))
    full = SlideImage(
        "full",
        Flavour.VOLUME,
        columns * 8 - 3,
        rows * 8 - 3,
        8,
        8,
        there,
        count,
        FullTiling(planes, 0.0, 0.5),
        tuple(OpticalPath(str(number)) for number in range(paths)),
    )
    positions = np.column_stack([column, row]).astype(np.int32) * 8
    tiling = SparseTiling(positions, plane.astype(np.float64) / 2, path.astype(np.int32))
    sparse = replace(full, tiling=tiling)

    def shown(image: SlideImage) -> list[tuple[str, list[FrameAddress | None]]]:
        return [
            (
                pyramid.optical_path.identifier,
                [pyramid.levels[0].frame(x, y) for y in range(rows) for x in range(columns)],
            )
            for pyramid in slide([image]).pyramids
        ]

    assert shown(full) == shown(sparse)


@QUICK
@given(st.integers(1, 9), st.integers(1, 9), st.permutations(range(3)), st.data())
def test_the_parts_of_a_concatenation_are_the_whole(
    columns: int, rows: int, order: list[int], data: st.DataObject
) -> None:
    count = columns * rows
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, count)] * 2)))
    is_stated = data.draw(st.booleans())
    parts = [
        SlideImage(
            str(number),
            Flavour.VOLUME,
            columns * 8,
            rows * 8,
            8,
            8,
            end - begin,
            end - begin,
            FullTiling(),
            concatenation=Concatenation("u", number + 1, begin if is_stated else None),
        )
        for number, (begin, end) in enumerate([(0, first), (first, second), (second, count)])
    ]
    level = slide([parts[at] for at in order]).default.levels[0]
    begins = (0, first, second)
    for frame in range(count):
        address = level.frame(frame % columns, frame // columns)
        assert address is not None
        assert begins[int(address.instance_id)] + address.frame_index == frame


@cache
def honest_files() -> tuple[bytes, ...]:
    base = LevelSample(40, 30, 16, 16, paths=("1", "2"), planes_z_mm=(0.0, 0.5))
    written = [
        written_level(base),
        written_level(replace(base, tables=Tables.EXTENDED), codec=RAW_ITEMS),
        written_level(replace(base, is_full=False, is_open=True), codec=RAW_ITEMS),
        written_level(replace(base, is_full=False, fragments_per_frame=2), codec=RAW_ITEMS),
        written_level(replace(base, part_sizes=(10, 14), tables=Tables.EMPTY), codec=RAW_ITEMS),
    ]
    return tuple(file.content for level in written for file in level.files)


NASTY = st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xfe\xff\0\xe0", b"\xff\xff\xff\x7f"])
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.one_of(st.binary(min_size=1, max_size=4), NASTY)), max_size=6
)


@settings(max_examples=300)
@given(st.integers(0, 5), EDITS, st.floats(0, 1), st.booleans())
@example(0, [], 0.0, True)
def test_hostile_bytes_are_refused_or_read(which, edits, cut, is_cut) -> None:
    content = bytearray(honest_files()[which])
    for where, replacement in edits:
        at = int(where * (len(content) - 4))
        content[at : at + len(replacement)] = replacement
    if is_cut:
        del content[int(cut * len(content)) :]
    hostile = bytes(content)
    tracemalloc.start()
    try:
        image = open_image(hostile)
        for frame_index in range(min(len(image.frames), 30)):
            image.frame_bytes(hostile, frame_index)
            image.frame_groups(hostile, frame_index)
        slide([slide_image("a", image)])
    except PluginError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < HOSTILE_PEAK_BYTES


@pytest.mark.parametrize(
    "attributes",
    [
        {"NumberOfFrames": 2**31 - 1},
        {"TotalPixelMatrixColumns": 2**32 - 1, "TotalPixelMatrixRows": 2**32 - 1},
        {"TotalPixelMatrixFocalPlanes": 2**32 - 1},
        {"NumberOfOpticalPaths": 2**32 - 1},
        {"Rows": 1, "Columns": 1, "NumberOfFrames": 2**31 - 1},
        {"Rows": 65535, "Columns": 65535},
        {"ConcatenationUID": "1.2", "ConcatenationFrameOffsetNumber": 2**32 - 1},
    ],
)
@pytest.mark.parametrize("is_full", [True, False])
def test_numbers_that_lie_allocate_little(attributes: dict[str, object], is_full: bool) -> None:
    sample = LevelSample(40, 30, is_full=is_full, attributes=attributes)
    for codec in (NATIVE, RAW_ITEMS):
        content = written_level(sample, codec=codec).files[0].content
        tracemalloc.start()
        try:
            slide([slide_image("a", open_image(content))])
        except PluginError:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < HOSTILE_PEAK_BYTES
