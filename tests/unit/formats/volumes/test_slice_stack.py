"""Segmentations whose slices lie unevenly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.volumes.seg import notes_on, read_seg, structures
from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.mesh.surface import mask_surface
from orthanc_stl_plugin.model.geometry import ImagePlane
from orthanc_stl_plugin.model.labels import Structure
from orthanc_stl_plugin.model.mesh import MeshOptions
from tests.support.dicom_samples import SegFrame, file_bytes, item, rotation, seg_dataset

TURN = rotation(0.4, -0.3, 0.7)
PIXEL_MM = (0.9, 0.7)
SIZE = (34, 46)  # rows, columns
RADII_MM = np.array([11.0, 8.0, 14.0])
VOLUME_MM3 = 4 / 3 * np.pi * float(np.prod(RADII_MM))
ORIGIN_MM = np.array([-31.0, 47.0, 12.5])
CENTRE_MM = ORIGIN_MM + TURN @ [15.0, 15.0, 20.0]

ONE_AND_A_HALF_THEN_TWO = [*np.arange(0, 21, 1.5), *np.arange(21.5, 42, 2)]
ONE_GAP_WIDER = [*np.arange(0, 16, 1.5), *(np.arange(0, 24, 1.5) + 17.1)]
ONE_SLICE_MORE = sorted([*np.arange(0, 41, 5.0), 17.5])
WANDERING = np.cumsum([0.0, *[1.4, 1.9, 2.3, 1.6, 2.1, 1.2] * 4]).tolist()
UNEVEN = [ONE_AND_A_HALF_THEN_TWO, ONE_GAP_WIDER, ONE_SLICE_MORE, WANDERING]


def ellipsoid(heights_mm: list[float]) -> list[NDArray[np.uint8]]:
    """(rows, columns) pixels of an ellipsoid of three radii around (15, 15, 20) on every slice."""
    rows, columns = np.indices(SIZE)
    frames = []
    for height in heights_mm:
        points = np.stack([columns * PIXEL_MM[1], rows * PIXEL_MM[0], np.full(SIZE, height)])
        away = (points - np.array([15.0, 15.0, 20.0])[:, None, None]) / RADII_MM[:, None, None]
        frames.append((np.square(away).sum(axis=0) <= 1).astype(np.uint8))
    return frames


def position_mm(height: float) -> NDArray[np.float64]:
    return ORIGIN_MM + height * TURN[:, 2]


def seg_of(heights_mm: list[float], kind: str = "BINARY", *, is_sparse: bool = False) -> Dataset:
    """A tilted SEG of the ellipsoid; a sparse one lacks the frames that are empty."""
    frames = ellipsoid(heights_mm)
    kept = [index for index, frame in enumerate(frames) if frame.any() or not is_sparse]
    affine = np.eye(4)
    affine[:3, :3] = TURN * np.array([PIXEL_MM[1], PIXEL_MM[0], 1.0])
    dataset = seg_dataset(
        [SegFrame(1, 0, frames[index]) for index in kept], affine, kind, names=("ellipsoid",)
    )
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    del measures.SliceThickness
    for group, index in zip(dataset.PerFrameFunctionalGroupsSequence, kept, strict=True):
        place = [float(f"{part:.9g}") for part in position_mm(heights_mm[index])]
        group.PlanePositionSequence = Sequence([item(ImagePositionPatient=place)])
    return dataset


def images_at(heights_mm: list[float], series: str = "1.2.3") -> list[ImagePlane]:
    a, b, c, d, e, f = np.concatenate([TURN[:, 0], TURN[:, 1]]).tolist()
    planes = []
    for index, height in enumerate(heights_mm):
        x, y, z = position_mm(height).tolist()
        planes.append(
            ImagePlane(
                f"{series}.{index}", series, (x, y, z), (a, b, c, d, e, f), PIXEL_MM, SIZE, 1.0
            )
        )
    return planes


def only(dataset: Dataset, images: list[ImagePlane] | None = None) -> Structure:
    [structure] = structures(read_seg(file_bytes(dataset)), images=images or ())
    return structure


def assert_is_the_ellipsoid(structure: Structure, rel: float = 0.02) -> None:
    measured = report(mask_surface(structure.mask, structure.grid, MeshOptions()))
    assert measured.volume_mm3 == pytest.approx(VOLUME_MM3, rel=rel)
    np.testing.assert_allclose(measured.centroid_mm, CENTRE_MM, atol=0.35)
    hit = structure.mask.any(axis=(0, 1))
    assert hit.all(), "one part, without empty slices"


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
@pytest.mark.parametrize("heights", UNEVEN)
@pytest.mark.parametrize("has_source", [False, True])
def test_uneven_slices_reach_half_way_to_the_next(
    heights: list[float], kind: str, has_source: bool
) -> None:
    images = images_at(heights) if has_source else []
    structure = only(seg_of(heights, kind), images)
    assert_is_the_ellipsoid(structure, rel=0.05 if heights is ONE_SLICE_MORE else 0.02)
    [note] = structure.notes
    assert note.startswith("'ellipsoid': the spacing of its slices changes from ")


def test_uneven_slices_of_which_the_empty_ones_were_left_out_are_one_part() -> None:
    assert_is_the_ellipsoid(only(seg_of(ONE_AND_A_HALF_THEN_TWO, is_sparse=True)))


def test_the_order_of_uneven_frames_does_not_matter() -> None:
    dataset = seg_of(WANDERING)
    expected = only(dataset)
    turned = seg_of(WANDERING)
    pixels = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
    frames = pixels[: len(WANDERING) * SIZE[0] * SIZE[1]].reshape(len(WANDERING), -1)
    turned.PixelData = np.packbits(frames[::-1].ravel(), bitorder="little").tobytes()
    groups = list(turned.PerFrameFunctionalGroupsSequence)[::-1]
    turned.PerFrameFunctionalGroupsSequence = Sequence(groups)
    found = only(turned)
    np.testing.assert_array_equal(found.mask, expected.mask)
    np.testing.assert_allclose(found.grid.affine, expected.grid.affine, atol=1e-6)


def test_a_lone_gap_far_wider_than_those_beside_it_stays_open() -> None:
    heights = [*np.arange(0, 16, 1.5), *(np.arange(0, 16, 2.0) + 26.3)]
    structure = only(seg_of(heights))
    is_open = ~structure.mask.any(axis=(0, 1))
    open_mm = np.count_nonzero(is_open) * structure.grid.voxel_size_mm[2]
    assert open_mm == pytest.approx(26.3 - 15 - 1.5, abs=1.0)


def test_an_absent_frame_is_told_where_the_images_are_not_stored() -> None:
    heights = [height for height in np.arange(0, 41, 1.5).tolist() if height != 19.5]
    structure = only(seg_of(heights))
    assert np.count_nonzero(~structure.mask.any(axis=(0, 1))) == 1
    [note] = structure.notes
    assert "1 have no frame" in note


def test_a_slice_that_the_series_lacks_is_filled_by_its_neighbours() -> None:
    heights = [height for height in np.arange(0, 41, 1.5).tolist() if height != 19.5]
    structure = only(seg_of(heights), images_at(heights))
    assert_is_the_ellipsoid(structure)
    assert "changes from 1.5 to 3 mm, a slice may be missing" in structure.notes[0]


def test_a_slice_that_the_series_has_was_empty_and_nothing_is_told() -> None:
    every = np.arange(0, 41, 1.5).tolist()
    structure = only(seg_of([one for one in every if one != 19.5]), images_at(every))
    assert np.count_nonzero(~structure.mask.any(axis=(0, 1))) == 1
    assert structure.grid.voxel_size_mm[2] == pytest.approx(1.5, abs=1e-6)
    assert structure.notes == ()


def test_frames_with_no_neighbour_are_as_thick_as_the_slices_of_their_series() -> None:
    every = np.arange(0, 41, 1.5).tolist()
    structure = only(seg_of([12.0, 16.5, 24.0]), images_at(every))
    assert structure.grid.voxel_size_mm[2] == pytest.approx(1.5, abs=1e-6)
    assert np.flatnonzero(structure.mask.any(axis=(0, 1))).tolist() == [0, 3, 8]
    single = only(seg_of([18.0]), images_at(every))
    assert single.grid.voxel_size_mm == pytest.approx((0.7, 0.9, 1.5))


def test_a_series_that_has_no_image_where_a_frame_is_does_not_count() -> None:
    structure = only(seg_of(ONE_AND_A_HALF_THEN_TWO), images_at(np.arange(0, 60, 0.5).tolist()))
    assert structure.grid.voxel_size_mm[2] == pytest.approx(0.5, abs=1e-6)
    elsewhere = images_at(np.arange(0.7, 41, 4).tolist())
    assert_is_the_ellipsoid(only(seg_of(ONE_AND_A_HALF_THEN_TWO), elsewhere))


def without_positions(heights_mm: list[float], uid: str = "1.2.3") -> Dataset:
    """A SEG whose frames name images of a series instead of telling where they lie."""
    dataset = seg_of(heights_mm)
    del dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        del group.PlanePositionSequence
        source = item(ReferencedSOPInstanceUID=f"{uid}.{index}")
        group.DerivationImageSequence = Sequence([item(SourceImageSequence=Sequence([source]))])
    return dataset


def test_frames_without_position_lie_where_the_images_lie() -> None:
    heights = np.arange(0, 41, 1.5).tolist()
    structure = only(without_positions(heights), images_at(heights))
    assert_is_the_ellipsoid(structure)
    assert structure.notes == ()


def test_a_position_that_only_a_lost_image_knows_is_said_so() -> None:
    with pytest.raises(UnusableSource, match="image 1.2.3.0, from which it was derived, is not"):
        only(without_positions([0.0, 1.5]), images_at([0.0, 1.5], "1.2.4"))


def test_an_image_of_another_size_places_no_frame() -> None:
    images = [replace(image, shape=(512, 512)) for image in images_at([0.0, 1.5])]
    with pytest.raises(UnusableSource, match="34 x 46 pixels are not those of the 512 x 512"):
        only(without_positions([0.0, 1.5]), images)


def test_frames_of_a_segment_that_is_not_listed_are_told() -> None:
    dataset = seg_of(np.arange(0, 41, 1.5).tolist())
    stray = dataset.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0]
    stray.ReferencedSegmentNumber = 7
    seg = read_seg(file_bytes(dataset))
    [structure] = structures(seg)
    assert notes_on(structure, seg) == (
        "segment 7 is not listed in the Segment Sequence: its 1 frames are left out",
    )
