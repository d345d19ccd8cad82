"""The 34 ways to read a clock or entropy, each recorded and replayed by itself; prints what became of them.

A program of its own, so that everything below is bound before the package is there.
"""

from __future__ import annotations

import asyncio
import collections
import ctypes
import email.utils
import functools
import json
import logging
import os
import queue
import random
import secrets
import subprocess
import sys
import threading
import time
import uuid
import warnings
from datetime import UTC, date, datetime
from datetime import datetime as early_datetime
from importlib.util import find_spec
from os import urandom as early_urandom
from time import localtime as early_localtime
from time import time as early_time

import testbench


def by_default(clock=time.time):
    """Read a clock that was bound as a default argument."""
    return clock()


early_partial = functools.partial(time.time)
early_now, early_utcnow = datetime.now, datetime.utcnow
early_table = {"now": time.time}
library = ctypes.CDLL(None)
library.time.restype = ctypes.c_long


class Sub(datetime):
    """A datetime of one's own."""


early_sub_now = Sub.now


class Holder:
    """Keeps a clock as a class attribute."""

    clock = staticmethod(time.time)


def in_thread():
    """Read a clock in another thread."""
    seen = []
    thread = threading.Thread(target=lambda: seen.append(time.time()))
    thread.start()
    thread.join()
    return seen


def loop_time():
    """Ask an event loop for its time."""
    loop = asyncio.new_event_loop()
    try:
        return loop.time()
    finally:
        loop.close()


def kinds_of_now():
    """Ask for the present, and say of which type it is."""
    moment, own = datetime.now(), Sub.now()
    return [type(moment).__name__, type(own).__name__, str(moment), str(own)]


ROWS = {
    "time.time()": time.time,
    "from time import time, earlier": lambda: early_time(),
    "default argument": by_default,
    "functools.partial": lambda: early_partial(),
    "dict and class attribute": lambda: [early_table["now"](), Holder.clock()],
    "another thread": in_thread,
    "time.time_ns": lambda: time.time_ns(),
    "time.monotonic": lambda: time.monotonic(),
    "subprocess._time": lambda: subprocess._time(),
    "queue.time, threading._time": lambda: [queue.time(), threading._time()],
    "loop.time()": loop_time,
    "time.perf_counter": lambda: time.perf_counter(),
    "time.localtime()": lambda: [*time.localtime(), time.perf_counter_ns()],
    "from time import localtime, earlier": lambda: [*early_localtime(), time.perf_counter_ns()],
    "time.strftime": lambda: [time.strftime("%c"), time.perf_counter_ns()],
    "time.clock_gettime": lambda: [time.clock_gettime(clock) for clock in (0, 1, 2, 3)],
    "datetime.datetime.now()": lambda: str(datetime.now()),
    "from datetime import datetime": lambda: [str(early_datetime.now(UTC)), str(early_datetime.today())],
    "now = datetime.now, bound before": lambda: [str(early_now()), str(early_now(UTC)), str(early_utcnow())],
    "subclass of datetime": lambda: [str(Sub.now()), str(early_sub_now()), type(early_sub_now()).__name__],
    "date.today()": lambda: [str(date.today()), time.perf_counter_ns()],
    "datetime.utcnow()": lambda: str(datetime.utcnow()),
    "types of what now() gives": kinds_of_now,
    "logging record.created": lambda: logging.makeLogRecord({}).created,
    "email.utils.formatdate()": lambda: [email.utils.formatdate(), time.perf_counter_ns()],
    "uuid.uuid1()": lambda: str(uuid.uuid1()),
    "os.urandom": lambda: os.urandom(8).hex(),
    "from os import urandom": lambda: early_urandom(8).hex(),
    "secrets, SystemRandom": lambda: [secrets.token_hex(8), random.SystemRandom().random()],
    "uuid.uuid4()": lambda: str(uuid.uuid4()),
    "random.Random()": lambda: [random.Random().random(), random.random()],
    "libc time() by ctypes": lambda: [library.time(None), time.perf_counter_ns()],
}


def with_numpy():
    """Add the rows of numpy."""
    import numpy

    ROWS["numpy default_rng()"] = lambda: numpy.random.default_rng().random()
    ROWS["numpy datetime64('now')"] = lambda: [str(numpy.datetime64("now", "us")), time.perf_counter_ns()]


UNSEEN = {
    "libc clock() by ctypes": lambda: library.clock(),
    "libc rand() by ctypes": lambda: library.rand(),
}
"""Two that are known not to be on a tape."""


def tried(read, folder):
    """Record one row, advance the world, replay it; return the word for what became of it."""
    tape = os.path.join(folder, "way.tape")
    with testbench.record(tape) as session:
        recorded = read()
    if session.leaks:
        return f"leak {session.leaks[0].where.rpartition('/')[2].partition(':')[0]}"
    time.sleep(0.001)
    with testbench.replay(tape):
        return "exact" if read() == recorded else "silently wrong"


def main(folder):
    """Print one JSON object: what became of each row."""
    warnings.simplefilter("ignore")
    if find_spec("numpy"):
        with_numpy()
    sys.stdout.write(
        json.dumps({name: tried(read, folder) for name, read in collections.ChainMap(UNSEEN, ROWS).items()})
    )


if __name__ == "__main__":
    main(sys.argv[1])
