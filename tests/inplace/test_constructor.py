"""Constructors of types written in C: every caller follows, and the type is what it was afterwards."""

from __future__ import annotations

import itertools

import pytest

from testbench.errors import UsageError
from testbench.inplace import Constructor
from testbench.inplace._constructor import _word


@pytest.fixture
def constructor():
    """Give the constructor of a type, and restore it."""
    made = Constructor(itertools.count)
    yield made
    made.restore()


def test_calls_of_the_type_and_of_its_constructor_follow(constructor) -> None:
    """By whatever name, and from C."""
    early = itertools.count
    constructor.to(lambda cls, *args, **options: ("made", cls, args, options))
    assert early(3, step=2) == ("made", early, (3,), {"step": 2})
    assert list(map(early, [1])) == [("made", early, (1,), {})]


def test_the_original_makes_instances(constructor) -> None:
    """With positional and named arguments, and it raises what it always raised."""
    constructor.to(lambda cls, *args, **options: constructor.original(cls, *args, **options))
    assert next(itertools.count(3, step=2)) == 3
    assert next(itertools.count(step=2, start=5)) == 5
    with pytest.raises(TypeError, match="number is required"):
        itertools.count("three")


def test_redirects_stand_on_each_other(constructor) -> None:
    """The inner one's original is what the outer one put there."""
    constructor.to(lambda cls, *args: ("outer", constructor.original(cls, *args)))
    inner = Constructor(itertools.count)
    inner.to(lambda cls, *args: ("inner", *inner.original(cls, *args)))
    made = itertools.count(3)
    inner.restore()
    assert made[:2] == ("inner", "outer")
    assert next(made[2]) == 3
    assert itertools.count(4)[0] == "outer"


def test_one_that_is_out_of_date_is_refused(constructor) -> None:
    """As for every redirect, somebody else's comes first."""
    late = Constructor(itertools.count)
    constructor.to(lambda cls: None)
    with pytest.raises(UsageError, match="redirected since"):
        late.to(lambda cls: None)


def test_the_type_is_what_it_was() -> None:
    """The slot, the dict, and what instances are good for."""
    before = _word(itertools.count).value, dict(vars(itertools.count))
    constructor = Constructor(itertools.count)
    constructor.to(lambda cls: None)
    constructor.restore()
    constructor.restore()
    assert (_word(itertools.count).value, dict(vars(itertools.count))) == before
    assert type(itertools.count(3)) is itertools.count
