"""The order of the images of a series, and the stacks that they form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Directions (cosines) and positions (mm) that differ by less than this are equal.
_SAME_DIRECTION: Final = 0.01
_SAME_PLACE_MM: Final = 0.001
_PLANES: Final = ("Sagittal", "Coronal", "Axial")
_CLEARLY: Final = 0.8

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Placed:
    """The position of an image in space and in its series.

    Attributes:
        image_id: the image.
        number: Instance Number, or None.
        position_mm: Image Position (Patient), or None.
        directions: of the rows and of the columns, from Image Orientation (Patient), or None.
    """

    image_id: str
    number: int | None = None
    position_mm: Point | None = None
    directions: tuple[Point, Point] | None = None

    @property
    def normal(self) -> Point | None:
        """The unit vector perpendicular to the image; None without an orientation."""
        if self.directions is None:
            return None
        (a, b, c), (d, e, f) = self.directions
        across = (b * f - c * e, c * d - a * f, a * e - b * d)
        length = math.hypot(*across)
        if not _SAME_DIRECTION < length < math.inf:
            return None
        return (across[0] / length, across[1] / length, across[2] / length)


@dataclass(frozen=True, slots=True)
class Stack:
    """Images that belong together.

    Attributes:
        plane: Axial, Coronal, Sagittal or Oblique; empty if unknown.
        image_ids: at least one, in order.
    """

    plane: str
    image_ids: tuple[str, ...]


def stacks(images: Sequence[Placed]) -> tuple[Stack, ...]:
    """The images of a series, parallel ones together, in the order of their acquisition.

    Parallel images at different positions are ordered in space, from the end where the acquisition
    began, whatever the instance numbers say: that is how people scroll. Images that share positions
    (times, echoes) and images without a position are ordered by number.
    """
    groups: dict[tuple[int, ...] | None, list[Placed]] = {}
    for image in sorted(images, key=_by_number):
        groups.setdefault(_direction(image), []).append(image)
    return tuple(
        Stack(_plane(group[0]), tuple(one.image_id for one in _in_space(group)))
        for group in groups.values()
    )


def _by_number(image: Placed) -> tuple[float, float, str]:
    number = math.inf if image.number is None else image.number
    return number, _depth_mm(image) or 0.0, image.image_id


def _direction(image: Placed) -> tuple[int, ...] | None:
    normal = image.normal
    if normal is None or image.directions is None:
        return None
    return tuple(round(part / _SAME_DIRECTION / 5) for part in normal)


def _depth_mm(image: Placed) -> float | None:
    normal, position = image.normal, image.position_mm
    if normal is None or position is None:
        return None
    depth = sum(a * b for a, b in zip(normal, position, strict=True))
    return depth if math.isfinite(depth) else None


def _in_space(numbered: list[Placed]) -> list[Placed]:
    depths = [_depth_mm(image) for image in numbered]
    known = [depth for depth in depths if depth is not None]
    apart = {round(depth / _SAME_PLACE_MM) for depth in known}
    if len(apart) < len(numbered):
        return numbered
    middle = (len(known) - 1) / 2
    rising = sum((rank - middle) * depth for rank, depth in enumerate(known)) >= 0
    order = sorted(range(len(known)), key=known.__getitem__, reverse=not rising)
    return [numbered[index] for index in order]


def _plane(image: Placed) -> str:
    normal = image.normal
    if normal is None:
        return ""
    sizes = [abs(part) for part in normal]
    largest = max(sizes)
    return _PLANES[sizes.index(largest)] if largest >= _CLEARLY else "Oblique"
