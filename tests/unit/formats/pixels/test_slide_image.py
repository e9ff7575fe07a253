"""Image files say what they are in a slide."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.pixels.image_file import open_image
from orthanc_stl_plugin.formats.pixels.slide_image import slide_image
from orthanc_stl_plugin.wsi.build import slide
from orthanc_stl_plugin.wsi.pyramid import Flavour, Level, OpticalPath, Slide
from orthanc_stl_plugin.wsi.slide_image import FullTiling, SlideImage
from tests.support.dicom_samples import FRAME_OF_REFERENCE, item
from tests.support.slide_samples import (
    RAW_ITEMS,
    LevelSample,
    Tables,
    WrittenLevel,
    tile_pixels,
    written_level,
    written_slide,
)

SLIDES = Path(__file__).parents[5] / "shared" / "data" / "wsi"
LEVEL = LevelSample(50, 40, 16, 12)


def images_of(levels: list[WrittenLevel]) -> list[SlideImage]:
    return [
        slide_image(file.instance_id, open_image(file.content))
        for level in levels
        for file in level.files
    ]


def only_image(sample: LevelSample) -> SlideImage:
    (image,) = images_of([written_level(sample)])
    return image


def with_attributes(**attributes: object) -> SlideImage:
    return only_image(replace(LEVEL, attributes=attributes))


def test_a_full_image_says_its_size_tiles_paths_and_planes() -> None:
    sample = replace(LEVEL, paths=("R", "G"), planes_z_mm=(0.5, 0.75))
    image = only_image(sample)
    assert (image.width, image.height, image.tile_width, image.tile_height) == (50, 40, 16, 12)
    assert (image.frame_count, image.declared_count) == (64, 64)
    assert image.tiling == FullTiling(2, 0.5, 0.25)
    assert image.optical_paths == (OpticalPath("R", "path R"), OpticalPath("G", "path G"))
    assert image.pixel_spacing_mm == (0.25, 0.2)
    assert image.scan.frame_of_reference_uid == FRAME_OF_REFERENCE


@pytest.mark.parametrize(
    ("image_type", "flavour"),
    [
        (["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], Flavour.VOLUME),
        (["DERIVED", "PRIMARY", "LABEL", "RESAMPLED"], Flavour.LABEL),
        (["DERIVED", "PRIMARY", "OVERVIEW", "RESAMPLED"], Flavour.OVERVIEW),
        (["DERIVED", "PRIMARY", "THUMBNAIL", "RESAMPLED"], Flavour.THUMBNAIL),
        (["DERIVED", "PRIMARY", "VOLUME", "THUMBNAIL"], Flavour.THUMBNAIL),
        (["DERIVED", "PRIMARY", "REGIONLOCALIZER", "NONE"], Flavour.LOCALIZER),
        (None, Flavour.VOLUME),
        ("ORIGINAL", Flavour.VOLUME),
    ],
)
def test_the_image_type_tells_what_an_image_is_for(image_type: object, flavour: Flavour) -> None:
    assert with_attributes(ImageType=image_type).flavour is flavour


@pytest.mark.parametrize(
    ("attributes", "rgb"),
    [
        ({}, (255, 255, 255)),
        ({"PhotometricInterpretation": "MONOCHROME2"}, (0, 0, 0)),
        ({"RecommendedAbsentPixelCIELabValue": [0, 0x8080, 0x8080]}, (0, 0, 0)),
        ({"RecommendedAbsentPixelCIELabValue": [65535, 0, 0]}, (255, 255, 255)),
    ],
)
def test_absent_pixels_have_the_recommended_colour(
    attributes: dict[str, object], rgb: tuple[int, int, int]
) -> None:
    assert with_attributes(**attributes).absent_rgb == rgb


def test_an_image_without_total_pixel_matrix_is_a_plain_one() -> None:
    image = with_attributes(TotalPixelMatrixRows=None, TotalPixelMatrixColumns=None)
    assert image.tiling is None
    assert (image.width, image.height) == (16, 12)


def test_frames_without_places_are_refused() -> None:
    none_stated = {"DimensionOrganizationType": "TILED_SPARSE"}
    assert isinstance(with_attributes(**none_stated).tiling, FullTiling)  # as many as tiles
    with pytest.raises(UnusableSource, match="where the 15 frames"):
        with_attributes(**none_stated, NumberOfFrames=15)


def test_paths_are_named_by_their_description_else_their_code() -> None:
    code = item(CodeValue="1", CodingSchemeDesignator="X", CodeMeaning="Full Spectrum")
    paths = [
        item(OpticalPathIdentifier="a", IlluminationColorCodeSequence=[code]),
        item(OpticalPathIdentifier="b"),
    ]
    assert with_attributes(OpticalPathSequence=paths).optical_paths == (
        OpticalPath("a", "Full Spectrum"),
        OpticalPath("b", ""),
    )


def test_paths_that_share_an_identifier_are_still_as_many() -> None:
    paths = [item(OpticalPathIdentifier="1"), item(OpticalPathIdentifier="1"), item()]
    image = with_attributes(OpticalPathSequence=paths)
    assert [path.identifier for path in image.optical_paths] == ["1", "1.2", ""]


@pytest.mark.parametrize("spacing", [None, [0.5], [0.5, 0.5, 0.5], [0.0, 0.5], ["-1", "1"]])
def test_an_unusable_pixel_spacing_is_unknown(spacing: object) -> None:
    groups = item(PixelMeasuresSequence=[item(PixelSpacing=spacing)])
    assert with_attributes(SharedFunctionalGroupsSequence=[groups]).pixel_spacing_mm is None


def test_malformed_descriptions_are_refused() -> None:
    for attributes in (
        {"TotalPixelMatrixFocalPlanes": 2**31},
        {"Columns": 0},
    ):
        with pytest.raises(UnusableSource):
            slide([with_attributes(**attributes)])


def misplaced(level: Level, written: WrittenLevel, path: int, plane: int) -> list[tuple[int, int]]:
    """The tiles whose stored frame is not the one that belongs there."""
    files = {file.instance_id: file for file in written.files}
    wrong = []
    for row in range(level.rows):
        for column in range(level.columns):
            tile = (path, plane, column, row)
            address = level.frame(column, row)
            if address is None:
                is_right = tile in written.sample.missing
            else:
                file = files[address.instance_id]
                read = open_image(file.content).frame_bytes(file.content, address.frame_index)
                known = file.frames[file.tiles.index(tile)]
                is_right = read[: len(known)] == known
            if not is_right:
                wrong.append((column, row))
    return wrong


@pytest.mark.parametrize(
    "sample",
    [
        replace(LEVEL, paths=("R", "G"), planes_z_mm=(0.0, 0.5, 1.0)),
        replace(LEVEL, paths=("R", "G"), planes_z_mm=(0.0, 0.5), is_full=False),
        replace(LEVEL, is_full=False, missing=frozenset({(0, 0, 1, 1), (0, 0, 3, 3)})),
        replace(LEVEL, part_sizes=(5, 1, 10)),
        replace(LEVEL, part_sizes=(5, 11), is_full=False, tables=Tables.EMPTY),
        replace(LEVEL, planes_z_mm=(0.0, 0.5), part_sizes=(20, 12), tables=Tables.EXTENDED),
        LevelSample(9, 7, 64, 64),
    ],
)
def test_every_tile_of_a_written_level_is_where_it_was(sample: LevelSample) -> None:
    written = written_level(sample, codec=RAW_ITEMS)
    pyramids = slide(images_of([written])).pyramids
    combinations = [
        (path, plane)
        for path in range(len(sample.paths))
        for plane in range(len(sample.planes_z_mm))
    ]
    assert len(pyramids) == len(combinations)
    for pyramid, (path, plane) in zip(pyramids, combinations, strict=True):
        assert pyramid.optical_path.identifier == sample.paths[path]
        assert pyramid.focal_plane.z_mm == sample.planes_z_mm[plane]
        assert misplaced(pyramid.levels[0], written, path, plane) == []


def test_native_tiles_hold_the_pixels_of_the_picture() -> None:
    (written,) = written_slide([(50, 40)], LEVEL)
    (file,) = written.files
    level = slide(images_of([written])).default.levels[0]
    address = level.frame(3, 2)
    assert address is not None
    read = open_image(file.content).frame_bytes(file.content, address.frame_index)
    stored = np.frombuffer(read, np.uint8).reshape(12, 16, 3)
    np.testing.assert_array_equal(stored, tile_pixels(LEVEL, written.pixels, (0, 0, 3, 2)))


def test_a_written_slide_is_one_pyramid() -> None:
    shown = slide(images_of(written_slide([(100, 80), (37, 30), (25, 20), (3, 3)], LEVEL)))
    assert [(level.width, level.height) for level in shown.default.levels] == [
        (100, 80),
        (37, 30),
        (25, 20),
        (3, 3),
    ]


@pytest.fixture
def real_slide() -> Callable[[str], Slide]:
    if not SLIDES.is_dir():
        pytest.skip("the real slides are not here")

    def opened(folder: str) -> Slide:
        return slide(
            [
                slide_image(path.name, open_image(path.read_bytes()))
                for path in sorted((SLIDES / folder).iterdir())
            ]
        )

    return opened


def test_the_fluorescence_slide_has_three_channels_of_eight_levels(
    real_slide: Callable[[str], Slide],
) -> None:
    shown = real_slide("3dhistech_BPAEC")
    assert [pyramid.optical_path.label for pyramid in shown.pyramids] == ["Green", "Blue", "Red"]
    for channel, pyramid in enumerate(shown.pyramids):
        widths = [level.width for level in pyramid.levels]
        assert widths == [3072, 1536, 768, 384, 192, 96, 48, 24]
        first = pyramid.levels[0].frame(0, 0)
        assert first is not None
        assert first.frame_index == channel * 9
    assert [image.flavour.value for image in shown.associated] == ["LOCALIZER", "LABEL"]


@pytest.mark.parametrize(
    ("folder", "sizes"),
    [
        (
            "cmu1_pyramid_wsi2dcm",
            [2220, 1110, 555, 277, 138, 69, 34, 17, 8, 4, 2, 1],
        ),
        ("orthancwsi_cmu1_GENERATED", [2220, 1110, 555, 278, 139]),
        ("pixelmed_boxes", [16]),
    ],
)
def test_real_pyramids_have_all_levels(
    folder: str, sizes: list[int], real_slide: Callable[[str], Slide]
) -> None:
    (pyramid,) = real_slide(folder).pyramids
    assert [level.width for level in pyramid.levels] == sizes
    for level in pyramid.levels:
        assert len(level.tiles.keys) == level.columns * level.rows
