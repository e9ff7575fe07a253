"""Where frames lie."""

from __future__ import annotations

import numpy as np
import pytest

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.dicom.functional_groups import unit_orientation

AXIAL = np.array([1.0, 0, 0, 0, 1, 0])


def test_an_orientation_is_made_of_unit_vectors() -> None:
    np.testing.assert_allclose(unit_orientation(np.array([2.0, 0, 0, 0, 0.999, 0])), AXIAL)


@pytest.mark.parametrize("wrong", [[0.0] * 6, [1.0, 0, 0, 1, 0, 0], [np.nan] * 6])
def test_an_orientation_without_two_directions_is_refused(wrong: list[float]) -> None:
    with pytest.raises(UnusableSource, match="orientation"):
        unit_orientation(np.array(wrong))
