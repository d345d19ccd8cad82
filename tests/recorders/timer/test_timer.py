"""Timers, alarms and waits for signals: on a clock that stands still they take no time, on replay they are not set."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

import testbench
from testbench import boundary, real_clock
from testbench.inplace import real

YEAR = 31_536_000
SHORT = 0.01


class RangError(Exception):
    """What a handler raises here."""


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Find timer, handler and mask as they were."""
    handler, mask = signal.getsignal(signal.SIGALRM), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    assert real.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    signal.signal(signal.SIGALRM, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@pytest.fixture(params=["real", "paused"])
def both(request: Any, tmp_path: Any) -> Any:
    """Give a function that records a program and replays it with no timer ever set; it must do the same."""

    def run(program: Any) -> Any:
        with testbench.record(tmp_path / "run.tape", clock=request.param):
            recorded = program(YEAR if request.param == "paused" else SHORT)
        with testbench.replay(tmp_path / "run.tape"):
            replayed = program(YEAR if request.param == "paused" else SHORT)
            assert real.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        assert repr(replayed) == repr(recorded)
        return recorded

    return run


@pytest.fixture
def rung() -> list[Any]:
    """Give the list to which the handler of SIGALRM appends the time."""
    times: list[Any] = []
    signal.signal(signal.SIGALRM, lambda *_: times.append(time.monotonic()))
    return times


def taken(rung: list[Any]) -> list[Any]:
    """Return what is in the list, and empty it."""
    found = rung[:]
    rung.clear()
    return found


def test_a_timer_rings_while_the_program_sleeps(both: Any, rung: list[Any]) -> None:
    """The handler runs in the sleep, which then goes on; the times are the same on replay."""

    def program(span: float) -> Any:
        begun = time.monotonic()
        before = signal.setitimer(signal.ITIMER_REAL, span)
        time.sleep(3 * span)
        return before, signal.getitimer(signal.ITIMER_REAL), taken(rung), begun

    before, after, times, begun = both(program)
    assert before == after == (0.0, 0.0)
    assert len(times) == 1
    assert times[0] - begun >= SHORT


def test_a_timer_with_an_interval_rings_again(both: Any, rung: list[Any]) -> None:
    """It goes on until it is taken back, and tells then what was left and what its interval was."""

    def program(span: float) -> Any:
        signal.setitimer(signal.ITIMER_REAL, span, 250 * span)
        time.sleep(2 * span)
        left, interval = signal.setitimer(signal.ITIMER_REAL, 0)
        return left > 0, interval, len(taken(rung))

    left, interval, times = both(program)
    assert (left, times) == (True, 1)
    assert interval in (250 * SHORT, 250.0 * YEAR)


def test_pause_returns_when_the_alarm_rings(both: Any, rung: list[Any]) -> None:
    """It waits for no real time on a still clock, and not at all on replay."""

    def program(span: float) -> Any:
        signal.setitimer(signal.ITIMER_REAL, span)
        signal.pause()
        return len(taken(rung))

    assert both(program) == 1


def test_what_a_handler_raises_ends_the_wait(both: Any) -> None:
    """A sleep that an alarm interrupts is not slept to its end."""

    def ring(*_: Any) -> None:
        raise RangError

    signal.signal(signal.SIGALRM, ring)

    def program(span: float) -> Any:
        begun = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, span)
        with pytest.raises(RangError):
            time.sleep(100 * span)
        return time.monotonic() - begun

    assert both(program) >= SHORT


WAITS = {
    "sigwait": lambda: int(signal.sigwait([signal.SIGALRM])),
    "sigwaitinfo": lambda: signal.sigwaitinfo({signal.SIGALRM}).si_signo,
    "sigtimedwait": lambda: signal.sigtimedwait(iter([signal.SIGALRM]), 100.0 * YEAR).si_signo,  # type: ignore[union-attr]
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS.keys())
def test_a_blocked_signal_is_waited_for(both: Any, wait: Any) -> None:
    """The alarm comes as the outcome of the wait; nothing is left pending."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])

    def program(span: float) -> Any:
        signal.setitimer(signal.ITIMER_REAL, span)
        return wait(), signal.sigpending()

    assert both(program) == (signal.SIGALRM, set())


def test_a_signal_that_the_program_sent_itself_is_taken_on_replay_too(both: Any) -> None:
    """It is really pending then; the wait takes it, so that unblocking it ends nobody."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])

    def program(_: float) -> Any:
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)  # not to whichever thread lets it through
        pending = signal.sigpending()
        return pending, int(signal.sigwait([signal.SIGUSR1, signal.SIGALRM])), signal.sigpending()

    assert both(program) == ({signal.SIGUSR1}, signal.SIGUSR1, set())


def test_a_wait_for_a_signal_runs_out(both: Any) -> None:
    """In vain, by the clock of the program."""

    def program(span: float) -> Any:
        begun = time.monotonic()
        return signal.sigtimedwait([signal.SIGUSR2], span), time.monotonic() - begun >= span

    assert both(program) == (None, True)


def test_alarm_tells_what_was_left(both: Any) -> None:
    """Whole seconds, rounded, never 0 while an alarm is set."""

    def program(_: float) -> Any:
        return signal.alarm(1000), signal.alarm(0), signal.alarm(-1), signal.alarm(0), signal.alarm(0)

    assert both(program) == (0, 1000, 0, 2**32 - 1, 0)


def test_timers_of_processor_time_are_kept(both: Any) -> None:
    """They can be set, asked for and taken back."""

    def program(_: float) -> Any:
        signal.setitimer(signal.ITIMER_PROF, 1000, 7)
        interval = signal.getitimer(signal.ITIMER_PROF)[1]
        return interval, signal.setitimer(signal.ITIMER_PROF, 0)[1], signal.getitimer(signal.ITIMER_PROF)

    assert both(program) == (7.0, 7.0, (0.0, 0.0))


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: signal.setitimer(99, 1),
        lambda: signal.setitimer(signal.ITIMER_REAL, -1),
        lambda: signal.setitimer(signal.ITIMER_REAL, math.nan),
        lambda: signal.setitimer(signal.ITIMER_REAL, math.inf),
        lambda: signal.setitimer(signal.ITIMER_REAL, 10**30),
        lambda: signal.setitimer(signal.ITIMER_REAL, Fraction(1, 2)),
        lambda: signal.setitimer(signal.ITIMER_REAL),  # type: ignore[call-arg]
        lambda: signal.getitimer(99),
        lambda: signal.alarm(1.5),  # type: ignore[arg-type]
        lambda: signal.alarm(2**40),
        lambda: signal.sigwait([10**6]),
        lambda: signal.sigtimedwait([signal.SIGUSR1], -1),
        lambda: signal.sigtimedwait([signal.SIGUSR1], math.nan),
        lambda: signal.sigwaitinfo(5),  # type: ignore[arg-type]
    ],
)
def test_misuse_raises_as_ever(both: Any, misuse: Any) -> None:
    """The same exception with the same words, and none of it on the tape."""

    def program(_: float) -> Any:
        with pytest.raises((OSError, ValueError, TypeError, OverflowError)) as raised:
            misuse()
        return type(raised.value), raised.value.args

    assert both(program) == program(0)


def test_alarms_ring_when_the_clock_is_moved_by_hand(tmp_path: Any, rung: list[Any]) -> None:
    """Each at its own time, on the way to where the clock goes."""

    def program(session: Any) -> Any:
        begun = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 5, 2.5)
        session.clock.advance(8)
        session.clock.travel_to("2027-01-01T00:00:00Z") if len(rung) < 2 else None
        signal.setitimer(signal.ITIMER_REAL, 0)
        return [moment - begun for moment in taken(rung)]

    with testbench.record(tmp_path / "run.tape", clock="paused") as session:
        assert program(session) == [5.0, 7.5]
    with testbench.replay(tmp_path / "run.tape") as session:
        assert program(session) == [5.0, 7.5]


def test_an_alarm_rings_while_other_threads_wait(tmp_path: Any, rung: list[Any]) -> None:
    """The thread that sleeps makes the time pass, and the main thread, which waits for it, handles the signal."""

    def program() -> Any:
        begun = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 100)
        thread = threading.Thread(target=time.sleep, args=(YEAR,))
        thread.start()
        thread.join()
        return [moment - begun for moment in taken(rung)]

    with testbench.record(tmp_path / "run.tape", clock="paused", leaks="ignore"):
        assert program() == [100.0]
    with testbench.replay(tmp_path / "run.tape"):
        assert program() == [100.0]


def test_the_timer_of_a_watchdog_stays_real(tmp_path: Any) -> None:
    """One that was set before the session, or by `real_clock`, rings by the real clock, and its handler raises."""

    def spin() -> None:
        while True:
            pass

    @boundary
    def hang() -> None:
        """Do nothing that ever ends."""
        spin()

    def bark(_: int, frame: Any) -> None:
        if frame.f_code is spin.__code__:  # what is raised in a finaliser, which may run anywhere else, is lost
            real_clock.setitimer(signal.ITIMER_REAL, 0)
            raise RangError

    signal.signal(signal.SIGALRM, bark)
    real_clock.setitimer(signal.ITIMER_REAL, SHORT, SHORT)
    with pytest.raises(RangError), testbench.record(tmp_path / "run.tape", clock="paused", leaks="ignore"):
        hang()
    with pytest.raises(RangError), testbench.record(tmp_path / "run.tape", clock="paused", leaks="ignore"):
        real_clock.setitimer(signal.ITIMER_REAL, SHORT, SHORT)
        assert real_clock.getitimer(signal.ITIMER_REAL)[0] > 0
        hang()


def test_a_tape_from_before_is_replayed_with_real_timers(tmp_path: Any, rung: list[Any]) -> None:
    """A tape without the kind is answered as before: the program sets its timer, and the tape has the handler."""
    kinds = ("clock", "process", "call", "wait")

    def program() -> Any:
        signal.setitimer(signal.ITIMER_REAL, SHORT)
        time.sleep(5 * SHORT)
        signal.setitimer(signal.ITIMER_REAL, 0)
        return len(taken(rung))

    with testbench.record(tmp_path / "run.tape", recorders=kinds):
        assert program() == 1
    with testbench.replay(tmp_path / "run.tape"):
        assert program() == 1
