"""The pixels of random requests, compared with a slow and simple renderer."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tests.support.dicom_samples import rewritten
from tests.support.frame_encoders import ENCODERS, FrameEncoder
from tests.support.frame_samples import frame_file, photograph
from tests.support.image_service import ImageService, slide_levels, stored_series
from tests.support.orthanc_server import PROJECT, OrthancServer
from tests.support.reference_renderer import Wanted, decoded_frames, decoded_level, reference
from tests.support.slide_samples import Codec, LevelSample, Tables, WrittenLevel, written_level

type Pixels = NDArray[np.uint8]

LARGEST_MEAN_DIFFERENCE = 2.0
"""Grey levels, where something was lost or scaled."""

SHARED = PROJECT.parent / "shared" / "data"
REQUESTS = 200
SMALLEST_PX, LARGEST_PX = 24, 700
SIZES = [(201, 147), (101, 74), (51, 37)]
LIKE = LevelSample(1, 1, tile_width=64, tile_height=48)


def wanted(chance: random.Random, width: int, height: int) -> Wanted:
    """A random image: two thirds of them at full size, the others smaller.

    None is so small that a few pixels were its mean.
    """
    least = min(SMALLEST_PX, width, height)
    x, y = chance.randrange(width - least + 1), chance.randrange(height - least + 1)
    region_width = chance.randint(least, min(width - x, LARGEST_PX))
    region_height = chance.randint(least, min(height - y, LARGEST_PX))
    scale = chance.choice([1.0, 1.0, chance.uniform(0.05, 1)])
    return Wanted(
        x,
        y,
        region_width,
        region_height,
        max(least, round(region_width * scale)),
        max(least, round(region_height * scale)),
        mirrored=chance.random() < 0.2,
        rotation_degrees=chance.choice([0, 0, 90, 180, 270]),
        quality=chance.choice(["default", "default", "gray"]),
    )


def difference(service: ImageService, levels: Sequence[Pixels], one: Wanted, format_: str) -> float:
    """The mean difference of all samples, in grey levels."""
    shown = service.pixels(one.request(format_)).astype(np.float64)
    expected = reference(levels, one)
    assert shown.shape == expected.shape, one.request(format_)
    return float(np.abs(shown - expected).mean())


def compare(
    service: ImageService,
    levels: Sequence[Pixels],
    count: int,
    *,
    is_lossless: bool = False,
    allowed: float = LARGEST_MEAN_DIFFERENCE,
) -> None:
    """Compares random requests; at full size, nothing may differ of a lossless image."""
    height, width = levels[0].shape[:2]
    information = service.info()
    assert (information["width"], information["height"]) == (width, height)
    chance = random.Random(f"{width} {height} {count}")  # noqa: S311  # it keeps no secret
    for _ in range(count):
        one = wanted(chance, width, height)
        is_exact = is_lossless and one.output_width == one.width
        is_exact = is_exact and one.output_height == one.height and one.quality == "default"
        found = difference(service, levels, one, "png")
        assert found <= (0 if is_exact else allowed), f"{one.request('png')}: {found}"


def shown_pixels(levels: Sequence[WrittenLevel], path: int = 0, plane: int = 0) -> list[Pixels]:
    return [level.pixels[path, plane].astype(np.uint8) for level in levels]


# ---------------------------------------------------------------- whole slides of real scanners


def series_files(folder: str) -> dict[str, list[pydicom.FileDataset]]:
    found: dict[str, list[pydicom.FileDataset]] = defaultdict(list)
    for path in sorted((SHARED / "wsi" / folder).iterdir()):
        dataset = pydicom.dcmread(path)
        found[str(dataset.SeriesInstanceUID)].append(dataset)
    return found


def volumes(datasets: Sequence[pydicom.FileDataset]) -> list[list[pydicom.FileDataset]]:
    """The levels, the largest first."""
    by_size = defaultdict(list)
    for dataset in datasets:
        flavour = dataset.get("ImageType", ["", "", "VOLUME"])[2]
        if "TotalPixelMatrixRows" in dataset and flavour == "VOLUME":
            size = int(dataset.TotalPixelMatrixRows), int(dataset.TotalPixelMatrixColumns)
            by_size[size].append(dataset)
    return [by_size[size] for size in sorted(by_size, reverse=True)]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data is not here")
@pytest.mark.parametrize(
    "folder",
    [
        "3dhistech_BPAEC",
        "cmu1_pyramid_wsi2dcm",
        "google_wsi2dcm",
        "highdicom",
        "orthancwsi_cmu1_GENERATED",
        "pixelmed_boxes",
    ],
)
def test_a_real_slide_is_close_to_the_slow_way(orthanc: OrthancServer, folder: str):
    for datasets in series_files(folder).values():
        stored = [orthanc.upload(Path(str(dataset.filename)).read_bytes()) for dataset in datasets]
        service = ImageService(orthanc, f"/series/{stored[0]['ParentSeries']}/iiif/3")
        levels = [decoded_level(parts) for parts in volumes(datasets)]
        is_native = not datasets[0].file_meta.TransferSyntaxUID.is_compressed
        compare(service, levels, REQUESTS, is_lossless=is_native)


# ------------------------------------------------------------------------------ written slides


def encoded(encoder: FrameEncoder, *, rgb: bool, is_16_bit: bool) -> LevelSample:
    attributes: dict[str, object] = {}
    if rgb:
        attributes["PlanarConfiguration"] = encoder.planar_configuration
    if is_16_bit:
        attributes |= {"WindowCenter": "32768", "WindowWidth": "65536"}
    return replace(LIKE, rgb=rgb, is_16_bit=is_16_bit, attributes=attributes)


KINDS = [
    pytest.param(encoder, rgb, depth == 16, id=f"{encoder}, {'colour' if rgb else 'grey'} {depth}")
    for encoder in ENCODERS
    for rgb in (True, False)
    for depth in (8, 16)
    if depth in encoder.depths
    and encoder.colours in {"both", "colour" if rgb else "grey"}
    and not (rgb and depth == 16)
]


HALF_CHROMA = ("JPEG 4:2:0", "JPEG 4:2:2", "JPEG progressive", "JPEG said to be RGB")


def read(content: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(BytesIO(content))


@pytest.mark.parametrize(("encoder", "rgb", "is_16_bit"), KINDS)
def test_every_kind_of_frame_is_shown_as_it_was_drawn(
    orthanc: OrthancServer, encoder: FrameEncoder, rgb: bool, is_16_bit: bool
):
    number = 200 + 4 * ENCODERS.index(encoder) + 2 * rgb + is_16_bit
    codec = Codec(encoder.transfer_syntax, encoder.encode, encoder.photometric if rgb else None)
    levels = slide_levels(number, SIZES, encoded(encoder, rgb=rgb, is_16_bit=is_16_bit), codec)
    service = ImageService(orthanc, f"/series/{stored_series(orthanc, levels)}/iiif/3")
    shown = [level.pixels[0, 0] for level in levels]
    if encoder.name in HALF_CHROMA:  # what is lost is no fault of ours
        shown = [decoded_level([read(file.content) for file in level.files]) for level in levels]
    if is_16_bit:
        shown = [np.rint(one / 65535 * 255) for one in shown]
    compare(
        service,
        [one.astype(np.uint8) for one in shown],
        REQUESTS,
        is_lossless=encoder.largest_error == 0 and not is_16_bit,
    )


WAYS = {
    "TILED_SPARSE": replace(LIKE, is_full=False),
    "a concatenation": replace(LIKE, width=201, height=147, part_sizes=(5, 1, 10)),
    "missing tiles": replace(LIKE, is_full=False, missing=frozenset({(0, 0, 1, 0), (0, 0, 0, 1)})),
    "missing grey tiles": replace(
        LIKE, is_full=False, rgb=False, missing=frozenset({(0, 0, 0, 0)})
    ),
    "tiles larger than the image": replace(LIKE, tile_width=256, tile_height=256),
    "one row of tiles": replace(LIKE, tile_width=16, tile_height=160),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_lay_tiles_shows_the_same_picture(orthanc: OrthancServer, way: str):
    sample = WAYS[way]
    number = 400 + list(WAYS).index(way)
    sizes = SIZES[:1] if sample.part_sizes else SIZES
    levels = slide_levels(number, sizes, sample)
    service = ImageService(orthanc, f"/series/{stored_series(orthanc, levels)}/iiif/3")
    compare(service, shown_pixels(levels), REQUESTS, is_lossless=True)


TELLING_THEIR_SIZE = [
    encoder
    for encoder in ENCODERS
    if encoder.name.startswith(("JPEG", "HTJ2K")) and 8 in encoder.depths
]


@pytest.mark.parametrize("tile", [(64, 48), (256, 160)], ids=["tiles", "one tile"])
@pytest.mark.parametrize("encoder", TELLING_THEIR_SIZE, ids=str)
def test_frames_at_the_edge_may_hold_only_what_is_seen_of_them(
    orthanc: OrthancServer, encoder: FrameEncoder, tile: tuple[int, int]
):
    number = 500 + 2 * TELLING_THEIR_SIZE.index(encoder) + (tile[0] > LIKE.tile_width)
    sample = replace(encoded(encoder, rgb=True, is_16_bit=False), is_padded=False)
    sample = replace(sample, tile_width=tile[0], tile_height=tile[1])
    codec = Codec(encoder.transfer_syntax, encoder.encode, encoder.photometric)
    levels = slide_levels(number, SIZES, sample, codec)
    service = ImageService(orthanc, f"/series/{stored_series(orthanc, levels)}/iiif/3")
    shown = shown_pixels(levels)
    if encoder.name in HALF_CHROMA:
        shown = [decoded_level([read(file.content) for file in level.files]) for level in levels]
    compare(service, shown, REQUESTS, is_lossless=encoder.largest_error == 0)


@pytest.mark.parametrize("tables", Tables)
def test_every_offset_table_leads_to_the_frames(orthanc: OrthancServer, tables: Tables):
    encoder = next(one for one in ENCODERS if one.name == "RLE")
    sample = replace(LIKE, tables=tables)
    number = 420 + list(Tables).index(tables)
    levels = slide_levels(number, SIZES, sample, Codec(encoder.transfer_syntax, encoder.encode))
    service = ImageService(orthanc, f"/series/{stored_series(orthanc, levels)}/iiif/3")
    compare(service, shown_pixels(levels), REQUESTS, is_lossless=True)


NATIVE_SYNTAXES = (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)


@pytest.mark.parametrize("syntax", NATIVE_SYNTAXES, ids=lambda syntax: syntax.name)
def test_every_way_to_write_plain_pixels_shows_them(orthanc: OrthancServer, syntax: UID):
    levels = slide_levels(440 + NATIVE_SYNTAXES.index(syntax), SIZES, LIKE)
    (*_, series) = (
        orthanc.upload(rewritten(file.content, syntax))["ParentSeries"]
        for level in levels
        for file in level.files
    )
    service = ImageService(orthanc, f"/series/{series}/iiif/3")
    compare(service, shown_pixels(levels), REQUESTS, is_lossless=True)


def test_levels_are_made_of_a_deflated_image(orthanc: OrthancServer):
    drawn = photograph(3000, 1500)
    content = frame_file(drawn, series=450)
    instance = orthanc.upload(rewritten(content, DeflatedExplicitVRLittleEndian))["ID"]
    service = ImageService(orthanc, f"/instances/{instance}/frames/0/iiif/3")
    compare(service, [drawn], 20, is_lossless=True)


def test_optical_paths_and_focal_planes_are_services_of_their_own(orthanc: OrthancServer):
    sample = replace(LIKE, rgb=False, paths=("a", "b"), planes_z_mm=(0.0, 0.002))
    levels = slide_levels(430, SIZES, sample)
    series = stored_series(orthanc, levels)
    places = [(path, plane) for path in range(2) for plane in range(2)]
    for number, (path, plane) in enumerate(places):
        service = ImageService(orthanc, f"/series/{series}/pyramids/{number}/iiif/3")
        compare(service, shown_pixels(levels, path, plane), REQUESTS, is_lossless=True)
    default = ImageService(orthanc, f"/series/{series}/iiif/3")
    compare(default, shown_pixels(levels), REQUESTS, is_lossless=True)


def test_levels_of_any_ratio_and_of_other_tiles_are_one_pyramid(orthanc: OrthancServer):
    sizes = [(301, 211), (171, 120), (97, 68)]
    levels = slide_levels(431, sizes, LIKE)
    others = [
        written_level(replace(level.sample, tile_width=32 + 8 * at, tile_height=40), at + 1)
        for at, level in enumerate(levels)
    ]
    service = ImageService(orthanc, f"/series/{stored_series(orthanc, others)}/iiif/3")
    compare(service, shown_pixels(others), REQUESTS, is_lossless=True)


def test_the_tiles_of_every_listed_scale_put_together_give_the_level(orthanc: OrthancServer):
    levels = slide_levels(432, SIZES, LIKE)
    service = ImageService(orthanc, f"/series/{stored_series(orthanc, levels)}/iiif/3")
    (tiles,) = service.info()["tiles"]
    for level, factor in zip(shown_pixels(levels), tiles["scaleFactors"], strict=False):
        whole = np.zeros_like(level)
        for y in range(0, SIZES[0][1], tiles["height"] * factor):
            for x in range(0, SIZES[0][0], tiles["width"] * factor):
                width = min(tiles["width"] * factor, SIZES[0][0] - x)
                height = min(tiles["height"] * factor, SIZES[0][1] - y)
                one = Wanted(x, y, width, height, -(-width // factor), -(-height // factor))
                tile = service.pixels(one.request("png"))
                left, top = x // factor, y // factor
                whole[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
        assert np.array_equal(whole, level)


# ------------------------------------------------------------------------------- single frames


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data is not here")
@pytest.mark.parametrize(
    "name",
    [
        "pydicom/693_J2KI.dcm",
        "pydicom/CT_small.dcm",
        "pydicom/MR_small.dcm",
        "pydicom/MR_small_jpeg_ls_lossless.dcm",
        "pydicom/examples_jpeg2k.dcm",
        "pydicom/examples_palette.dcm",
        "pydicom/examples_rgb_color.dcm",
        "pydicom-data/OBXXXX1A_rle_2frame.dcm",
        "pydicom-data/SC_rgb_2frame.dcm",
        "pydicom-data/mlut_18.dcm",
    ],
)
def test_a_single_frame_is_close_to_the_slow_way(orthanc: OrthancServer, name: str):
    path = SHARED / "image" / name
    dataset = pydicom.dcmread(path)
    stored = orthanc.upload(path.read_bytes())["ID"]
    for index, frame in enumerate(decoded_frames(dataset)):
        service = ImageService(orthanc, f"/instances/{stored}/frames/{index}/iiif/3")
        compare(service, [frame], REQUESTS)
    # Two of these files have the same identifiers.
    orthanc.session.delete(f"{orthanc.url}/instances/{stored}").raise_for_status()
