"""The shape that the benchmarks tell, on a box whose figures are known."""

import numpy as np
import pytest

from orthanc_stl_plugin.model.mesh import Mesh
from tests.unit.tools.test_report_figures import CORNERS, FACES
from tools.benchmarks.shape import shape


def test_a_flat_box_has_slivers_and_right_angles() -> None:
    found = shape(Mesh((CORNERS * [8, 4, 4]).astype(np.float32), FACES), volume_mm3=100)
    assert found.triangles == 12
    assert found.volume_error_percent == pytest.approx(28)
    assert found.angle_deg == pytest.approx(np.degrees(np.arctan(0.5)), abs=1e-3)
    assert found.roughness_deg == pytest.approx(90, abs=1e-3)
