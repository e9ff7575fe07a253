"""A shaded picture of a mesh, drawn with a depth buffer in numpy."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orthanc_stl_plugin.model.mesh import Mesh

SAMPLES_PER_PIXEL: Final = 2
"""Samples along each side of a pixel, averaged to smooth jagged edges."""

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

    The patient stands upright and is seen from the front, in parallel projection; `turn_degrees`
    moves the viewer to the patient's left, `tilt_degrees` upwards.

    Raises:
        ValueError: `size_px` is less than 1.
    """
    if size_px < 1:
        raise ValueError(f"a picture of {size_px} pixels")
    side = size_px * SAMPLES_PER_PIXEL
    camera = _camera(turn_degrees, tilt_degrees)
    rows = np.ascontiguousarray(mesh.vertices.T)
    points = _fitted(camera @ (rows - rows.mean(axis=1, keepdims=True)), side)
    faces = mesh.faces.T.astype(np.intp)
    sample, face, weights = _visible(points, faces, side)
    seen = np.zeros((3, sample.size), dtype=np.float32)
    normals = _vertex_normals(points, faces)
    for corner, weight in zip(faces.take(face, axis=1), weights, strict=True):
        seen += weight * normals.take(corner, axis=1)
    linear = np.zeros((4, side * side), dtype=np.float32)
    linear[:3, sample] = _light(seen, IVORY if rgb is None else rgb)
    linear[3, sample] = 1
    samples = linear.reshape(4, side, side)
    pixels = np.zeros((4, size_px, size_px), dtype=np.float32)
    for row, column in np.ndindex(SAMPLES_PER_PIXEL, SAMPLES_PER_PIXEL):
        pixels += samples[:, row::SAMPLES_PER_PIXEL, column::SAMPLES_PER_PIXEL]
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
    """(3, V) points scaled and moved so that x and y fill 0..side, except for the margin."""
    lowest, highest = points[:2].min(axis=1), points[:2].max(axis=1)
    extent = max(float((highest - lowest).max()), float(np.finfo(np.float32).tiny))
    scale = np.float32(side * (1 - 2 * MARGIN) / extent)
    points = points * scale
    points[:2] += (np.float32(side) - scale * (lowest + highest))[:, np.newaxis] / np.float32(2)
    return points


def _visible(
    points: NDArray[np.float32], faces: NDArray[np.intp], side: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """The samples where (3, V) points in (3, F) faces are seen, by rows from the top.

    Of each the number, the nearest face, and in (3, N) weights the place within that face.
    """
    front, xs, ys = _front(points, faces)
    left, right = _samples_between(xs)
    bottom, top = _samples_between(ys)
    width = np.maximum(right - left + 1, 0)
    count = (width * np.maximum(top - bottom + 1, 0)).astype(np.int64)
    is_met = np.flatnonzero(count)
    front, xs, ys = front[is_met], xs[:, is_met], ys[:, is_met]
    left, bottom, width, count = left[is_met], bottom[is_met], width[is_met], count[is_met]

    depths = points[2].take(faces.take(front, axis=1))
    nearest = np.full(side * side, -1, dtype=np.int64)
    scale = (2**30 - 1) / max(float(np.ptp(points[2])), 1.0)
    deepest = float(points[2].min())
    for part in _parts(count):
        number = np.repeat(np.arange(part.start, part.stop), count[part])
        place = np.arange(number.size) - np.repeat(
            np.cumsum(count[part]) - count[part], count[part]
        )
        row, column = np.divmod(place, width.take(number))
        x, y = left.take(number) + column, bottom.take(number) + row
        weights = _weights(xs, ys, number, x, y)
        is_inside = np.flatnonzero((weights[0] >= 0) & (weights[1] >= 0) & (weights[2] >= 0))
        number, x, y = number[is_inside], x[is_inside], y[is_inside]
        depth = np.zeros(number.size, dtype=np.float32)
        for corner in range(3):
            depth += weights[corner].take(is_inside) * depths[corner].take(number)
        key = ((depth - deepest) * scale).astype(np.int64) << 32 | number
        np.maximum.at(nearest, (side - 1 - y) * side + x, key)
    sample = np.flatnonzero(nearest >= 0)
    number = nearest[sample] & 0xFFFFFFFF
    row, column = np.divmod(sample, side)
    return sample, front[number], _weights(xs, ys, number, column, side - 1 - row)


def _front(
    points: NDArray[np.float32], faces: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float32]]:
    """The faces seen from outside, and the (3, N) x and y of their corners."""
    xs, ys = points[0].take(faces), points[1].take(faces)
    doubled_area = (xs[1] - xs[0]) * (ys[2] - ys[0]) - (ys[1] - ys[0]) * (xs[2] - xs[0])
    front = np.flatnonzero(doubled_area > 0)
    return front, xs.take(front, axis=1), ys.take(front, axis=1)


def _samples_between(places: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """First and last sample, these lie at halves, within the range of (3, N) places."""
    half = np.float32(0.5)
    lowest = np.minimum(np.minimum(places[0], places[1]), places[2])
    highest = np.maximum(np.maximum(places[0], places[1]), places[2])
    return np.ceil(lowest - half).astype(np.int32), np.floor(highest - half).astype(np.int32)


def _parts(count: NDArray[np.int64]) -> list[slice]:
    """Runs of triangles that have a bounded number of candidate samples between them."""
    total = np.cumsum(count)
    stops = np.searchsorted(
        total, np.arange(CANDIDATES_AT_ONCE, total[-1:].sum(), CANDIDATES_AT_ONCE)
    )
    edges = np.unique(np.concatenate([[0], stops, [len(count)]]))
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]


def _weights(
    xs: NDArray[np.float32],
    ys: NDArray[np.float32],
    number: NDArray[np.int64],
    column: NDArray[np.integer],
    row: NDArray[np.integer],
) -> NDArray[np.float32]:
    """(3, N) barycentric weights of samples in the triangles `number` of (3, T) corners."""
    x, y = column + 0.5, row + 0.5
    dx = [corner.take(number) - x for corner in xs]
    dy = [corner.take(number) - y for corner in ys]
    weights = np.empty((3, number.size), dtype=np.float32)
    for corner in range(3):
        following, last = (corner + 1) % 3, (corner + 2) % 3
        weights[corner] = dx[following] * dy[last] - dy[following] * dx[last]
    with np.errstate(divide="ignore", invalid="ignore"):
        weights /= weights[0] + weights[1] + weights[2]
    return weights


def _vertex_normals(points: NDArray[np.float32], faces: NDArray[np.intp]) -> NDArray[np.float32]:
    """(3, V) float32 normals of any length."""
    a, b, c = (points.take(corner, axis=1) for corner in faces)
    (ux, uy, uz), (vx, vy, vz) = b - a, c - a
    normals = np.zeros(points.shape, dtype=np.float32)
    for axis, area in enumerate((uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)):
        for corner in faces:
            normals[axis] += np.bincount(corner, area, points.shape[1])
    return normals


def _light(normals: NDArray[np.float32], rgb: tuple[int, int, int]) -> NDArray[np.float32]:
    """(3, N) linear colours under a key light from the upper left and a weak one from the right."""
    length = np.sqrt((normals * normals).sum(axis=0))
    unit = normals / np.maximum(length, np.float32(1e-30))
    key, fill = (
        np.array(light, dtype=np.float32) / np.float32(np.linalg.norm(light))
        for light in (KEY_LIGHT, FILL_LIGHT)
    )
    half = (key + np.array([0, 0, 1], dtype=np.float32)) / np.float32(2)
    half /= np.linalg.norm(half)
    diffuse = AMBIENT * (0.7 + 0.3 * unit[1]) + KEY * np.maximum(key @ unit, 0)
    diffuse += FILL * np.maximum(fill @ unit, 0)
    gloss = GLOSS * np.maximum(half @ unit, 0) ** GLOSS_POWER
    colour = (np.array(rgb, dtype=np.float32) / 255) ** np.float32(2.2)
    return np.asarray(colour[:, np.newaxis] * diffuse + gloss, dtype=np.float32)


def _as_rgba(linear: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 RGBA of (4, H, W) linear colours that are weighted with their coverage."""
    coverage = linear[3:]
    colour = linear[:3] / np.maximum(coverage, np.float32(1e-6))
    encoded = np.minimum(colour, 1) ** np.float32(1 / 2.2)
    picture = np.rint(np.concatenate([encoded, coverage]) * 255).astype(np.uint8)
    return np.ascontiguousarray(picture.transpose(1, 2, 0))
