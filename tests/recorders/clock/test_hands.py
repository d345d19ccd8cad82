"""Moving time by hand, clocks that tick from a beginning, the real clock, and loops that never end."""

from __future__ import annotations

import asyncio
import datetime
import itertools
import os
import threading
import time

import pytest

import testbench
from testbench import real_clock
from testbench.recorders.clock import _spinning

START = "2030-01-01T00:00:00Z"
START_NS = 1_893_456_000_000_000_000
HOUR = 3600


@pytest.fixture
def tape(tmp_path):
    """Give a path for a tape."""
    return tmp_path / "hands.tape"


def both(tape, program, **options):
    """Record and replay a program that is given the session; return what it gave, which must be the same twice."""
    with testbench.record(tape, recorders=["clock"], **options) as session:
        recorded = program(session)
    with testbench.replay(tape) as session:
        assert program(session) == recorded
    return recorded


@pytest.mark.parametrize("span", [HOUR, float(HOUR), datetime.timedelta(hours=1)])
def test_a_paused_clock_is_advanced(tape, span):
    """All faces move by the span, and a replay moves along."""

    def program(session):
        before = time.time_ns(), time.monotonic_ns(), time.perf_counter_ns()
        session.clock.advance(span)
        after = time.time_ns(), time.monotonic_ns(), time.perf_counter_ns()
        return [late - early for early, late in zip(before, after, strict=True)]

    assert both(tape, program, clock="paused", start=START) == [HOUR * 1_000_000_000] * 3


@pytest.mark.parametrize(
    "moment", ["2040-02-03T04:05:06Z", datetime.datetime(2040, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)]
)
def test_travelling_forwards_lets_time_elapse(tape, moment):
    """The wall clock is where one has gone to, and monotonic time has elapsed likewise."""

    def program(session):
        before = time.monotonic_ns()
        session.clock.travel_to(moment)
        return datetime.datetime.now(datetime.UTC).isoformat(), time.monotonic_ns() - before

    away_ns = 2_211_854_706_000_000_000 - START_NS
    assert both(tape, program, clock="paused", start=START) == ("2040-02-03T04:05:06+00:00", away_ns)


def test_travelling_backwards_sets_the_wall_clock_only(tape):
    """Monotonic time never goes back."""

    def program(session):
        before = time.monotonic_ns()
        session.clock.travel_to(0)
        return time.time_ns(), time.monotonic_ns() - before

    assert both(tape, program, clock="paused", start=START) == (0, 0)


def test_a_ticking_clock_goes_on_from_its_beginning(tape):
    """It begins where it is told to, moves by itself, and can be moved by hand."""

    def program(session):
        first = time.time_ns()
        while time.time_ns() == first:
            pass
        session.clock.advance(HOUR)
        return first, time.time_ns(), datetime.datetime.now(datetime.UTC)

    first, last, moment = both(tape, program, clock="ticking", start=START)
    assert START_NS <= first < START_NS + HOUR * 1_000_000_000 < last
    assert moment.year == 2030


def test_who_waits_is_waked_by_hand(tape):
    """A sleep in another thread ends when the clock has been moved to its end."""

    def program(session):
        woken = threading.Event()

        def sleep():
            time.sleep(HOUR)
            woken.set()

        thread = threading.Thread(target=sleep)
        thread.start()
        session.clock.advance(HOUR)
        thread.join()
        return woken.is_set()

    assert both(tape, program, clock="paused")


def test_a_replay_that_moves_otherwise_diverges(tape):
    """How far the clock is moved is what is asked."""
    with testbench.record(tape, recorders=["clock"], clock="paused") as session:
        session.clock.advance(1)
    with pytest.raises(testbench.MismatchError, match="ns"), testbench.replay(tape) as session:
        session.clock.advance(2)


def test_the_real_clock_cannot_be_moved(tape):
    """The error says how to record instead."""
    with (
        pytest.raises(testbench.UsageError, match='clock="ticking"'),
        testbench.record(tape, recorders=["clock"]) as session,
    ):
        session.clock.advance(1)


@pytest.mark.parametrize(
    "span", [-1, float("nan"), 1e300, 10**30, float("inf"), "1", datetime.timedelta(seconds=-1), None]
)
def test_what_is_no_span_is_refused(tape, span):
    """Negative, endless and meaningless spans move nothing, and break nothing."""
    with testbench.record(tape, recorders=["clock"], clock="paused", start=START) as session:
        with pytest.raises(testbench.UsageError, match="span="):
            session.clock.advance(span)
        assert time.time_ns() == START_NS


@pytest.mark.parametrize("moment", [datetime.datetime(2030, 1, 1), "yesterday", 1.5, None])
def test_what_is_no_moment_is_refused(tape, moment):
    """A moment without a zone is none."""
    with testbench.record(tape, recorders=["clock"], clock="paused", start=START) as session:
        with pytest.raises(testbench.UsageError, match="moment="):
            session.clock.travel_to(moment)
        assert time.time_ns() == START_NS


@pytest.mark.parametrize("clock", ["paused", "ticking"])
def test_the_real_clock_is_still_there(tape, clock):
    """It leaves nothing on the tape, and does not stand still."""
    with testbench.record(tape, recorders=["clock"], clock=clock, start=START):
        first = real_clock.perf_counter_ns()
        assert abs(real_clock.time() - real_clock.time_ns() / 1e9) < HOUR
        assert real_clock.time_ns() != START_NS
        while real_clock.perf_counter_ns() == first:
            pass
    with testbench.open_tape(tape) as opened:
        assert len(opened) == 0


def by_itself():
    """Read until it is late."""
    late = time.monotonic() + 1
    while time.monotonic() < late:
        pass


def by_another():
    """Have it read by a function."""
    late = time.time() + 1

    def left():
        return late - time.time()

    while left() > 0:
        pass


def by_dates():
    """Read the calendar."""
    late = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    while datetime.datetime.now(datetime.UTC) < late:
        pass


def by_parts():
    """Read what is an event each time, and let others run meanwhile."""
    while time.gmtime().tm_min == 0 and time.clock_gettime(time.CLOCK_MONOTONIC) and os.times():
        time.sleep(0)


def by_tasks():
    """Read in a task that lets others go first."""

    async def spin():
        loop = asyncio.get_running_loop()
        late = loop.time() + 1
        while loop.time() < late:
            await asyncio.sleep(0)

    asyncio.run(spin())


@pytest.mark.parametrize("spin", [by_itself, by_another, by_dates, by_parts, by_tasks])
def test_a_loop_that_waits_for_a_still_clock_is_named(tape, monkeypatch, spin):
    """It would never end; the error says which thread, where, and what to do."""
    monkeypatch.setattr(_spinning, "LOOK_EVERY", 100)
    where = "spin|run_forever" if spin is by_tasks else spin.__name__
    with (
        pytest.raises(testbench.RecordingError, match=rf"MainThread has read .*\.py:\d+ in .*({where})"),
        testbench.record(tape, recorders=["clock"], clock="paused", start=START),
    ):
        spin()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_whoever_waits_for_a_thread_that_spins_is_not_left_waiting(tape, monkeypatch):
    """The thread dies of the error, and what it would have done at its end never comes: the others get it too."""
    monkeypatch.setattr(_spinning, "LOOK_EVERY", 100)
    done = threading.Event()

    def spin():
        by_itself()
        done.set()

    with (
        pytest.raises(testbench.RecordingError, match=r"Thread-\d+ \(spin\) has read") as raised,
        testbench.record(tape, clock="paused"),
    ):
        threading.Thread(target=spin).start()
        done.wait()
    assert raised.value.endless


def test_slow_reads_are_judged_by_time_too(tape, monkeypatch):
    """Where each read does much, it takes fewer of them."""
    monkeypatch.setattr(_spinning, "LOOK_EVERY", 10)
    monkeypatch.setattr(_spinning, "LONG_NS", 0)
    with (
        pytest.raises(testbench.RecordingError, match="has read the paused clock 20 times"),
        testbench.record(tape, recorders=["clock"], clock="paused"),
    ):
        by_itself()


def test_a_loop_over_something_is_given_longer(tape, monkeypatch):
    """It ends by itself, also where it reads the clock for millions of times; one that never does is named too."""
    monkeypatch.setattr(_spinning, "LOOK_EVERY", 100)
    monkeypatch.setattr(_spinning, "LONG_NS", 0)
    with testbench.record(tape, recorders=["clock"], clock="paused"):
        for _ in range(5000):
            time.time()
    with (
        pytest.raises(testbench.RecordingError, match="in test_a_loop_over_something"),
        testbench.record(tape, recorders=["clock"], clock="paused"),
    ):
        for _ in itertools.count():
            time.time()


def test_reads_from_many_calls_are_no_loop(tape, monkeypatch):
    """A program that reads much, in calls that end, is left alone; and so is one whose clock moves."""
    monkeypatch.setattr(_spinning, "LOOK_EVERY", 3)

    def read():
        return [time.time() for _ in range(2)]

    with testbench.record(tape, recorders=["clock"], clock="paused"):
        for _ in range(100):
            time.time()
            time.sleep(1)
        for _ in range(10):
            assert len(read()) == 2
