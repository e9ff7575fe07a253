"""Segmentations: synthetic ones of every kind, and real ones against their references."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from orthanc_stl_plugin.errors import BadRequest, UnusableSource
from orthanc_stl_plugin.formats.volumes.seg import SegFile, notes_on, read_seg, structures
from orthanc_stl_plugin.model.labels import Structure
from tests.support.dicom_samples import (
    FRAME_OF_REFERENCE,
    ROOT,
    SegFrame,
    f_volume,
    file_bytes,
    item,
    oblique_affine,
    seg_dataset,
    seg_frames,
    with_transfer_syntax,
)

REAL = Path(__file__).parents[5] / "shared" / "data" / "seg"
needs_real_files = pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here")
AFFINE = oblique_affine()
F = f_volume()


def read(dataset: Dataset, transfer_syntax_uid: str = "1.2.840.10008.1.2.1") -> SegFile:
    return read_seg(file_bytes(dataset, transfer_syntax_uid))


def places(structure: Structure) -> NDArray[np.float64]:
    """LPS millimetres of the voxels, rounded to micrometres and sorted."""
    points = structure.grid.to_world(np.argwhere(structure.mask).astype(float))
    return np.unique(points.round(3) + 0.0, axis=0)


def places_of(volume: NDArray[np.bool_]) -> NDArray[np.float64]:
    points = np.argwhere(volume) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    return np.unique(points.round(3) + 0.0, axis=0)


def assert_is(structure: Structure, volume: NDArray[np.bool_]) -> None:
    assert int(structure.mask.sum()) == int(volume.sum())
    np.testing.assert_allclose(places(structure), places_of(volume), atol=0.002)


def test_segments_have_number_label_codes_and_colour() -> None:
    seg = read(seg_dataset(seg_frames(F), AFFINE))
    first = seg.segments[0]
    assert (first.number, first.name, first.rgb) == (1, "first", (221, 130, 101))
    assert first.category is not None
    assert first.type is not None
    assert (first.type.value, first.type.scheme, first.type.meaning) == ("10200004", "SCT", "Liver")
    assert first.category.value == "123037004"


def test_a_segmentation_knows_what_it_was_made_from() -> None:
    seg = read(seg_dataset(seg_frames(F), AFFINE))
    assert seg.frame_of_reference_uid == FRAME_OF_REFERENCE
    assert seg.referenced_series_uids == (f"{ROOT}.8",)
    assert seg.referenced_instance_uids == (f"{ROOT}.9.1",)


@pytest.mark.parametrize("is_shared", [True, False])
def test_frames_that_are_not_byte_aligned_lie_where_they_should(is_shared: bool) -> None:
    seg = read(seg_dataset(seg_frames(F), AFFINE, is_shared=is_shared))
    structure = next(structures(seg, [1]))
    assert_is(structure, F)
    assert structure.mask.shape == (11, 15, 4)
    assert structure.grid.frame_of_reference_uid == FRAME_OF_REFERENCE


def test_frames_in_any_order_give_the_same() -> None:
    frames = seg_frames(F)
    seg = read(seg_dataset([frames[i] for i in (2, 0, 3, 1)], AFFINE))
    assert_is(next(structures(seg, [1])), F)


def test_absent_frames_are_empty_slices() -> None:
    sparse = F.copy()
    sparse[:, :, 4] = False
    seg = read(seg_dataset(seg_frames(sparse), AFFINE))
    structure = next(structures(seg, [1]))
    assert structure.mask.shape[2] == 4
    assert_is(structure, sparse)


def test_overlapping_segments_keep_their_voxels() -> None:
    other = np.roll(F, (2, 1, -1), axis=(0, 1, 2))
    seg = read(seg_dataset([*seg_frames(F), *seg_frames(other, 3)], AFFINE))
    first, third = structures(seg)
    assert_is(first, F)
    assert_is(third, other)
    assert third.segment.name == "third"


def test_a_gap_that_only_one_segment_leaves_is_placed_by_the_others() -> None:
    ends = np.zeros_like(F)
    ends[4, 4, [0, 5]] = True
    seg = read(seg_dataset([*seg_frames(ends, 2), *seg_frames(F)], AFFINE))
    assert_is(next(structures(seg, [2])), ends)


def test_slices_two_and_three_apart_are_two_and_three_slices_apart() -> None:
    sparse = np.zeros_like(F)
    sparse[3:9, 2:7, [0, 2, 5]] = True
    structure = next(structures(read(seg_dataset(seg_frames(sparse), AFFINE)), [1]))
    assert structure.mask.any(axis=(0, 1)).tolist() == [True, False, True, False, False, True]
    assert structure.grid.voxel_size_mm[2] == pytest.approx(2.5, abs=1e-6)


def test_lone_slices_are_as_thick_as_the_spacing_between_slices() -> None:
    tall = np.zeros((23, 19, 40), dtype=np.bool_)
    tall[3:9, 2:7, [2, 32]] = True
    dataset = seg_dataset(seg_frames(tall), AFFINE)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence[0].SpacingBetweenSlices = 2.5
    structure = next(structures(read(dataset), [1]))
    assert structure.mask.shape == (6, 5, 31)
    assert_is(structure, tall)


def test_a_half_of_the_largest_fraction_is_inside() -> None:
    frames = [
        SegFrame(1, 0, np.array([[0, 99, 100, 200], [0, 0, 101, 98]], dtype=np.uint8)),
        SegFrame(1, 1, np.zeros((2, 4), dtype=np.uint8)),
    ]
    structure = next(structures(read(seg_dataset(frames, AFFINE, "FRACTIONAL")), [1]))
    assert structure.mask[:, :, 0].T.tolist() == [[True, True], [True, False]]


def test_fractions_of_nothing_are_refused() -> None:
    frames = [SegFrame(1, 0, np.zeros((2, 4), dtype=np.uint8))]
    dataset = seg_dataset(frames, AFFINE, "FRACTIONAL")
    dataset.MaximumFractionalValue = 0
    with pytest.raises(UnusableSource, match="MaximumFractionalValue is 0"):
        list(structures(read(dataset), [1]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_label_map_holds_its_segments(dtype: type[np.unsignedinteger]) -> None:
    other = np.roll(F, (9, 1, -1), axis=(0, 1, 2)) & ~F
    labels = F.astype(dtype) + 3 * other.astype(dtype)
    frames = [SegFrame(0, index, labels[:, :, index].T) for index in (3, 1, 2, 5, 4)]
    seg = read(seg_dataset(frames, AFFINE, "LABELMAP"))
    first, third = structures(seg)
    assert_is(first, F)
    assert_is(third, other)


def test_a_label_of_more_than_16_bits_is_refused() -> None:
    frames = [SegFrame(0, i, F[:, :, i].T * np.uint32(65537)) for i in range(7)]
    with pytest.raises(UnusableSource, match="label 65537 is no segment number: 0 to 65535"):
        list(structures(read(seg_dataset(frames, AFFINE, "LABELMAP")), [1]))


def test_a_label_map_of_32_bits_with_small_labels_is_read() -> None:
    frames = [SegFrame(0, i, F[:, :, i].T.astype(np.uint32)) for i in range(7)]
    assert_is(next(structures(read(seg_dataset(frames, AFFINE, "LABELMAP")), [1])), F)


def test_the_background_of_a_label_map_is_its_padding_value() -> None:
    other = np.roll(F, (9, 1, -1), axis=(0, 1, 2)) & ~F
    labels = np.where(F, 0, np.where(other, 2, 255)).astype(np.uint8)
    frames = [SegFrame(0, index, labels[:, :, index].T) for index in range(7)]
    dataset = seg_dataset(frames, AFFINE, "LABELMAP", ("zero", "two", "outside"))
    for listed, number in zip(dataset.SegmentSequence, (0, 2, 255), strict=True):
        listed.SegmentNumber = number
    dataset.PixelPaddingValue = 255
    seg = read(dataset)
    assert [segment.number for segment in seg.segments] == [0, 2]
    zero, two = structures(seg)
    assert_is(zero, F)
    assert_is(two, other)
    assert_is(next(structures(seg, [0])), F)


def test_a_padding_value_of_zero_is_the_background() -> None:
    frames = [SegFrame(0, i, F[:, :, i].T.astype(np.uint8)) for i in range(7)]
    dataset = seg_dataset(frames, AFFINE, "LABELMAP")
    dataset.PixelPaddingValue = 0
    assert [segment.number for segment in read(dataset).segments] == [1, 2, 3]
    assert_is(next(structures(read(dataset), [1])), F)


def test_a_padding_value_that_no_pixel_can_have_changes_nothing() -> None:
    frames = [SegFrame(0, i, F[:, :, i].T.astype(np.uint8)) for i in range(7)]
    dataset = seg_dataset(frames, AFFINE, "LABELMAP")
    dataset.PixelPaddingValue = 300
    assert_is(next(structures(read(dataset), [1])), F)


def literal_runs(content: bytes) -> bytes:
    parts = [content[at : at + 128] for at in range(0, len(content), 128)]
    return b"".join(bytes([len(part) - 1]) + part for part in parts)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.1"])
def test_compressed_one_bit_frames_are_read(syntax: str) -> None:
    frames = seg_frames(F)
    dataset = seg_dataset(frames, AFFINE)
    parts = []
    for frame in frames:
        packed = np.packbits(frame.pixels.ravel(), bitorder="little").tobytes()
        if syntax.endswith("5"):
            header = np.array([1, 64, *[0] * 14], dtype="<u4").tobytes()
            part = header + literal_runs(packed)
        else:
            squeezer = zlib.compressobj(wbits=-15)
            part = squeezer.compress(packed) + squeezer.flush()
        parts.append(part + b"\0" * (len(part) % 2))
    dataset.PixelData = encapsulate(parts)
    dataset["PixelData"].is_undefined_length = True
    content = with_transfer_syntax(file_bytes(dataset, "1.2.840.10008.1.2.5"), syntax)
    assert_is(next(structures(read_seg(content), [1])), F)


def test_a_deflated_file_is_read() -> None:
    seg = read(seg_dataset(seg_frames(F), AFFINE), "1.2.840.10008.1.2.1.99")
    assert_is(next(structures(seg, [1])), F)


def test_a_single_slice_is_as_thick_as_the_file_says() -> None:
    flat = np.zeros_like(F)
    flat[3:9, 2:7, 4] = True
    structure = next(structures(read(seg_dataset(seg_frames(flat), AFFINE)), [1]))
    assert_is(structure, flat)
    assert structure.grid.voxel_size_mm[2] == pytest.approx(2.5, abs=1e-6)


def test_a_single_slice_without_thickness_is_refused() -> None:
    dataset = seg_dataset(seg_frames(F)[:1], AFFINE)
    del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness
    with pytest.raises(UnusableSource, match="no slice thickness"):
        structures(read(dataset), [1])


def test_thin_slices_far_apart_are_told() -> None:
    frames = [frame for frame in seg_frames(F) if frame.slice_index in (2, 5)]
    seg = read(seg_dataset(frames, AFFINE))
    [structure] = structures(seg)
    assert notes_on(structure, seg) == (
        "'first': its slices are 2.5 mm thick and lie 7.5 mm apart: what lies between is filled",
    )


def test_nothing_is_told_of_slices_that_lie_as_far_apart_as_they_are_thick() -> None:
    seg = read(seg_dataset(seg_frames(F), AFFINE))
    [structure] = structures(seg)
    assert notes_on(structure, seg) == ()


def test_a_sheared_stack_keeps_its_shear() -> None:
    sheared = AFFINE.copy()
    sheared[:3, 2] += 0.4 * AFFINE[:3, 1]
    dataset = seg_dataset(seg_frames(F), AFFINE)
    for frame, index in zip(dataset.PerFrameFunctionalGroupsSequence, range(2, 6), strict=True):
        place = (sheared @ [0, 0, index, 1])[:3]
        frame.PlanePositionSequence[0].ImagePositionPatient = [round(v, 6) for v in place.tolist()]
    structure = next(structures(read(dataset), [1]))
    np.testing.assert_allclose(structure.grid.affine[:3, :3], sheared[:3, :3], atol=1e-5)


def test_an_empty_segment_is_left_out_of_all_and_refused_by_number() -> None:
    seg = read(seg_dataset(seg_frames(F), AFFINE))
    assert [found.segment.number for found in structures(seg)] == [1]
    with pytest.raises(UnusableSource, match="segment 2 'second' has no voxel"):
        list(structures(seg, [2]))


def test_a_segmentation_without_any_voxel_is_refused() -> None:
    seg = read(seg_dataset([SegFrame(1, 0, np.zeros((4, 4), np.uint8))], AFFINE))
    with pytest.raises(UnusableSource, match="no segment has a voxel"):
        list(structures(seg))


def test_an_unknown_segment_lists_what_there_is() -> None:
    seg = read(seg_dataset(seg_frames(F), AFFINE, names=("Liver", "Spleen")))
    with pytest.raises(BadRequest, match="no segment number 9; there are: 1 'Liver', 2 'Spleen'"):
        structures(seg, [9])


def test_a_segmentation_of_a_slide_has_segments_and_no_volume() -> None:
    dataset = seg_dataset(seg_frames(F), AFFINE)
    dataset.DimensionOrganizationType = "TILED_SPARSE"
    seg = read(dataset)
    assert len(seg.segments) == 3
    with pytest.raises(UnusableSource, match="of a slide"):
        structures(seg)


def test_segments_of_one_number_do_not_get_the_voxels_of_each_other() -> None:
    dataset = seg_dataset(seg_frames(F), AFFINE)
    dataset.SegmentSequence[2].SegmentNumber = 2
    seg = read(dataset)
    assert [segment.number for segment in seg.segments] == [1, 2, 2]
    with pytest.raises(UnusableSource, match="2 segments have the number 2"):
        structures(seg)


def test_frames_without_position_are_refused() -> None:
    dataset = seg_dataset(seg_frames(F), AFFINE)
    del dataset.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence
    with pytest.raises(UnusableSource, match="no usable ImagePositionPatient"):
        structures(read(dataset))


def test_several_orientations_are_refused() -> None:
    dataset = seg_dataset(seg_frames(F), AFFINE, is_shared=False)
    turned = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    dataset.PerFrameFunctionalGroupsSequence[2].PlaneOrientationSequence = Sequence([turned])
    with pytest.raises(UnusableSource, match="several orientations"):
        structures(read(dataset))


@pytest.mark.parametrize("factor", [1.01, 2.0])
def test_several_pixel_spacings_are_refused(factor: float) -> None:
    dataset = seg_dataset(seg_frames(F), AFFINE, is_shared=False)
    dataset.PerFrameFunctionalGroupsSequence[2].PixelMeasuresSequence = Sequence(
        [item(PixelSpacing=[1.1, 0.7 * factor], SliceThickness=2.5)]
    )
    with pytest.raises(UnusableSource, match="several pixel spacings"):
        structures(read(dataset))


def test_pixel_spacings_that_were_rounded_are_one() -> None:
    dataset = seg_dataset(seg_frames(F), AFFINE, is_shared=False)
    dataset.PerFrameFunctionalGroupsSequence[2].PixelMeasuresSequence = Sequence(
        [item(PixelSpacing=[1.1, 0.7000049], SliceThickness=2.5)]
    )
    assert_is(next(structures(read(dataset), [1])), F)


def test_truncated_pixels_are_refused() -> None:
    dataset = seg_dataset(seg_frames(F), AFFINE)
    dataset.PixelData = dataset.PixelData[:100]
    with pytest.raises(UnusableSource, match="100 of 219 bytes"):
        structures(read(dataset))


def test_a_file_cut_within_an_element_is_refused() -> None:
    content = file_bytes(seg_dataset(seg_frames(F), AFFINE))
    for size in range(200, len(content) - 1, 97):
        with pytest.raises(UnusableSource):
            list(structures(read_seg(content[:size]), [1]))


def test_another_sop_class_and_no_segments_are_refused() -> None:
    dataset = seg_dataset(seg_frames(F), AFFINE, names=())
    with pytest.raises(UnusableSource, match="lists no segment"):
        read(dataset)
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    with pytest.raises(UnusableSource, match="not Segmentation Storage"):
        read(dataset)


def read_nrrd(path: Path) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Labels (columns, rows, slices) and affine of a gzip NRRD of shorts in LPS."""
    header, _, body = path.read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in header.decode().splitlines() if ": " in line)
    assert fields["space"] == "left-posterior-superior"
    columns = fields["space directions"].split()
    affine = np.eye(4)
    for axis, column in enumerate(columns):
        affine[:3, axis] = [float(part) for part in column.strip("()").split(",")]
    affine[:3, 3] = [float(part) for part in fields["space origin"].strip("()").split(",")]
    sizes = [int(size) for size in fields["sizes"].split()]
    labels = np.frombuffer(gzip.decompress(body), "<i2").reshape(sizes, order="F")
    return labels, affine


def assert_is_reference(structure: Structure, path: Path, label: int) -> None:
    labels, affine = read_nrrd(path)
    reference = labels == label
    points = structure.grid.to_world(np.argwhere(structure.mask).astype(float)) - affine[:3, 3]
    index = np.linalg.solve(affine[:3, :3], points.T).T
    nearest = index.round().astype(int)
    assert np.abs(index - nearest).max() < 0.01
    ours = np.zeros_like(reference)
    ours[tuple(nearest.T)] = True
    np.testing.assert_array_equal(ours, reference)


@needs_real_files
@pytest.mark.parametrize(
    ("source", "reference"),
    [
        ("dcmqi_liver/SEG.dcm", "dcmqi_liver/reference_liver_seg.nrrd"),
        ("compressed/liver_rle.dcm", "dcmqi_liver/reference_liver_seg.nrrd"),
        ("dcmqi_23x38x3/SEG.dcm", "dcmqi_23x38x3/reference_label.nrrd"),
    ],
)
def test_a_dcmqi_segment_is_its_reference_voxel_for_voxel(source: str, reference: str) -> None:
    structure = next(structures(read_seg(REAL / source), [1]))
    assert_is_reference(structure, REAL / reference, 1)


@needs_real_files
def test_overlapping_dcmqi_segments_are_their_references_voxel_for_voxel() -> None:
    seg = read_seg(REAL / "dcmqi_partial_overlaps" / "SEG.dcm")
    folder = REAL / "dcmqi_partial_overlaps" / "reference"
    layers = [
        (path, int(label))
        for path in sorted(folder.glob("*.nrrd"))
        for label in np.unique(read_nrrd(path)[0])[1:]
    ]
    found = list(structures(seg))
    assert len(found) == len(layers) == 5
    sums = {(path, label): int((read_nrrd(path)[0] == label).sum()) for path, label in layers}
    for structure in found:
        matching = [key for key, total in sums.items() if total == int(structure.mask.sum())]
        assert_is_reference(structure, *matching[0])


@needs_real_files
def test_every_real_segmentation_gives_structures_or_a_reason() -> None:
    paths = [path for path in REAL.rglob("*.dcm") if path.parent.name not in {"ct", "images"}]
    assert len(paths) == 12
    for path in paths:
        seg = read_seg(path)
        if seg.obstacle is None:
            assert {found.segment for found in structures(seg)} == set(seg.segments)
