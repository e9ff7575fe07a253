"""CIELab as DICOM writes it <-> sRGB."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_stl_plugin.formats.dicom.cielab import cielab_from_rgb, rgb_from_cielab

# As dcmqi writes the colours of 3D Slicer's generic anatomy table.
PUBLISHED = [
    ((221, 130, 101), (41661, 41167, 40792)),
    ((128, 174, 128), (43803, 26565, 37722)),
    ((216, 101, 79), (37064, 44082, 41620)),
]


@pytest.mark.parametrize(("rgb", "lab"), PUBLISHED)
def test_a_published_pair_is_read(rgb: tuple[int, int, int], lab: tuple[int, int, int]) -> None:
    assert rgb_from_cielab(lab) == rgb


@pytest.mark.parametrize(("rgb", "lab"), PUBLISHED)
def test_a_published_pair_is_written(rgb: tuple[int, int, int], lab: tuple[int, int, int]) -> None:
    assert cielab_from_rgb(rgb) == pytest.approx(lab, abs=60)


def test_black_and_white_are_the_ends_of_lightness() -> None:
    assert cielab_from_rgb((0, 0, 0)) == (0, 32896, 32896)
    assert cielab_from_rgb((255, 255, 255)) == (65535, 32896, 32896)


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_every_colour_survives_the_way_there_and_back(rgb: tuple[int, int, int]) -> None:
    assert rgb_from_cielab(cielab_from_rgb(rgb)) == rgb


def test_a_colour_beyond_srgb_is_clipped() -> None:
    assert rgb_from_cielab((32768, 0, 65535))[0] == 0
    assert rgb_from_cielab((65535, 65535, 0))[2] == 255
