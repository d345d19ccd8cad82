"""Lanes keep their turn: one runs on alone after its outcome, in both modes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import testbench
from testbench import boundary
from testbench.inplace.real import acquire, allocate_lock
from testbench.sessions._lanes import Lane
from testbench.sessions._turns import Turns


@boundary
def ask(question: int) -> int:
    """Give back what was asked."""
    return question


class Resting:
    """A thread that is a lane, and waits for a lock until it is told to go on."""

    def __init__(self, number: int, work: Callable[[], object]) -> None:
        self.lane = Lane(number, f"main.{number}")
        self.go = allocate_lock()
        self.go.acquire()
        self._begun = allocate_lock()
        self._begun.acquire()
        self._work = work
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._begun.acquire()

    def _run(self) -> None:
        self.lane.run_here()
        self._begun.release()
        acquire(self.go)
        self._work()

    def end(self) -> None:
        """Let it go on, and wait for its end."""
        self.go.release()
        self._thread.join()


@pytest.fixture
def main() -> Lane:
    """Give the lane of this thread."""
    lane = Lane(0, "main")
    lane.run_here()
    return lane


def test_a_lane_is_let_through_when_the_other_has_come_to_rest(main: Lane) -> None:
    """It waits for the one that is running, and runs then itself."""
    turns = Turns(main, patience=10**9)
    seen: list[str] = []

    def work() -> None:
        turns.take(other.lane)
        seen.append("other")

    other = Resting(1, work)
    other.go.release()
    sum(range(1_000_000))
    seen.append("main")
    turns.rest(main)
    other._thread.join()
    assert seen == ["main", "other"]
    assert turns.holder == 1


def test_one_that_sleeps_is_not_waited_for(main: Lane) -> None:
    """It may wait for what only the next lane will do."""
    turns = Turns(main, patience=10**9)
    other = Resting(1, lambda: None)
    turns.rest(main)
    turns.begin(other.lane)
    turns.take(main)
    assert turns.holder == 0
    other.end()


def test_one_that_has_ended_is_not_waited_for(main: Lane) -> None:
    """Nobody has to say that it has."""
    turns = Turns(main, patience=10**9)
    other = Resting(1, lambda: None)
    turns.begin(other.lane)
    other.end()
    turns.take(main)
    assert turns.holder == 0


def test_one_that_computes_is_waited_for_a_while(main: Lane) -> None:
    """Then things go on as they would without turns."""
    turns = Turns(main, patience=3)
    stop: list[int] = []

    def compute() -> None:
        while not stop:
            sum(range(1000))

    other = Resting(1, compute)
    other.go.release()
    turns.begin(other.lane)
    turns.take(main)
    assert turns.holder == 0
    stop.append(1)
    other._thread.join()


def test_what_lanes_do_after_their_outcomes_has_the_order_of_the_outcomes(tmp_path: Path) -> None:
    """Recorded and replayed: without turns, what comes after two events that follow each other could be swapped."""

    def program() -> list[tuple[int, int]]:
        done: list[tuple[int, int]] = []

        def work(number: int) -> None:
            for step in range(10):
                ask(step)
                done.append((number, step))
                time.monotonic()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return done

    with testbench.record(tmp_path / "run.tape"):
        recorded = program()
    for again in (tmp_path / f"again{number}.tape" for number in range(5)):
        with testbench.replay(tmp_path / "run.tape", rerecord=again):
            assert program() == recorded
        assert again.read_bytes() == (tmp_path / "run.tape").read_bytes()
