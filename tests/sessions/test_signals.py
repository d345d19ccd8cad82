"""Signals: handlers of the program are events, run again where they ran."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench import boundary
from testbench.inplace import real

CHILD_SIGNALS = """
import os, signal, sys, time
os.kill(os.getppid(), signal.SIGUSR1)
print("sent")
"""


class AlarmError(Exception):
    """What handlers raise here."""


@boundary
def patient(seconds: float) -> str:
    """Sleep, and swallow whatever a handler raises."""
    try:
        time.sleep(seconds)
    except AlarmError:
        return "interrupted"
    return "slept"


@pytest.fixture(autouse=True)
def handlers_are_kept() -> Iterator[None]:
    """Find every handler, the timer and the wakeup descriptor as they were."""
    numbers = (signal.SIGCHLD, signal.SIGALRM, signal.SIGUSR1, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
    assert signal.set_wakeup_fd(-1) == -1


@pytest.fixture
def same(tmp_path: Path) -> Callable[..., Any]:
    """Give a function that records a program, replays it three times and demands the same answer and bytes."""

    def run(program: Callable[[], Any], *, leaks: str = "fail", exact: bool = False) -> Any:
        tape = tmp_path / "run.tape"
        for _ in range(20):
            with testbench.record(tape, leaks=leaks) as session:
                recorded = program()
            if not exact or not session.leaks:
                break
        for again in (tmp_path / f"again{number}.tape" for number in range(3)):
            with testbench.replay(tape, rerecord=again, stall_s=20):
                assert program() == recorded
            assert again.read_bytes() == tape.read_bytes()
        return recorded

    return run


def ops(path: Path) -> list[str]:
    """Return kind and op of each event of a tape."""
    with testbench.open_tape(path) as tape:
        return [f"{event.kind}.{event.op}" for event in tape]


def test_a_handler_in_an_effect_is_an_event_and_what_it_does_too(same: Any, tmp_path: Path) -> None:
    """A timer runs out in a sleep; its handler reads a clock and calls a child; both come again on replay."""

    def program() -> list[Any]:
        seen: list[Any] = []

        def handler(number: int, _: object) -> None:
            seen.append((number, time.time(), subprocess.check_output(["echo", "from the handler"])))

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        begun = time.monotonic()
        time.sleep(0.3)
        signal.setitimer(signal.ITIMER_REAL, 0)
        return [*seen, time.monotonic() - begun]

    recorded = same(program)
    assert recorded[0][0] == signal.SIGALRM
    assert recorded[0][2] == b"from the handler\n"
    assert ops(tmp_path / "run.tape")[2:4] == ["signal.handled", "clock.time"]


def test_children_are_reaped_by_a_handler(same: Any) -> None:
    """A handler of SIGCHLD that waits for any child and reads the clock gives the same again."""

    def program() -> list[Any]:
        reaped: list[Any] = []

        def reap(_: int, __: object) -> None:
            with contextlib.suppress(ChildProcessError):
                while (found := os.waitpid(-1, os.WNOHANG))[0]:
                    reaped.append((found, time.time()))

        signal.signal(signal.SIGCHLD, reap)
        children = [subprocess.Popen(["sh", "-c", f"sleep 0.0{n}; exit {n}"]) for n in (1, 2, 3)]
        while len(reaped) < len(children):
            time.sleep(0.01)
        for child in children:
            child.wait()
        return reaped

    recorded = same(program, leaks="ignore", exact=True)  # of a handler between two events, a replay knows no more
    assert sorted(os.waitstatus_to_exitcode(status) for (_, status), _ in recorded) == [1, 2, 3]


def test_an_exception_of_a_handler_ends_the_crossing(same: Any, tmp_path: Path) -> None:
    """A timeout made of SIGALRM leaves a sleep and a wait for a child, and the program goes on."""

    def program() -> list[str]:
        def handler(_: int, __: object) -> None:
            raise AlarmError(time.time())

        signal.signal(signal.SIGALRM, handler)
        told = []
        signal.setitimer(signal.ITIMER_REAL, 0.25)
        try:
            time.sleep(30)
        except AlarmError as error:
            told.append(repr(error))
        child = subprocess.Popen(["sleep", "30"], stdout=subprocess.PIPE)
        for wait in (child.wait, child.communicate, lambda: os.waitpid(child.pid, 0)):
            signal.setitimer(signal.ITIMER_REAL, 0.25)
            try:
                wait()
            except AlarmError as error:
                told.append(repr(error))
        child.kill()
        return [*told, str(child.communicate()), str(child.returncode)]

    recorded = same(program)
    assert [text[:10] for text in recorded[:4]] == ["AlarmError"] * 4
    assert recorded[4:] == ["(b'', None)", "-9"]
    assert ops(tmp_path / "run.tape").count("signal.interrupted") == 4


def test_an_exception_that_looks_like_an_outcome_is_none(same: Any) -> None:
    """A handler may raise an OSError out of a wait whose own failures are OSErrors."""

    def program() -> str:
        def handler(_: int, __: object) -> None:
            raise TimeoutError("too long")

        signal.signal(signal.SIGALRM, handler)
        child = subprocess.Popen(["sleep", "30"])
        signal.setitimer(signal.ITIMER_REAL, 0.25)
        try:
            child.wait()
        except TimeoutError as error:
            child.kill()
            return f"{error} {child.wait()}"
        return "ended"

    assert same(program) == "too long -9"


def test_what_an_effect_swallows_stays_swallowed(same: Any, tmp_path: Path) -> None:
    """A marked function catches what a handler raises into it; on replay the handler raises and nothing comes of it."""

    def program() -> list[str]:
        def handler(_: int, __: object) -> None:
            raise AlarmError

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.25)
        return [patient(30), patient(0)]

    assert same(program) == ["interrupted", "slept"]
    assert "signal.interrupted" not in ops(tmp_path / "run.tape")


def test_a_child_signals_its_parent_during_a_wait(same: Any) -> None:
    """On replay the child is gone, and the handler runs all the same."""

    def program() -> tuple[list[int], bytes]:
        seen: list[int] = []
        signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
        out = subprocess.check_output([sys.executable, "-c", CHILD_SIGNALS])
        return seen, out

    assert same(program) == ([signal.SIGUSR1], b"sent\n")


def test_a_loop_that_sleeps_until_a_handler_sets_a_flag(same: Any) -> None:
    """The flag is set in the same round of the loop."""

    def program() -> int:
        seen: list[int] = []
        signal.signal(signal.SIGALRM, lambda number, _: seen.append(number))
        signal.setitimer(signal.ITIMER_REAL, 0.15)
        rounds = 0
        while not seen:
            time.sleep(0.02)
            rounds += 1
        return rounds

    assert same(program, leaks="ignore") > 1


def test_what_the_program_sends_itself_is_exact(same: Any) -> None:
    """With os.kill and signal.raise_signal the handler has run when they return; that is no leak."""

    def program() -> list[Any]:
        seen: list[Any] = []
        signal.signal(signal.SIGUSR1, lambda number, _: seen.append((number, time.time())))
        os.kill(os.getpid(), signal.SIGUSR1)
        seen.append(time.time())
        signal.raise_signal(signal.SIGUSR1)
        return seen

    assert [type(item) for item in same(program)] == [tuple, float, tuple]


def test_a_signal_that_the_program_no_longer_sends_is_a_divergence(tmp_path: Path) -> None:
    """And so is one that it has not sent while it was recorded."""
    signal.signal(signal.SIGUSR1, lambda *_: None)
    with testbench.record(tmp_path / "sent.tape"):
        signal.raise_signal(signal.SIGUSR1)
        time.time()
    with testbench.record(tmp_path / "unsent.tape"):
        time.time()
    with pytest.raises(testbench.MismatchError, match="SIGUSR1"), testbench.replay(tmp_path / "sent.tape"):
        time.time()
    with pytest.raises(testbench.MismatchError, match="SIGUSR1"), testbench.replay(tmp_path / "unsent.tape"):
        signal.raise_signal(signal.SIGUSR1)


def test_a_program_without_the_handler_is_a_divergence_and_lives(tmp_path: Path) -> None:
    """The default action of SIGUSR1 would end the process."""

    def program() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        time.sleep(0.2)

    signal.signal(signal.SIGALRM, lambda *_: None)
    with testbench.record(tmp_path / "run.tape"):
        program()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with pytest.raises(testbench.MismatchError, match="without a handler"), testbench.replay(tmp_path / "run.tape"):
        program()


def test_a_signal_between_two_events_is_a_leak_and_comes_again(tmp_path: Path) -> None:
    """A program that computes, or waits for an event of its own, gets it on replay too, if only roughly then."""
    came = threading.Event()
    seen: list[Any] = []

    def handler(number: int, _: object) -> None:
        seen.append((number, time.time()))
        came.set()

    signal.signal(signal.SIGALRM, handler)

    def waiting() -> None:
        time.time()
        signal.setitimer(signal.ITIMER_REAL, 0.25)
        came.wait()

    with pytest.warns(testbench.LeakWarning, match=r"signal\.SIGALRM"), testbench.record(tmp_path / "run.tape"):
        waiting()
    came.clear()
    with testbench.replay(tmp_path / "run.tape"):
        waiting()  # no timer is set: only the tape knows of the signal
    assert len(seen) == 2
    assert seen[0] == seen[1]


def test_signals_at_the_end_of_the_program_are_not_left_over(tmp_path: Path) -> None:
    """What came after the last crossing comes again before the session closes."""
    seen: list[int] = []
    signal.signal(signal.SIGALRM, lambda number, _: seen.append(number))
    with testbench.record(tmp_path / "run.tape", leaks="ignore"):
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        while not seen:
            pass
    with testbench.replay(tmp_path / "run.tape"):
        signal.setitimer(signal.ITIMER_REAL, 0.02)
    assert len(seen) == 2


def test_real_signals_on_replay_are_left_to_the_tape(tmp_path: Path) -> None:
    """One from outside comes late, or often, and its handler runs as often as it did."""
    seen: list[int] = []
    signal.signal(signal.SIGALRM, lambda number, _: seen.append(number))
    for session in (testbench.record, testbench.replay):
        with session(tmp_path / "run.tape", leaks="ignore"):
            real.setitimer(signal.ITIMER_REAL, 0.01)
            time.sleep(0.1)
            sum(range(3_000_000))  # on replay the timer runs out about here
    assert seen == [signal.SIGALRM] * 2


def test_a_signal_that_is_not_on_the_tape_runs_its_handler(tmp_path: Path) -> None:
    """Whoever wants to end a replay with a signal can."""
    with testbench.record(tmp_path / "run.tape"):
        time.time()

    def stop(_: int, __: object) -> None:
        raise AlarmError

    signal.signal(signal.SIGALRM, stop)
    with pytest.raises(AlarmError), testbench.replay(tmp_path / "run.tape"):
        real.setitimer(signal.ITIMER_REAL, 0.02)
        while True:
            pass


def test_an_event_loop_hears_of_signals(same: Any) -> None:
    """``add_signal_handler`` works by a descriptor that the interpreter writes to: on replay it does so again."""

    async def waiting() -> list[Any]:
        loop = asyncio.get_running_loop()
        came = asyncio.Event()
        seen: list[Any] = []

        def handler() -> None:
            seen.append(time.time())
            came.set()

        loop.add_signal_handler(signal.SIGUSR1, handler)
        child = subprocess.Popen(["sh", "-c", "sleep 0.05; kill -USR1 $PPID"])
        await came.wait()
        loop.remove_signal_handler(signal.SIGUSR1)
        return [*seen, child.wait()]

    assert len(same(lambda: asyncio.run(waiting()), leaks="ignore")) == 2


def test_nested_sessions_each_have_their_events(tmp_path: Path) -> None:
    """Recording within a recording gives two tapes with the signal, and each replays."""
    seen: list[Any] = []

    def handler(number: int, _: object) -> None:
        seen.append((number, time.time()))

    def program() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.03)
        time.sleep(0.1)

    signal.signal(signal.SIGALRM, handler)
    with testbench.record(tmp_path / "outer.tape"):
        with testbench.record(tmp_path / "inner.tape"):
            program()
            assert signal.getsignal(signal.SIGALRM) is handler
        assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getsignal(signal.SIGALRM) is handler
    for name in ("outer.tape", "inner.tape"):
        assert ops(tmp_path / name) == ["timer.setitimer", "signal.handled", "clock.time", "clock.sleep"]
        with testbench.replay(tmp_path / name):
            program()
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_replaying_within_a_recording_records_what_is_replayed(tmp_path: Path) -> None:
    """To the outer session, the signals that an inner replay delivers are sent by the program."""
    seen: list[int] = []
    signal.signal(signal.SIGALRM, lambda number, _: seen.append(number))

    def program() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.03)
        time.sleep(0.1)

    with testbench.record(tmp_path / "inner.tape"):
        program()
    for session in (testbench.record, testbench.replay):
        with session(tmp_path / "outer.tape"), testbench.replay(tmp_path / "inner.tape"):
            program()
    assert len(seen) == 3


def test_handlers_are_the_programs_own_all_the_time(tmp_path: Path) -> None:
    """What signal.signal and getsignal give is what the program has installed, inside and after the session."""

    def first(_: int, __: object) -> None:
        pass

    class Second:
        def __call__(self, _: int, __: object) -> None:
            pass

    second = Second()
    signal.signal(signal.SIGUSR1, first)
    interrupt = signal.getsignal(signal.SIGINT)
    with testbench.record(tmp_path / "run.tape"):
        assert signal.getsignal(signal.SIGUSR1) is first
        assert signal.signal(signal.SIGUSR1, second) is first
        assert signal.getsignal(signal.SIGUSR1) is second
        assert signal.signal(signal.SIGTERM, signal.SIG_IGN) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is interrupt
        with pytest.raises(TypeError):
            signal.signal(signal.SIGUSR1, "handler")  # type: ignore[arg-type]
    assert signal.getsignal(signal.SIGUSR1) is second
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_a_session_of_another_thread_follows_handlers_that_come_later(tmp_path: Path) -> None:
    """Only the main thread installs handlers: those from before stay as they are, and nothing is lost at the end."""
    opened, installed, done = (threading.Event() for _ in range(3))
    seen: list[int] = []

    def session() -> None:
        with testbench.record(tmp_path / "run.tape", leaks="ignore"):
            opened.set()
            installed.wait()
        done.set()

    def handler(number: int, _: object) -> None:
        seen.append(number)

    signal.signal(signal.SIGUSR1, handler)
    thread = threading.Thread(target=session)
    thread.start()
    opened.wait()
    signal.signal(signal.SIGALRM, handler)
    assert signal.getsignal(signal.SIGALRM) is handler
    signal.raise_signal(signal.SIGUSR1)
    signal.raise_signal(signal.SIGALRM)
    installed.set()
    done.wait()
    thread.join()
    signal.raise_signal(signal.SIGALRM)
    assert seen == [signal.SIGUSR1, signal.SIGALRM, signal.SIGALRM]
    assert signal.getsignal(signal.SIGALRM) is handler
    assert ops(tmp_path / "run.tape") == ["lane.start", "signal.handled"]


def test_handlers_that_come_all_the_time_keep_the_tape_sound(tmp_path: Path) -> None:
    """With several lanes too, where our own code holds locks when they come."""
    handled: list[float] = []
    values: list[float] = []
    under_way: list[int] = []

    def handle(number: int, _: object) -> None:
        under_way.append(number)
        handled.append(time.time())
        if under_way == [number]:  # only the outermost: where one takes longer than the timer, they would pile up
            signal.setitimer(signal.ITIMER_REAL, 0.0002)
        under_way.pop()

    signal.signal(signal.SIGALRM, handle)
    with testbench.record(tmp_path / "run.tape", leaks="ignore"):
        thread = threading.Thread(target=lambda: [time.monotonic() for _ in range(20_000)])
        signal.setitimer(signal.ITIMER_REAL, 0.0002)
        thread.start()
        values += [time.time() for _ in range(20_000)]
        for _ in range(100):
            signal.setitimer(signal.ITIMER_REAL, 0.0002)
            time.sleep(0.0001)
            values.append(time.time())
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)
        thread.join()
    assert handled
    assert values == sorted(values)
    assert [f for f in testbench.check(tmp_path / "run.tape") if f.severity == "error"] == []


def test_a_handler_reads_the_clock_that_a_loop_reads(same: Any) -> None:
    """Reads of the handler are none of the loop that it interrupts, though both read the same clock."""

    def program() -> list[float]:
        seen: list[float] = []
        signal.signal(signal.SIGALRM, lambda *_: seen.append(time.time()))
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        total = sum(time.time() for _ in range(40_000))
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        return [*seen, total]

    assert len(same(program, leaks="ignore")) > 1


def test_signals_that_come_faster_than_they_are_handled(same: Any) -> None:
    """Handlers do not pile up, the program gets on meanwhile, and all comes again in the same order."""
    depths: list[int] = []

    def program() -> int:
        under_way, handled = 0, 0

        def handle(_: int, __: object) -> None:
            nonlocal under_way, handled
            under_way, handled = under_way + 1, handled + 1
            place = handled  # another one may come anywhere from here on, and on replay not quite there
            depths.append(under_way)
            time.time()
            if place > 200:
                signal.setitimer(signal.ITIMER_REAL, 0)
            under_way -= 1

        signal.signal(signal.SIGALRM, handle)
        threads = [threading.Thread(target=lambda: [time.sleep(0) for _ in range(20)]) for _ in range(2)]
        for thread in threads:
            thread.start()
        signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
        for _ in range(20):
            time.sleep(0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        for thread in threads:
            thread.join()
        return handled

    assert same(program, leaks="ignore")
    assert max(depths) < 10
