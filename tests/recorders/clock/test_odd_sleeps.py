"""Odd sleeps: odd arguments, very long ones, interrupted ones, those of threads and tasks from before the session."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import threading
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import testbench
from testbench.inplace import Redirect

YEAR = 31_536_000
LONGEST = 9_223_372_036
"""Seconds, 292 years: the most that CPython sleeps at once (``_PyTime_t``)."""


class Index:
    """What C code takes for an integer."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        """Return it."""
        return self.value


class Seconds(float):
    """A float of a program's own."""


@pytest.fixture(params=["real", "paused", "ticking"])
def both(request: Any, tmp_path: Any) -> Any:
    """Give a function that records a program and replays it; it must do the same."""

    def run(program: Any) -> Any:
        with testbench.record(tmp_path / "run.tape", clock=request.param):
            recorded = program()
        with testbench.replay(tmp_path / "run.tape"):
            assert program() == recorded
        return recorded

    return run


@pytest.mark.parametrize("seconds", [False, Index(0), 0, 0.0, -0.0, 5e-324, Seconds(0.0001)])
def test_odd_arguments_that_are_accepted(both: Any, seconds: Any) -> None:
    """They sleep as they do without a session."""
    assert both(lambda: time.sleep(seconds)) is None


REFUSED = [Decimal("0.1"), Fraction(1, 2), "1", None, b"1", [], -1, -0.001, Index(-1), -math.inf, math.inf, math.nan]
TOO_LONG = [10**10, 10**400, 1e300, LONGEST + 1, Index(10**30)]


@pytest.mark.parametrize("seconds", [*REFUSED, *TOO_LONG])
def test_odd_arguments_that_are_refused(both: Any, seconds: Any) -> None:
    """The same exception with the same words in every mode."""

    def program() -> Any:
        with pytest.raises((TypeError, ValueError, OverflowError)) as raised:
            time.sleep(seconds)
        return raised.type, str(raised.value)

    assert both(program) == program()


def test_centuries_pass_at_once(tmp_path: Any) -> None:
    """Longer than CPython can count in one sleep; what does not fit in 64 bits any more is told exactly."""

    def program() -> Any:
        begun = time.monotonic_ns()
        for _ in range(3):
            time.sleep(LONGEST)
        return time.monotonic_ns() - begun, time.monotonic_ns() > 2**63, time.time() > 2.9e10

    with testbench.record(tmp_path / "run.tape", clock="paused"):
        assert program() == (3 * LONGEST * 1_000_000_000, True, True)
    with testbench.replay(tmp_path / "run.tape"):
        assert program() == (3 * LONGEST * 1_000_000_000, True, True)


def test_a_system_clock_that_is_set_back(tmp_path: Any) -> None:
    """Wall time goes back by a day under the feet of a recording; a replay tells the same."""
    set_back = 0
    world = Redirect(time.time_ns)
    real_ns = world.original

    def program() -> Any:
        nonlocal set_back
        before = time.time_ns()
        set_back = 86_400_000_000_000
        after, again = time.time_ns(), time.time_ns()
        set_back = 0
        return before, after, again

    world.to(lambda: real_ns() - set_back)
    try:
        with testbench.record(tmp_path / "run.tape"):
            before, after, again = program()
    finally:
        world.restore()
    assert before > after
    assert after <= again
    with testbench.replay(tmp_path / "run.tape"):
        assert program() == (before, after, again)
    assert testbench.check(tmp_path / "run.tape") == []


def test_an_interrupt_by_the_user_ends_a_recorded_sleep(tmp_path: Any) -> None:
    """`KeyboardInterrupt` comes out of it at once, and what was recorded so far is set aside."""
    interrupt = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()  # before the session, so that its wait is none of it
    with pytest.raises(KeyboardInterrupt), testbench.record(tmp_path / "run.tape"):
        time.sleep(60)
    interrupt.join()
    assert not (tmp_path / "run.tape").exists()
    assert (tmp_path / "run.tape.failed").exists()


def asleep(seconds: float, began: threading.Event, notes: list[float]) -> None:
    """Sleep in a thread from before the session, once it has begun."""
    began.wait()
    begun = time.monotonic()
    time.sleep(seconds)
    notes.append(time.monotonic() - begun)


def beside(session: Any, seconds: float) -> list[float]:
    """Open a session beside a thread that was there before, and let that sleep."""
    began, notes = threading.Event(), list[float]()
    thread = threading.Thread(target=asleep, args=(seconds, began, notes), daemon=True)
    thread.start()
    with session:
        began.set()
        thread.join()
    return notes


def test_a_thread_from_before_sleeps_on_replay_as_it_did(tmp_path: Any) -> None:
    """It is a lane of its own from its first crossing on; its sleep takes no time on replay."""
    recorded = beside(testbench.record(tmp_path / "run.tape"), 0.01)
    assert recorded[0] >= 0.01
    assert beside(testbench.replay(tmp_path / "run.tape"), 0.01) == recorded


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_sleeps_otherwise_is_a_divergence(tmp_path: Any) -> None:
    """Another span than that on the tape fails the replay, and says so."""
    beside(testbench.record(tmp_path / "run.tape"), 0.01)
    with pytest.raises(testbench.MismatchError, match="seconds"):
        beside(testbench.replay(tmp_path / "run.tape"), 0.02)


async def others(session: Any) -> Any:
    """Open a session in one task while others wait, let them sleep in it, and close it while they go on."""
    go_on, notes, finished, closed = asyncio.Event(), [], asyncio.Event(), asyncio.Event()

    async def other(name: str, span: float) -> None:
        await go_on.wait()
        await asyncio.sleep(span)
        notes.append((name, round(time.time() - begun, 3)))
        if name == "late":
            finished.set()
            await closed.wait()
            await asyncio.sleep(0.001)
            notes.append("after")

    tasks = [asyncio.create_task(other("late", 30)), asyncio.create_task(other("early", 10))]
    await asyncio.sleep(0)
    with session:
        begun = time.time()
        go_on.set()
        await finished.wait()
    closed.set()
    await asyncio.gather(*tasks)
    return notes


def test_a_session_in_one_task_while_others_run(tmp_path: Any) -> None:
    """What all tasks do while it is open is on the tape; they go on by the real clock after it."""
    expected = [("early", 10.0), ("late", 30.0), "after"]
    assert asyncio.run(others(testbench.record(tmp_path / "run.tape", clock="paused"))) == expected
    assert asyncio.run(others(testbench.replay(tmp_path / "run.tape"))) == expected


def test_a_year_of_a_loop_that_runs_already(tmp_path: Any) -> None:
    """A session that is entered and left within a running loop lets a year pass at once; then time is real again."""

    async def main(session: Any) -> Any:
        loop = asyncio.get_running_loop()
        before = loop.time()
        with session:
            begun = loop.time()
            await asyncio.sleep(YEAR)
            slept = loop.time() - begun
        await asyncio.sleep(0.001)
        return int(slept), loop.time() - before < YEAR

    assert asyncio.run(main(testbench.record(tmp_path / "run.tape", clock="paused"))) == (YEAR, True)
    assert asyncio.run(main(testbench.replay(tmp_path / "run.tape"))) == (YEAR, True)
