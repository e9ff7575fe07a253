"""A shaded picture of a mesh, drawn with a depth buffer in numpy."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.model.mesh import Mesh

SAMPLES_PER_PIXEL: Final = 2
"""Samples along each side of a pixel, averaged against jagged edges."""

MARGIN: Final = 0.04
IVORY: Final = (232, 220, 200)
CANDIDATES_AT_ONCE: Final = 2_000_000

KEY_LIGHT: Final = (-0.45, 0.65, 0.75)
FILL_LIGHT: Final = (0.8, -0.1, 0.35)
AMBIENT: Final = 0.16
KEY: Final = 0.74
FILL: Final = 0.16
GLOSS: Final = 0.16
GLOSS_POWER: Final = 24


def shaded(
    mesh: Mesh,
    *,
    size_px: int = 256,
    turn_degrees: float = 0.0,
    tilt_degrees: float = 0.0,
    rgb: tuple[int, int, int] | None = None,
) -> NDArray[np.uint8]:
    """(size_px, size_px, 4) uint8 RGBA picture, sRGB, transparent around the mesh.

    The patient stands upright and is seen from the front, from infinitely far; `turn_degrees` walks
    around to the patient's left, `tilt_degrees` rises to look down from above.

    Raises:
        ValueError: `size_px` is less than 1.
    """
    if size_px < 1:
        raise ValueError(f"a picture of {size_px} pixels")
    side = size_px * SAMPLES_PER_PIXEL
    camera = _camera(turn_degrees, tilt_degrees)
    local = (mesh.vertices - mesh.vertices.mean(axis=0)).astype(np.float32)
    points = _fitted(local @ camera.T, side)
    face, weights = _visible(points, mesh.faces, side)
    is_hit = face >= 0
    corners = mesh.faces[face[is_hit]]
    normals = _vertex_normals(points, mesh.faces)
    seen = np.zeros((3, weights.shape[1]), dtype=np.float32)
    for corner, weight in enumerate(weights):
        for axis in range(3):
            seen[axis] += weight * normals[:, axis].take(corners[:, corner])
    linear = np.zeros((side * side, 4), dtype=np.float32)
    linear[is_hit, :3] = _light(seen.T, IVORY if rgb is None else rgb)
    linear[is_hit, 3] = 1
    samples = linear.reshape(side, side, 4)
    pixels = np.zeros((size_px, size_px, 4), dtype=np.float32)
    for start in np.ndindex(SAMPLES_PER_PIXEL, SAMPLES_PER_PIXEL):
        pixels += samples[start[0] :: SAMPLES_PER_PIXEL, start[1] :: SAMPLES_PER_PIXEL]
    return _as_rgba(pixels / np.float32(SAMPLES_PER_PIXEL**2))


def _camera(turn_degrees: float, tilt_degrees: float) -> NDArray[np.float32]:
    """(3, 3) rows: to the right, up and towards the viewer, in LPS."""
    turn, tilt = np.radians(turn_degrees), np.radians(tilt_degrees)
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    level = np.array([np.sin(turn), -np.cos(turn), 0.0])
    upright = np.array([0.0, 0.0, 1.0])
    viewer = np.cos(tilt) * level + np.sin(tilt) * upright
    return np.stack([right, np.cross(viewer, right), viewer]).astype(np.float32)


def _fitted(points: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Points scaled and moved so that x and y fill 0..side, but for the margin."""
    lowest, highest = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    extent = max(float((highest - lowest).max()), float(np.finfo(np.float32).tiny))
    fitted = points * np.float32(side * (1 - 2 * MARGIN) / extent)
    fitted[:, :2] += side / 2 - (fitted[:, :2].min(axis=0) + fitted[:, :2].max(axis=0)) / 2
    return np.asarray(fitted)


def _visible(
    points: NDArray[np.float32], faces: NDArray[np.int32], side: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Per sample the nearest face (-1: none); (3, N) weights of its corners where there is one."""
    corners = points[faces]
    edge_1, edge_2 = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
    doubled_area = edge_1[:, 0] * edge_2[:, 1] - edge_1[:, 1] * edge_2[:, 0]
    front = np.flatnonzero(doubled_area > 0)
    corners = corners[front]
    lowest = np.ceil(corners[:, :, :2].min(axis=1) - 0.5).astype(np.int32)
    highest = np.floor(corners[:, :, :2].max(axis=1) - 0.5).astype(np.int32)
    extent = np.maximum(highest - lowest + 1, 0)
    count = extent.prod(axis=1, dtype=np.int64)

    depth_of = corners[:, :, 2]
    nearest = np.full(side * side, -1, dtype=np.int64)
    scale = (2**30 - 1) / max(float(np.ptp(points[:, 2])), 1.0)
    deepest = float(points[:, 2].min())
    for part in _parts(count):
        number = np.repeat(np.arange(part.start, part.stop), count[part])
        place = np.arange(number.size) - np.repeat(
            np.cumsum(count[part]) - count[part], count[part]
        )
        row, column = np.divmod(place, extent[number, 0])
        x, y = lowest[number, 0] + column, lowest[number, 1] + row
        weights = _weights(corners, number, x + 0.5, y + 0.5)
        is_inside = np.flatnonzero((weights[0] >= 0) & (weights[1] >= 0) & (weights[2] >= 0))
        number, x, y = number[is_inside], x[is_inside], y[is_inside]
        depth = np.zeros(number.size, dtype=np.float32)
        for corner in range(3):
            depth += weights[corner].take(is_inside) * depth_of[:, corner].take(number)
        key = ((depth - deepest) * scale).astype(np.int64) << 32 | number
        np.maximum.at(nearest, (side - 1 - y) * side + x, key)
    return _resolved(nearest, corners, front, side)


def _resolved(
    nearest: NDArray[np.int64],
    corners: NDArray[np.float32],
    front: NDArray[np.int64],
    side: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    is_hit = nearest >= 0
    number = nearest[is_hit] & 0xFFFFFFFF
    face = np.full(nearest.size, -1, dtype=np.int64)
    face[is_hit] = front[number]
    row, column = np.divmod(np.flatnonzero(is_hit), side)
    weights = _weights(corners, number, column + 0.5, side - 0.5 - row)
    return face, weights


def _parts(count: NDArray[np.int64]) -> list[slice]:
    """Runs of triangles that have a bounded number of candidate samples between them."""
    total = np.cumsum(count)
    stops = np.searchsorted(
        total, np.arange(CANDIDATES_AT_ONCE, total[-1:].sum(), CANDIDATES_AT_ONCE)
    )
    edges = np.unique(np.concatenate([[0], stops, [len(count)]]))
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]


def _weights(
    corners: NDArray[np.float32],
    number: NDArray[np.int64],
    x: NDArray[np.floating],
    y: NDArray[np.floating],
) -> NDArray[np.float32]:
    """(3, N) barycentric weights of points (x, y) in the triangles `number` of (T, 3, 3)."""
    flat = corners.reshape(-1, 9)
    dx = [flat[:, 3 * corner].take(number) - x for corner in range(3)]
    dy = [flat[:, 3 * corner + 1].take(number) - y for corner in range(3)]
    weights = np.empty((3, number.size), dtype=np.float32)
    for corner in range(3):
        following, last = (corner + 1) % 3, (corner + 2) % 3
        weights[corner] = dx[following] * dy[last] - dy[following] * dx[last]
    with np.errstate(divide="ignore", invalid="ignore"):
        weights /= weights[0] + weights[1] + weights[2]
    return weights


def _vertex_normals(points: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    areas = np.cross(b - a, c - a)
    normals = np.zeros((len(points), 3), dtype=np.float32)
    for axis in range(3):
        for corner in range(3):
            normals[:, axis] += np.bincount(faces[:, corner], areas[:, axis], len(points))
    return normals


def _light(normals: NDArray[np.float32], rgb: tuple[int, int, int]) -> NDArray[np.float32]:
    """(N, 3) linear colours under a key light from the upper left and a weak one from the right."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = (normals / np.maximum(length, 1e-30)).astype(np.float32)
    key, fill = (
        np.array(light, dtype=np.float32) / np.float32(np.linalg.norm(light))
        for light in (KEY_LIGHT, FILL_LIGHT)
    )
    half = (key + np.array([0, 0, 1], dtype=np.float32)) / np.float32(2)
    half /= np.linalg.norm(half)
    diffuse = AMBIENT * (0.7 + 0.3 * normals[:, 1]) + KEY * np.clip(normals @ key, 0, None)
    diffuse += FILL * np.clip(normals @ fill, 0, None)
    gloss = GLOSS * np.clip(normals @ half, 0, None) ** GLOSS_POWER
    colour = (np.array(rgb, dtype=np.float32) / 255) ** np.float32(2.2)
    return np.asarray(diffuse[:, None] * colour + gloss[:, None], dtype=np.float32)


def _as_rgba(linear: NDArray[np.float32]) -> NDArray[np.uint8]:
    """uint8 RGBA of linear colours that are weighted with their coverage."""
    coverage = linear[:, :, 3:]
    colour = linear[:, :, :3] / np.maximum(coverage, np.float32(1e-6))
    encoded = np.clip(colour, 0, 1) ** np.float32(1 / 2.2)
    return np.rint(np.concatenate([encoded, coverage], axis=2) * 255).astype(np.uint8)
