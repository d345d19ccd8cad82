"""Bound methods, redirected as objects."""

from __future__ import annotations

import sys

import pytest

from testbench.errors import UsageError
from testbench.inplace import BoundMethod


class Counter:
    """Something with a method."""

    def add(self, by):
        """Return one more than was given."""
        return by + 1


def test_whoever_holds_the_method_follows():
    """It goes to the new function, which gets the owner, and back; the original still reaches the old one."""
    counter = Counter()
    held = early = counter.add
    method = BoundMethod(held)
    method.to(lambda self, by: (self is counter, method.original(by)))
    assert early(4) == (True, 5)
    method.restore()
    method.restore()
    assert early(4) == 5


def test_redirects_nest_last_in_first_out():
    """An inner redirect stands on an outer one, and has to go first."""
    held = Counter().add
    outer = BoundMethod(held)
    outer.to(lambda self, by: ("outer", by))
    inner = BoundMethod(held)
    inner.to(lambda self, by: ("inner", inner.original(by)))
    assert held(1) == ("inner", ("outer", 1))
    with pytest.raises(UsageError, match="later redirect"):
        outer.restore()
    inner.restore()
    outer.restore()
    assert held(1) == 2


def test_references_are_counted():
    """A thousand redirects leave as many references as one."""
    held = Counter().add

    def other(self, by):
        return by

    def references(times):
        for _ in range(times):
            method = BoundMethod(held)
            method.to(other)
            method.restore()
        return sys.getrefcount(held.__func__), sys.getrefcount(other)

    assert references(1) == references(1000)


def test_what_is_no_bound_method_is_refused():
    """A builtin, a function and a class are other things."""
    for other in (len, Counter, Counter.add, [].append):
        with pytest.raises(UsageError, match="no bound method"):
            BoundMethod(other)


def test_a_redirect_that_is_out_of_date_is_refused():
    """Two made at once cannot both be the first."""
    held = Counter().add
    first, second = BoundMethod(held), BoundMethod(held)
    first.to(lambda self, by: by)
    with pytest.raises(UsageError, match="redirected since"):
        second.to(lambda self, by: by)
    first.restore()
