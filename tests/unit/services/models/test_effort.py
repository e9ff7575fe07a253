from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_stl_plugin.model.mesh import MeshOptions, SmoothingMethod
from orthanc_stl_plugin.model.progress import Stage
from orthanc_stl_plugin.services.models.effort import Account, Meter, SourceSize, storing_us, unread

OPTIONS = MeshOptions()
SIZE = SourceSize(1 << 20, 1 << 20)


def share(account: Account) -> float:
    return account.done_us / (account.done_us + account.step_us + account.left_us)


def make(meter: Meter, triangles: int, name: str = "one") -> None:
    """What the making of a structure tells of itself."""
    meter.begin(Stage.SURFACE)
    meter.found(triangles)
    meter.begin(Stage.SMOOTHING)
    meter.begin(Stage.FINISHING)
    meter.made(name, triangles)


def test_nothing_is_told_before_the_first_account(tmp_path: Path):
    assert Account.read(tmp_path) is None


def test_the_last_structure_is_told_at_once(tmp_path: Path):
    meter = Meter(tmp_path, SIZE, OPTIONS)
    meter.plan([1000, 1000])
    make(meter, 3000, "first")
    make(meter, 3000, "second")
    assert Account.read(tmp_path) == meter.account()
    assert meter.account().structures == ("first", "second")


def test_a_long_stage_is_told_when_it_begins(tmp_path: Path):
    meter = Meter(tmp_path, SIZE, OPTIONS)
    meter.plan([1e6])
    meter.begin(Stage.SURFACE)
    meter.found(1_000_000)
    meter.begin(Stage.SMOOTHING)
    told = Account.read(tmp_path)
    assert told is not None
    assert told.stage is Stage.SMOOTHING


def test_only_the_storing_is_left_when_all_structures_are_made(tmp_path: Path):
    meter = Meter(tmp_path, SIZE, OPTIONS)
    meter.plan([1000, 5000])
    make(meter, 3000)
    make(meter, 9000)
    account = meter.account()
    assert account.step_us == 0
    assert account.left_us == pytest.approx(storing_us(3000) + storing_us(9000))


def test_of_two_equal_structures_the_second_takes_as_long_as_the_first(tmp_path: Path):
    meter = Meter(tmp_path, SIZE, OPTIONS)
    meter.plan([8000, 8000])  # 20 triangles for each 8000 ** (2 / 3) = 400
    make(meter, 8000)
    account = meter.account()
    first_us = account.done_us - unread(SIZE, OPTIONS).step_us
    second_us = account.left_us - 2 * storing_us(8000)
    assert second_us == pytest.approx(first_us)


def test_a_larger_structure_counts_for_more(tmp_path: Path):
    shares = []
    for sizes in ([500_000, 500], [500, 500_000]):
        meter = Meter(tmp_path, SIZE, OPTIONS)
        meter.plan(sizes)
        make(meter, int(20 * sizes[0] ** (2 / 3)))
        shares.append(share(meter.account()))
    assert shares[0] > 3 * shares[1]


def test_what_is_not_smoothed_has_less_left():
    raw = MeshOptions(method=SmoothingMethod.NONE)
    assert unread(SIZE, raw).left_us < unread(SIZE, OPTIONS).left_us


def test_reading_a_structure_set_is_little_beside_making_all_of_its_rois():
    told = unread(SourceSize(contour_bytes=2_766_866, rois=100, wanted_rois=100), OPTIONS)
    assert told.step_us < 0.05 * told.left_us


def test_reading_a_structure_set_is_much_beside_making_one_of_its_rois():
    told = unread(SourceSize(contour_bytes=2_766_866, rois=100, wanted_rois=1), OPTIONS)
    assert told.step_us > 0.3 * told.left_us


def test_filling_contours_is_a_part_of_making_a_structure(tmp_path: Path):
    left: list[float] = []
    for are_drawn in (False, True):
        meter = Meter(tmp_path, SIZE, OPTIONS)
        meter.plan([1e6, 1e6], are_drawn=are_drawn)
        meter.begin(Stage.READING)
        account = meter.account()
        assert account.stage is Stage.READING
        assert (account.step_us > 0) is are_drawn
        left.append(account.step_us + account.left_us)
    assert left[1] > 1.1 * left[0]


def test_the_first_of_many_pieces_of_a_structure_is_not_taken_for_all_of_it(tmp_path: Path):
    meter = Meter(tmp_path, SIZE, OPTIONS)
    meter.plan([8000] * 20, are_drawn=True, as_one=True)
    meter.begin(Stage.READING)
    shares = []
    for _ in range(20):
        meter.begin(Stage.SURFACE)
        meter.found(8000)
        meter.begin(Stage.SMOOTHING)
        shares.append(share(meter.account()))
    steps = [late - early for early, late in pairwise(shares)]
    assert shares[0] < 0.25
    assert max(steps) < 0.1


def test_a_stage_that_is_left_out_takes_nothing(tmp_path: Path):
    meter = Meter(tmp_path, SIZE, MeshOptions(method=SmoothingMethod.NONE))
    meter.begin(Stage.SMOOTHING)
    assert meter.account().step_us == 0


@given(
    sizes=st.lists(st.integers(1, 10**7), min_size=1, max_size=6),
    surplus=st.floats(0.1, 10),
    are_drawn=st.booleans(),
    as_one=st.booleans(),
    advances=st.lists(st.floats(0, 1), max_size=4),
)
def test_what_is_done_never_falls_and_shares_stay_in_bounds(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    surplus: float,
    are_drawn: bool,
    as_one: bool,
    advances: list[float],
):
    meter = Meter(tmp_path_factory.getbasetemp(), SIZE, OPTIONS)
    seen = [meter.account()]
    meter.plan(sizes, are_drawn=are_drawn, as_one=as_one)
    for number, size in enumerate(sizes):
        if are_drawn and not (as_one and number):
            meter.begin(Stage.READING)
        triangles = int(surplus * size ** (2 / 3)) + 4
        is_whole = not as_one or number == len(sizes) - 1
        last = [Stage.FINISHING] if is_whole else []
        for stage in (Stage.SURFACE, Stage.SMOOTHING, *last):
            meter.begin(stage)
            if stage is Stage.SURFACE:
                meter.found(triangles)
            for advance in advances:
                meter.advance(advance)
                seen.append(meter.account())
        if is_whole:
            meter.made(str(number), triangles)
        seen.append(meter.account())
    done = [account.done_us for account in seen]
    assert all(late >= early * (1 - 1e-9) for early, late in pairwise(done))
    assert all(0 <= share(account) <= 1 for account in seen)
    assert all(min(account.step_us, account.left_us) >= 0 for account in seen)
