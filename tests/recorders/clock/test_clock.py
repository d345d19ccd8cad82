"""The clock recorder: who is reached, that what was seen is seen again, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import functools
import logging
import os
import queue
import subprocess
import threading
import time
import uuid
import warnings
from datetime import datetime as early_datetime
from time import localtime as early_localtime
from time import time as early_time

import pytest

import testbench
from testbench.errors import UsageError
from testbench.recorders.clock import FACES, Clock
from testbench.recorders.clock._virtual import VirtualClock


def by_default(read=time.time):
    """Read the clock through a default argument."""
    return read()


class Holder:
    """Holds the clock as a class attribute."""

    read = staticmethod(time.time)


class Subclass(datetime.datetime):
    """A subclass with nothing of its own."""


class Zone(datetime.tzinfo):
    """Five hours east, by a ``fromutc`` of its own."""

    def fromutc(self, moment):
        """Say that it was asked."""
        return moment + datetime.timedelta(hours=5)

    def utcoffset(self, moment):
        """Five hours."""
        return datetime.timedelta(hours=5)


def read_in_a_thread():
    """Read the clock from another thread."""
    seen = []
    thread = threading.Thread(target=lambda: seen.append(time.time()))
    thread.start()
    thread.join()
    return seen


def utcnow():
    """Read it without the warning that it is deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return datetime.datetime.utcnow()


def loop_time():
    """Read the clock of an event loop."""
    loop = asyncio.new_event_loop()
    try:
        return loop.time()
    finally:
        loop.close()


READERS = {
    **{face.__name__: face for face in FACES},
    "attribute": lambda: time.time(),
    "early import": early_time,
    "default argument": by_default,
    "partial": functools.partial(time.time),
    "class attribute": Holder.read,
    "thread": read_in_a_thread,
    "logging": lambda: logging.makeLogRecord({}).created,
    "mail date": email.utils.formatdate,
    "uuid1": uuid.uuid1,
    "uuid1 of a node": lambda: uuid.uuid1(node=1, clock_seq=2),
    "getnode": uuid.getnode,
    "threading alias": threading._time,
    "queue alias": queue.time,
    "subprocess alias": subprocess._time,
    "event loop": loop_time,
    "datetime.now": lambda: datetime.datetime.now(),
    "early datetime": lambda: early_datetime.now(),
    "datetime.now(None)": lambda: datetime.datetime.now(tz=None),
    "datetime.now(UTC)": lambda: datetime.datetime.now(datetime.UTC),
    "datetime.now(zone)": lambda: datetime.datetime.now(tz=Zone()).isoformat(),
    "datetime.utcnow": utcnow,
    "datetime.today": lambda: datetime.datetime.today(),
    "date.today": datetime.date.today,
    "subclass.now": lambda: Subclass.now(),
    "subclass.now(UTC)": lambda: Subclass.now(datetime.UTC),
    "subclass.today": Subclass.today,
    "localtime": time.localtime,
    "early localtime": lambda: early_localtime(None),
    "gmtime": time.gmtime,
    "ctime": lambda: time.ctime(None),
    "asctime": time.asctime,
    "strftime": lambda: time.strftime("%Y-%m-%d %H:%M:%S %z"),
    "clock_gettime": lambda: time.clock_gettime(time.CLOCK_MONOTONIC),
    "clock_gettime_ns": lambda: time.clock_gettime_ns(time.CLOCK_REALTIME),
}


@pytest.mark.parametrize("virtual", [None, VirtualClock(1_000_000_000_123_456_789)], ids=["real", "still"])
@pytest.mark.parametrize("program", READERS.values(), ids=READERS.keys())
def test_every_reader_is_reached(program, virtual, recorded, replayed, places):
    """Each way to ask for the time makes an event, and gives the same value of the same type again from it."""
    before = places()
    seen, events = recorded(program, virtual)
    assert events
    again = replayed(program, events)
    assert (again, type(again), repr(again)) == (seen, type(seen), repr(seen))
    assert places() == before


@pytest.mark.parametrize("program", READERS.values(), ids=READERS.keys())
def test_every_reader_on_a_tape(program, tmp_path):
    """Each way to ask for the time gives the same value again from a tape."""
    with testbench.record(tmp_path / "clock.tape", recorders=["clock"]):
        seen = program()
    with testbench.replay(tmp_path / "clock.tape"):
        again = program()
    assert (again, type(again), repr(again)) == (seen, type(seen), repr(seen))


def test_two_recordings_on_a_still_clock_are_the_same_bytes(tmp_path):
    """Where only the clock differs from run to run and it stands still, so do the tapes."""
    for name in ("first", "second"):
        with testbench.record(tmp_path / name, recorders=["clock"], clock="paused", start="2001-02-03T04:05:06Z"):
            for program in READERS.values():
                program()
                time.sleep(0.25)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_the_events_of_each_face(recorded):
    """A face is a source with its own name as op, and its own value."""
    seen, events = recorded(lambda: [face() for face in FACES])
    assert events == [(face.__name__, None, value) for face, value in zip(FACES, seen, strict=True)]


def test_misuse_of_a_face_has_the_usual_words(recorded):
    """The interpreter's own argument check stays in front of a redirected face."""
    with pytest.raises(TypeError, match=r"time\(\) takes no arguments \(1 given\)"):
        recorded(lambda: time.time(1))


def test_the_doors(performing, answering):
    """The recorder's own methods make the same events as the functions, and give what those give."""

    def program(clock):
        clock.sleep(2)
        return clock.now_ns(), clock.monotonic_ns()

    virtual, call = VirtualClock(), performing()
    clock = Clock(virtual)
    with clock.install(call):
        seen = program(clock)
    assert seen == (virtual.now_ns(), virtual.monotonic_ns())
    assert [op for op, *_ in call.events] == ["sleep", "time_ns", "monotonic_ns"]
    with clock.install(answering(call.events)):
        assert program(clock) == seen


def test_the_doors_are_shut_outside(performing):
    """Without a session there is nothing that could answer."""
    clock = Clock()
    with clock.install(performing()):
        pass
    for door in (clock.now_ns, clock.monotonic_ns, lambda: clock.sleep(0)):
        with pytest.raises(UsageError, match="not installed"):
            door()


def test_one_recorder_serves_one_session_at_a_time(performing):
    """Installing a recorder twice is refused, and the first installation goes on."""
    clock, call = Clock(), performing()
    with clock.install(call):
        with pytest.raises(UsageError, match="installed already"), clock.install(performing()):
            pass
        time.time()
    assert [op for op, *_ in call.events] == ["time"]


def test_sessions_nest(performing, places):
    """An inner recorder reads through the outer one, which sees every read that the inner one makes."""
    outer, inner = performing(), performing()
    before = places()
    with Clock(VirtualClock()).install(outer):
        with Clock().install(inner):
            seen = (time.time_ns(), datetime.datetime.now(), time.strftime("%Y"))
            time.sleep(1)
        after = time.time_ns()
    ops = ["time_ns", "datetime_now", "strftime", "sleep"]
    assert [op for op, *_ in inner.events] == ops
    assert [op for op, *_ in outer.events] == [*ops, "time_ns"]
    assert (seen[0], after) == (1_767_225_600_000_000_000, 1_767_225_601_000_000_000)
    assert places() == before


def test_everything_is_restored_after_an_exception(performing, places):
    """A program that raises leaves the clocks as they were."""
    before = places()
    with pytest.raises(LookupError), Clock().install(performing()):
        raise LookupError
    assert places() == before


@pytest.mark.parametrize("last", range(12))
def test_everything_is_restored_when_installing_fails_half_way(last, performing, places):
    """A session that refuses one of the sources leaves the clocks as they were, and the recorder ready to be used."""

    class Refusing(performing):
        opened = 0

        def source(self, op, effect, bind, *, runs=None, resume=None):
            super().source(op, effect, bind, runs=runs)
            self.opened += 1
            if self.opened > last:
                raise MemoryError(op)

    clock, before = Clock(), places()
    with pytest.raises(MemoryError), clock.install(Refusing()):
        pytest.fail("installed")
    assert places() == before
    with clock.install(performing()):
        assert clock.now_ns() > 0


def test_a_fork_keeps_the_clock(recorded):
    """The child of a fork goes on with the clock of its parent."""

    def program():
        child = os.fork()
        if not child:
            os._exit(0 if time.time() == 1_767_225_600.0 else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert recorded(program, VirtualClock())[0] == 0


def test_tools_that_freeze_time_nest_either_way(recorded, replayed, places):
    """A session may be inside of freezegun or time-machine, or around it, and everything is restored."""
    freezegun, time_machine = pytest.importorskip("freezegun"), pytest.importorskip("time_machine")
    before = places()
    for freeze in (freezegun.freeze_time("2001-01-01"), time_machine.travel("2001-01-01", tick=False)):
        with freeze:
            recorded(lambda: (time.time(), time.localtime(), datetime.datetime.now()))
        _, events = recorded(lambda freeze=freeze: in_frozen_time(freeze))
        replayed(lambda freeze=freeze: in_frozen_time(freeze), events)
    assert places() == before


def in_frozen_time(freeze):
    """Read the clock before, under and after a tool that freezes time."""
    time.time()
    with freeze:
        assert time.time() == 978_307_200.0
    return time.time()
