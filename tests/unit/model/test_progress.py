from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_stl_plugin.model.progress import Gauge

SHARES = st.floats(0, 1)


def test_a_gauge_comes_nearer_to_the_end_of_its_step_by_itself():
    gauge = Gauge().moved(100.0, 0.2, 0.6, seconds=10.0)
    assert [gauge.at(moment) for moment in (100.0, 105.0, 110.0, 900.0)] == pytest.approx(
        [0.2, 0.2 + 0.4 * 0.46212, 0.2 + 0.4 * 0.76159, 0.6], rel=1e-4
    )


def test_a_gauge_without_a_forecast_stays_where_it_is():
    assert Gauge().moved(100.0, 0.3, 0.0, seconds=0.0).at(1e6) == 0.3


def test_what_was_shown_is_kept_when_the_work_turns_out_longer():
    gauge = Gauge().moved(0.0, 0.0, 0.8, seconds=10.0)
    assert gauge.moved(5.0, 0.1, 0.2, seconds=10.0).at(6.0) == gauge.at(5.0) > 0.3


@given(
    steps=st.lists(st.tuples(st.floats(0, 100), SHARES, SHARES, st.floats(0, 100)), max_size=20),
    looks=st.lists(st.floats(0, 100), max_size=4),
)
def test_a_gauge_never_falls_and_stays_between_0_and_1(
    steps: list[tuple[float, float, float, float]], looks: list[float]
):
    now, gauge, seen = 0.0, Gauge(), [0.0]
    for wait, share, until, seconds in steps:
        now += wait
        seen.append(gauge.at(now))
        gauge = gauge.moved(now, share, until, seconds)
        seen.extend(gauge.at(now + look) for look in (0.0,))
        assert gauge.at(now) >= min(share, 1.0)
        for look in looks:
            now += look
            seen.append(gauge.at(now))
    assert all(late >= early - 1e-12 for early, late in pairwise(seen))
    assert all(0 <= one <= 1 for one in seen)
