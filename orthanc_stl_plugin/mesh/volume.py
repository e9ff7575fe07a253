"""The volume that a surface should enclose, and the shift of it that makes it so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph

from orthanc_stl_plugin.mesh.net import (
    Floats,
    Net,
    area_vectors_mm2,
    local_mean,
    points_mm,
)

REACH: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class Balance:
    """Compares the volume within a net, place by place, with that of the voxels.

    Attributes:
        net: the surface.
        middle_mm2: (3, F) float32 area vectors of the faces when all vertices are at 0.5.
        area_mm2: (V,) float32 a third of the area of the faces around each vertex, then, averaged
            over the neighbourhood.
        component: (V,) int32 number of the connected surface that a vertex belongs to.
        component_mm2: (C,) float64 area of each connected surface.
    """

    net: Net
    middle_mm2: Floats
    area_mm2: Floats
    component: NDArray[np.int32]
    component_mm2: NDArray[np.float64]

    def local_shift_mm(self, positions: Floats) -> Floats:
        """(V,) float32 shift along the normals that gives each neighbourhood its volume."""
        wanting = self._wanting_mm3(positions)
        return local_mean(self.net, wanting, REACH) / self.area_mm2

    def component_shift_mm(self, positions: Floats) -> Floats:
        """(V,) float32 the same for each connected surface as a whole."""
        wanting = np.bincount(self.component, self._wanting_mm3(positions))
        return (wanting / self.component_mm2).astype(np.float32)[self.component]

    def _wanting_mm3(self, positions: Floats) -> Floats:
        """(V,) volume that is enclosed too little, a third of that at each face around a vertex.

        The volume that a face swept on its way from the middles of the edges is that of its mean
        displacement along the mean of its area vectors on the way, which is quadratic in time.
        """
        net = self.net
        moved = net.edge_mm * (positions - np.float32(0.5))
        mean = area_vectors_mm2(net, moved)
        mean *= np.float32(-1 / 3)
        mean += area_vectors_mm2(net, points_mm(net, positions))
        mean += self.middle_mm2
        swept = np.zeros(mean.shape[1], dtype=np.float32)
        for displacement, area in zip(moved, mean, strict=True):
            sum_of_three = displacement.take(net.corners[0])
            sum_of_three += displacement.take(net.corners[1])
            sum_of_three += displacement.take(net.corners[2])
            swept += sum_of_three * area
        return net.around @ ((net.missing_mm3 - swept * np.float32(1 / 6)) * np.float32(1 / 3))


def make_balance(net: Net) -> Balance:
    """The balance of a net."""
    middle = area_vectors_mm2(net, net.lower_mm + np.float32(0.5) * net.edge_mm)
    area = net.around @ (np.sqrt((middle * middle).sum(axis=0)) * np.float32(1 / 3))
    _, component = csgraph.connected_components(net.mean, directed=False)
    return Balance(
        net=net,
        middle_mm2=middle,
        area_mm2=np.maximum(local_mean(net, area, REACH), area / 4),
        component=component,
        component_mm2=np.bincount(component, area),
    )
