"""Image files are opened as they are: header, frames and places of tiles."""

import io
import mmap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.deflated import Deflated
from orthanc_stl_plugin.formats.pixels.image_file import open_image
from tests.support.dicom_samples import rewritten, with_transfer_syntax
from tests.support.slide_samples import (
    MARKERLESS_ITEMS,
    NATIVE,
    RAW_ITEMS,
    Codec,
    LevelSample,
    Pixels,
    Tables,
    written_level,
)

SLIDES = Path(__file__).parents[5] / "shared" / "data" / "wsi"
REAL: list[Path | None] = [*sorted(p for p in SLIDES.glob("*/*") if p.suffix != ".svs")]
LEVEL = LevelSample(50, 40, 16, 12)
SPARSE = replace(
    LEVEL,
    is_full=False,
    paths=("R", "long identifier."),
    planes_z_mm=(-0.001, 0.0, 0.0025),
    missing=frozenset({(0, 0, 1, 1), (1, 2, 3, 3), (0, 1, 0, 0)}),
)


def first_file(sample: LevelSample, codec: Codec = NATIVE) -> bytes:
    return written_level(sample, codec=codec).files[0].content


@pytest.mark.parametrize("tables", Tables)
@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("is_full", [False, True])
def test_every_encapsulated_frame_is_found(tables: Tables, is_open: bool, is_full: bool) -> None:
    sample = replace(LEVEL, tables=tables, is_open=is_open, is_full=is_full)
    for codec in (RAW_ITEMS, MARKERLESS_ITEMS):
        (file,) = written_level(sample, codec=codec).files
        image = open_image(file.content)
        assert len(image.frames) == 16
        read = [image.frame_bytes(file.content, number) for number in range(16)]
        assert [frame[: len(known)] for frame, known in zip(read, file.frames, strict=True)] == [
            *file.frames
        ]


@pytest.mark.parametrize("tables", [Tables.BASIC, Tables.EMPTY])
def test_frames_of_several_fragments_are_joined(tables: Tables) -> None:
    sample = replace(LEVEL, tables=tables, fragments_per_frame=3)
    (file,) = written_level(sample, codec=RAW_ITEMS).files
    image = open_image(file.content)
    read = image.frame_bytes(file.content, 7)
    assert read[: len(file.frames[7])] == file.frames[7]


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
)
@pytest.mark.parametrize("is_open", [False, True])
def test_every_native_syntax_is_read(syntax: str, is_open: bool) -> None:
    sample = replace(SPARSE, is_open=is_open)
    (file,) = written_level(sample, codec=Codec(syntax)).files
    image = open_image(file.content)
    assert image.transfer_syntax_uid == syntax
    assert [image.frame_bytes(file.content, n) for n in range(len(image.frames))] == [*file.frames]
    assert image.tiles is not None
    np.testing.assert_array_equal(
        image.tiles.positions, [(column * 16, row * 12) for _, _, column, row in file.tiles]
    )
    assert image.tiles.path_identifiers == ("R", "long identifier.")
    np.testing.assert_array_equal(image.tiles.path_ordinals, [tile[0] for tile in file.tiles])
    heights = [SPARSE.planes_z_mm[plane] for _, plane, _, _ in file.tiles]
    np.testing.assert_array_equal(image.tiles.z_mm, heights)


def test_the_header_ends_before_the_functional_groups_of_frames() -> None:
    image = open_image(first_file(SPARSE))
    assert image.header.TotalPixelMatrixColumns == 50
    assert "SharedFunctionalGroupsSequence" in image.header
    assert "PerFrameFunctionalGroupsSequence" not in image.header
    assert "PixelData" not in image.header


def test_open_sequences_are_written_without_lengths() -> None:
    content = first_file(replace(SPARSE, is_open=True))
    assert content.count(b"\x00\x52\x30\x92SQ\0\0\xff\xff\xff\xff") == 1
    assert content.count(b"\xfe\xff\x0d\xe0") > len(SPARSE.tiles())


@pytest.mark.parametrize("is_open", [False, True])
def test_the_functional_groups_of_a_frame_are_its_own(is_open: bool) -> None:
    (file,) = written_level(replace(SPARSE, is_open=is_open)).files
    image = open_image(file.content)
    groups = image.frame_groups(file.content, 5)
    _, _, column, row = file.tiles[5]
    place = groups.PlanePositionSlideSequence[0]
    assert place.ColumnPositionInTotalImagePixelMatrix == column * 16 + 1
    assert place.RowPositionInTotalImagePixelMatrix == row * 12 + 1
    assert not image.frame_groups(file.content, len(file.tiles))


def test_an_image_without_functional_groups_has_empty_ones() -> None:
    content = first_file(LEVEL)
    image = open_image(content)
    assert not image.frame_groups(content, 0)
    assert image.tiles is None


def test_a_file_without_preamble_and_meta_information_is_read() -> None:
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        (file,) = written_level(LEVEL, codec=Codec(syntax)).files
        meta_length = int.from_bytes(file.content[140:144], "little")
        bare = file.content[144 + meta_length :]
        image = open_image(bare)
        assert image.transfer_syntax_uid == syntax
        assert image.frame_bytes(bare, 3) == file.frames[3]


def test_a_frame_without_a_position_has_none() -> None:
    dataset = dcmread(io.BytesIO(first_file(replace(LEVEL, is_full=False))))
    del dataset.PerFrameFunctionalGroupsSequence[2].PlanePositionSlideSequence
    stream = io.BytesIO()
    dataset.save_as(stream)
    image = open_image(stream.getvalue())
    assert image.tiles is not None
    assert image.tiles.positions[:4].tolist() == [[0, 0], [16, 0], [-1, -1], [48, 0]]
    assert image.tiles.z_mm is not None
    assert np.isnan(image.tiles.z_mm).tolist() == [False, False, True, *[False] * 13]


def test_a_deflated_image_is_refused_before_it_is_inflated() -> None:
    with pytest.raises(Deflated):
        open_image(rewritten(first_file(LEVEL), DeflatedExplicitVRLittleEndian))


def test_encapsulation_and_transfer_syntax_must_agree() -> None:
    with pytest.raises(UnusableSource, match="not encapsulated, in spite of"):
        open_image(with_transfer_syntax(first_file(LEVEL), JPEGBaseline8Bit))
    with pytest.raises(UnusableSource, match="are encapsulated, in spite of"):
        open_image(with_transfer_syntax(first_file(LEVEL, RAW_ITEMS), ExplicitVRLittleEndian))


def test_what_is_no_image_is_refused() -> None:
    for content in (b"", b"not DICOM at all", bytes(1000)):
        with pytest.raises(UnusableSource):
            open_image(content)
    content = first_file(LEVEL)
    with pytest.raises(UnusableSource, match="no pixel data"):
        open_image(content[: content.index(b"\xe0\x7f\x10\0")])


def test_a_number_of_frames_that_lies_allocates_nothing() -> None:
    for codec in (NATIVE, RAW_ITEMS):
        sample = replace(LEVEL, attributes={"NumberOfFrames": 2**31 - 1})
        image = open_image(first_file(sample, codec))
        assert len(image.frames) == 16
        assert image.frames.declared_count == 2**31 - 1


@pytest.mark.parametrize("codec", [NATIVE, RAW_ITEMS])
@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated"])
def test_an_image_without_pixels_is_refused(keyword: str, codec: Codec) -> None:
    with pytest.raises(UnusableSource, match="no pixels"):
        open_image(first_file(replace(LEVEL, attributes={keyword: 0}), codec))


def with_shared_chrominances(pixels: Pixels) -> bytes:
    """PS3.3 C.7.6.3.1.2: two luminances, then the chrominances of the first of both pixels."""
    pairs = pixels.reshape(-1, 2, 3)
    return np.concatenate([pairs[:, :, 0], pairs[:, 0, 1:]], axis=1).tobytes()


@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_PARTIAL_422"])
def test_native_frames_of_half_the_colours_are_two_thirds_as_long(photometric: str) -> None:
    sample = replace(LEVEL, attributes={"PhotometricInterpretation": photometric})
    codec = Codec(ExplicitVRLittleEndian, with_shared_chrominances)
    (file,) = written_level(sample, codec=codec).files
    image = open_image(file.content)
    assert [image.frame_bytes(file.content, n) for n in range(16)] == [*file.frames]
    assert len(file.frames[0]) == 16 * 12 * 2
    cut = file.content[: -len(file.frames[0])]
    assert [open_image(cut).frame_bytes(cut, n) for n in range(15)] == [*file.frames[:15]]


@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_PARTIAL_422"])
def test_native_frames_that_only_say_to_have_half_the_colours_are_whole(photometric: str) -> None:
    sample = replace(LEVEL, attributes={"PhotometricInterpretation": photometric})
    (file,) = written_level(sample).files
    image = open_image(file.content)
    assert [image.frame_bytes(file.content, n) for n in range(16)] == [*file.frames]
    cut = file.content[: -len(file.frames[0])]
    assert [open_image(cut).frame_bytes(cut, n) for n in range(15)] == [*file.frames[:15]]


@pytest.fixture(params=REAL or [None], ids=lambda path: path.name if path else "none")
def real_file(request: pytest.FixtureRequest) -> Iterator[tuple[Path, mmap.mmap]]:
    if request.param is None:
        pytest.skip("the real slides are not here")
    with (
        request.param.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        yield request.param, mapped


@pytest.mark.filterwarnings("ignore")
def test_frames_of_real_slides_are_those_that_pydicom_finds(
    real_file: tuple[Path, mmap.mmap],
) -> None:
    path, mapped = real_file
    image = open_image(mapped)
    dataset = dcmread(path)
    read = [image.frame_bytes(mapped, number) for number in range(len(image.frames))]
    count = int(dataset.get("NumberOfFrames") or 1)
    if image.frames.is_encapsulated:
        assert read == list(generate_frames(dataset.PixelData, number_of_frames=count))
    else:
        assert b"".join(read) == dataset.PixelData
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    if image.tiles is not None:
        assert image.tiles.positions.tolist() == [
            [
                one.PlanePositionSlideSequence[0].ColumnPositionInTotalImagePixelMatrix - 1,
                one.PlanePositionSlideSequence[0].RowPositionInTotalImagePixelMatrix - 1,
            ]
            for one in groups
        ]
