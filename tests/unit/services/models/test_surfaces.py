"""One object through every kind of source: the same surface, where it is, never mirrored."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.measure import find_contours

from orthanc_stl_plugin.errors import BadRequest, TooLarge, UnusableSource
from orthanc_stl_plugin.mesh import components
from orthanc_stl_plugin.mesh.measure import report
from orthanc_stl_plugin.model.geometry import Grid, ImagePlane
from orthanc_stl_plugin.model.mesh import MeshOptions, SmoothingMethod
from orthanc_stl_plugin.model.progress import Stage
from orthanc_stl_plugin.services.models.progress import WorkerProgress
from orthanc_stl_plugin.services.models.sources import (
    Inside,
    MeshFileSource,
    NiftiSource,
    RtStructSource,
    SegSource,
    SeriesSource,
    Source,
)
from orthanc_stl_plugin.services.models.surfaces import Surface, surfaces
from tests.support import dicom_samples as samples
from tests.support.phantoms import letter_f, sampled, tilted_grid, voxel_centres_mm

LIMIT = 1 << 26
VOXEL_MM = (0.9, 1.1, 1.7)
GRID = tilted_grid(VOXEL_MM, 66, centre_mm=(130, -45, 610))
LETTER = letter_f((115, -52, 590))
DISTANCE_MM = LETTER.distance_mm(voxel_centres_mm(GRID))
MASK = sampled(LETTER, GRID)


def as_nifti(folder: Path) -> Source:
    ras = np.diag([-1.0, -1, 1, 1]) @ GRID.affine
    (folder / "f.nii").write_bytes(nib.Nifti1Image(MASK.astype(np.uint8), ras).to_bytes())
    return NiftiSource(folder / "f.nii", LIMIT)


def as_left_handed_nifti(folder: Path) -> Source:
    """The same voxels, stored from the other end of their first axis."""
    ras = np.diag([-1.0, -1, 1, 1]) @ GRID.window((GRID.shape[0] - 1, 0, 0), GRID.shape).affine
    ras[:, 0] = -ras[:, 0]
    image = nib.Nifti1Image(MASK[::-1].astype(np.uint8), ras)
    (folder / "f.nii").write_bytes(image.to_bytes())
    return NiftiSource(folder / "f.nii", LIMIT)


def as_rtstruct(folder: Path) -> Source:
    contours = [
        GRID.to_world(np.column_stack([outline, np.full(len(outline), number)]))
        for number in range(GRID.shape[2])
        for outline in find_contours(DISTANCE_MM[:, :, number], 0)
    ]
    roi = samples.RoiSample(3, "F", tuple(outline[:-1] for outline in contours))
    other = samples.RoiSample(1, "empty")
    (folder / "f.dcm").write_bytes(samples.rtstruct_bytes([other, roi], True))
    return RtStructSource(folder / "f.dcm", ("F",))


def as_seg(folder: Path) -> Source:
    dataset = samples.seg_dataset(samples.seg_frames(MASK), GRID.affine, names=("F",))
    (folder / "f.dcm").write_bytes(samples.file_bytes(dataset))
    return SegSource(folder / "f.dcm", LIMIT)


def as_series(folder: Path) -> Source:
    share = np.clip(0.5 - DISTANCE_MM / np.mean(VOXEL_MM), 0, 1)
    stored = np.round(share * 2000).astype(np.int16)
    paths = []
    for number, image in enumerate(samples.ct_datasets(stored, GRID.affine)):
        paths.append(folder / f"{99 - number}.dcm")
        paths[-1].write_bytes(samples.file_bytes(image))
    return SeriesSource(tuple(sorted(paths)), LIMIT, Inside(threshold=1000 - 1024))


WAYS = [as_nifti, as_left_handed_nifti, as_rtstruct, as_seg, as_series]


def only(source: Source, options: MeshOptions | None = None) -> Surface:
    [surface] = surfaces(source, options or MeshOptions())
    return surface


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_gives_the_surface_of_the_object(way: Callable[[Path], Source], tmp_path: Path):
    mesh = only(way(tmp_path)).mesh
    measured = report(mesh)
    away = np.abs(LETTER.distance_mm(mesh.vertices.astype(np.float64)))
    assert measured.is_watertight
    assert measured.volume_mm3 == pytest.approx(LETTER.volume_mm3, rel=0.03)
    assert np.linalg.norm(np.subtract(measured.centroid_mm, LETTER.centroid_mm)) < 0.3
    assert away.mean() < np.mean(VOXEL_MM) / 4


@pytest.mark.parametrize("resolution", [256, 20])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_honours_the_method_of_smoothing(
    way: Callable[[Path], Source], resolution: int, tmp_path: Path
):
    source = way(tmp_path)
    found = [
        only(source, MeshOptions(resolution=resolution, method=method)).mesh.vertices
        for method in SmoothingMethod
    ]
    for number, one in enumerate(found):
        assert all(np.abs(one - other).max() > 0.01 for other in found[:number])


def test_the_threshold_of_otsu_finds_the_object(tmp_path: Path):
    source = as_series(tmp_path)
    assert isinstance(source, SeriesSource)
    surface = only(SeriesSource(source.paths, LIMIT, Inside()))
    assert report(surface.mesh).volume_mm3 == pytest.approx(LETTER.volume_mm3, rel=0.05)
    assert surface.note.startswith("threshold ")
    assert surface.note.endswith("(Otsu)")


@pytest.mark.parametrize("way", [as_nifti, as_seg, as_series], ids=lambda way: way.__name__)
def test_a_volume_above_the_limit_is_refused(way: Callable[[Path], Source], tmp_path: Path):
    source = way(tmp_path)
    assert not isinstance(source, RtStructSource | MeshFileSource)
    with pytest.raises(TooLarge, match="MaxVolumeMiB = 0"):
        only(replace(source, max_bytes=100_000))


def shells(folder: Path) -> tuple[Path, ...]:
    """A hollow box of value 100 around a void, and a small box apart from it."""
    stored = np.zeros((30, 26, 24), dtype=np.int16)
    stored[4:20, 4:20, 4:20] = 100
    stored[8:16, 8:16, 8:16] = 0
    stored[24:28, 5:9, 5:9] = 100
    paths = []
    for number, image in enumerate(samples.ct_datasets(stored, np.eye(4), intercept=0)):
        paths.append(folder / f"{number}.dcm")
        paths[-1].write_bytes(samples.file_bytes(image))
    return tuple(paths)


@pytest.mark.parametrize(
    ("choices", "voxels"),
    [
        ({}, 16**3 - 8**3 + 4**3),
        ({"keep_largest": True}, 16**3 - 8**3),
        ({"fill_holes": True}, 16**3 + 4**3),
        ({"keep_largest": True, "fill_holes": True}, 16**3),
    ],
)
def test_parts_and_cavities_can_be_left_out(choices: dict[str, bool], voxels: int, tmp_path: Path):
    source = SeriesSource(shells(tmp_path), LIMIT, Inside(threshold=50, **choices))
    assert report(only(source).mesh).volume_mm3 == pytest.approx(voxels, rel=0.03)


def stored_series(folder: Path, values: np.ndarray) -> tuple[Path, ...]:
    paths = []
    for number, dataset in enumerate(samples.ct_datasets(values, np.eye(4), intercept=0)):
        paths.append(folder / f"{number}.dcm")
        paths[-1].write_bytes(samples.file_bytes(dataset))
    return tuple(paths)


def test_a_series_takes_at_most_two_and_a_half_times_its_volume(tmp_path: Path):
    side = 288
    x, y, z = np.ogrid[:side, :side, :side]
    radius = np.sqrt((x - 140) ** 2 + (y - 150) ** 2 + (z - 145) ** 2)
    values = (100 * ((radius < 120) & (radius > 30))).astype(np.int16)
    values[:4, :4, :4] = 100  # to be left out
    paths = stored_series(tmp_path, values)
    inside = Inside(50, 200, keep_largest=True, fill_holes=True)
    tracemalloc.start()
    try:
        only(SeriesSource(paths, 1 << 30, inside), MeshOptions(resolution=48))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2.5 * values.nbytes + 14 * components.SLAB_VOXELS


def test_parts_that_a_reduction_makes_are_left_out(tmp_path: Path):
    values = np.zeros((40, 24, 22), dtype=np.int16)
    values[2:22, 4:20, 2:20] = 100
    values[22:30, 10, 10] = 100  # a bridge of one voxel, which means of blocks take away
    values[30:38, 4:20, 2:20] = 100
    source = SeriesSource(stored_series(tmp_path, values), LIMIT, Inside(50, keep_largest=True))
    volume_mm3 = report(only(source, MeshOptions(9)).mesh).volume_mm3
    assert volume_mm3 == pytest.approx(20 * 16 * 18, rel=0.2)


def test_cavities_that_a_reduction_makes_are_filled(tmp_path: Path):
    values = np.zeros((30, 26, 24), dtype=np.int16)
    values[3:27, 3:23, 3:21] = 100
    values[7:23, 7:19, 7:17] = 0
    values[13, 12, 17:21] = 0  # a way out of one voxel, which means of blocks close
    source = SeriesSource(stored_series(tmp_path, values), LIMIT, Inside(50, fill_holes=True))
    volume_mm3 = report(only(source, MeshOptions(12)).mesh).volume_mm3
    assert volume_mm3 == pytest.approx(24 * 20 * 18, rel=0.1)


def test_an_upper_bound_leaves_out_what_is_above(tmp_path: Path):
    source = SeriesSource(shells(tmp_path), LIMIT, Inside(threshold=-50, upper=50))
    outside = 30 * 26 * 24 - 16**3 + 8**3 - 4**3
    assert report(only(source).mesh).volume_mm3 == pytest.approx(outside, rel=0.03)


def padded_blocks() -> NDArray[np.int16]:
    """A block of 0 within padding, with 100 in its middle; the last three images are blank."""
    values = np.full((30, 26, 24), -2000, dtype=np.int16)
    values[6:24, 5:21, :21] = 0
    values[12:18, 10:16, 8:14] = 100
    return values


def with_padding(folder: Path, values: NDArray[np.int16]) -> tuple[Path, ...]:
    """The images of these values, of which -2000 is padding."""
    datasets = samples.ct_datasets(values, np.eye(4), intercept=0)
    paths = tuple(folder / f"{number}.dcm" for number in range(len(datasets)))
    for path, dataset in zip(paths, datasets, strict=True):
        dataset.add_new(0x00280120, "SS", -2000)
        path.write_bytes(samples.file_bytes(dataset))
    return paths


@pytest.mark.parametrize("resolution", [256, 12])
@pytest.mark.parametrize(("upper", "voxels"), [(50, 18 * 16 * 21 - 6**3), (None, 18 * 16 * 21)])
def test_padding_is_outside_whatever_the_bounds(
    upper: float | None, voxels: int, resolution: int, tmp_path: Path
):
    source = SeriesSource(
        with_padding(tmp_path, padded_blocks()), LIMIT, Inside(threshold=-50, upper=upper)
    )
    mesh = only(source, MeshOptions(resolution)).mesh
    # Blocks of two or three voxels round the edges.
    assert report(mesh).volume_mm3 == pytest.approx(voxels, rel=0.02 if resolution > 12 else 0.1)


def test_padding_takes_no_part_in_the_threshold(tmp_path: Path):
    values = np.full((30, 26, 24), -2000, dtype=np.int16)
    values[8:22, 6:20, 5:19] = 200
    values[8, 6, 5:19] = 0  # the lowest value, which padding takes
    values[10:20, 8:18, 7:17] = 300
    surface = only(SeriesSource(with_padding(tmp_path, values), LIMIT, Inside()))
    # Counted as 0, the padding would draw the threshold below 200.
    assert report(surface.mesh).volume_mm3 == pytest.approx(10**3, rel=0.05)


def test_padding_alone_within_the_bounds_is_refused(tmp_path: Path):
    source = SeriesSource(
        with_padding(tmp_path, padded_blocks()), LIMIT, Inside(threshold=-3000, upper=-1500)
    )
    with pytest.raises(UnusableSource, match="no voxel has a value from -3000 .* 0 to 100"):
        only(source)


def test_a_threshold_that_nothing_reaches_is_refused_with_the_range(tmp_path: Path):
    with pytest.raises(UnusableSource, match="no voxel has a value from 500: .* 0 to 100"):
        only(SeriesSource(shells(tmp_path), LIMIT, Inside(threshold=500)))


def label_map(folder: Path, extension: bytes = b"") -> Path:
    labels = np.zeros((20, 18, 16), dtype=np.int16)
    labels[2:8, 3:9, 4:10] = 5
    labels[10:16, 3:9, 4:12] = 300
    image = nib.Nifti1Image(labels, np.eye(4))
    if extension:
        image.header.extensions.append(nib.nifti1.Nifti1Extension(0, extension))
    path = folder / "labels.nii"
    path.write_bytes(image.to_bytes())
    return path


TABLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<CaretExtension><VolumeInformation Index="0"><LabelTable>
<Label Key="5" Red="1"><![CDATA[spleen]]></Label>
<Label Key="7" Red="1"><![CDATA[liver]]></Label>
</LabelTable></VolumeInformation></CaretExtension>"""


def names(path: Path, **choices: object) -> list[str]:
    source = NiftiSource(path, LIMIT, **choices)  # type: ignore[arg-type]
    return [surface.segment.name for surface in surfaces(source, MeshOptions())]


def test_labels_are_named_by_the_header_then_by_the_request_then_by_number(tmp_path: Path):
    path = label_map(tmp_path, TABLE)
    assert names(path, split=True) == ["spleen", "Label 300"]
    assert names(path, split=True, label_names={5: "x", 300: "aorta"}) == ["spleen", "aorta"]


def test_labels_are_chosen_by_number_or_name(tmp_path: Path):
    path = label_map(tmp_path, TABLE)
    assert names(path, split=True, wanted=(300, "spleen")) == ["Label 300", "spleen"]


def test_chosen_labels_without_split_are_one_model(tmp_path: Path):
    source = NiftiSource(label_map(tmp_path, TABLE), LIMIT, wanted=(5, 300))
    surface = only(source)
    assert surface.segment.name == "spleen + Label 300"
    assert report(surface.mesh).volume_mm3 == pytest.approx(6 * 6 * 6 + 6 * 6 * 8, rel=0.05)


def doubled(folder: Path, kind: str, split: bool) -> Source:
    """The F in voxels of twice the size, each stored as 2 x 2 x 2."""
    grid = tilted_grid((1.8, 2.2, 3.4), 66, centre_mm=(130, -45, 610))
    mask = sampled(LETTER, grid)
    large = np.repeat(np.repeat(np.repeat(mask, 2, 0), 2, 1), 2, 2)
    affine = grid.affine.copy()
    affine[:3, :3] /= 2
    affine[:3, 3] -= affine[:3, :3].sum(axis=1) / 2
    if kind == "SEG":
        dataset = samples.seg_dataset(samples.seg_frames(large), affine, names=("F",))
        (folder / "f.dcm").write_bytes(samples.file_bytes(dataset))
        return SegSource(folder / "f.dcm", LIMIT)
    image = nib.Nifti1Image(large.astype(np.uint8), np.diag([-1.0, -1, 1, 1]) @ affine)
    (folder / "f.nii").write_bytes(image.to_bytes())
    return NiftiSource(folder / "f.nii", LIMIT, split=split)


@pytest.mark.parametrize(("kind", "split"), [("NIfTI", False), ("NIfTI", True), ("SEG", True)])
def test_an_enlarged_mask_is_meshed_on_its_own_grid_and_told(
    kind: str, split: bool, tmp_path: Path
):
    source = doubled(tmp_path, kind, split)
    surface = only(source)
    steps = only(source, MeshOptions(method=SmoothingMethod.NONE))
    assert any("2 x 2 x 2" in note for note in surface.notes)
    assert not any("2 x 2 x 2" in note for note in steps.notes)
    assert len(surface.mesh.faces) < len(steps.mesh.faces) / 2.5
    assert report(surface.mesh).volume_mm3 == pytest.approx(LETTER.volume_mm3, rel=0.03)
    assert np.linalg.norm(np.subtract(report(surface.mesh).centroid_mm, LETTER.centroid_mm)) < 0.3


@pytest.mark.parametrize("iterations", [0, 200])
@pytest.mark.parametrize("method", SmoothingMethod)
def test_254_labels_that_touch_make_254_valid_models(
    method: SmoothingMethod, iterations: int, tmp_path: Path
):
    labels = np.arange(510).reshape(6, 5, 17) % 255
    labels = np.repeat(labels, 3, axis=0).astype(np.uint8)
    image = nib.Nifti1Image(labels, np.diag([1, 1, 2, 1]))
    (tmp_path / "f.nii").write_bytes(image.to_bytes())
    source = NiftiSource(tmp_path / "f.nii", LIMIT, split=True)
    found = list(surfaces(source, MeshOptions(method=method, iterations=iterations)))
    assert [one.segment.number for one in found] == list(range(1, 255))
    for one in found:
        assert report(one.mesh).is_watertight
        assert report(one.mesh).volume_mm3 > 0


def test_an_unknown_label_is_refused_with_what_there_is(tmp_path: Path):
    with pytest.raises(BadRequest, match="no label called 'colon'; there are: 5 'spleen', 7 'liv"):
        names(label_map(tmp_path, TABLE), split=True, wanted=("colon",))


def test_a_label_without_voxels_is_named(tmp_path: Path):
    with pytest.raises(UnusableSource, match="label 7 'liver' is empty"):
        names(label_map(tmp_path, TABLE), split=True, wanted=("liver",))


@pytest.mark.parametrize(
    "table", [b"<CaretExtension", b'<!DOCTYPE a [<!ENTITY b "c">]><CaretExtension/>', b"\xff"]
)
def test_a_broken_label_table_is_ignored(table: bytes, tmp_path: Path):
    assert names(label_map(tmp_path, table), split=True) == ["Label 5", "Label 300"]


def test_values_that_are_no_labels_cannot_be_split(tmp_path: Path):
    values = np.full((6, 6, 6), 0.36, dtype=np.float32)
    path = tmp_path / "a.nii"
    path.write_bytes(nib.Nifti1Image(values, np.eye(4)).to_bytes())
    with pytest.raises(UnusableSource, match="0.36 is no label number"):
        names(path, split=True)


def two_rois(folder: Path) -> Path:
    """Two bars that overlap by half: 40 x 10 x 12 mm each, from x = 0 and from x = 20."""
    heights = np.arange(0.0, 12, 2)

    def bar(start: float) -> tuple[np.ndarray, ...]:
        corners = [(start, 0.0), (start + 40, 0.0), (start + 40, 10.0), (start, 10.0)]
        return samples.prism(np.array(corners), heights)

    rois = [samples.RoiSample(1, "one", bar(0)), samples.RoiSample(2, "two", bar(20))]
    path = folder / "r.dcm"
    path.write_bytes(samples.rtstruct_bytes(rois))
    return path


def test_several_rois_as_one_count_what_they_share_once(tmp_path: Path):
    surface = only(RtStructSource(two_rois(tmp_path), ("one", "two")))
    assert surface.segment.name == "one + two"
    assert report(surface.mesh).volume_mm3 == pytest.approx(60 * 10 * 12, rel=0.03)


def test_rois_apart_have_their_own_volume(tmp_path: Path):
    parts = surfaces(RtStructSource(two_rois(tmp_path), split=True), MeshOptions())
    for part in parts:
        assert report(part.mesh).volume_mm3 == pytest.approx(40 * 10 * 12, rel=0.03)


def test_a_single_contour_is_as_thick_as_its_images_lie_apart(tmp_path: Path):
    square = np.array([(0.0, 0.0), (20, 0), (20, 10), (0, 10)])
    roi = samples.RoiSample(1, "flat", samples.prism(square, np.array([4.0])))
    (tmp_path / "r.dcm").write_bytes(samples.rtstruct_bytes([roi]))
    images = tuple(
        ImagePlane(f"1.{z}", "1", (0.0, 0.0, float(z)), (1.0, 0, 0, 0, 1.0, 0)) for z in range(9)
    )
    for split in (False, True):
        surface = only(RtStructSource(tmp_path / "r.dcm", split=split, images=images))
        assert report(surface.mesh).volume_mm3 == pytest.approx(20 * 10 * 1, rel=0.03)
        assert surface.notes == (
            "'flat': its single plane is made 1 mm thick, as its images lie apart",
        )


def test_a_model_refers_to_its_structure_set(tmp_path: Path):
    surface = only(RtStructSource(two_rois(tmp_path), (1,)))
    assert [one.sop_instance_uid for one in surface.references] == [f"{samples.ROOT}.4.1"]
    assert surface.frame_of_reference_uid == f"{samples.ROOT}.1"


def test_segments_of_a_seg_can_be_one_model(tmp_path: Path):
    first, second = MASK.copy(), MASK.copy()
    first[: GRID.shape[0] // 2] = False
    second[GRID.shape[0] // 2 :] = False
    frames = samples.seg_frames(first, 1) + samples.seg_frames(second, 2)
    dataset = samples.seg_dataset(frames, GRID.affine, names=("left", "right"))
    (tmp_path / "s.dcm").write_bytes(samples.file_bytes(dataset))
    surface = only(SegSource(tmp_path / "s.dcm", LIMIT, split=False))
    assert surface.segment.name == "left + right"
    assert report(surface.mesh).volume_mm3 == pytest.approx(LETTER.volume_mm3, rel=0.03)


def test_slices_of_a_seg_that_lie_far_apart_are_told_with_the_model(tmp_path: Path):
    frames = samples.seg_frames(MASK)[::4]
    dataset = samples.seg_dataset(frames, GRID.affine, names=("F",))
    (tmp_path / "s.dcm").write_bytes(samples.file_bytes(dataset))
    [note] = only(SegSource(tmp_path / "s.dcm", LIMIT)).notes
    thick, apart = (f"{factor * VOXEL_MM[2]:.4g} mm" for factor in (1, 4))
    told = f"its slices are {thick} thick and lie {apart} apart: what lies between is filled"
    assert note == f"'F': {told}"
    assert only(as_seg(tmp_path)).notes == ()


def test_the_grid_of_the_sample_is_tilted_and_anisotropic():
    assert isinstance(GRID, Grid)
    assert np.abs(GRID.affine[:3, :3]).min() > 0.05
    assert GRID.voxel_size_mm == pytest.approx(VOXEL_MM)


class Heard(WorkerProgress):
    """Notes what the making of surfaces reports."""

    def __init__(self) -> None:
        super().__init__()
        self.planned = 0
        self.stages: list[Stage] = []

    def plan(self, structures: int) -> None:
        self.planned = structures

    def begin(self, stage: Stage) -> None:
        self.stages.append(stage)


@pytest.mark.parametrize("method", [SmoothingMethod.TAUBIN, SmoothingMethod.LAPLACIAN])
def test_the_making_of_a_surface_reports_each_stage(tmp_path: Path, method: SmoothingMethod):
    labels = np.zeros((12, 14, 16), dtype=np.uint8)
    labels[2:8, 3:10, 4:12] = 3
    path = tmp_path / "source.nii"
    path.write_bytes(nib.Nifti1Image(labels, np.eye(4)).to_bytes())
    heard = Heard()
    source = NiftiSource(path, 1 << 20, split=True)
    [surface] = surfaces(source, MeshOptions(method=method, triangles=200), heard)
    assert heard.planned == 1
    assert heard.stages == [Stage.SURFACE, Stage.SMOOTHING, Stage.REDUCTION]
    assert len(surface.mesh.faces) <= 200


def test_an_image_whose_identifier_has_no_known_representation_is_refused(tmp_path: Path):
    path = as_series(tmp_path).paths[0]  # type: ignore[union-attr]
    broken = path.read_bytes().replace(b"\x08\0\x18\0UI", b"\x08\0\x18\0U\x96")
    path.write_bytes(broken)
    with pytest.raises(UnusableSource):
        only(SeriesSource((path,), LIMIT, Inside(threshold=0)))
