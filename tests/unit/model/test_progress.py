from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_stl_plugin.model.progress import Progress

SHARES = st.floats(0, 1)


def test_progress_creeps_to_the_end_of_a_step_that_reports_nothing():
    progress = Progress().moved(100.0, 0.2, 0.6)
    assert [progress.at(moment) for moment in (100.0, 105.0, 115.0, 1e9)] == pytest.approx(
        [0.2, 0.4, 0.5, 0.6]
    )


def test_a_step_of_twenty_seconds_never_stands_still_for_five():
    """Smoothing is the largest stage: 0.45 of 0.7 of a job that makes one model."""
    progress = Progress().moved(0.0, 0.41, 0.725)
    shown = [round(100 * progress.at(moment)) for moment in range(0, 25, 5)]
    assert all(late > early for early, late in pairwise(shown))


def test_progress_without_a_known_end_stays_where_it_is():
    assert Progress().moved(100.0, 0.3, 0.0).at(1e6) == 0.3


def test_what_was_shown_is_kept_when_the_next_step_starts_lower():
    progress = Progress().moved(0.0, 0.0, 0.8)
    assert progress.moved(5.0, 0.1, 0.2).at(6.0) == progress.at(5.0) > 0.3


@given(
    steps=st.lists(st.tuples(st.floats(0, 100), SHARES, SHARES), max_size=20),
    waits=st.lists(st.floats(0, 100), max_size=4),
)
def test_progress_never_falls_and_stays_between_0_and_1(
    steps: list[tuple[float, float, float]], waits: list[float]
):
    now, progress, seen = 0.0, Progress(), [0.0]
    for pause, share, until in steps:
        now += pause
        seen.append(progress.at(now))
        progress = progress.moved(now, share, until)
        seen.append(progress.at(now))
        assert progress.at(now) >= share
        for wait in waits:
            now += wait
            seen.append(progress.at(now))
    assert all(late >= early - 1e-12 for early, late in pairwise(seen))
    assert all(0 <= one <= 1 for one in seen)
