"""Lookup tables of marching cubes: the 256 ways in which a surface passes through a cell.

A cell is the cube between eight neighbouring nodes; its code has bit 4i + 2j + k set when the node
at offset (i, j, k) is inside. The surface crosses every edge between an inside and an outside node
once. In each cell the crossings form closed polygons; the tables hold them cut into triangles.

Why every surface from these tables is a closed manifold without self-intersections:

* On a face with inside nodes at opposite corners only, the inside nodes are joined, always: the two
cells that share the face agree.
* No polygon is cut along a diagonal that lies in a face of the cell, so no edge of the mesh can
belong to two cells other than as a polygon's side: every edge has exactly two triangles.
* Triangles of one cell do not cross, wherever the crossings lie on their edges.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

type Offset = tuple[int, int, int]
type Triangle = tuple[int, int, int]
type Vector = tuple[float, float, float]

MAX_TRIANGLES: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class CellTables:
    """The surface within a cell, by the cell's code.

    Attributes:
        triangle_count: (256,) uint8 triangles of a cell.
        triangles: (256, 5, 3) uint8 edges 0-11 on which the triangles have their corners,
            counter-clockwise from outside when the axes are right-handed.
        edge_axis: (12,) uint8 axis 0-2 along which an edge runs.
        edge_offset: (12, 3) int64 offset of an edge's lower node from the cell's lowest node.
        crossed: (256, 3) bool whether the surface crosses the edge from the cell's lowest node
            along each axis: the edges that a cell owns.
        rank: (256, 3) uint8 how many crossed edges a cell owns along lower axes.
        half_edge: (256, 12, 12) uint8 number 3 t + k of the side of triangle t from its corner k to
            the next, by the edges on which the side begins and ends.
        opposite_cell: (256, 5, 3, 3) int8 offset of the cell with the triangle beyond a side, by
            the triangle and the corner where it begins; zero within the cell.
        opposite_side: (256, 5, 3) uint8 12 * begin + end of the same side in that cell, where it
            runs back.
        missing_volume: (256,) float32, in cells, per triangle: a cell's share of its inside nodes
            (an eighth each) less the volume that its triangles enclose when they cross the edges
            at the middle.
    """

    triangle_count: NDArray[np.uint8]
    triangles: NDArray[np.uint8]
    edge_axis: NDArray[np.uint8]
    edge_offset: NDArray[np.int64]
    crossed: NDArray[np.bool_]
    rank: NDArray[np.uint8]
    half_edge: NDArray[np.uint8]
    opposite_cell: NDArray[np.int8]
    opposite_side: NDArray[np.uint8]
    missing_volume: NDArray[np.float32]


@cache
def cell_tables() -> CellTables:
    """The tables, computed once in a process."""
    triangle_count = np.zeros(256, dtype=np.uint8)
    triangles = np.zeros((256, MAX_TRIANGLES, 3), dtype=np.uint8)
    half_edge = np.zeros((256, 12, 12), dtype=np.uint8)
    opposite_cell = np.zeros((256, MAX_TRIANGLES, 3, 3), dtype=np.int8)
    opposite_side = np.zeros((256, MAX_TRIANGLES, 3), dtype=np.uint8)
    missing_volume = np.zeros(256, dtype=np.float32)
    for code in range(256):
        cut = [triangle for polygon in _polygons(code) for triangle in _flattest_cut(polygon)]
        triangle_count[code] = len(cut)
        if cut:
            triangles[code, : len(cut)] = cut
            sides = [(one[k], one[(k + 1) % 3]) for one in cut for k in range(3)]
            for number, (begin, end) in enumerate(sides):
                half_edge[code, begin, end] = number
                cell, side = _opposite(begin, end, is_within=(end, begin) in sides)
                opposite_cell[code, number // 3, number % 3] = cell
                opposite_side[code, number // 3, number % 3] = side
            missing_volume[code] = (code.bit_count() / 8 - _enclosed(code, cut)) / len(cut)
    codes = np.arange(256)
    lowest = codes & 1
    crossed = np.stack([lowest != (codes >> bit) & 1 for bit in (4, 2, 1)], axis=1)
    rank = (np.cumsum(crossed, axis=1) - crossed).astype(np.uint8)
    return CellTables(
        triangle_count=triangle_count,
        triangles=triangles,
        edge_axis=np.array([axis for axis, _ in _EDGES], dtype=np.uint8),
        edge_offset=np.array([offset for _, offset in _EDGES], dtype=np.int64),
        crossed=crossed,
        rank=rank,
        half_edge=half_edge,
        opposite_cell=opposite_cell,
        opposite_side=opposite_side,
        missing_volume=missing_volume,
    )


def _list_edges() -> list[tuple[int, Offset]]:
    edges: list[tuple[int, Offset]] = []
    for axis in range(3):
        for first, second in itertools.product((0, 1), repeat=2):
            offset = [first, second]
            offset.insert(axis, 0)
            edges.append((axis, (offset[0], offset[1], offset[2])))
    return edges


_EDGES: Final = _list_edges()


def _list_faces() -> list[list[Offset]]:
    """The four nodes of each face of a cell, counter-clockwise from outside the cell."""
    faces: list[list[Offset]] = []
    for axis, side in itertools.product(range(3), (0, 1)):
        corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
        nodes: list[Offset] = []
        for first, second in corners if side else reversed(corners):
            node = [0, 0, 0]
            node[axis], node[(axis + 1) % 3], node[(axis + 2) % 3] = side, first, second
            nodes.append((node[0], node[1], node[2]))
        faces.append(nodes)
    return faces


_FACES: Final = _list_faces()


def _is_inside(code: int, node: Offset) -> int:
    return code >> (4 * node[0] + 2 * node[1] + node[2]) & 1


def _edge_between(first: Offset, second: Offset) -> int:
    axis = next(axis for axis in range(3) if first[axis] != second[axis])
    return _EDGES.index((axis, min(first, second)))


def _polygons(code: int) -> list[list[int]]:
    """The closed polygons of a cell as lists of the edges they visit.

    On each face the surface runs from an edge where a walk around the face leaves the inside to the
    edge where the walk enters it next: it goes around the outside nodes, and joins the inside ones.
    """
    following: dict[int, int] = {}
    for nodes in _FACES:
        around = list(itertools.pairwise([*nodes, nodes[0]]))
        step = [_is_inside(code, second) - _is_inside(code, first) for first, second in around]
        for position in range(4):
            if step[position] == -1:
                entry = next(k % 4 for k in range(position, position + 4) if step[k % 4] == 1)
                following[_edge_between(*around[position])] = _edge_between(*around[entry])
    polygons: list[list[int]] = []
    while following:
        first = next(iter(following))
        polygon = [first]
        edge = following.pop(first)
        while edge != first:
            polygon.append(edge)
            edge = following.pop(edge)
        polygons.append(polygon[::-1])
    return polygons


@cache
def _middle(edge: int) -> Vector:
    axis, offset = _EDGES[edge]
    x, y, z = (0.5 if axis == along else float(offset[along]) for along in range(3))
    return x, y, z


def _faces_of(edge: int) -> set[tuple[int, int]]:
    axis, offset = _EDGES[edge]
    return {(other, offset[other]) for other in range(3) if other != axis}


def _opposite(begin: int, end: int, *, is_within: bool) -> tuple[Offset, int]:
    """The offset of the cell beyond a side, and 12 * begin + end of the side there.

    Where it is not within the cell, both of its edges lie in one face of the cell.
    """
    if is_within:
        return (0, 0, 0), 12 * end + begin
    ((axis, at),) = _faces_of(begin) & _faces_of(end)
    cell, edges = [0, 0, 0], []
    cell[axis] = 1 if at else -1
    for edge in (end, begin):
        along, place = _EDGES[edge]
        moved = list(place)
        moved[axis] = 1 - at
        edges.append(_EDGES.index((along, (moved[0], moved[1], moved[2]))))
    return (cell[0], cell[1], cell[2]), 12 * edges[0] + edges[1]


def _cuts(first: int, last: int) -> list[list[Triangle]]:
    """All ways to cut the polygon of consecutive corners first..last into triangles."""
    if last - first < 2:
        return [[]]
    return [
        [*left, *right, (first, apex, last)]
        for apex in range(first + 1, last)
        for left in _cuts(first, apex)
        for right in _cuts(apex, last)
    ]


def _flattest_cut(polygon: list[int]) -> list[Triangle]:
    """The cut without a diagonal in a face of the cell whose triangles have the least area."""
    best: list[Triangle] = []
    least = math.inf
    for cut in _cuts(0, len(polygon) - 1):
        triangles = [(polygon[a], polygon[b], polygon[c]) for a, b, c in cut]
        if any(_runs_in_a_face(polygon, triangle) for triangle in cut):
            continue
        area = sum(math.hypot(*_area_vector(triangle)) for triangle in triangles)
        if area < least - 1e-9:
            best, least = triangles, area
    return best


def _runs_in_a_face(polygon: list[int], triangle: Triangle) -> bool:
    sides = itertools.combinations(triangle, 2)
    diagonals = [(a, b) for a, b in sides if (b - a) % len(polygon) not in (1, len(polygon) - 1)]
    return any(_faces_of(polygon[a]) & _faces_of(polygon[b]) for a, b in diagonals)


@cache
def _area_vector(triangle: Triangle) -> Vector:
    a, b, c = (_middle(edge) for edge in triangle)
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return (uy * vz - uz * vy) / 2, (uz * vx - ux * vz) / 2, (ux * vy - uy * vx) / 2


def _enclosed(code: int, triangles: list[Triangle]) -> float:
    """The volume inside the surface within a cell, by the divergence theorem about its centre."""
    covered = 0.0
    for nodes in _FACES:
        inside = [_is_inside(code, node) for node in nodes]
        is_joined = sum(inside) == 2 and inside[0] == inside[2]
        covered += 0.75 if is_joined else (0, 1 / 8, 1 / 2, 7 / 8, 1)[sum(inside)]
    through = 0.0
    for triangle in triangles:
        corner, area = _middle(triangle[0]), _area_vector(triangle)
        through += sum((corner[axis] - 0.5) * area[axis] for axis in range(3))
    return (covered / 2 + through) / 3
