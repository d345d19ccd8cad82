"""The ways to read a clock in Python: each is followed, whoever bound what and when; or is a leak."""

from __future__ import annotations

import asyncio
import ctypes
import datetime
import email.utils
import functools
import json
import logging
import os
import queue
import sched
import subprocess
import sys
import threading
import time
import uuid
import warnings
from datetime import date as early_date
from datetime import datetime as early_datetime
from importlib.util import find_spec
from pathlib import Path
from time import localtime as early_localtime
from time import monotonic as early_monotonic
from time import time as early_time

import pytest

import testbench

EPOCH_S = 1_893_456_000
START = "2030-01-01T00:00:00Z"
UP_S = 86_400

early_partial = functools.partial(time.time)
early_table = {"now": time.time}
early_now = datetime.datetime.now


class Holder:
    """Keeps a clock as a class attribute."""

    clock = staticmethod(time.time)


class Subclass(datetime.datetime):
    """A datetime of one's own."""


def by_default(clock=time.time):
    """Read a clock that was bound as a default argument."""
    return clock()


def in_thread(read):
    """Read a clock in another thread."""
    seen = []
    thread = threading.Thread(target=lambda: seen.append(read()))
    thread.start()
    thread.join()
    return seen[0]


def loop_time():
    """Ask an event loop for its time."""
    loop = asyncio.new_event_loop()
    try:
        return loop.time()
    finally:
        loop.close()


def utcnow():
    """Ask for the deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return datetime.datetime.utcnow()


def wall(seconds):
    """Tell whether this is when the session began."""
    return abs(seconds - EPOCH_S) < 1


def up(seconds):
    """Tell whether this is how long the imaginary machine has been running."""
    return abs(seconds - UP_S) < 1


FOLLOWED = {
    "time.time": lambda: wall(time.time()),
    "from time import time": lambda: wall(early_time()),
    "default argument": lambda: wall(by_default()),
    "functools.partial": lambda: wall(early_partial()),
    "dict": lambda: wall(early_table["now"]()),
    "class attribute": lambda: wall(Holder.clock()),
    "another thread": lambda: wall(in_thread(time.time)),
    "time.time_ns": lambda: wall(time.time_ns() / 1e9),
    "time.monotonic": lambda: up(time.monotonic()),
    "from time import monotonic": lambda: up(early_monotonic()),
    "time.perf_counter": lambda: up(time.perf_counter()),
    "subprocess._time": lambda: up(subprocess._time()),
    "queue.time": lambda: up(queue.time()),
    "threading._time": lambda: up(threading._time()),
    "sched default": lambda: up(sched.scheduler().timefunc()),
    "loop.time": lambda: up(loop_time()),
    "time.localtime": lambda: wall(time.mktime(time.localtime())),
    "from time import localtime": lambda: wall(time.mktime(early_localtime())),
    "time.gmtime": lambda: time.gmtime()[:3] == (2030, 1, 1),
    "time.strftime": lambda: time.strftime("%Y") in ("2029", "2030"),
    "time.ctime": lambda: time.ctime()[-4:] in ("2029", "2030"),
    "time.clock_gettime": lambda: wall(time.clock_gettime(time.CLOCK_REALTIME)),
    "time.clock_gettime_ns": lambda: up(time.clock_gettime_ns(time.CLOCK_MONOTONIC) / 1e9),
    "os.times": lambda: up(os.times().elapsed),
    "datetime.now": lambda: wall(datetime.datetime.now().timestamp()),
    "datetime.now(tz)": lambda: wall(datetime.datetime.now(datetime.UTC).timestamp()),
    "from datetime import datetime": lambda: wall(early_datetime.now().timestamp()),
    "subclass of datetime": lambda: type(Subclass.now()) is Subclass and wall(Subclass.now().timestamp()),
    "datetime.today": lambda: wall(datetime.datetime.today().timestamp()),
    "datetime.utcnow": lambda: utcnow().year == 2030,
    "date.today": lambda: early_date.today() - datetime.date(2030, 1, 1) < datetime.timedelta(days=2),
    "logging": lambda: wall(logging.makeLogRecord({}).created),
    "email.utils.formatdate": lambda: "2030" in email.utils.formatdate(),
    "now = datetime.now, bound before": lambda: wall(early_now().timestamp()),
    "ctypes": lambda: wall(ctypes.CDLL(None).time(None)),
    "uuid.uuid1": lambda: wall((uuid.uuid1().time - 0x01B21DD213814000) / 1e7),
}


@pytest.mark.parametrize("read", FOLLOWED.values(), ids=FOLLOWED.keys())
def test_a_way_that_is_followed(tmp_path, read):
    """While recording, it sees the clock of the session; on replay, what was recorded."""
    with testbench.record(tmp_path / "way.tape", clock="paused", start=START):
        assert read()
    with testbench.replay(tmp_path / "way.tape"):
        assert read()


def test_clocks_of_the_c_library_that_write_to_memory_are_leaks(tmp_path):
    """They are named with their line while recording, and refused on replay."""
    moment = (ctypes.c_long * 2)()

    def read():
        return ctypes.CDLL(None).clock_gettime(0, moment)

    with testbench.record(tmp_path / "leak.tape", leaks="ignore") as session:
        assert read() == 0
    assert ["test_ways.py" in str(leak) and leak.request for leak in session.leaks] == [{"function": "clock_gettime"}]
    with pytest.raises(testbench.RefusedError, match="clock_gettime"), testbench.replay(tmp_path / "leak.tape"):
        read()


def test_all_34_ways_are_exact_or_said_to_be_leaks(tmp_path):
    """In a program of its own, which binds everything before the package is there."""
    program = Path(__file__).parents[1] / "ways.py"
    done = subprocess.run([sys.executable, program, tmp_path], capture_output=True, text=True, check=True)
    became = json.loads(done.stdout)
    assert became.pop("libc clock() by ctypes") == became.pop("libc rand() by ctypes") == "leak ways.py"
    assert len(became) == (34 if find_spec("numpy") else 32)
    assert {name: word for name, word in became.items() if word != "exact"} == {}
