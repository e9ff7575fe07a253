"""Surfaces from sources of every kind; runs in a worker process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.contours import rtstruct
from orthanc_stl_plugin.formats.contours.combined_rois import (
    united_masks,
    united_occupancies,
    united_segment,
)
from orthanc_stl_plugin.formats.contours.rasterisation import SMALLEST_RESOLUTION
from orthanc_stl_plugin.formats.contours.roi import Roi
from orthanc_stl_plugin.formats.meshes.read import read_mesh
from orthanc_stl_plugin.formats.volumes import nifti, nifti_labels, nifti_mask
from orthanc_stl_plugin.formats.volumes import seg as dicom_seg
from orthanc_stl_plugin.formats.volumes.image_series import read_series
from orthanc_stl_plugin.formats.volumes.otsu import GreyHistogram
from orthanc_stl_plugin.mesh.block_means import Voxels
from orthanc_stl_plugin.mesh.components import cavities, outside_largest
from orthanc_stl_plugin.mesh.equal_blocks import on_own_grid
from orthanc_stl_plugin.mesh.shared_walls import SharedWalls
from orthanc_stl_plugin.mesh.surface import (
    RawSurface,
    fitted,
    groups,
    joined,
    raw_isosurface,
    raw_mask_surface,
    reduced,
    smoothed,
    smoothed_together,
    within,
)
from orthanc_stl_plugin.model.geometry import Grid
from orthanc_stl_plugin.model.identity import Reference
from orthanc_stl_plugin.model.labels import Segment, Structure
from orthanc_stl_plugin.model.mesh import Mesh, MeshOptions
from orthanc_stl_plugin.model.progress import Stage
from orthanc_stl_plugin.sentences import Sentence
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

_COARSER: Final = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A model: its identity, its mesh and its source.

    Attributes:
        segment: its identity.
        mesh: LPS mm.
        frame_of_reference_uid: of the source, or None.
        references: the instances that it was made from.
        modality: of the source images; None if unknown.
        note: a readable text on how the surface was found; may be empty.
        is_imported: the source held the surface itself: it may be open, and nothing was computed.
        write_textured: see `ImportedModel`.
        missing: see `ImportedModel`.
        notes: see `ImageVolume`, `Roi` and `notes_on`.
    """

    segment: Segment
    mesh: Mesh
    frame_of_reference_uid: str | None = None
    references: tuple[Reference, ...] = ()
    modality: str | None = None
    note: str = ""
    is_imported: bool = False
    write_textured: Callable[[Path], None] | None = None
    missing: tuple[str, ...] = ()
    notes: tuple[Sentence, ...] = ()


def surfaces(
    source: Source, options: MeshOptions, progress: WorkerProgress | None = None
) -> Iterator[Surface]:
    """The surfaces of a source, one at a time; each step is reported to `progress`.

    Raises:
        BadRequest: a structure that is wanted does not exist.
        TooLarge: the source is larger than its limit.
        UnusableSource: it cannot be read, or what is wanted is empty.
    """
    progress = progress or WorkerProgress()
    for surface in _whole_surfaces(source, options, progress):
        yield _reduced(surface, options, progress)


def _whole_surfaces(
    source: Source, options: MeshOptions, progress: WorkerProgress
) -> Iterator[Surface]:
    match source:
        case NiftiSource():
            return _nifti(source, options, progress)
        case RtStructSource():
            return _rtstruct(source, options, progress)
        case SegSource():
            return _seg(source, options, progress)
        case SeriesSource():
            return _series(source, options, progress)
        case MeshFileSource():
            return _mesh_file(source)


def _mesh_file(source: MeshFileSource) -> Iterator[Surface]:
    given = read_mesh(source.file(), source.limits)
    yield Surface(
        Segment(1, source.title),
        given.mesh,
        is_imported=True,
        write_textured=given.write_textured,
        missing=given.missing,
    )


def _nifti(
    source: NiftiSource, options: MeshOptions, progress: WorkerProgress
) -> Iterator[Surface]:
    volume = nifti.read_nifti(source.path.read_bytes(), source.max_bytes)
    if source.wanted is None and not source.split:
        mask, notes = nifti_mask.mask_of(volume)
        if not mask.any():
            shape = " x ".join(map(str, volume.grid.shape))
            raise UnusableSource("MaskEmpty", voxels=shape)
        progress.plan(1)
        mask, grid, blocks = _on_own_grid(mask, volume.grid, options)
        mesh = _mask_mesh(mask, grid, options, progress)
        yield Surface(Segment(1, source.title), mesh, notes=(*volume.notes, *notes, *blocks))
        return
    labels = nifti_labels.label_map(volume)
    known = nifti_labels.segments(labels, source.label_names)
    if source.wanted is not None:
        wanted = nifti_labels.chosen(known, source.wanted)
    else:
        wanted = nifti_labels.present(labels, known)
    progress.plan(len(wanted) if source.split else 1)
    if options.is_smooth:
        labels = nifti_labels.on_own_grid(labels)
    parts = nifti_labels.structures(labels, wanted)
    for part, mesh in _mask_meshes(
        parts if source.split else [united_masks(list(parts))], options, progress
    ):
        yield Surface(part.segment, mesh, notes=labels.volume.notes)


def _rtstruct(
    source: RtStructSource, options: MeshOptions, progress: WorkerProgress
) -> Iterator[Surface]:
    structure_set = rtstruct.read_rtstruct(source.path)
    reference = Reference(
        structure_set.series_instance_uid,
        rtstruct.RT_STRUCTURE_SET,
        structure_set.sop_instance_uid,
    )
    if source.wanted is None:
        rois = [roi for roi in structure_set.rois if roi.obstacle is None]
        if not rois:
            obstacles = "; ".join(f"{r.segment.name!r} {r.obstacle}" for r in structure_set.rois)
            raise UnusableSource("RoisEncloseNothing", obstacles=obstacles[:500])
    else:
        rois = [structure_set.roi(one) for one in source.wanted]
    resolution = max(SMALLEST_RESOLUTION, options.resolution)
    if source.split or len(rois) == 1:
        progress.plan(len(rois))
        for roi in rois:
            apart = rtstruct.image_spacing_mm(roi, source.images)
            pieces = rtstruct.occupancies(roi, resolution=resolution, image_spacing_mm=apart)
            mesh = _pieces_mesh(pieces, options, progress)
            frame = roi.frame_of_reference_uid
            yield Surface(roi.segment, mesh, frame, (reference,), notes=_notes([roi], source))
        return
    progress.plan(1)
    parts: list[rtstruct.Occupancy] = []
    for number, roi in enumerate(rois):
        progress.advance(Stage.READING, number, len(rois))
        apart = rtstruct.image_spacing_mm(roi, source.images)
        parts += rtstruct.occupancies(
            roi, resolution=resolution, image_spacing_mm=apart, are_ends_round=False
        )
    mesh = _pieces_mesh(united_occupancies(parts, resolution), options, progress)
    segment = united_segment([roi.segment for roi in rois])
    frame = parts[0].grid.frame_of_reference_uid
    yield Surface(segment, mesh, frame, (reference,), notes=_notes(rois, source))


def _notes(rois: Iterable[Roi], source: RtStructSource) -> tuple[Sentence, ...]:
    notes: list[Sentence] = []
    for roi in rois:
        apart = rtstruct.image_spacing_mm(roi, source.images)
        notes += [
            Sentence("OfStructure", name=roi.segment.name, note=note)
            for note in (*roi.notes, *rtstruct.lone_plane_notes(roi, apart))
        ]
    return tuple(notes)


def _pieces_mesh(
    pieces: Iterable[rtstruct.Occupancy], options: MeshOptions, progress: WorkerProgress
) -> Mesh:
    """The surfaces of all pieces as one mesh."""
    progress.begin(Stage.SURFACE)
    raw: list[RawSurface] = []
    for piece in pieces:
        values, grid = fitted(piece.values, rtstruct.INSIDE, piece.grid, options.resolution)
        volume_mm3 = float(piece.values.sum(dtype=np.float64)) * piece.grid.voxel_volume_mm3
        surface = raw_isosurface(values, rtstruct.INSIDE, grid)
        raw.append(replace(surface, volume_voxels=volume_mm3 / grid.voxel_volume_mm3))
    meshes: list[Mesh] = []
    for surface in raw:
        progress.advance(Stage.SMOOTHING, len(meshes), len(raw))
        meshes.append(smoothed(surface, options))
    return joined(meshes)


def _mask_mesh(
    mask: NDArray[np.bool_ | np.integer], grid: Grid, options: MeshOptions, progress: WorkerProgress
) -> Mesh:
    progress.begin(Stage.SURFACE)
    return _finished(raw_mask_surface(mask, grid, options), options, progress)


def _on_own_grid(
    mask: NDArray[np.bool_], grid: Grid, options: MeshOptions
) -> tuple[NDArray[np.bool_], Grid, tuple[Sentence, ...]]:
    """See `equal_blocks`; without smoothing the voxels stay as they are."""
    return on_own_grid(mask, grid) if options.is_smooth else (mask, grid, ())


def _mask_meshes(
    parts: Iterable[Structure], options: MeshOptions, progress: WorkerProgress
) -> Iterator[tuple[Structure, Mesh]]:
    """The structures with their surfaces, which fit; small ones are smoothed together."""
    waiting: deque[Structure] = deque()
    walls = SharedWalls()

    def raw() -> Iterator[RawSurface]:
        for part in parts:
            waiting.append(part)
            progress.begin(Stage.SURFACE)
            yield raw_mask_surface(part.mask, part.grid, options)

    for group in groups(raw()):
        progress.begin(Stage.SMOOTHING)
        for mesh in smoothed_together(group, options, walls):
            yield waiting.popleft(), mesh


def _finished(raw: RawSurface, options: MeshOptions, progress: WorkerProgress) -> Mesh:
    progress.begin(Stage.SMOOTHING)
    return smoothed(raw, options)


def _reduced(surface: Surface, options: MeshOptions, progress: WorkerProgress) -> Surface:
    """The surface with fewer triangles where the options ask for them."""
    if surface.is_imported or (options.triangles is None and options.max_error_mm is None):
        return surface
    progress.begin(Stage.REDUCTION)
    mesh, error_mm = reduced(surface.mesh, options)
    if error_mm is None:
        return replace(surface, mesh=mesh)
    note = Sentence(
        "SurfaceReducedWithin",
        name=surface.segment.name,
        before=len(surface.mesh.faces),
        triangles=len(mesh.faces),
        error_mm=error_mm,
    )
    return replace(surface, mesh=mesh, notes=(*surface.notes, note))


def _seg(source: SegSource, options: MeshOptions, progress: WorkerProgress) -> Iterator[Surface]:
    seg = dicom_seg.read_seg(source.path)
    reference = Reference(
        seg.series_instance_uid, str(seg.dataset.SOPClassUID), seg.sop_instance_uid
    )
    numbers = None
    if source.wanted is not None:
        numbers = [seg.segment(one).number for one in source.wanted]
    parts = dicom_seg.structures(seg, numbers, source.max_bytes, source.images)
    progress.plan(len(numbers or seg.segments) if source.split else 1)
    united = parts if source.split else [united_masks(list(parts))]
    for part, mesh in _mask_meshes(_of_seg(united, seg, options), options, progress):
        yield Surface(
            part.segment, mesh, seg.frame_of_reference_uid, (reference,), notes=part.notes
        )


def _of_seg(
    parts: Iterable[Structure], seg: dicom_seg.SegFile, options: MeshOptions
) -> Iterator[Structure]:
    """The structures of a SEG with all notes, each on its own grid if it was enlarged."""
    for part in parts:
        mask, grid, blocks = _on_own_grid(part.mask, part.grid, options)
        notes = (*dicom_seg.notes_on(part, seg), *blocks)
        yield replace(part, mask=mask, grid=grid, notes=notes)


def _series(
    source: SeriesSource, options: MeshOptions, progress: WorkerProgress
) -> Iterator[Surface]:
    volume = read_series(source.paths, source.max_bytes)
    values: Voxels = volume.values
    absent, chosen = volume.padding, source.inside
    level = chosen.threshold
    if level is None:
        level = GreyHistogram(volume.values, volume.padding).otsu()
    inside = within(values, level, chosen.upper)
    if absent is not None:  # its values are not its own, and count only where they are outside
        absent &= inside
        np.greater(inside, absent, out=inside)
    if not inside.any():
        bounds = Sentence("ValuesFrom", lowest=level)
        if chosen.upper is not None:
            bounds = Sentence("ValuesFromUpTo", lowest=level, highest=chosen.upper)
        raise UnusableSource(
            "ThresholdOutsideValues",
            bounds=bounds,
            lowest=volume.values.min(),
            highest=volume.values.max(),
            unit=volume.unit,
        )
    progress.plan(1)
    progress.begin(Stage.SURFACE)
    absent = _choose_parts(values, inside, absent, level, chosen)
    del inside
    fewer, grid = fitted(values, level, volume.grid, options.resolution, chosen.upper, absent)
    if grid.voxel_volume_mm3 > _COARSER * volume.grid.voxel_volume_mm3:
        # Block means may join or separate parts, and close or open cavities.
        inside = within(fewer, level, chosen.upper)
        absent = _choose_parts(fewer, inside, None, level, chosen)
        if absent is not None:
            fewer[absent] = np.nan
    mesh = _finished(raw_isosurface(fewer, level, grid, chosen.upper), options, progress)
    references = tuple(
        Reference(source.series_instance_uid, volume.sop_class_uid, uid)
        for uid in volume.source_instance_uids
    )
    found = "Otsu" if chosen.threshold is None else "given"
    bound = f"-{chosen.upper:g}" if chosen.upper is not None else ""
    note = f"threshold {level:g}{bound} {volume.unit} ({found})"
    frame = volume.grid.frame_of_reference_uid
    segment = Segment(1, source.title)
    yield Surface(segment, mesh, frame, references, volume.modality, note, notes=volume.notes)


def _choose_parts(
    values: Voxels,
    inside: NDArray[np.bool_],
    absent: NDArray[np.bool_] | None,
    level: float,
    chosen: Inside,
) -> NDArray[np.bool_] | None:
    """Fills cavities in `values`, and returns what is absent: what was, and unwanted parts.

    All arrays are changed in place: a copy of each would take as much memory as a series may have.
    """
    if chosen.keep_largest:
        others = outside_largest(inside)
        np.greater(inside, others, out=inside)
        absent = others if absent is None else np.logical_or(absent, others, out=absent)
    if chosen.fill_holes:
        hollow = cavities(inside)
        values[hollow] = level if values.dtype.kind == "f" else ceil(level)
        if absent is not None:
            np.greater(absent, hollow, out=absent)
    return absent
