"""The clock that stands still."""

from __future__ import annotations

import calendar

import pytest

from testbench.errors import UsageError
from testbench.recorders.clock._virtual import START_NS, UP_NS, VirtualClock


def test_it_starts_at_new_year_2026():
    """The default start is 2026-01-01T00:00:00Z, after a day of running."""
    clock = VirtualClock()
    assert clock.now_ns() == START_NS == calendar.timegm((2026, 1, 1, 0, 0, 0)) * 1_000_000_000
    assert clock.monotonic_ns() == UP_NS == 24 * 3600 * 1_000_000_000


def test_it_stands_still_until_advanced():
    """Reading does not move it; advancing moves wall and monotonic time alike."""
    clock = VirtualClock(5)
    assert [clock.now_ns() for _ in range(3)] == [5, 5, 5]
    clock.advance(0)
    clock.advance(7)
    assert (clock.now_ns(), clock.monotonic_ns(), clock.start_ns) == (12, UP_NS + 7, 5)


def test_it_does_not_go_back():
    """Advancing by less than nothing is refused."""
    with pytest.raises(UsageError, match="advanced by -1 ns"):
        VirtualClock().advance(-1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time", 1.5),
        ("time_ns", 1_500_000_000),
        ("monotonic", 86_400.0),
        ("perf_counter_ns", UP_NS),
        ("process_time", 0.0),
        ("thread_time_ns", 0),
    ],
)
def test_faces(name, value):
    """Each face gives its own number in its own type: float seconds or int nanoseconds."""
    seen = VirtualClock(1_500_000_000).face(name)()
    assert (seen, type(seen)) == (value, type(value))


def test_seconds_are_rounded_as_cpython_rounds():
    """Nanoseconds beyond the precision of a double give the nearest double."""
    assert VirtualClock(1_767_225_600_123_456_789).face("time")() == 1_767_225_600.123456789
