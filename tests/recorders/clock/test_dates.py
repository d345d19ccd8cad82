"""What `datetime.now` and `datetime.utcnow` leave on the tape, and what is built from it."""

from __future__ import annotations

import datetime
import sys
import warnings

import pytest

from testbench.recorders.clock._virtual import VirtualClock

BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"


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


def test_the_events_of_datetime(recorded):
    """Local time is packed with its fold, UTC as microseconds; both count from the year 1."""
    virtual = VirtualClock(1_000_000_000_123_456_789)
    _, events = recorded(lambda: (datetime.datetime.now(), datetime.datetime.now(datetime.UTC)), virtual)
    utc = datetime.datetime(2001, 9, 9, 1, 46, 40, 123456) - datetime.datetime(1, 1, 1)
    local = datetime.datetime.fromtimestamp(1_000_000_000) - datetime.datetime(1, 1, 1)
    local += datetime.timedelta(microseconds=123456)
    microsecond = datetime.timedelta(microseconds=1)
    assert events == [
        ("datetime_now", None, local // microsecond << 1),
        ("datetime_utcnow", None, utc // microsecond),
    ]


@pytest.mark.parametrize("fold", [0, 1])
def test_the_hour_that_comes_twice(zone, fold, recorded, replayed):
    """In autumn the clock shows one hour again; the fold that tells them apart is kept, for a subclass too."""
    zone(BERLIN)
    start = int(datetime.datetime(2026, 10, 25, 0, 30, tzinfo=datetime.UTC).timestamp()) + fold * 3600

    def program():
        return datetime.datetime.now(), Subclass.now()

    seen, events = recorded(program, VirtualClock(start * 1_000_000_000))
    assert [(moment.hour, moment.minute, moment.fold) for moment in seen] == [(2, 30, fold)] * 2
    again = replayed(program, events)
    assert [(type(moment), moment, moment.fold) for moment in again] == [
        (type(moment), moment, moment.fold) for moment in seen
    ]


@pytest.mark.parametrize("method", ["now", "utcnow"])
def test_the_constructor_of_a_subclass_is_called_as_ever(method, recorded):
    """A subclass is built by eight positional arguments, as C builds it."""
    calls = []

    class Counting(datetime.datetime):
        def __new__(cls, *args, **keywords):
            calls.append((len(args), keywords))
            return super().__new__(cls, *args, **keywords)

    def program():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return getattr(Counting, method)()

    program()
    recorded(program)
    assert calls[0] == calls[1] == (8, {})


def test_the_zone_of_the_program_is_asked_live(recorded, replayed):
    """``now(tz)`` calls the ``fromutc`` of the zone object, also on replay."""
    asked = []

    class Asking(Zone):
        def fromutc(self, moment):
            asked.append((moment.tzinfo is self, moment.replace(tzinfo=None)))
            return super().fromutc(moment)

    _, events = recorded(lambda: datetime.datetime.now(Asking()), VirtualClock())
    replayed(lambda: datetime.datetime.now(Asking()), events)
    assert asked == [(True, datetime.datetime(2026, 1, 1))] * 2


@pytest.mark.skipif(sys.version_info < (3, 12), reason="deprecated since 3.12")
def test_utcnow_warns_as_ever(recorded, replayed):
    """The deprecation warning has the usual words and points at the caller, while recording and on replay."""
    with pytest.warns(DeprecationWarning, match="utcnow") as stock:
        datetime.datetime.utcnow()
    with pytest.warns(DeprecationWarning, match="utcnow") as seen:
        _, events = recorded(lambda: datetime.datetime.utcnow())
    with pytest.warns(DeprecationWarning, match="utcnow") as again:
        replayed(lambda: datetime.datetime.utcnow(), events)
    assert [str(w.message) for w in (*seen, *again)] == [str(stock[0].message)] * 2
    assert {w.filename for w in (*seen, *again)} == {__file__}


def test_redirected_methods_have_the_usual_faces(recorded):
    """Names and docstrings of the methods are those of the stock ones."""

    def program():
        methods = datetime.datetime.now, datetime.datetime.utcnow
        return [(method.__name__, method.__qualname__, method.__doc__) for method in methods]

    assert recorded(program)[0] == program()


class Own(datetime.datetime):
    """A datetime of one's own."""


bound_now, bound_utcnow, bound_own = datetime.datetime.now, datetime.datetime.utcnow, Own.now


def test_methods_bound_before_the_session_are_followed(recorded):
    """Each is an object of its own; it serves the class that it is bound to, with a zone and without."""

    def program():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [bound_now(), bound_now(datetime.UTC), bound_now(tz=None), bound_own(), bound_utcnow()]

    seen, events = recorded(program, VirtualClock())
    assert [event[0] for event in events] == [
        "datetime_now",
        "datetime_utcnow",
        "datetime_now",
        "datetime_now",
        "datetime_utcnow",
    ]
    assert {moment.year for moment in seen} <= {2025, 2026}
    assert [type(moment) for moment in seen] == [datetime.datetime] * 3 + [Own, datetime.datetime]
    assert [method.__self__ for method in (bound_now, bound_utcnow, bound_own)] == [datetime.datetime] * 2 + [Own]
    with pytest.raises(TypeError, match="tzinfo"):
        recorded(lambda: bound_now(5))


def test_a_method_bound_during_the_session_lives_on(recorded):
    """A program that keeps ``datetime.now`` from inside a session can call it afterwards."""
    bound, events = recorded(lambda: datetime.datetime.now, VirtualClock())
    assert abs(bound() - datetime.datetime.now()) < datetime.timedelta(minutes=1)
    assert events == []
