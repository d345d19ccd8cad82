"""Generated programs of several threads: a replay gives the same outcome, races included, and the same tape."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from testbench import boundary

Check = Callable[[Callable[[], Any]], None]

SHORT_S: Final = 0.002
"""Nothing waits for longer, so that no generated program can deadlock."""

leaf = st.one_of(
    st.tuples(st.sampled_from(["look", "draw", "count", "notify", "set", "clear"])),
    st.tuples(st.just("ask"), st.integers(0, 99)),
    st.tuples(st.just("put"), st.sampled_from(["fifo", "lifo", "simple"]), st.integers(0, 9)),
    st.tuples(st.just("sleep"), st.sampled_from([0, 0.0001, 0.0005])),
)
step = st.one_of(
    leaf,
    st.tuples(st.sampled_from(["lock", "again", "few", "condition"]), st.lists(leaf, max_size=3)),
    st.tuples(st.just("get"), st.sampled_from(["fifo", "lifo", "simple"])),
    st.tuples(st.sampled_from(["wait", "await", "timer", "pool", "daemon", "fail", "meet"])),
)
program = st.lists(st.lists(step, max_size=8), min_size=2, max_size=4)


@boundary(name="property_threads_ask")
def ask(number: int) -> int:
    """Return what nobody can foresee."""
    return number + random.randrange(1000)


OUTLIVING: list[tuple[threading.Event, threading.Thread]] = []
"""Daemons that outlive their sessions, and what lets them end."""


class Run:
    """One run of a generated program."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.count = 0
        self.locks: dict[str, Any] = {
            "lock": threading.Lock(),
            "again": threading.RLock(),
            "few": threading.Semaphore(2),
            "condition": threading.Condition(),
        }
        self.queues: dict[str, Any] = {"fifo": queue.Queue(), "lifo": queue.LifoQueue(), "simple": queue.SimpleQueue()}
        self.event, self.barrier = threading.Event(), threading.Barrier(2)
        self.threads: list[threading.Thread] = []

    def go(self, program: list[list[tuple[Any, ...]]]) -> Any:
        """Run all threads to their ends, but for daemons; return what they saw, in the order in which they did."""
        for name, steps in enumerate(program):
            self.start(threading.Thread(target=lambda name=name, steps=steps: self.work(name, steps)))
        for thread in self.threads:
            thread.join()
        return self.said, self.count, [self._left(kind) for kind in sorted(self.queues)]

    def start(self, thread: threading.Thread) -> None:
        """Start a thread that is waited for."""
        self.threads.append(thread)
        thread.start()

    def work(self, name: Any, steps: list[tuple[Any, ...]]) -> None:
        """Do the steps of one thread."""
        for number, (what, *rest) in enumerate(steps):
            if what in self.locks:
                with self.locks[what]:
                    self.work((name, number), rest[0])
            else:
                self.said.append((name, number, what, getattr(self, f"do_{what}")(*rest)))

    def do_look(self) -> Any:
        return time.time_ns(), time.monotonic()

    def do_draw(self) -> Any:
        return random.random()

    def do_count(self) -> Any:
        value = self.count
        seen = time.perf_counter()
        self.count = value + 1
        return value, seen

    def do_ask(self, number: int) -> Any:
        return ask(number)

    def do_sleep(self, seconds: float) -> Any:
        time.sleep(seconds)

    def do_put(self, kind: str, value: int) -> Any:
        self.queues[kind].put(value)

    def do_get(self, kind: str) -> Any:
        try:
            return self.queues[kind].get(timeout=SHORT_S)
        except queue.Empty:
            return "empty"

    def do_notify(self) -> Any:
        condition = self.locks["condition"]
        if condition.acquire(blocking=False):
            condition.notify()
            condition.release()

    def do_wait(self) -> Any:
        with self.locks["condition"]:
            return self.locks["condition"].wait(SHORT_S)

    def do_set(self) -> Any:
        self.event.set()

    def do_clear(self) -> Any:
        self.event.clear()

    def do_await(self) -> Any:
        return self.event.wait(SHORT_S)

    def do_meet(self) -> Any:
        try:
            return self.barrier.wait(SHORT_S)
        except threading.BrokenBarrierError:
            self.barrier.reset()
            return "broken"

    def do_timer(self) -> Any:
        self.start(threading.Timer(0.0003, lambda: self.said.append(("timer", time.time_ns()))))

    def do_pool(self) -> Any:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda number: (ask(number), time.time_ns()), range(3)))

    def do_daemon(self) -> Any:
        forever = threading.Event()
        outliving = threading.Thread(target=lambda: (time.time(), forever.wait()), daemon=True)
        OUTLIVING.append((forever, outliving))
        outliving.start()

    def do_fail(self) -> Any:
        def fail() -> None:
            raise ValueError(ask(7))

        self.start(threading.Thread(target=fail))

    def _left(self, kind: str) -> list[int]:
        found = self.queues[kind]
        return [found.get_nowait() for _ in range(found.qsize())]


def run(program: list[list[tuple[Any, ...]]]) -> Any:
    """Run a generated program; what threads raise is part of its outcome."""
    made = Run()
    before = threading.excepthook
    threading.excepthook = lambda failed: made.said.append(("raised", repr(failed.exc_value)))
    try:
        return made.go(program)
    finally:
        threading.excepthook = before


@given(program)
def test_programs_of_threads_replay_exactly(check_exact: Check, program: list[list[tuple[Any, ...]]]) -> None:
    """For any threads with locks, conditions, events, semaphores, barriers, queues, timers, pools, daemons, errors."""
    try:
        check_exact(lambda: run(program))
    finally:
        for forever, outliving in OUTLIVING:
            forever.set()
            outliving.join()
        OUTLIVING.clear()
