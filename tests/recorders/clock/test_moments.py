"""Sleeping, the calendar and chosen clocks, while recording, on a still clock and on replay."""

from __future__ import annotations

import datetime
import math
import operator
import pickle
import time

import pytest

from testbench.recorders.clock._virtual import VirtualClock

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"


def test_the_events_of_the_calendar(zone, recorded):
    """Fields are a list with zone and offset at its end; text is text; the request is empty or the format."""
    zone(BERLIN)
    _, events = recorded(
        lambda: (time.localtime(), time.gmtime(), time.ctime(), time.asctime(), time.strftime("%H")), VirtualClock()
    )
    assert events == [
        ("localtime", {}, [2026, 1, 1, 1, 0, 0, 3, 1, 0, "CET", 3600]),
        ("gmtime", {}, [2026, 1, 1, 0, 0, 0, 3, 1, 0, time.gmtime().tm_zone, 0]),
        ("ctime", {}, "Thu Jan  1 01:00:00 2026"),
        ("asctime", {}, "Thu Jan  1 01:00:00 2026"),
        ("strftime", {"format": "%H"}, "01"),
    ]


def test_the_zone_of_the_replaying_machine_does_not_matter(zone, recorded, replayed):
    """Calendar fields, texts and datetimes recorded in one zone are the same when replayed in another."""

    def program():
        moment = time.localtime()
        return (
            [*moment, moment.tm_zone, moment.tm_gmtoff],
            time.strftime("%c %Z"),
            time.ctime(),
            datetime.datetime.now().isoformat(),
            datetime.datetime.now(datetime.UTC).isoformat(),
        )

    zone(BERLIN)
    seen, events = recorded(program)
    zone("JST-9")
    assert replayed(program, events) == seen


def test_calendar_functions_with_a_time_pass_through(zone, recorded):
    """Given a time, they compute as ever and make no event."""
    zone(BERLIN)
    moment = time.gmtime(0)

    def program():
        return (
            time.localtime(0),
            time.gmtime(0),
            time.ctime(0),
            time.asctime(moment),
            time.strftime("%c", moment),
            time.mktime(moment),
            datetime.datetime.fromtimestamp(0, datetime.UTC),
        )

    assert recorded(program) == (program(), [])


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: time.time(1),
        lambda: time.monotonic_ns(x=1),
        lambda: time.sleep(),
        lambda: time.sleep(1, 2),
        lambda: time.sleep(seconds=1),
        lambda: time.sleep("1"),
        lambda: time.sleep(None),
        lambda: time.localtime("x"),
        lambda: time.localtime(1, 2),
        lambda: time.gmtime(seconds=1),
        lambda: time.asctime(None),
        lambda: time.strftime(),
        lambda: time.strftime(5),
        lambda: time.strftime("%Y", None),
        lambda: time.clock_gettime(),
        lambda: time.clock_gettime("x"),
        lambda: time.clock_gettime(2**70),
        lambda: datetime.datetime.now("x"),
        lambda: datetime.datetime.now(1, 2),
        lambda: datetime.datetime.now(zone=None),
    ],
)
def test_misuse_is_refused_as_ever(misuse, recorded, replayed):
    """A wrong call raises the exception that it raises without us, and on replay too."""

    def outcome():
        with pytest.raises((TypeError, OverflowError)) as raised:
            misuse()
        return type(raised.value)

    stock = outcome()
    seen, events = recorded(outcome)
    assert seen is stock
    assert replayed(outcome, events) is stock


WRONG_SLEEPS = [-1, -0.5, math.nan, math.inf, -math.inf, 1e300, 2**63, 2**70, -(2**70), "1", None, 1j]


@pytest.mark.parametrize("virtual", [None, VirtualClock()], ids=["real", "still"])
@pytest.mark.parametrize("seconds", WRONG_SLEEPS)
def test_wrong_sleeps_raise_what_they_raise(seconds, virtual, recorded, replayed):
    """A sleep that CPython refuses is refused in the same words, with a real clock, a still one, and on replay."""

    def outcome():
        with pytest.raises((TypeError, ValueError, OverflowError)) as raised:
            time.sleep(seconds)
        return type(raised.value), raised.value.args

    stock = outcome()
    seen, events = recorded(outcome, virtual)
    assert seen == stock
    assert replayed(outcome, events) == stock


class Seconds:
    """A number of another type, that C code takes as an integer."""

    def __index__(self):
        return 3


@pytest.mark.parametrize(
    ("seconds", "asked", "elapsed_ns"),
    [
        (0, 0, 0),
        (-0.0, -0.0, 0),
        (2, 2, 2_000_000_000),
        (True, 1, 1_000_000_000),
        (0.1, 0.1, 100_000_000),
        (1e-10, 1e-10, 1),
        (Seconds(), 3, 3_000_000_000),
        (type("Float", (float,), {})(0.5), 0.5, 500_000_000),
        (2**33, 2**33, 2**33 * 1_000_000_000),
    ],
)
def test_sleep_on_a_still_clock(seconds, asked, elapsed_ns, recorded):
    """Sleeping moves a still clock by what was asked, rounded up to a nanosecond, and takes no time."""
    virtual = VirtualClock()
    seen, events = recorded(lambda: time.sleep(seconds), virtual)
    assert seen is None
    assert [(op, repr(request)) for op, request, _ in events] == [("sleep", repr({"seconds": operator.pos(asked)}))]
    assert virtual.now_ns() - virtual.start_ns == elapsed_ns


def test_sleep_is_real_while_recording_and_free_on_replay(recorded, replayed):
    """A recorded sleep lasts; a replayed one, however long, does not run."""
    begun_ns = time.monotonic_ns()
    _, events = recorded(lambda: time.sleep(0.002))
    assert time.monotonic_ns() - begun_ns >= 2_000_000
    assert replayed(lambda: time.sleep(1000), [("sleep", {"seconds": 1000}, None)]) is None
    assert events == [("sleep", {"seconds": 0.002}, None)]


def test_every_clock_of_a_still_machine(recorded, replayed):
    """Clocks of the wall, clocks that count up, and clocks of the processor each read their own; unknown ones raise."""

    def program():
        wall = {time.clock_gettime_ns(clock) for clock in (time.CLOCK_REALTIME, 5, time.CLOCK_TAI)}
        up = {time.clock_gettime_ns(clock) for clock in (time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME)}
        processor = {
            time.clock_gettime(clock) for clock in (time.CLOCK_PROCESS_CPUTIME_ID, time.CLOCK_THREAD_CPUTIME_ID)
        }
        with pytest.raises(OSError, match="Invalid argument"):
            time.clock_gettime(1234)
        return wall, up, processor

    virtual = VirtualClock()
    seen, events = recorded(program, virtual)
    assert seen == ({virtual.now_ns()}, {virtual.monotonic_ns()}, {0.0})
    assert replayed(program, events) == seen


def test_still_faces_agree(recorded):
    """All faces of a still clock tell the same time, before and after sleeping."""

    def program():
        time.sleep(90_061.25)
        moments = [
            time.time_ns(),
            int(time.time() * 4) * 250_000_000,
            *(
                (moment.astimezone(datetime.UTC) - EPOCH) // datetime.timedelta(microseconds=1) * 1000
                for moment in (datetime.datetime.now(), datetime.datetime.now(datetime.UTC), datetime.datetime.today())
            ),
        ]
        return set(moments), time.monotonic(), time.perf_counter_ns(), time.process_time()

    seen, _ = recorded(program, VirtualClock())
    assert seen == ({(1_767_225_600 + 90_061) * 1_000_000_000 + 250_000_000}, 176_461.25, 176_461_250_000_000, 0.0)


def test_struct_times_can_be_pickled(recorded):
    """What comes from a tape is an ordinary struct_time."""
    seen, _ = recorded(time.localtime)
    assert pickle.loads(pickle.dumps(seen)) == seen
    assert (seen.tm_zone, seen.tm_gmtoff) == (time.localtime().tm_zone, time.localtime().tm_gmtoff)
