import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from orthanc_stl_plugin.errors import UnusableSource
from orthanc_stl_plugin.formats.volumes.otsu import GreyHistogram

VOLUMES = st.sampled_from([np.int16, np.uint16, np.uint8, np.int32, np.float32]).flatmap(
    lambda kind: arrays(
        kind,
        array_shapes(min_dims=3, max_dims=3, max_side=6),
        elements=st.integers(0, 200) if kind != np.int16 else st.integers(-32768, 32767),
    )
)


@given(VOLUMES, st.integers(1, 50))
def test_whole_numbers_are_counted_as_all_numbers_are(values: np.ndarray, bins: int) -> None:
    expected = np.histogram(values, bins, (values.min(), values.max()))[0]
    assert GreyHistogram(values).counts(bins).tolist() == expected.tolist()


@given(VOLUMES, st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_values_that_are_left_out_are_not_counted(values: np.ndarray, bins: int, seed: int) -> None:
    left_out = np.random.default_rng(seed).random(values.shape) < 0.4
    left_out[0, 0, 0] = False
    others = values[~left_out]
    histogram = GreyHistogram(values, left_out)
    assert (histogram.low, histogram.high) == (others.min(), others.max())
    expected = np.histogram(others, bins, (others.min(), others.max()))[0]
    assert histogram.counts(bins).tolist() == expected.tolist()


def test_the_threshold_of_two_values_lies_half_way() -> None:
    values = np.full((6, 5, 4), -900, dtype=np.int16)
    values[2:4, 1:3, 1:3] = 300
    assert GreyHistogram(values).otsu() == pytest.approx(-300, abs=2)


def test_the_threshold_parts_two_noisy_classes() -> None:
    random = np.random.default_rng(3)
    values = random.normal(0, 20, (20, 20, 20)).astype(np.float32)
    values[5:9] += 1000
    assert 100 < GreyHistogram(values).otsu() < 900


def test_a_constant_has_no_threshold() -> None:
    with pytest.raises(UnusableSource, match="from 4 to 4 have no threshold"):
        GreyHistogram(np.full((3, 3, 3), 4, np.int16)).otsu()
