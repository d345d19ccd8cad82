"""Facts: on the tape once, known to a replay from the beginning, and in nobody's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

import testbench
from testbench import boundary
from testbench.errors import LeftoverError, MismatchError, RecordingError


class Oracle:
    """A recorder whose facts are what a dict says."""

    kind = "oracle"
    version = 1
    matchers: ClassVar[dict[str, Any]] = {}
    facts = frozenset({"look"})

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = answers
        self.looks = 0

    @contextmanager
    def install(self, call: Any) -> Iterator[None]:
        """Give `ask` its meaning."""
        self.call = call
        yield

    def ask(self, name: str) -> Any:
        """Ask for one fact."""

        def look() -> Any:
            self.looks += 1
            answer = self.answers[name]
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return self.call.fact("look", {"name": name}, look, raises=(OSError,))


@boundary
def cross(value: int) -> int:
    """Be an ordinary event."""
    return value


def begin(verb: str, tape: Path, oracle: Oracle, **options: Any) -> Any:
    """Return a session with that recorder."""
    return getattr(testbench, verb)(tape, recorders=["clock", "call", oracle], **options)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return where the tape goes."""
    return tmp_path / "facts.tape"


def test_facts_are_in_no_order(tape: Path) -> None:
    """They are asked in another order, at other places and not at all: the other events have to come as they did."""
    here = Oracle(a=1, b=[2], c=OSError(5, "no"))
    with begin("record", tape, here):
        here.ask("a")
        times = [time.time(), time.time()]
        here.ask("b")
        times.append(time.time())
        cross(1)
        with pytest.raises(OSError, match="no"):
            here.ask("c")
    assert [event.kind for event in testbench.open_tape(tape)] == [
        "oracle",
        "clock",
        "oracle",
        "clock",
        "call",
        "oracle",
    ]
    there = Oracle(a=None, b=None, c=None)
    with begin("replay", tape, there, rerecord=tape.with_suffix(".again")):
        with pytest.raises(OSError, match="no"):
            there.ask("c")
        assert [time.time(), time.time(), time.time()] == times
        assert (there.ask("b"), there.ask("b")) == ([2], [2])
        cross(1)
    assert there.looks == 0
    assert tape.with_suffix(".again").read_bytes() == tape.read_bytes()


def test_only_facts_may_be_left_over(tape: Path) -> None:
    """An event behind them is still missed, and counted."""
    here = Oracle(a=1)
    with begin("record", tape, here):
        here.ask("a")
        cross(1)
        here.ask("a")
    with pytest.raises(LeftoverError, match="one event was never asked for"), begin("replay", tape, Oracle()):
        pass
    with pytest.raises(MismatchError), begin("replay", tape, Oracle()):
        cross(2)


def test_a_fact_that_changes_is_a_leak(tape: Path) -> None:
    """The program sees the new answer; the tape keeps the first."""
    here = Oracle(a=1)
    with begin("record", tape, here, leaks="ignore") as session:
        here.ask("a")
        here.answers["a"] = True
        assert here.ask("a") is True
    assert [leak.name for leak in session.leaks] == ["oracle.look"]


def test_an_effect_that_fails_otherwise_leaves_nothing_behind(tape: Path) -> None:
    """The program gets the exception, and the recording goes on."""
    here = Oracle(a=RuntimeError("other"))
    with begin("record", tape, here):
        with pytest.raises(RuntimeError, match="other"):
            here.ask("a")
        here.answers["a"] = 3
        assert here.ask("a") == 3
    with begin("replay", tape, Oracle()) as _:
        pass
    assert len(testbench.open_tape(tape)) == 1


def test_what_is_no_value_breaks_the_recording(tape: Path) -> None:
    """As with any other outcome."""
    here = Oracle(a=object())
    with pytest.raises((RecordingError, testbench.UsageError)), begin("record", tape, here):
        here.ask("a")


def test_within_an_effect_it_is_real(tape: Path) -> None:
    """What a boundary asks belongs to it, and is no fact."""
    here = Oracle(a=1)

    @boundary
    def outer() -> int:
        return int(here.ask("a"))

    with begin("record", tape, here):
        assert outer() == 1
    assert [event.kind for event in testbench.open_tape(tape)] == ["call"]
    there = Oracle()
    with begin("replay", tape, there):
        assert outer() == 1


def test_threads_race_for_facts(tape: Path) -> None:
    """Whichever is first, each gets the same, and lanes come in their order."""

    def program(oracle: Oracle) -> list[Any]:
        seen: list[Any] = []

        def work(number: int) -> None:
            seen.append((number, oracle.ask("a"), cross(number), oracle.ask(f"n{number % 3}")))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return seen

    here = Oracle(a=1, n0=0, n1=1, n2=2)
    with begin("record", tape, here):
        recorded = program(here)
    there = Oracle()
    with begin("replay", tape, there, rerecord=tape.with_suffix(".again")):
        assert program(there) == recorded
    assert tape.with_suffix(".again").read_bytes() == tape.read_bytes()


def test_what_is_foretold(tape: Path) -> None:
    """Nothing while recording; on replay all that have a value."""
    here = Oracle(a=1, b=OSError(1, "x"))
    with begin("record", tape, here):
        here.ask("a")
        with pytest.raises(OSError, match="x"):
            here.ask("b")
        assert here.call.foretold("look") == ()
    there = Oracle()
    with begin("replay", tape, there):
        assert there.call.foretold("look") == [({"name": "a"}, 1)]
        assert there.call.foretold("other") == []


def test_a_killed_recording_has_the_facts_that_were_asked(tape: Path) -> None:
    """They stand among the other events, and are recovered with them."""
    here = Oracle(a=1)
    with pytest.raises(RuntimeError, match="on purpose"), begin("record", tape, here):
        here.ask("a")
        cross(1)
        raise RuntimeError("on purpose")
    left = testbench.open_tape(f"{tape}.failed")
    assert [event.kind for event in left] == ["oracle", "call"]


def test_a_splice_keeps_the_facts_of_its_tape(tape: Path) -> None:
    """They are told for all of the run, are on the new tape once each, and new ones are added; then it replays."""

    def program(oracle: Oracle, last: int) -> list[Any]:
        seen = [oracle.ask("late"), oracle.ask("a"), cross(1), oracle.ask("b"), cross(2), oracle.ask("new")]
        return [*seen, cross(last), oracle.ask("late"), oracle.ask("newer")]

    here = Oracle(a=1, b=2, late=3)
    with begin("record", tape, here):
        here.ask("a"), cross(1), here.ask("b"), cross(2), cross(3), here.ask("late")
    for last in (3, 4):
        there = Oracle(new=5, newer=6)
        with begin("session", tape, there, mode="splice"):
            assert program(there, last) == [3, 1, 1, 2, 2, 5, last, 3, 6]
        names = [event.request["name"] for event in testbench.open_tape(tape).events(kind="oracle")]
        assert sorted(names) == ["a", "b", "late", "new", "newer"]
        again = Oracle()
        with begin("replay", tape, again):
            assert program(again, last) == [3, 1, 1, 2, 2, 5, last, 3, 6]
        assert again.looks == 0


@pytest.mark.parametrize("order", ["boundary", "lane", "any"])
def test_facts_are_passed_by_in_relaxed_orders(tape: Path, order: str) -> None:
    """Lanes that keep their own order, or none, find their events behind facts."""

    def program(oracle: Oracle) -> list[Any]:
        seen: list[Any] = []

        def work(number: int) -> None:
            seen.append((number, oracle.ask(f"n{number}"), cross(number), oracle.ask("a"), cross(number + 10)))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        oracle.ask("last")
        return sorted(seen)

    here = Oracle(a=1, n0=0, n1=1, n2=2, last=3)
    with begin("record", tape, here, order=order):
        recorded = program(here)
    there = Oracle()
    with begin("replay", tape, there):
        assert program(there) == recorded
    assert there.looks == 0
