"""Smoothing by the umbrella operator: Laplacian, Taubin's filter, and thin plate flow.

All move a vertex towards the mean of its neighbours, or away from it, by a polynomial of the
umbrella operator. All shrink curved surfaces, by different amounts.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.polynomial import chebyshev

from orthanc_stl_plugin.mesh.surface_operators import Floats, SurfaceOperators

LAPLACIAN_WEIGHT: Final = 0.5
TAUBIN_LAMBDA: Final = 0.5
TAUBIN_MU: Final = -0.53
BENDING: Final = 0.5
"""Time of the flow per iteration: 15 iterations halve a wave of about nine edges."""


def laplacian(points: Floats, operators: SurfaceOperators, iterations: int) -> Floats:
    """(3, V) points after steps of half the way to the mean of the neighbours."""
    for _ in range(iterations):
        points = _stepped(points, operators, LAPLACIAN_WEIGHT)
    return points


def taubin(points: Floats, operators: SurfaceOperators, iterations: int) -> Floats:
    """(3, V) points after pairs of steps, by lambda and by mu (Taubin 1995)."""
    for _ in range(iterations):
        points = _stepped(points, operators, TAUBIN_LAMBDA)
        points = _stepped(points, operators, TAUBIN_MU)
    return points


def plate_flow(points: Floats, operators: SurfaceOperators, iterations: int) -> Floats:
    """(3, V) points after thin plate flow: exp(-t K^2) for the umbrella operator -K.

    It preserves large shapes. Computed as a Chebyshev polynomial of the exponential, it takes far
    fewer products than small steps.
    """
    time = BENDING * iterations
    degree = 2 + int(1.8 * np.sqrt(time))
    nodes = chebyshev.chebpts1(degree + 1)
    weights = chebyshev.chebfit(nodes, np.exp(-time * (1 - nodes) ** 2), degree)
    weights = (weights / weights.sum()).astype(np.float32)
    return np.array([operators.chebyshev_sum(weights, row) for row in points])


def _stepped(points: Floats, operators: SurfaceOperators, weight: float) -> Floats:
    moved = operators.means(points)
    moved *= np.float32(weight)
    moved += np.float32(1 - weight) * points
    return moved
