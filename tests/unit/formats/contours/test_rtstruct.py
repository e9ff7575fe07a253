"""RT Structure Sets, synthetic with known volumes and real ones of seven makers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.uid import ImplicitVRLittleEndian

from orthanc_stl_plugin.errors import BadRequest, UnusableSource
from orthanc_stl_plugin.formats.contours.roi import Roi
from orthanc_stl_plugin.formats.contours.rtstruct import (
    Occupancy,
    image_spacing_mm,
    lone_plane_notes,
    occupancies,
    read_rtstruct,
)
from orthanc_stl_plugin.model.geometry import ImagePlane
from tests.support.dicom_samples import (
    F_AREA_MM2,
    F_CENTROID_MM,
    F_OUTLINE,
    FRAME_OF_REFERENCE,
    ROOT,
    RoiSample,
    file_bytes,
    on_plane,
    prism,
    rotation,
    rtstruct_bytes,
    rtstruct_dataset,
)

REAL = Path(__file__).parents[5] / "shared" / "data" / "rtstruct"
needs_real_files = pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here")
HEIGHTS = [float(z) for z in range(-9, 12, 3)]
F_VOLUME_MM3 = F_AREA_MM2 * 21
SQUARE = np.array([[0, 0], [9, 0], [9, 9], [0, 9]], dtype=np.float64)


def only_roi(*contours: NDArray[np.float64], kind: str = "CLOSED_PLANAR") -> Roi:
    content = rtstruct_bytes([RoiSample(1, "F", tuple(contours), kind)])
    return read_rtstruct(content).rois[0]


def volume_mm3(pieces: list[Occupancy]) -> float:
    return sum(float(one.values.sum(dtype=float)) * one.grid.voxel_volume_mm3 for one in pieces)


def centroid_mm(pieces: list[Occupancy]) -> NDArray[np.float64]:
    """The centre of what is filled, each voxel weighing its share."""
    points = np.concatenate(
        [one.grid.to_world(np.argwhere(one.values).astype(float)) for one in pieces]
    )
    shares = np.concatenate([one.values[one.values != 0] for one in pieces])
    return np.average(points, axis=0, weights=shares)


def contains(pieces: list[Occupancy], point_mm: tuple[float, float, float]) -> bool:
    """Whether the voxel at a point is filled at least half, in any piece."""
    for one in pieces:
        index = one.grid.to_index(np.array([point_mm]))[0].round().astype(int)
        is_there = bool((index >= 0).all() and (index < one.values.shape).all())
        if is_there and one.values[tuple(index)] >= 0.5:
            return True
    return False


def filled(roi: Roi, **choices: float) -> list[Occupancy]:
    return list(occupancies(roi, **choices))  # type: ignore[arg-type]


def test_a_roi_knows_number_name_colour_and_contours() -> None:
    content = rtstruct_bytes([RoiSample(7, "Liver ", prism(F_OUTLINE, HEIGHTS), rgb=(1, 2, 250))])
    roi = read_rtstruct(content).rois[0]
    assert (roi.segment.number, roi.segment.name, roi.segment.rgb) == (7, "Liver", (1, 2, 250))
    assert roi.contour_count == 7
    assert roi.obstacle is None
    assert roi.frame_of_reference_uid == FRAME_OF_REFERENCE
    np.testing.assert_allclose(roi.contours[2], on_plane(F_OUTLINE, -3))


def test_a_structure_set_knows_what_it_was_drawn_on() -> None:
    found = read_rtstruct(rtstruct_bytes([RoiSample(1, "F", prism(F_OUTLINE, HEIGHTS))]))
    assert found.frame_of_reference_uid == FRAME_OF_REFERENCE
    assert found.referenced_series_uids == (f"{ROOT}.8",)
    assert found.referenced_instance_uids == (f"{ROOT}.9.1",)
    assert found.sop_instance_uid == f"{ROOT}.4.1"


def test_a_path_is_read_like_bytes(tmp_path: Path) -> None:
    path = tmp_path / "set.dcm"
    path.write_bytes(rtstruct_bytes([RoiSample(1, "F", prism(F_OUTLINE, HEIGHTS))]))
    assert read_rtstruct(path).rois[0].contour_count == 7


def test_contours_are_joined_by_number_not_by_position() -> None:
    rois = [
        RoiSample(5, "square", prism(SQUARE, [0.0, 2.0])),
        RoiSample(2, "nothing"),
        RoiSample(9, "F", prism(F_OUTLINE, HEIGHTS)),
    ]
    found = read_rtstruct(rtstruct_bytes(rois, reversed_contour_order=True))
    assert [roi.contour_count for roi in found.rois] == [2, 0, 7]
    assert found.roi("F").volume_mm3 == pytest.approx(F_VOLUME_MM3, rel=2e-3)


def test_an_f_has_its_volume_and_its_centroid() -> None:
    roi = only_roi(*prism(F_OUTLINE, HEIGHTS))
    pieces = filled(roi)
    assert roi.volume_mm3 == pytest.approx(F_VOLUME_MM3, rel=2e-3)
    assert volume_mm3(pieces) == pytest.approx(F_VOLUME_MM3, rel=0.01)
    np.testing.assert_allclose(centroid_mm(pieces), [*F_CENTROID_MM, 0], atol=0.1)


def test_the_arms_of_the_f_point_to_where_they_were_drawn() -> None:
    pieces = filled(only_roi(*prism(F_OUTLINE, HEIGHTS)))
    places = [(28.0, 45, 8), (20, 26, -8), (28, 26, 0), (20, 5, 0), (5, 5, -10)]
    assert [contains(pieces, place) for place in places] == [True, True, False, False, True]


@pytest.mark.parametrize("which", [0, 3, 6])
def test_a_contour_wound_the_other_way_changes_nothing(which: int) -> None:
    contours = list(prism(F_OUTLINE, HEIGHTS))
    [plain] = filled(only_roi(*contours))
    contours[which] = contours[which][::-1]
    [turned] = filled(only_roi(*contours))
    np.testing.assert_allclose(turned.values, plain.values, atol=1e-6)
    np.testing.assert_allclose(turned.grid.affine, plain.grid.affine)


def test_contours_in_any_order_give_the_same() -> None:
    contours = prism(F_OUTLINE, HEIGHTS)
    [plain] = filled(only_roi(*contours))
    [shuffled] = filled(only_roi(*(contours[i] for i in (3, 0, 6, 1, 5, 2, 4))))
    np.testing.assert_array_equal(shuffled.values, plain.values)


def test_an_oblique_f_has_its_volume_and_its_centroid() -> None:
    turn, shift = rotation(0.3, -0.5, 0.9), np.array([100.0, -200, 50])
    pieces = filled(only_roi(*(p @ turn.T + shift for p in prism(F_OUTLINE, HEIGHTS))))
    assert volume_mm3(pieces) == pytest.approx(F_VOLUME_MM3, rel=0.01)
    np.testing.assert_allclose(centroid_mm(pieces), turn @ [*F_CENTROID_MM, 0] + shift, atol=0.1)


@pytest.mark.parametrize("order", [[1, 2, 0], [0, 2, 1]])
def test_sagittal_and_coronal_contours_are_read(order: list[int]) -> None:
    pieces = filled(only_roi(*(p[:, order] for p in prism(F_OUTLINE, HEIGHTS))))
    assert volume_mm3(pieces) == pytest.approx(F_VOLUME_MM3, rel=0.01)
    expected = np.array([*F_CENTROID_MM, 0])[order]
    np.testing.assert_allclose(centroid_mm(pieces), expected, atol=0.1)
    assert not pieces[0].grid.is_mirrored


def test_planes_off_the_image_planes_keep_their_place() -> None:
    pieces = filled(only_roi(*prism(F_OUTLINE, [z + 1.37 for z in HEIGHTS])))
    assert centroid_mm(pieces)[2] == pytest.approx(1.37, abs=0.05)


def test_a_nested_contour_is_a_hole_and_a_keyhole_is_too() -> None:
    hole = SQUARE / 3 + 3
    nested = [on_plane(part, z) for z in HEIGHTS for part in (SQUARE, hole[::-1])]
    keyhole = np.concatenate([SQUARE, SQUARE[:1], hole[::-1], hole[-1:]])
    for contours in (nested, prism(keyhole, HEIGHTS)):
        pieces = filled(only_roi(*contours))
        assert volume_mm3(pieces) == pytest.approx((81 - 9) * 21, rel=0.03)
        assert not contains(pieces, (4.5, 4.5, 0))
        assert contains(pieces, (1.5, 4.5, 0))


def test_exclusive_or_contours_are_read() -> None:
    contours = [on_plane(p, z) for z in HEIGHTS for p in (SQUARE, SQUARE + np.array([3, 0]))]
    roi = only_roi(*contours, kind="CLOSEDPLANAR_XOR")
    assert roi.volume_mm3 == pytest.approx(2 * 27 * 21, rel=2e-3)
    assert roi.notes == ()


@pytest.mark.parametrize("moved", [(3, 0), (-4, 5), (7, -7), (0, 6)])
def test_contours_that_cross_are_told(moved: tuple[float, float]) -> None:
    crossing = [on_plane(p, z) for z in HEIGHTS[:3] for p in (SQUARE, SQUARE + np.array(moved))]
    roi = only_roi(*crossing, *prism(SQUARE, HEIGHTS[3:]))
    [note] = roi.notes
    assert note.startswith("contours cross each other")
    assert note.endswith(f"on 3 of {len(HEIGHTS)} planes")


@pytest.mark.parametrize(
    "second",
    [
        SQUARE / 3 + 3,
        SQUARE / 3,  # in a corner
        SQUARE / 3 + np.array([-0.02, 3]),  # out of it by rounding
        SQUARE + np.array([9, 2]),  # beside it
        SQUARE + np.array([8.95, 2]),
        SQUARE + np.array([20, 0]),
    ],
)
def test_contours_that_touch_or_lie_in_each_other_are_not_said_to_cross(
    second: NDArray[np.float64],
) -> None:
    contours = [on_plane(p, z) for z in HEIGHTS for p in (SQUARE, second)]
    assert only_roi(*contours).notes == ()


def test_one_missing_plane_is_bridged() -> None:
    heights = [z for z in HEIGHTS if z != 0]
    roi = only_roi(*prism(F_OUTLINE, heights))
    pieces = filled(roi)
    assert volume_mm3(pieces) == pytest.approx(F_VOLUME_MM3, rel=0.01)
    assert roi.volume_mm3 == pytest.approx(F_VOLUME_MM3, rel=2e-3)


def test_two_missing_planes_split_the_structure() -> None:
    heights = [z for z in HEIGHTS if z not in {0, 3}]
    pieces = filled(only_roi(*prism(F_OUTLINE, heights)))
    assert volume_mm3(pieces) == pytest.approx(F_AREA_MM2 * 15, rel=0.01)
    assert not contains(pieces, (5, 25, 1.5))
    assert contains(pieces, (5, 25, 6))


def test_planes_that_become_sparser_are_joined_and_that_is_told() -> None:
    heights = [*np.arange(0.0, 24, 2), *np.arange(27.0, 60, 5)]
    roi = only_roi(*prism(SQUARE, heights))
    assert roi.notes == ("gaps between planes, of up to 5 mm where 2 mm is usual, filled: 7",)
    expected_mm3 = 81 * (1 + 57 + 2.5)
    assert roi.volume_mm3 == pytest.approx(expected_mm3, rel=2e-3)
    assert volume_mm3(filled(roi)) == pytest.approx(expected_mm3, rel=0.02)


def test_planes_that_become_denser_for_a_while_are_joined() -> None:
    roi = only_roi(*prism(SQUARE, [0.0, 10, 20, 20.5, 21, 21.5, 22, 32, 42]))
    assert volume_mm3(filled(roi)) == pytest.approx(81 * (5 + 42 + 5), rel=0.02)


def test_a_wide_gap_that_is_left_open_is_told_where_contours_face_each_other() -> None:
    roi = only_roi(*prism(SQUARE, [0.0, 2, 4, 11, 13]))
    assert roi.notes == ("gaps between planes, of up to 7 mm where 2 mm is usual, left open: 1",)
    apart = only_roi(*prism(SQUARE, [0.0, 2, 4]), *prism(SQUARE + 30, [11.0, 13]))
    assert apart.notes == ()


def test_irregular_planes_are_as_thick_as_what_separates_them() -> None:
    heights = [0.0, 2.0, 5.0, 6.5, 9.0]
    roi = only_roi(*prism(F_OUTLINE, heights))
    pieces = filled(roi)
    assert roi.spacing_mm == pytest.approx(2)
    assert volume_mm3(pieces) == pytest.approx(F_AREA_MM2 * 11, rel=0.01)
    assert centroid_mm(pieces)[2] == pytest.approx(4.5, abs=0.1)


def test_a_single_plane_is_as_thick_as_the_other_planes_of_the_set() -> None:
    rois = [
        RoiSample(1, "flat", prism(SQUARE, [4.0])),
        RoiSample(2, "F", prism(F_OUTLINE, HEIGHTS)),
    ]
    roi = read_rtstruct(rtstruct_bytes(rois)).roi("flat")
    pieces = filled(roi, image_spacing_mm=7)
    assert roi.volume_mm3 == pytest.approx(81 * 3, rel=2e-3)
    assert volume_mm3(pieces) == pytest.approx(81 * 3, rel=0.02)
    assert centroid_mm(pieces)[2] == pytest.approx(4, abs=0.05)


def test_a_single_plane_takes_its_slab_thickness_first() -> None:
    rois = [
        RoiSample(1, "flat", prism(SQUARE, [4.0]), slab_thickness_mm=1.5),
        RoiSample(2, "F", prism(F_OUTLINE, HEIGHTS)),
    ]
    assert read_rtstruct(rtstruct_bytes(rois)).roi("flat").spacing_mm == 1.5


def test_a_single_plane_alone_takes_the_spacing_of_the_images_else_3_mm() -> None:
    roi = only_roi(*prism(SQUARE, [4.0]))
    assert roi.spacing_mm is None
    assert volume_mm3(filled(roi, image_spacing_mm=5)) == pytest.approx(81 * 5, rel=0.02)
    assert volume_mm3(filled(roi)) == pytest.approx(81 * 3, rel=0.02)


def images_at(heights: list[float]) -> list[ImagePlane]:
    """Axial images, and a sagittal one that does not count."""
    axial = [
        ImagePlane(f"1.{i}", "1", (0.0, 0.0, z), (1.0, 0, 0, 0, 1.0, 0), thickness_mm=2.0)
        for i, z in enumerate(heights)
    ]
    return [*axial, ImagePlane("2", "1", (0.0, 0.0, 0.1), (0, 1.0, 0, 0, 0, 1.0))]


def test_a_single_plane_alone_is_as_thick_as_its_images_lie_apart_and_that_is_told() -> None:
    roi = only_roi(*prism(SQUARE, [4.0]))
    for heights, expected in (([3.0, 4.0, 5.0], 1.0), ([4.0], 2.0), ([0.0, 5, 6, 7], 5.0)):
        assert image_spacing_mm(roi, images_at(heights)) == pytest.approx(expected)
        [note] = lone_plane_notes(roi, expected)
        assert note == f"its single plane is made {expected:g} mm thick, as its images lie apart"
    assert image_spacing_mm(roi, images_at([90.0, 91])) is None
    assert image_spacing_mm(roi, []) is None
    [note] = lone_plane_notes(roi, None)
    assert note.startswith("its single plane is made 3 mm thick: nothing tells how thick it is")


def test_where_the_thickness_of_a_single_plane_comes_from_is_told() -> None:
    letter = RoiSample(2, "F", prism(F_OUTLINE, HEIGHTS))
    flat = RoiSample(1, "flat", prism(SQUARE, [4.0]))
    slab = RoiSample(1, "flat", prism(SQUARE, [4.0]), slab_thickness_mm=1.5)
    notes = [read_rtstruct(rtstruct_bytes([one, letter])).roi("flat").notes for one in (flat, slab)]
    assert notes == [
        ("its single plane is made 3 mm thick, as the other planes of the set lie apart",),
        ("its single plane is made 1.5 mm thick, as its ContourSlabThickness tells",),
    ]
    structure_set = read_rtstruct(rtstruct_bytes([flat, letter]))
    for roi in structure_set.rois:
        assert lone_plane_notes(roi, image_spacing_mm(roi, images_at([3.0, 4.0]))) == ()


@pytest.mark.filterwarnings("ignore:The value length")
def test_interpolated_contours_are_closed_ones_and_that_is_told() -> None:
    roi = only_roi(*prism(F_OUTLINE, HEIGHTS), kind="INTERPOLATED_PLANAR")
    assert volume_mm3(filled(roi)) == pytest.approx(F_VOLUME_MM3, rel=0.01)
    assert roi.notes == (f"INTERPOLATED_PLANAR contours taken as closed: {len(HEIGHTS)}",)


def test_the_resolution_bounds_the_voxels_and_keeps_the_volume() -> None:
    [grey] = filled(only_roi(*prism(F_OUTLINE, HEIGHTS)), resolution=24)
    assert max(grey.values.shape) <= 24
    volume = float(grey.values.sum()) * grey.grid.voxel_volume_mm3
    assert volume == pytest.approx(F_VOLUME_MM3, rel=0.01)


def test_a_structure_of_a_millimetre_is_resolved() -> None:
    pieces = filled(only_roi(*prism(F_OUTLINE / 50, [0.0, 1.5])))
    assert volume_mm3(pieces) == pytest.approx(F_AREA_MM2 / 2500 * 3, rel=0.02)


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (RoiSample(1, "a"), "has no contours"),
        (RoiSample(1, "a", (np.zeros((1, 3)),), "POINT"), "no closed contour, only POINT"),
        (RoiSample(1, "a", prism(SQUARE, [0.0]), "OPEN_PLANAR"), "only OPEN_PLANAR"),
        (RoiSample(1, "a", (np.zeros((2, 3)),)), "no contour of three points"),
        (RoiSample(1, "a", (np.arange(9.0).reshape(3, 3),)), "enclose no area"),
    ],
)
def test_a_roi_without_volume_says_why(sample: RoiSample, reason: str) -> None:
    roi = read_rtstruct(rtstruct_bytes([sample])).rois[0]
    assert roi.obstacle is not None
    assert reason in roi.obstacle
    assert roi.volume_mm3 == 0
    with pytest.raises(UnusableSource, match=r"^ROI 1 'a' "):
        filled(roi)


def test_open_contours_beside_closed_ones_are_ignored_with_a_note() -> None:
    dataset = rtstruct_dataset([RoiSample(1, "F", prism(F_OUTLINE, [*HEIGHTS, 40.0]))])
    dataset.ROIContourSequence[0].ContourSequence[-1].ContourGeometricType = "OPEN_PLANAR"
    roi = read_rtstruct(file_bytes(dataset)).rois[0]
    assert roi.volume_mm3 == pytest.approx(F_VOLUME_MM3, rel=2e-3)
    assert roi.notes == ("OPEN_PLANAR contours ignored: 1",)


@pytest.mark.parametrize("corner", [[20, 0], [20, 0.01], [0, 0.001]])
def test_a_contour_without_area_between_two_planes_is_ignored(corner: list[float]) -> None:
    line = on_plane(np.array([[0, 0], np.array(corner) / 2 + [0, 0.001], corner]), 0.9)
    roi = only_roi(*prism(F_OUTLINE, HEIGHTS), line)
    assert roi.volume_mm3 == pytest.approx(F_VOLUME_MM3, rel=2e-3)
    assert roi.notes == ("contours without area ignored: 1",)


def test_a_thin_contour_and_a_bow_tie_have_area() -> None:
    thin = np.array([[0, 0], [50, 0], [50, 0.5], [0, 0.5]])
    bow_tie = SQUARE[[0, 2, 1, 3]]
    for outline in (thin, bow_tie):
        roi = only_roi(*prism(F_OUTLINE + 60, HEIGHTS), on_plane(outline, 0))
        assert len(roi.contours) == len(HEIGHTS) + 1
        assert roi.notes == ()


def test_a_contour_without_points_is_ignored_with_a_note() -> None:
    dataset = rtstruct_dataset([RoiSample(1, "F", prism(F_OUTLINE, [*HEIGHTS, 40.0]))])
    del dataset.ROIContourSequence[0].ContourSequence[-1].ContourData
    roi = read_rtstruct(file_bytes(dataset)).rois[0]
    assert roi.volume_mm3 == pytest.approx(F_VOLUME_MM3, rel=2e-3)
    assert roi.notes == ("contours of fewer than 3 points ignored: 1",)


def test_rois_of_one_number_do_not_get_the_contours_of_each_other() -> None:
    rois = [RoiSample(number, name, prism(SQUARE, HEIGHTS)) for number, name in enumerate("abc")]
    dataset = rtstruct_dataset(rois)
    dataset.StructureSetROISequence[2].ROINumber = 1
    dataset.ROIContourSequence[2].ReferencedROINumber = 1
    found = read_rtstruct(file_bytes(dataset))
    assert [roi.obstacle is None for roi in found.rois] == [True, False, False]
    with pytest.raises(UnusableSource, match="^ROI 1 'b' shares its number with another ROI"):
        filled(found.roi("b"))


def test_a_sliver_between_two_planes_does_not_notch_the_structure() -> None:
    sliver = on_plane(np.array([[1.0, 0.0], [9, 0], [9, 0.04]]), 0.9)
    roi = only_roi(*prism(F_OUTLINE, HEIGHTS), sliver)
    assert roi.volume_mm3 == pytest.approx(F_VOLUME_MM3, rel=2e-3)
    assert roi.notes == ("contours without area ignored: 1",)


@pytest.mark.parametrize("turn", [np.eye(3), rotation(0.3, -0.5, 0.9)])
@pytest.mark.parametrize("crossing", [0.0, 0.01, 4.0])
def test_a_figure_of_eight_encloses_both_of_its_loops(
    crossing: float, turn: NDArray[np.float64]
) -> None:
    # Two triangles of 10 x 8 mm / 2 that touch in a point, or cross there within rounding.
    eight = np.array(
        [[0, 0], [10, 4 + crossing / 2], [20, 0], [20, 8], [10, 4 - crossing / 2], [0, 8]]
    )
    if crossing == 4.0:
        eight = np.array([[0.0, 0], [20, 8], [20, 0], [0, 8]])
    contours = [np.round(points @ turn.T, 2) for points in prism(eight, [0.0, 2, 4, 6])]
    roi = only_roi(*contours)
    assert roi.obstacle is None
    assert roi.volume_mm3 == pytest.approx(2 * 40 * 8, rel=0.01)
    assert volume_mm3(filled(roi)) == pytest.approx(2 * 40 * 8, rel=0.02)


@pytest.mark.parametrize("repeat", [SQUARE + 0.008, SQUARE[::-1] * 1.001, SQUARE - [0, 0.0006]])
def test_a_contour_stored_again_with_other_rounding_does_not_erase_itself(
    repeat: NDArray[np.float64],
) -> None:
    roi = only_roi(*prism(SQUARE, [0.0, 2, 4, 6]), *prism(repeat, [2.0, 4]))
    assert roi.volume_mm3 == pytest.approx(81 * 8, rel=2e-3)


def test_contours_that_may_be_one_or_the_sides_of_a_wall_are_refused() -> None:
    square = SQUARE * 3
    roi = only_roi(*prism(square, [0.0, 2, 4]), *prism(square[::-1] + 0.1, [2.0]))
    assert roi.obstacle is not None
    assert "within 0.14 mm of each other all along" in roi.obstacle
    wall = only_roi(*prism(square, [0.0, 2, 4]), *prism(square * 0.98 + 0.27, [0.0, 2, 4]))
    assert wall.volume_mm3 == pytest.approx(27**2 * (1 - 0.98**2) * 6, rel=0.02)


def test_a_repeated_name_is_chosen_by_number() -> None:
    rois = [RoiSample(n, "PTV", prism(SQUARE, [0.0, 2.0])) for n in (3, 8)]
    found = read_rtstruct(rtstruct_bytes(rois))
    assert found.roi(8).segment.number == 8
    with pytest.raises(BadRequest, match="2 ROIs are called 'PTV': choose by number, one of 3, 8"):
        found.roi("PTV")


def test_an_unknown_roi_lists_what_there_is() -> None:
    found = read_rtstruct(rtstruct_bytes([RoiSample(4, "F", prism(F_OUTLINE, HEIGHTS))]))
    with pytest.raises(BadRequest, match="no ROI called 'G'; there are: 4 'F'"):
        found.roi("G")
    with pytest.raises(BadRequest, match="no ROI number 1; there are: 4 'F'"):
        found.roi(1)


def with_contour_text(change: Callable[[bytes], bytes], patch: pytest.MonkeyPatch) -> bytes:
    """An F whose contour data are stored as UN, changed as bytes."""
    patch.setattr(config, "replace_un_with_known_vr", False)
    dataset = rtstruct_dataset([RoiSample(1, "F", prism(F_OUTLINE, HEIGHTS))])
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        text = "\\".join(str(value) for value in contour.ContourData).encode()
        contour[0x30060050] = DataElement(0x30060050, "UN", change(text))
    content = file_bytes(dataset)
    patch.undo()
    return content


@pytest.mark.parametrize("padding", [b"\0", b" ", b"\\ "])
def test_contour_data_without_representation_and_with_odd_padding_are_read(
    padding: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = with_contour_text(lambda text: text.replace(b"\\", b" \\ ") + padding, monkeypatch)
    assert read_rtstruct(content).rois[0].volume_mm3 == pytest.approx(F_VOLUME_MM3, rel=2e-3)


@pytest.mark.parametrize("wrong", [b"nan", b"", b"one", b"1\\2"])
def test_contour_data_that_are_not_triplets_of_numbers_are_refused(
    wrong: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = with_contour_text(lambda text: wrong + text[text.index(b"\\") :], monkeypatch)
    roi = read_rtstruct(content).rois[0]
    assert roi.obstacle == "has contour data that are not triplets of numbers"


def test_implicit_value_representation_is_read() -> None:
    dataset = rtstruct_dataset([RoiSample(1, "F", prism(F_OUTLINE, HEIGHTS))])
    found = read_rtstruct(file_bytes(dataset, ImplicitVRLittleEndian))
    assert found.rois[0].volume_mm3 == pytest.approx(F_VOLUME_MM3, rel=2e-3)


def test_a_file_cut_within_an_element_is_refused() -> None:
    content = rtstruct_bytes([RoiSample(1, "F", prism(F_OUTLINE, HEIGHTS))])
    for size in range(200, len(content) - 1, 97):
        with pytest.raises(UnusableSource):
            read_rtstruct(content[:size]).roi(1)


@pytest.mark.parametrize("content", [b"", b"solid cube", bytes(500), b"\xff" * 300])
def test_what_is_not_dicom_is_refused(content: bytes) -> None:
    with pytest.raises(UnusableSource):
        read_rtstruct(content)


def test_another_sop_class_is_refused() -> None:
    dataset = rtstruct_dataset([RoiSample(1, "F")])
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    with pytest.raises(UnusableSource, match=r"1\.2 is not RT Structure Set Storage"):
        read_rtstruct(file_bytes(dataset))


def test_a_set_without_rois_is_refused() -> None:
    with pytest.raises(UnusableSource, match="no ROI"):
        read_rtstruct(rtstruct_bytes([]))


@needs_real_files
@pytest.mark.parametrize("path", sorted(REAL.glob("*/RS*.dcm")), ids=lambda p: p.parent.name)
def test_every_real_roi_gives_its_volume_or_a_reason(path: Path) -> None:
    for roi in read_rtstruct(path).rois:
        if roi.obstacle is not None:
            assert roi.volume_mm3 == 0
            continue
        volume = volume_mm3(filled(roi, resolution=128))
        assert volume == pytest.approx(roi.volume_mm3, rel=0.01)


@needs_real_files
@pytest.mark.parametrize("case", ["mim6_STS_002_MR_T1", "mim6_STS_025_PET"])
def test_a_mim_roi_is_its_reference_mask(case: str) -> None:
    roi = read_rtstruct(REAL / case / "RS.dcm").rois[0]
    [piece] = filled(roi)
    ours_there = piece.values >= 0.5
    image = nibabel.Nifti1Image.from_filename(REAL / case / "reference_mask.nii.gz")
    mask = np.asarray(image.dataobj) > 0
    affine = np.diag([-1, -1, 1, 1]) @ image.affine
    points = np.argwhere(np.ones(mask.shape)) @ affine[:3, :3].T + affine[:3, 3]
    index = piece.grid.to_index(points).round().astype(int)
    within = ((index >= 0) & (index < piece.values.shape)).all(axis=1)
    ours = np.zeros(mask.size, dtype=bool)
    ours[within] = ours_there[tuple(index[within].T)]
    dice = 2 * (ours & mask.ravel()).sum() / (ours.sum() + mask.sum())
    centre = np.argwhere(mask).mean(axis=0) @ affine[:3, :3].T + affine[:3, 3]
    expected = float(mask.sum()) * abs(np.linalg.det(affine[:3, :3]))
    assert dice > 0.95
    assert volume_mm3([piece]) == pytest.approx(expected, rel=0.06)
    assert np.linalg.norm(centroid_mm([piece]) - centre) < 0.5
