"""The report finds what is wrong with a model: checked on boxes, whose figures are known."""

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from orthanc_stl_plugin.mesh.self_intersections import count_intersections
from orthanc_stl_plugin.model.mesh import Mesh
from tools.report.contours import filled
from tools.report.figures import measured
from tools.report.masks import nrrd_labels
from tools.report.reference import Reference, voxel_reference

CORNERS = np.array(list(np.ndindex(2, 2, 2)), dtype=np.float64)
FACES = np.array(
    [
        (0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1),
        (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3),
    ],
    dtype=np.int32,
)  # fmt: skip
SHAPE = np.array([10, 12, 8])
SPACING_MM = np.array([0.5, 0.7, 2.0])
ORIGIN_MM = np.array([31.0, -7.0, 12.0])


def reference() -> Reference:
    affine = np.eye(4)
    affine[:3, :3] = np.diag(SPACING_MM)
    affine[:3, 3] = ORIGIN_MM
    return voxel_reference(np.ones(SHAPE, dtype=np.bool_), affine)


def box(*, shift_mm: tuple[float, float, float] = (0, 0, 0), scale: float = 1.0) -> Mesh:
    """The mesh of the reference's outline, moved and enlarged about its middle."""
    half = SHAPE * SPACING_MM / 2
    middle = ORIGIN_MM - SPACING_MM / 2 + half + shift_mm
    return Mesh((middle + (2 * CORNERS - 1) * half * scale).astype(np.float32), FACES)


def test_the_outline_of_a_mask_is_without_fault() -> None:
    figures = measured(box(), reference())
    assert figures.is_watertight
    assert figures.dice == 1
    assert figures.volume_error_percent == pytest.approx(0, abs=1e-3)
    assert figures.centroid_mm == pytest.approx(0, abs=1e-5)
    assert figures.max_mm == pytest.approx(0, abs=1e-5)
    assert figures.intersections == 0
    assert figures.broken() == ()


def test_a_mesh_that_is_moved_by_a_slice_breaks_the_limits_of_place() -> None:
    figures = measured(box(shift_mm=(0, 0, 2.0)), reference())
    assert figures.dice == pytest.approx(7 / 8)
    assert figures.centroid_mm == pytest.approx(2.0, abs=1e-4)
    assert figures.max_mm == pytest.approx(2.0, abs=1e-4)
    assert [text.split()[0] for text in figures.broken()] == ["Dice", "centroid"]


def test_a_mesh_that_is_too_large_breaks_the_limit_of_volume() -> None:
    figures = measured(box(scale=1.04), reference())
    assert figures.volume_error_percent == pytest.approx(100 * (1.04**3 - 1), abs=1e-2)
    assert [text.split()[0] for text in figures.broken()] == ["volume"]


def test_the_limit_of_dice_follows_that_of_slicers_rule() -> None:
    figures = replace(measured(box(), reference()), voxels=4999, dice=0.95)
    assert figures.broken(slicer_dice=0.9519) == ()
    assert figures.broken(slicer_dice=0.9521) == ("Dice 0.9500 < 0.9501",)
    large = replace(figures, voxels=5000)
    assert large.broken(slicer_dice=0.9519) == ("Dice 0.9500 < 0.9800",)


def test_an_open_mesh_is_not_watertight() -> None:
    mesh = box()
    figures = measured(Mesh(mesh.vertices, mesh.faces[1:]), reference())
    assert "not watertight" in figures.broken()


def test_a_mesh_with_one_face_turned_round_is_not_watertight() -> None:
    faces = FACES.copy()
    faces[3] = faces[3][::-1]
    assert not measured(Mesh(box().vertices, faces), reference()).is_watertight


def test_few_voxels_have_wider_limits() -> None:
    figures = replace(measured(box(), reference()), dice=0.96, volume_error_percent=-9.0)
    assert len(replace(figures, voxels=499).broken()) == 0
    assert len(replace(figures, voxels=4999).broken()) == 1
    assert len(replace(figures, voxels=5000).broken()) == 2


def test_boxes_that_reach_into_each_other_cross_and_others_do_not() -> None:
    def pair(distance: float) -> tuple[np.ndarray, np.ndarray]:
        moved = CORNERS + distance * np.array([1, 0.3, 0.2])
        return np.concatenate([CORNERS, moved]), np.concatenate([FACES, FACES + 8])

    assert (count_intersections(*pair(0.5)) or 0) > 0
    assert count_intersections(*pair(1.5)) == 0


def test_contours_within_contours_are_holes_and_islands() -> None:
    squares = [
        np.array([(low, low), (high, low), (high, high), (low, high)], dtype=np.float64)
        for low, high in ((0.5, 8.5), (2.5, 6.5), (3.5, 4.5))
    ]
    found = filled(squares, 10, 11)
    assert found.shape == (10, 11)
    assert found.sum() == 8 * 8 - 4 * 4 + 1
    assert found[4, 4]
    assert not found[5, 5]


def test_an_nrrd_file_is_read_in_its_own_space(tmp_path: Path) -> None:
    values = np.zeros((4, 5, 6), dtype="<i2")
    values[1:3, 2:5, 3] = 7
    head = (
        "NRRD0004\n# a comment\ntype: short\ndimension: 3\nspace: left-posterior-superior\n"
        "sizes: 4 5 6\nspace directions: (0.5,0,0) (0,0.7,0) (0,0,2)\nendian: little\n"
        "encoding: gzip\nspace origin: (10,20,-30)\n\n"
    )
    path = tmp_path / "labels.nrrd"
    path.write_bytes(head.encode() + gzip.compress(values.tobytes(order="F")))
    found = nrrd_labels(path)
    assert list(found) == [7]
    assert found[7].voxels == 6
    assert found[7].volume_mm3 == pytest.approx(6 * 0.5 * 0.7 * 2)
    assert found[7].centroid_mm == pytest.approx([10 + 1.5 * 0.5, 20 + 3 * 0.7, -30 + 3 * 2])
