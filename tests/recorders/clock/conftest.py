"""The waist in two small stand-ins, and what the tests of the clock do with them."""

from __future__ import annotations

import datetime
import gc
import time
import uuid

import pytest

from testbench.inplace import _layout
from testbench.recorders.clock import FACES, Clock


class Performing:
    """Runs every effect and keeps (op, request, outcome); an outcome is a value or the exception that was raised."""

    def __init__(self):
        self.events = []
        self._inside = False

    def __call__(self, op, request, effect, *, raises=()):
        """Make one crossing; what its effect crosses in turn is part of it."""
        if self._inside:
            return effect()
        self._inside = True
        try:
            outcome = effect()
        except raises as error:
            self.events.append((op, request, error))
            raise
        finally:
            self._inside = False
        self.events.append((op, request, outcome))
        return outcome

    def source(self, op, effect, bind, *, runs=None, resume=None):
        """Give a reader that is one crossing each."""
        plain = effect if runs is None else lambda: runs.pack([effect()])[0]
        bind(lambda: unpacked(runs, self(op, None, plain)))

    def inside(self):
        """Tell whether an effect runs."""
        return self._inside

    def alone(self):
        """Tell nothing for certain."""
        return False


class Answering:
    """Gives remembered outcomes in their order, and runs nothing."""

    def __init__(self, events):
        self.left = list(events)

    def __call__(self, op, request, effect, *, raises=()):
        """Answer the next crossing, which must be the one that comes."""
        assert self.left, f"{op} was asked for after the end"
        known_op, known_request, outcome = self.left.pop(0)
        # repr tells -0.0 from 0.0 and 1 from 1.0, and finds NaN equal to itself
        assert (known_op, repr(known_request)) == (op, repr(request))
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def source(self, op, effect, bind, *, runs=None, resume=None):
        """Give a reader that answers."""
        bind(lambda: unpacked(runs, self(op, None, effect)))

    def inside(self):
        """Tell that no effect ever runs."""
        return False


def unpacked(runs, value):
    """Return what a program reads for a plain value."""
    return value if runs is None else next(runs.unpack([value])[0])


@pytest.fixture
def performing():
    """Give the stand-in that runs effects."""
    return Performing


@pytest.fixture
def answering():
    """Give the stand-in that answers."""
    return Answering


@pytest.fixture(autouse=True)
def quiet_collector():
    """Keep Hypothesis, which times garbage collections, from reading the clock in the middle of a program."""
    callbacks = gc.callbacks[:]
    gc.callbacks.clear()
    yield
    gc.callbacks.extend(callbacks)


@pytest.fixture
def zone(monkeypatch):
    """Give a function that sets the local time zone."""

    def put(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield put
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def recorded():
    """Give a function that runs a program on the world, and returns what it gave and the events."""

    def run(program, virtual=None):
        call = Performing()
        with Clock(virtual).install(call):
            seen = program()
        return seen, call.events

    return run


@pytest.fixture
def replayed():
    """Give a function that runs a program on events, and returns what it gave."""

    def run(program, events):
        call = Answering(events)
        with Clock().install(call):
            seen = program()
        assert call.left == []
        return seen

    return run


@pytest.fixture
def places():
    """Give a function that returns every place the clock recorder redirects, as it stands, to compare."""
    functions = [*FACES, time.sleep, time.localtime, time.gmtime, time.ctime, time.asctime, time.strftime]
    functions += [time.clock_gettime, time.clock_gettime_ns]

    def look():
        entries = [vars(datetime.datetime)[name] for name in ("now", "utcnow")]
        return [_layout.read(function) for function in functions], entries, uuid._node, uuid._last_timestamp

    return look
