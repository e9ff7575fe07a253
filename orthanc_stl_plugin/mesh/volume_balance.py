"""The volume that a surface should enclose, and the shift of it that makes it so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph

from orthanc_stl_plugin.mesh.edge_net import Net, local_mean, parts_of_faces
from orthanc_stl_plugin.mesh.sparse_products import Floats
from orthanc_stl_plugin.mesh.triangle_shapes import shape_tables

REACH: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class Balance:
    """Compares the volume within a net, place by place, with that of the voxels.

    Attributes:
        net: the surface.
        area_mm2: (V,) float32 a third of the area of the faces around each vertex, then, averaged
            over the neighbourhood.
        component: (V,) int32 number of the connected surface that a vertex belongs to.
        component_mm2: (C,) float64 area of each connected surface.
    """

    net: Net
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
        return (wanting / self.component_mm2).astype(np.float32).take(self.component)

    def _wanting_mm3(self, positions: Floats) -> Floats:
        """(V,) volume that is enclosed too little, a third of that at each face around a vertex."""
        net = self.net
        slides = positions - np.float32(0.5)
        wanting = np.empty(net.shape.size, dtype=np.float32)
        table = shape_tables().wanting * np.float32(abs(net.determinant) / 3)
        for part in parts_of_faces(net):
            a, b, c = (slides.take(corner) for corner in net.corners[:, part])
            shape = net.shape[part].astype(np.intp)
            one, of_a, of_b, of_ab, of_c, of_ac, of_bc, of_abc = (
                coefficients.take(shape) for coefficients in table
            )
            one += a * (of_a + b * of_ab)
            one += b * of_b
            one += c * (of_c + a * (of_ac + b * of_abc) + b * of_bc)
            wanting[part] = one
        return net.around @ wanting


def make_balance(net: Net) -> Balance:
    """The balance of a net."""
    normals = net.determinant * np.linalg.inv(net.matrix).T
    sizes = np.linalg.norm(shape_tables().area_vectors @ normals.T, axis=1)
    area = net.around @ (sizes / 3).astype(np.float32).take(net.shape)
    # Neighbours are mutual; looking for strong components is faster than for undirected ones.
    _, component = csgraph.connected_components(net.mean.matrix, connection="strong")
    return Balance(
        net=net,
        area_mm2=np.maximum(local_mean(net, area, REACH), area / 4),
        component=component,
        component_mm2=np.bincount(component, area),
    )
