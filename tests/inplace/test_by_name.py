"""Redirecting by name: who follows, who does not, and that everything is put back."""

from __future__ import annotations

import datetime
import os
import pickle
import posix
import subprocess
import sys
import threading
import time

import pytest

from testbench.errors import UsageError
from testbench.inplace import Redirect, TypeSlot, intercepting, real

early = time.time_ns


@pytest.fixture
def way():
    """Let redirects be by name."""
    with intercepting("name") as found:
        yield found


@pytest.fixture
def redirect(way):
    """Give a Redirect of time.time_ns that is restored whatever happens."""
    made = Redirect(time.time_ns)
    yield made
    made.restore()


def test_whoever_looks_it_up_follows(redirect):
    """A call through the module reaches the target, and the function itself afterwards."""
    function = time.time_ns
    redirect.to(lambda: 7)
    assert time.time_ns() == 7
    redirect.restore()
    assert time.time_ns is function


def test_an_earlier_name_does_not_follow_and_is_told(redirect, way):
    """What was bound before keeps the function, and the session can say which name that is."""
    redirect.to(lambda: 7)
    assert early() > 7
    told = [where for what, where in way.not_followed() if what == "time.time_ns"]
    expected = f"{__name__}.early, a name bound before the session, which interception by name does not follow"
    assert expected in told


def test_our_own_names_are_not_told(way):
    """What the package itself keeps for its own use is no name that the program missed."""
    redirects = [Redirect(function) for function in (os.read, os.close)]
    for redirect in redirects:
        redirect.to(redirect.original)
    found = [where for _, where in way.not_followed()]
    for redirect in reversed(redirects):
        redirect.restore()
    assert not [where for where in found if where.startswith("testbench")]


def test_the_object_stays_as_it_is(redirect):
    """The function object is not touched: this is what makes it the weaker way, and one that works everywhere."""
    owner = time.time_ns.__self__
    redirect.to(lambda: 7)
    assert early.__self__ is owner


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (os.system, [(os, "system"), (posix, "system")]),
        (time.monotonic, [(time, "monotonic"), (threading, "_time"), (subprocess, "_time")]),
    ],
)
def test_other_names_of_the_library_follow(way, function, names):
    """All modules of the standard library that name the function follow, and are put back."""
    redirect = Redirect(function)
    redirect.to(lambda *_: -7)
    seen = [getattr(module, name)("") for module, name in names]
    redirect.restore()
    assert seen == [-7] * len(names)
    assert all(getattr(module, name) is function for module, name in names)


def test_a_name_bound_meanwhile_follows_for_good(redirect):
    """What is bound while it is redirected follows it, its next target, its end, and the next redirect."""
    redirect.to(lambda: 7)
    from time import time_ns as bound

    redirect.to(lambda: 8)
    assert bound() == 8
    redirect.restore()
    assert bound() > 8
    again = Redirect(time.time_ns)
    again.to(lambda: 9)
    assert bound() == 9
    again.restore()


def test_it_is_no_method_in_a_class_body(redirect):
    """Like the builtin, and unlike a function of Python, it does not take the instance as an argument."""
    redirect.to(lambda: 7)

    class Program:
        clock = time.time_ns

    assert Program().clock() == 7


def test_it_looks_like_the_function(redirect):
    """Name, module and docstring are those of the function, and it can be pickled."""
    redirect.to(lambda: 7)
    stand_in = time.time_ns
    assert (stand_in.__name__, stand_in.__module__, stand_in.__doc__) == ("time_ns", "time", early.__doc__)
    assert pickle.loads(pickle.dumps(stand_in)) is stand_in


def test_arguments_and_errors_pass(way):
    """The original takes every argument, and its exceptions come through."""
    redirect = Redirect(os.open)
    redirect.to(lambda *args, **options: redirect.original(*args, **options))
    try:
        with pytest.raises(FileNotFoundError):
            os.open("/nonexistent", flags=os.O_RDONLY)
    finally:
        redirect.restore()


@pytest.mark.parametrize("how", ["name", "in-place"])
def test_redirects_nest(how):
    """The inner original reaches the outer target, also after the outer one has changed it; the order is enforced."""
    with intercepting(how):
        outer = Redirect(time.time_ns)
        outer.to(lambda: 1)
        inner = Redirect(time.time_ns)
        inner.to(lambda: 10 + inner.original())
        first = time.time_ns()
        outer.to(lambda: 2)
        second = time.time_ns()
        with pytest.raises(UsageError, match="last in, first out"):
            outer.restore()
        inner.restore()
        third = time.time_ns()
        outer.restore()
    assert (first, second, third) == (11, 12, 2)
    assert time.time_ns is early
    assert early() > 2


def test_a_redirect_out_of_date_is_refused(redirect):
    """A Redirect made before another one became active does not know what it would restore."""
    stale = Redirect(time.time_ns)
    redirect.to(lambda: 7)
    with pytest.raises(UsageError, match="out of date"):
        stale.to(lambda: 8)


def test_what_cannot_be_called_is_refused(redirect):
    """A target has to be callable, and nothing has changed when it is not."""
    with pytest.raises(UsageError, match=r"time\.time_ns cannot be redirected to 7"):
        redirect.to(7)
    assert time.time_ns is early


def test_what_the_program_puts_there_stays(redirect, monkeypatch):
    """A name that the program has assigned meanwhile is the program's."""
    redirect.to(lambda: 7)
    monkeypatch.setattr(time, "time_ns", "mine")
    redirect.restore()
    assert time.time_ns == "mine"


def test_a_stand_in_left_behind_does_no_harm(redirect, monkeypatch):
    """Where the program has put back what it found, the next redirect works."""
    redirect.to(lambda: 7)
    left = time.time_ns
    redirect.restore()
    monkeypatch.setattr(time, "time_ns", left)
    again = Redirect(time.time_ns)
    again.to(lambda: 8)
    assert time.time_ns() == 8
    again.restore()
    assert time.time_ns() > 8


@pytest.mark.parametrize("function", [{}.copy, lambda: 0, object()], ids=["method", "lambda", "object"])
def test_what_has_no_name_is_refused(way, function):
    """What no module names cannot be reached by name."""
    with pytest.raises(UsageError, match="no module has it under its own name"):
        Redirect(function).to(lambda: 7)


def test_a_function_that_somebody_replaced_is_refused(way, monkeypatch):
    """Where a tool stands in the module, a redirect would reach nobody, and says so."""
    function = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    with pytest.raises(UsageError, match="begin the session outside of it"):
        Redirect(function).to(lambda: 7)


def test_a_method_in_c_is_missed_and_told(way):
    """datetime.now stays what it is, and the session can say so."""
    slot = TypeSlot(datetime.datetime, "now")
    slot.to(classmethod(lambda cls: 7))
    assert isinstance(datetime.datetime.now(), datetime.datetime)
    assert slot.original.__get__(None, datetime.datetime)() <= datetime.datetime.now()
    slot.restore()
    assert [what for what, _ in way.not_followed()] == ["datetime.datetime.now"]


def test_a_method_of_a_type_that_can_be_changed_follows(way):
    """Where the type lets itself be changed, its methods are followed, and nothing is told."""
    owner = type("Own", (), {"method": lambda self: 1})
    slot = TypeSlot(owner, "method")
    slot.to(lambda self: 10 + slot.original(self))
    assert owner().method() == 11
    slot.restore()
    assert owner().method() == 1
    assert way.not_followed() == []


def test_a_method_that_is_not_there_is_refused(way):
    """A name that the type does not define itself is refused, as it is in place."""
    with pytest.raises(UsageError, match="absent"):
        TypeSlot(datetime.datetime, "absent")


def test_our_own_functions_are_out_of_reach(redirect):
    """What the package lives on stays real."""
    redirect.to(lambda: -1)
    assert real.time_ns() > 0


@pytest.mark.parametrize(("outer", "inner"), [("name", "in-place"), ("in-place", "name")])
def test_ways_do_not_mix(outer, inner):
    """Two open sessions have to intercept the same way; the refusal changes nothing."""
    with intercepting(outer):
        with pytest.raises(UsageError, match=f"interception='{outer}' is open.*'{inner}' cannot"), intercepting(inner):
            pytest.fail("entered")
        with intercepting(outer):
            assert type(Redirect(time.time_ns)) is type(Redirect(time.time_ns))
    assert type(Redirect(time.time_ns)) is Redirect


def test_in_place_misses_nothing():
    """In place there is nothing to tell."""
    with intercepting("in-place") as way:
        TypeSlot(datetime.datetime, "now")
        assert way.not_followed() == []


def test_it_is_loaded_only_when_it_is_declared(tmp_path):
    """A session in place does not pay for it."""
    program = (
        "import sys, testbench\n"
        "with testbench.record(sys.argv[1], interception=sys.argv[2]): pass\n"
        "print('testbench.inplace._by_name' in sys.modules)"
    )
    command = [sys.executable, "-W", "ignore", "-c", program, tmp_path / "a.tape"]
    seen = [subprocess.run([*command, way], capture_output=True, text=True).stdout for way in ("in-place", "name")]
    assert seen == ["False\n", "True\n"]
