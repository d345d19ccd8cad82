"""Relaxed orders of threads: what each still repeats, what it leaves, and how races are looked for."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench import LeftoverError, UsageError, boundary

ORDERS = ["strict", "boundary", "lane", "any"]
SEEDS = range(12)


@boundary
def ask(what: Any) -> Any:
    """Give back what was asked."""
    return what


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Give a path for a tape."""
    return tmp_path / "run.tape"


def in_threads(*works: Callable[[], None]) -> None:
    """Run functions, each in a thread of its own."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def apart(*, locking: bool) -> list[list[Any]]:
    """Let four threads do what has nothing to do with one another, but for a lock that each may take between events."""
    done: list[list[Any]] = [[] for _ in range(4)]
    lock = threading.Lock()

    def work(number: int) -> None:
        for step in range(10):
            done[number].append((ask([number, step]), time.time(), time.monotonic()))
            with lock if locking else contextlib.nullcontext():
                done[number].append(step)

    in_threads(*(lambda number=number: work(number) for number in range(4)))  # type: ignore[misc]
    return done


def shared() -> list[Any]:
    """Let three threads take tasks from a queue: who does which is up to their order."""
    tasks: queue.Queue[int] = queue.Queue()
    done: list[Any] = []
    for task in range(12):
        tasks.put(task)

    def work() -> None:
        while True:
            try:
                task = tasks.get_nowait()
            except queue.Empty:
                return
            done.append(ask(task))

    in_threads(work, work, work)
    return sorted(done)


def counting() -> int:
    """Count in two threads without a lock, around an event."""
    box = [0]

    def work() -> None:
        for _ in range(5):
            value = box[0]
            ask("how much")
            box[0] = value + 1

    in_threads(work, work)
    return box[0]


@pytest.mark.parametrize("recorded", ORDERS[:-1])
def test_threads_that_are_apart_replay_in_every_order(recorded: str, tape: Path) -> None:
    """What each thread does comes out the same, in the order of the tape and in all that are looser, but for "any"."""
    for locking in (False, True):
        with testbench.record(tape, order=recorded):
            done = apart(locking=locking)
        for order in ORDERS[ORDERS.index(recorded) : -1]:
            if not (locking and order == "boundary"):  # who gets a lock there is up to the system, on replay too
                with testbench.replay(tape, order=order):
                    assert apart(locking=locking) == done


@pytest.mark.parametrize("recorded", ["strict", "boundary", "lane"])
def test_threads_that_are_apart_replay_in_shuffled_orders(recorded: str, tape: Path) -> None:
    """Each thread keeps its own order, so that a program without races comes out the same for every seed."""
    with testbench.record(tape, order=recorded):
        done = apart(locking=True)
    for seed in SEEDS:
        with testbench.replay(tape, shuffle=seed):
            assert apart(locking=True) == done


def test_any_order_lets_another_thread_have_an_event(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where threads share tasks, another order gives them to others; only order="any" has their events then."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with testbench.record(tape):
        done = shared()
    refused = 0
    for seed in SEEDS:
        with testbench.replay(tape, order="any", shuffle=seed):
            assert shared() == done
        session = testbench.replay(tape, order="lane", shuffle=seed).open()
        try:
            shared()
            session.close()
        except testbench.DivergenceError as error:
            refused += 1
            session.abort(error)
    assert refused > 0


def test_shuffling_finds_a_race_and_its_seed_finds_it_again(tape: Path) -> None:
    """Some order loses updates of a counter without a lock; the same seed gives the same order."""

    def replayed(seed: int) -> int:
        with testbench.replay(tape, shuffle=seed):
            return counting()

    with testbench.record(tape):
        counting()
    counts = [replayed(seed) for seed in SEEDS]
    assert len(set(counts)) > 1
    assert [replayed(seed) for seed in SEEDS] == counts


@pytest.mark.parametrize(
    "options", [{"order": order} for order in ORDERS] + [{"shuffle": 1}, {"order": "any", "shuffle": 1}]
)
def test_what_is_left_or_too_much_is_a_divergence_in_every_order(options: dict[str, Any], tape: Path) -> None:
    """A relaxation gives the order free, never the events themselves."""

    def program(*questions: str) -> None:
        in_threads(*(lambda asked=asked: ask(asked) for asked in questions))  # type: ignore[misc]
        ask("end")

    with testbench.record(tape):
        program("first", "second")
    with pytest.raises(LeftoverError, match="never asked for"), testbench.replay(tape, **options):
        in_threads(lambda: ask("first"), lambda: ask("second"))
    with pytest.raises(testbench.ExhaustedError), testbench.replay(tape, **options):
        program("first", "second")
        ask("more")


def test_a_relaxation_is_in_the_header_and_in_reports(tape: Path) -> None:
    """Whoever reads a tape, or a divergence, sees what was not asked for."""
    with testbench.record(tape, order="lane"):
        ask(1)
    with testbench.open_tape(tape) as opened:
        assert opened.meta["relaxed"] == "lane"
    told = "within each lane, shuffled with seed 7"
    with pytest.raises(testbench.MismatchError, match=told), testbench.replay(tape, shuffle=7):
        ask(2)
    with testbench.record(tape):
        ask(1)
    with testbench.open_tape(tape) as opened:
        assert "relaxed" not in opened.meta


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"order": "strict"}, "nothing stricter"),
        ({"order": "boundary"}, "nothing stricter"),
        ({"order": "loose"}, "expected one of strict, boundary, lane, any"),
        ({"shuffle": "all"}, "no seed"),
        ({"rerecord": "again.tape"}, "needs the recorded order"),
    ],
)
def test_what_has_no_meaning_is_refused(options: dict[str, Any], told: str, tape: Path) -> None:
    """A replay is never stricter than its recording, and what cannot be promised is not given."""
    with testbench.record(tape, order="lane"):
        ask(1)
    with pytest.raises(UsageError, match=told), testbench.replay(tape, **options):
        ask(1)


def test_a_tape_with_signals_keeps_its_order(tape: Path) -> None:
    """The moment of a signal is told by the order of all events."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with testbench.record(tape):
            signal.raise_signal(signal.SIGUSR1)
        with pytest.raises(UsageError, match=r"this tape has signal\.handled"), testbench.replay(tape, order="lane"):
            ask(1)
    finally:
        signal.signal(signal.SIGUSR1, before)
