"""Runs of datetimes, to integers and back."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbench.recorders.clock._date_runs import DateRuns
from testbench.recorders.clock._date_steps import LARGE, small_steps

LOCAL = DateRuns(folds=True, utc=False)
WORLD = DateRuns(folds=False, utc=True)

steps = st.lists(
    st.sampled_from([0, 1, 7, 999_999, 1_000_000, 1_000_001, 86_400_000_000, -1, -1_000_000]), max_size=100
)


def run(start, microseconds, folds=()):
    """Return the datetimes that follow one another by these steps; those at the places in ``folds`` have the fold."""
    moments = [start]
    for step in microseconds:
        moments.append(moments[-1] + timedelta(microseconds=step))
    return [moment.replace(fold=int(place in folds)) for place, moment in enumerate(moments)]


def repacked(runs, moments):
    """Return a run as it comes back from a tape, which holds 64-bit integers."""
    return list(runs.unpack(array("q", runs.pack(moments)))[0])


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), steps, st.sets(st.integers(0, 100), max_size=2))
def test_packing_loses_nothing(start, microseconds, folds):
    """Any run of naive datetimes comes back, with folds, whatever the clock does between two of them."""
    moments = run(start, microseconds, folds)
    again = repacked(LOCAL, moments)
    assert [(moment, moment.fold) for moment in again] == [(moment, moment.fold) for moment in moments]


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC)), steps)
def test_packing_keeps_utc(start, microseconds):
    """A run of datetimes in UTC comes back in UTC."""
    moments = run(start, microseconds)
    again = repacked(WORLD, moments)
    assert again == moments
    assert all(moment.tzinfo is UTC for moment in again)


@pytest.mark.parametrize("runs", [LOCAL, WORLD])
def test_a_long_run_within_a_second_is_each_of_its_microseconds(runs):
    """The quick way for a whole second gives the same integers as one value at a time."""
    start = datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC if runs is WORLD else None)
    moments = [
        start.replace(microsecond=number) for number in (0, 1, 255, 256, 65_535, 65_536, 999_999) for _ in range(9)
    ]
    assert runs.pack(moments) == [runs.pack([moment])[0] for moment in moments]
    assert repacked(runs, moments) == moments


@pytest.mark.parametrize("jump", [4_095, 4_096, 5_000_000, 1 << 31, 1 << 32, 1 << 33, -1])
@pytest.mark.parametrize("runs", [LOCAL, WORLD])
def test_a_long_run_with_one_jump(runs, jump):
    """Steps of a few microseconds and one of any size come back as they were."""
    moments = run(datetime(2026, 1, 1, 23, 59, 59, 999_000, UTC if runs is WORLD else None), [1] * 40)
    moments += [moment + timedelta(microseconds=jump) for moment in moments]
    assert repacked(runs, moments) == moments


@pytest.mark.parametrize("values", [array("q", [1 << 62] * 40), array("q", [-5] * 40), array("d", [0.5] * 40), ["x"]])
@pytest.mark.parametrize("runs", [LOCAL, WORLD])
def test_what_no_datetime_is_packed_as_is_refused_at_once(runs, values):
    """It is found before anything of the run is given out."""
    with pytest.raises((OverflowError, TypeError)):
        runs.unpack(values)


@pytest.mark.parametrize("runs", [LOCAL, WORLD])
def test_a_clock_that_goes_back_over_a_second(runs):
    """A long run whose later moments lie just before the second of the first comes back as it was."""
    start = datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC if runs is WORLD else None)
    moments = [start, *(start - timedelta(microseconds=number) for number in range(100))]
    assert repacked(runs, moments) == moments


@pytest.mark.parametrize("count", [3, 17, 255, 256, 257, 4096])
def test_the_place_of_a_reading_is_known(count):
    """What datetimes are made from makes one step for each that is read, and no other."""
    reads, place = LOCAL.unpack(array("q", LOCAL.pack([datetime(2026, 1, 1, microsecond=n) for n in range(count)])))
    next(reads)
    next(reads)
    assert place.__reduce__()[2] == 2
    assert len(list(reads)) == count - 2


def test_integers_are_what_older_tapes_hold():
    """A local moment is shifted left for the fold, a moment in UTC is not."""
    assert LOCAL.pack([datetime(1, 1, 1, 0, 0, 1, 5, fold=1)]) == [1_000_005 << 1 | 1]
    assert WORLD.pack([datetime(1, 1, 1, 0, 0, 1, 5, tzinfo=UTC)]) == [1_000_005]
    assert list(LOCAL.unpack([0])[0]) == [datetime(1, 1, 1)]


@pytest.mark.parametrize("back", [1, 255, 32_000, 32_639, 32_640, 32_767])
@pytest.mark.parametrize("runs", [LOCAL, WORLD])
def test_a_long_run_that_goes_back_within_a_step(runs, back):
    """Steps are looked at modulo 65,536: one back by nearly as much is not taken for a small one forwards."""
    base = (datetime(2026, 1, 1) - datetime(1, 1, 1)) // timedelta(microseconds=1)
    start = datetime(1, 1, 1, tzinfo=UTC if runs is WORLD else None) + timedelta(microseconds=base | 0xFFFF)
    moments = [start] * 20 + [start - timedelta(microseconds=back)] * 20 + [start] * 20
    assert repacked(runs, moments) == moments


@given(st.integers(0, 1 << 50), st.lists(st.integers(-70_000, 70_000) | st.integers(0, 300), min_size=17, max_size=90))
def test_small_steps_are_the_true_ones(first, deltas):
    """The bytes stand for the differences that there are; where one goes back there are none."""
    found = small_steps(array("q", accumulate(deltas, initial=first + 7_000_000)), 0)
    if min(deltas) < 0:
        assert found is None
    elif found is not None:
        steps, large = found
        assert [step if step < LARGE else large[step - LARGE] for step in steps[1:]] == deltas


@pytest.mark.parametrize("shift", [0, 1])
def test_a_few_interruptions_of_a_long_run(shift):
    """Up to fifteen large differences of different sizes are found among small ones, wherever they are."""
    deltas = [2] * 4095
    for place in range(15):
        deltas[place * 271] = 1_000 * (place + 1) << 40
    found = small_steps(array("q", accumulate(deltas, initial=1 << 20)), shift)
    assert found is not None
    assert [step if step < LARGE else found[1][step - LARGE] for step in found[0][1:]] == deltas
    deltas[7] = 1 << 30
    assert small_steps(array("q", accumulate(deltas, initial=1 << 20)), shift) is None
