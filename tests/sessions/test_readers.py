"""Readers without Python frames: what they keep, when they end, and what interrupts them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.sessions._readers import RUN_MAX, Gathering, Source, serve


def gathering(effect: Callable[[], Any]) -> Gathering:
    """Begin a run of what a function gives."""
    return Gathering(Source("test.read", effect, lambda _: None))


def test_a_run_keeps_what_it_reads_and_can_be_looked_at_before_it_ends() -> None:
    """Looking does not read, ending does not read, and after the end nothing is read."""
    made = count()
    run = gathering(made.__next__)
    assert [next(run.reads) for _ in range(100)] == list(range(100))
    assert run.so_far() == list(range(100))
    assert next(run.reads) == 100
    assert run.end() == list(range(101))
    assert list(run.reads) == []
    assert next(made) == 101


def test_a_run_is_bounded() -> None:
    """It ends by itself, so that memory stays bounded."""
    run = gathering(count().__next__)
    assert len(list(run.reads)) == RUN_MAX
    assert run.full
    assert run.end() == list(range(RUN_MAX))


def test_a_read_that_is_under_way_is_not_waited_for() -> None:
    """Looking at a run while its next read is being made gives what was read before."""
    seen: list[Any] = []

    def effect() -> int:
        seen.append(run.so_far())
        return len(seen)

    run = gathering(effect)
    assert [next(run.reads), next(run.reads)] == [1, 2]
    assert seen == [[], [1]]


def test_an_exception_between_runs_does_not_end_the_reader() -> None:
    """After it, the reader is replaced and goes on."""
    bound: list[Callable[[], Any]] = []
    answers: Iterator[Any] = iter([[1], KeyError("no"), [2]])

    def next_run() -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    serve(next_run, bound.append)
    assert bound[-1]() == 1
    with pytest.raises(KeyError):
        bound[-1]()
    assert bound[-1]() == 2


def test_a_signal_handler_that_reads_the_clock_disturbs_nothing(tmp_path: Path) -> None:
    """Handlers interrupt programs that read clocks all the time; every value still comes out, and the tape is sound."""
    handled: list[float] = []
    before = signal.signal(signal.SIGALRM, lambda *_: handled.append(time.time()))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        with testbench.record(tmp_path / "a.tape", leaks="ignore"):
            values = [(time.time(), time.monotonic()) for _ in range(20_000)]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert handled
    assert values == sorted(values)
    assert [f for f in testbench.check(tmp_path / "a.tape") if f.severity == "error"] == []
