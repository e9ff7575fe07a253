"""The ROIs of an RT-STRUCT as slabs, read and drawn apart from the plugin's own code.

Each plane of contours is filled by the even-odd rule at the centres of a fine grid of pixels. A
plane reaches half-way to its neighbours; where there is none, or it is further away than two
spacings, half a spacing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pydicom
from numpy.typing import NDArray

from orthanc_stl_plugin.model.geometry import Grid
from tools.report.reference import MARGIN, Reference

type Points = NDArray[np.float64]

PIXELS_ACROSS: Final = 400
PIXELS_ACROSS_LOOP: Final = 60
_MOST_VOXELS: Final = 40e6
_JOINED_SPACINGS: Final = 2.05
_SAME_PLANE: Final = 0.1
_LAST_RESORT_MM: Final = 3.0


def roi_names(path: Path) -> dict[int, str]:
    """The number and the name of every ROI."""
    dataset = pydicom.dcmread(path, force=True)
    return {int(one.ROINumber): str(one.ROIName) for one in dataset.StructureSetROISequence}


def roi_references(path: Path) -> dict[int, Reference]:
    """The slabs of each ROI that encloses something."""
    dataset = pydicom.dcmread(path, force=True)
    drawn: dict[int, list[Points]] = {}
    stated: dict[int, float] = {}
    for item in dataset.ROIContourSequence:
        number = int(item.ReferencedROINumber)
        for contour in item.get("ContourSequence") or ():
            points = np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3)
            if contour.ContourGeometricType.startswith("CLOSED") and len(points) >= 3:
                drawn.setdefault(number, []).append(points)
                stated[number] = float(contour.get("ContourSlabThickness") or 0)
    sets = {number: _planes(contours) for number, contours in drawn.items()}
    own = {number: _gap(heights) for number, (_, heights, _) in sets.items()}
    known = sorted(gap for gap in own.values() if gap)
    usual = known[(len(known) - 1) // 2] if known else _LAST_RESORT_MM
    references = {}
    for number, (axes, heights, loops) in sets.items():
        spacing = own[number] or stated[number] or usual
        if len(heights) == 2:
            spacing = min(spacing, usual)
        reference = _slabs(axes, heights, loops, spacing)
        if reference.mask.any():
            references[number] = reference
    return references


def _planes(contours: list[Points]) -> tuple[Points, Points, list[list[Points]]]:
    """Axes as rows (the third is the normal), heights, and for each the loops, (N, 2) mm."""
    areas = [np.cross(loop, np.roll(loop, -1, axis=0)).sum(axis=0) for loop in contours]
    normal = max(areas, key=lambda area: float(np.linalg.norm(area)))
    normal = normal / np.linalg.norm(normal) * np.sign(normal[np.abs(normal).argmax()])
    along = np.eye(3)[np.abs(normal).argmin()]
    along = along - (along @ normal) * normal
    along /= np.linalg.norm(along)
    axes = np.array([along, np.cross(normal, along), normal])
    local = sorted((loop @ axes.T for loop in contours), key=lambda loop: float(loop[:, 2].mean()))
    levels = np.array([loop[:, 2].mean() for loop in local])
    gaps = np.diff(levels)
    apart = (
        gaps > max(0.01, _SAME_PLANE * float(np.median(gaps[gaps > 0.01], axis=None)))
        if (gaps > 0.01).any()
        else np.zeros(len(gaps), dtype=np.bool_)
    )
    plane_of = np.concatenate([[0], np.cumsum(apart)])
    heights = np.array([levels[plane_of == plane].mean() for plane in range(plane_of[-1] + 1)])
    loops: list[list[Points]] = [[] for _ in heights]
    for plane, loop in zip(plane_of, local, strict=True):
        flat = loop[:, :2]
        if not any(np.array_equal(flat, other) for other in loops[plane]):
            loops[plane].append(flat)
    return axes, heights, loops


def _gap(heights: Points) -> float:
    """The median distance of the planes; 0 for a single plane."""
    return float(np.median(np.diff(heights))) if len(heights) > 1 else 0.0


def _slabs(axes: Points, heights: Points, loops: list[list[Points]], spacing: float) -> Reference:
    every = np.concatenate([loop for plane in loops for loop in plane])
    low, high = every.min(axis=0), every.max(axis=0)
    pixel = _pixel_mm(loops, high - low)
    columns, rows = (np.ceil((high - low) / pixel).astype(int) + 2 * MARGIN).tolist()
    corner = low + pixel * (0.5 - MARGIN)
    mask = np.zeros((columns, rows, len(heights)), dtype=np.bool_)
    for plane, within in enumerate(loops):
        mask[:, :, plane] = filled([(loop - corner) / pixel for loop in within], columns, rows)
    affine = np.eye(4)
    affine[:3, :3] = axes.T * [pixel, pixel, 1.0]
    affine[:3, 3] = np.append(corner, heights[0]) @ axes
    gaps = np.diff(heights)
    reach = np.where(gaps <= _JOINED_SPACINGS * spacing, gaps, spacing) / 2
    at = heights - heights[0]
    below, above = np.append(spacing / 2, reach), np.append(reach, spacing / 2)
    return Reference(mask, Grid(mask.shape, affine), at, at - below, at + above)


def _pixel_mm(loops: list[list[Points]], extent: Points) -> float:
    """As fine as the whole and the typical contour need, as coarse as memory demands."""
    sizes = [np.sqrt(np.prod(np.ptp(loop, axis=0))) for plane in loops for loop in plane]
    wanted = min(float(extent.max()) / PIXELS_ACROSS, float(np.median(sizes)) / PIXELS_ACROSS_LOOP)
    return max(wanted, float(np.sqrt(np.prod(extent) * len(loops) / _MOST_VOXELS)))


def filled(loops: list[Points], columns: int, rows: int) -> NDArray[np.bool_]:
    """(columns, rows) whether a whole-numbered point is inside: its ray meets an odd number."""
    toggles = np.zeros((columns + 1, rows), dtype=np.uint8)
    for loop in loops:
        for (x0, y0), (x1, y1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
            first, last = int(np.ceil(min(y0, y1))), int(np.ceil(max(y0, y1)))
            if first < last:
                row = np.arange(first, last)
                x = x0 + (row - y0) / (y1 - y0) * (x1 - x0)
                np.add.at(toggles, (np.ceil(x).astype(int), row), np.uint8(1))
    return np.bitwise_xor.accumulate(toggles[:-1] & np.uint8(1), axis=0).astype(np.bool_)
