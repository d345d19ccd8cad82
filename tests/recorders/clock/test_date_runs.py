"""Runs of datetimes, to integers and back."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbench.recorders.clock._date_runs import DateRuns

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
    return list(runs.unpack(array("q", runs.pack(moments))))


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


def test_integers_are_what_older_tapes_hold():
    """A local moment is shifted left for the fold, a moment in UTC is not."""
    assert LOCAL.pack([datetime(1, 1, 1, 0, 0, 1, 5, fold=1)]) == [1_000_005 << 1 | 1]
    assert WORLD.pack([datetime(1, 1, 1, 0, 0, 1, 5, tzinfo=UTC)]) == [1_000_005]
    assert list(LOCAL.unpack([0])) == [datetime(1, 1, 1)]
