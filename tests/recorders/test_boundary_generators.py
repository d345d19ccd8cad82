"""Generator functions marked as boundaries: each step is one event."""

from __future__ import annotations

import contextlib
import gc
import pathlib
from collections.abc import Callable, Generator
from fractions import Fraction
from typing import Any

import pytest

import testbench
from testbench import boundary

RUN: list[Any] = []


@boundary
def pages(of: str, *, size: int = 2) -> Generator[list[str], str | None, int]:
    """Give what a server would give, page by page; a sent word is the next thing to look for."""
    RUN.append(of)
    try:
        for number in range(3):
            try:
                wanted = yield [f"{of}{number}"] * size
            except KeyError as error:
                wanted = f"not {error.args[0]}"
            of = wanted or of
            if of == "broken":
                raise ConnectionError(104, "reset")
        return number
    finally:
        RUN.append("closed")


@boundary(encode=str, decode=Fraction)
def halves() -> Generator[Fraction, None, None]:
    """Yield what is no value."""
    yield Fraction(1, 2)
    yield Fraction(1, 4)


@contextlib.contextmanager
@boundary
def locked(name: str) -> Generator[str, None, None]:
    """Hold something of the world."""
    RUN.append(f"lock {name}")
    try:
        yield name.upper()
    finally:
        RUN.append(f"unlock {name}")


def both(tmp_path: pathlib.Path, program: Callable[[], Any]) -> tuple[Any, list[Any], Any, list[Any]]:
    """Record a program, and replay it while recording again; give what came out and what was run, each time."""
    RUN.clear()
    with testbench.record(tmp_path / "a.tape"):
        recorded = program()
    run = RUN.copy()
    RUN.clear()
    with testbench.replay(tmp_path / "a.tape", rerecord=tmp_path / "b.tape"):
        replayed = program()
    assert (tmp_path / "a.tape").read_bytes() == (tmp_path / "b.tape").read_bytes()
    return recorded, run, replayed, RUN.copy()


def drive() -> list[Any]:
    """Use a generator in every way there is."""
    seen: list[Any] = []
    steps = pages("a")
    seen.append(next(steps))
    seen.append(steps.send("b"))
    seen.append(steps.throw(KeyError("c")))
    with pytest.raises(StopIteration) as end:
        next(steps)
    seen.append(end.value.value)
    with pytest.raises(StopIteration):
        next(steps)
    return seen


def test_each_step_is_answered_from_the_tape(tmp_path: pathlib.Path) -> None:
    """What is sent and thrown in, yielded and returned is as recorded, and nothing of the generator runs."""
    recorded, run, replayed, rerun = both(tmp_path, drive)
    assert recorded == replayed == [["a0", "a0"], ["b1", "b1"], ["not c2", "not c2"], 2]
    assert (run, rerun) == (["a", "closed"], [])


def test_generators_run_beside_each_other(tmp_path: pathlib.Path) -> None:
    """Every generator has a number, so that their steps are told apart."""

    def program() -> list[Any]:
        return list(zip(pages("x"), pages(of="y", size=1), strict=True))

    recorded, _, replayed, rerun = both(tmp_path, program)
    assert recorded == replayed
    assert rerun == []
    numbers = [event.request["generator"] for event in testbench.open_tape(tmp_path / "a.tape") if "send" in event.op]
    assert numbers == [1, 2] * 4


def test_what_a_step_raises_is_an_outcome(tmp_path: pathlib.Path) -> None:
    """An error ends the generator, on replay as on record."""

    def program() -> Any:
        steps = pages("a")
        next(steps)
        with pytest.raises(ConnectionError) as caught:
            steps.send("broken")
        return caught.value.args, next(steps, "over")

    recorded, _, replayed, _ = both(tmp_path, program)
    assert recorded == replayed == ((104, "reset"), "over")


@pytest.mark.parametrize("leave", [lambda steps: steps.close(), lambda steps: None])
def test_closing_early_is_a_step(leave: Callable[[Any], None], tmp_path: pathlib.Path) -> None:
    """What a generator does when it is closed, or forgotten, belongs to it."""

    def program() -> Any:
        steps = pages("a")
        first = next(steps)
        leave(steps)
        del steps
        gc.collect()
        return first

    recorded, run, replayed, rerun = both(tmp_path, program)
    assert recorded == replayed
    assert (run, rerun) == (["a", "closed"], [])


def test_one_that_is_never_begun_is_no_event(tmp_path: pathlib.Path) -> None:
    """Nothing of a generator runs before its first step."""
    both(tmp_path, lambda: pages("a").close())
    assert list(testbench.open_tape(tmp_path / "a.tape")) == []


def test_yielded_objects_pass_by_encode_and_decode(tmp_path: pathlib.Path) -> None:
    """What is yielded need not be a value, if it can be turned into one and back."""
    recorded, _, replayed, _ = both(tmp_path, lambda: list(halves()))
    assert recorded == replayed == [Fraction(1, 2), Fraction(1, 4)]


def test_a_context_manager_made_of_one_lets_errors_through(tmp_path: pathlib.Path) -> None:
    """The very error that is thrown in comes out again where the generator does not stop it."""

    def program() -> Any:
        error = KeyboardInterrupt("now")
        with pytest.raises(KeyboardInterrupt) as caught, locked("door") as name:
            raise error
        return name, caught.value is error

    recorded, run, replayed, rerun = both(tmp_path, program)
    assert recorded == replayed == ("DOOR", True)
    assert (run, rerun) == (["lock door", "unlock door"], [])


def test_another_thing_sent_is_a_divergence(tmp_path: pathlib.Path) -> None:
    """The report names the generator and what differs."""

    def program(word: str) -> None:
        steps = pages("a")
        next(steps)
        steps.send(word)

    with testbench.record(tmp_path / "a.tape"):
        program("b")
    with pytest.raises(testbench.MismatchError) as caught, testbench.replay(tmp_path / "a.tape"):
        program("c")
    assert caught.value.report.differences == [("given", "b", "c")]


def test_one_answered_from_a_tape_ends_with_its_session(tmp_path: pathlib.Path) -> None:
    """Going on with it would begin the live generator from its start: an error says so."""
    with testbench.record(tmp_path / "a.tape"):
        recorded = pages("a")
        next(recorded)
    with testbench.replay(tmp_path / "a.tape"):
        replayed = pages("a")
        next(replayed)
    with pytest.raises(testbench.UsageError, match="its session is over"):
        next(replayed)


def test_one_that_outlives_its_recording_goes_on(tmp_path: pathlib.Path) -> None:
    """While recording the live generator made every step, so that it can go on alone."""
    with testbench.record(tmp_path / "a.tape"):
        steps = pages("a")
        next(steps)
    assert list(steps) == [["a1", "a1"], ["a2", "a2"]]


def test_nested_sessions_both_learn_of_every_step(tmp_path: pathlib.Path) -> None:
    """A tape made inside of another recording replays alone, and so does the outer one."""

    def program() -> Any:
        return list(pages("n"))

    with testbench.record(tmp_path / "a.tape"), testbench.record(tmp_path / "b.tape"):
        recorded = program()
    RUN.clear()
    for name in ("a.tape", "b.tape"):
        with testbench.replay(tmp_path / name):
            assert program() == recorded
    assert RUN == []


def test_one_of_before_that_is_collected_meanwhile_is_no_event(tmp_path: pathlib.Path) -> None:
    """Nobody knows when that happens; and no step of it belongs to the session."""
    older = pages("a")
    next(older)
    with testbench.record(tmp_path / "a.tape"):
        del older
        recorded = list(pages("n"))
    with testbench.replay(tmp_path / "a.tape"):
        assert list(pages("n")) == recorded
    with testbench.open_tape(tmp_path / "a.tape") as tape:
        assert not [event for event in tape if event.op.endswith(".close")]
