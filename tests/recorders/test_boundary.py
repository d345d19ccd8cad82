"""The third kind: any function marked as a boundary."""

from __future__ import annotations

import contextlib
import pathlib
from typing import Any

import pytest

import testbench
from testbench import boundary


class ShopError(Exception):
    """An exception with a state of its own."""

    def __init__(self, code: int, *, hint: str) -> None:
        super().__init__(f"code {code}")
        self.code = code
        self.hint = hint


CALLS: list[Any] = []


@boundary
def price(item: str, amount: int = 1) -> float:
    """Return a price."""
    CALLS.append(item)
    return len(item) * 1.25 * amount


@boundary
def fail(code: int) -> None:
    """Raise an error with a state."""
    raise ShopError(code, hint="try later")


@boundary
def echo(value: Any) -> Any:
    """Give back what was given."""
    CALLS.append("echo")
    return value


@boundary(ignore=("session",), name="shop.fetch")
def fetch(session: object, key: str) -> bytes:
    """Fetch through a live object."""
    return key.encode() * 3


@boundary(encode=lambda value: [value.numerator, value.denominator], decode=lambda pair: tuple(pair))
def ratio(value: float) -> Any:
    """Return an object that is no value."""
    import fractions

    return fractions.Fraction(value)


def test_a_marked_function_is_itself_outside_of_a_session() -> None:
    """Without a session nothing stands between the caller and the function."""
    CALLS.clear()
    assert price("tea") == 3.75
    assert CALLS == ["tea"]
    assert price.__name__ == "price"


def test_a_recorded_result_is_given_back_without_running_the_function(tmp_path: pathlib.Path) -> None:
    """Replaying answers from the tape; the body is not run, and positional or keyword makes no difference."""
    with testbench.record(tmp_path / "a.tape"):
        recorded = price("coffee", 2)
    CALLS.clear()
    with testbench.replay(tmp_path / "a.tape"):
        assert price(item="coffee", amount=2) == recorded
    assert CALLS == []


def test_another_argument_is_a_divergence_that_names_it(tmp_path: pathlib.Path) -> None:
    """The report says which parameter differs, with both values."""
    with testbench.record(tmp_path / "a.tape"):
        price("coffee")
    with pytest.raises(testbench.MismatchError) as caught, testbench.replay(tmp_path / "a.tape"):
        price("cocoa")
    assert caught.value.report.differences == [("item", "coffee", "cocoa")]
    assert "test_boundary.py" in str(caught.value)


def test_an_exception_comes_back_with_its_type_args_and_attributes(tmp_path: pathlib.Path) -> None:
    """A user's exception class is found again, and its constructor is not called."""
    errors = []
    for opened in (testbench.record(tmp_path / "a.tape"), testbench.replay(tmp_path / "a.tape")):
        with opened:
            with pytest.raises(ShopError) as caught:
                fail(7)
            errors.append(caught.value)
    assert type(errors[1]) is ShopError
    assert errors[0].args == errors[1].args == ("code 7",)
    assert vars(errors[0]) == vars(errors[1]) == {"code": 7, "hint": "try later"}


@pytest.mark.parametrize(
    "value",
    [
        (1, (2.5, None), [b"x"]),
        {1, 2, 3},
        frozenset({"a"}),
        bytearray(b"\x00\xff"),
        1 + 2j,
        pathlib.PurePosixPath("a/b"),
        pathlib.Path("/x"),
        {1: "a", (2,): "b"},
        {"$tuple": [1]},
        {"a": {"$dict": 3}},
        "\ud800",
    ],
)
def test_values_that_are_not_plain_come_back_as_they_were(value: Any, tmp_path: pathlib.Path) -> None:
    """Tuples, sets, paths and odd dicts pass as arguments and as results, while recording and replaying."""
    for opened in (testbench.record(tmp_path / "a.tape"), testbench.replay(tmp_path / "a.tape")):
        with opened:
            result = echo(value)
        assert result == value
        assert type(result) is type(value)


def test_a_result_that_is_no_value_is_refused_with_the_fix(tmp_path: pathlib.Path) -> None:
    """A live object cannot be recorded; the error says what can, and the tape is not kept."""
    with (
        pytest.raises(testbench.UnsupportedError, match=r"encode= and a decode="),
        testbench.record(tmp_path / "a.tape"),
    ):
        echo(object())
    assert not (tmp_path / "a.tape").exists()


def nothing(value: Any) -> Any:
    """Fail to encode."""
    raise ValueError("cannot encode")


@boundary(encode=nothing, decode=nothing)
def unlucky() -> int:
    """Return what its encode= cannot encode."""
    return 5


@boundary
def endless() -> Any:
    """Return a list that contains itself."""
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize("call", [lambda: echo(object()), lambda: price([...]), unlucky, endless])
def test_what_no_tape_can_hold_breaks_the_recording_although_the_program_swallows_it(
    call: Any, tmp_path: pathlib.Path
) -> None:
    """Otherwise the program would take another way than it takes alone, and a good tape would say so."""
    with (
        pytest.raises(testbench.UnsupportedError),
        testbench.record(tmp_path / "a.tape"),
        contextlib.suppress(Exception),
    ):
        call()
    assert not (tmp_path / "a.tape").exists()


def test_an_argument_that_no_tape_can_hold_is_a_divergence_on_replay(tmp_path: pathlib.Path) -> None:
    """Where the tape holds a call, another one cannot pass by being swallowed."""
    with testbench.record(tmp_path / "a.tape"):
        echo(1)
    with (
        pytest.raises(testbench.MismatchError, match=r"value, unfit differ"),
        testbench.replay(tmp_path / "a.tape"),
    ):
        echo(object())


@boundary
def outer() -> Any:
    """Give a live object to another marked function, and look at what comes back."""
    live = object()
    return echo(live) is live


def test_inside_of_a_marked_function_another_one_is_an_ordinary_function(tmp_path: pathlib.Path) -> None:
    """What it is given and gives back belongs to the outer call and need not be a value."""
    with testbench.record(tmp_path / "a.tape"), testbench.record(tmp_path / "b.tape"):
        assert outer()
    for name in ("a.tape", "b.tape"):
        assert [event.op for event in testbench.open_tape(tmp_path / name)] == [f"{__name__}.outer"]
        with testbench.replay(tmp_path / name):
            assert outer()


def test_a_parameter_can_be_left_out_of_the_request(tmp_path: pathlib.Path) -> None:
    """What is ignored may differ on replay."""
    with testbench.record(tmp_path / "a.tape"):
        fetch(object(), "k")
    with testbench.replay(tmp_path / "a.tape"):
        assert fetch(object(), "k") == b"kkk"
    (event,) = testbench.open_tape(tmp_path / "a.tape")
    assert (event.kind, event.op, event.request) == ("call", "shop.fetch", {"key": "k"})


def test_encode_and_decode_stand_for_objects_of_the_users(tmp_path: pathlib.Path) -> None:
    """The recording run already sees what a replay will see."""
    for opened in (testbench.record(tmp_path / "a.tape"), testbench.replay(tmp_path / "a.tape")):
        with opened:
            assert ratio(0.25) == (1, 4)


def test_what_cannot_be_marked_is_refused_at_the_decorator() -> None:
    """Coroutines, asynchronous generators, classes and unknown parameter names are refused before anything runs."""

    async def coroutine() -> None: ...

    async def generator() -> Any:
        yield 1

    for wrong in (coroutine, generator, type("C", (), {})):
        with pytest.raises(testbench.UnsupportedError):
            boundary(wrong)
    with pytest.raises(testbench.UsageError, match="no parameter 'nope'"):
        boundary(ignore=("nope",))(lambda x: x)
    with pytest.raises(testbench.UsageError, match="together"):
        boundary(encode=lambda value: value)
