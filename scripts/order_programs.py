"""Concurrent programs whose outcome depends on the order in which things happen; ``scripts/prove_order`` runs them."""

from __future__ import annotations

import asyncio
import os
import queue
import random
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from testbench import boundary

THREADS: Final = 8
EVENTS: Final = 500
TASKS: Final = 1000
CHILDREN: Final = 50


@boundary
def ask(number: int) -> int:
    """Return what nobody can foresee."""
    return number + int.from_bytes(os.urandom(2), "big")


def mixed() -> Any:
    """Make 500 events in each of 8 threads, which share locks, conditions and queues."""
    shared = _Shared()
    threads = [threading.Thread(target=shared.work, args=(name,)) for name in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return shared.said, shared.turns, [shared.items.get_nowait() for _ in range(shared.items.qsize())]


class _Shared:
    """What the threads of one run share: whoever comes first changes what the others find."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.turns: list[int] = []
        self.items: queue.Queue[Any] = queue.Queue(maxsize=64)
        self._lock, self._again = threading.Lock(), threading.RLock()
        self._condition, self._gate = threading.Condition(), threading.Semaphore(3)
        self._together = threading.Barrier(THREADS)

    def work(self, name: int) -> None:
        """Make the events of one thread; every fifth is of another sort."""
        kinds = (self._look, self._draw, self._ask, self._hand_over, self._take_turns)
        for number in range(EVENTS):
            kinds[(number + name) % len(kinds)](name, number)
            if number % 250 == 10 * name:
                self._spawn(name, number)
        self._together.wait()

    def _look(self, name: int, number: int) -> None:
        with self._lock:
            self.said.append((name, number, time.time_ns(), time.monotonic()))

    def _draw(self, name: int, number: int) -> None:
        with self._gate:
            self.said.append((name, number, random.random(), os.urandom(4)))

    def _ask(self, name: int, number: int) -> None:
        answer = ask(number)
        with self._again, self._again:
            self.said.append((name, number, answer, len(self.said)))

    def _hand_over(self, name: int, number: int) -> None:
        try:
            self.items.put_nowait((name, number, time.perf_counter_ns()))
        except queue.Full:
            self.said.append((name, self.items.get(), self.items.get(timeout=1)))

    def _take_turns(self, name: int, number: int) -> None:
        if number % 50 == 0:
            time.sleep(0.0001 * name)
        with self._condition:
            self.turns.append(name)
            self._condition.notify_all()
            if number % 100 < 5:
                self._condition.wait(0.001)

    def _spawn(self, name: int, number: int) -> None:
        self.said.append((name, subprocess.check_output(["sh", "-c", f"echo {number} $$"])))


def counter() -> Any:
    """Lose increments of a counter without a lock, around a read of the clock, in 8 threads."""
    box, seen = [0], []

    def work(name: int) -> None:
        for number in range(EVENTS):
            value = box[0]
            time.time()
            if number % 40 == name:
                time.sleep(0.00005)
            box[0] = value + 1
            seen.append((name, value))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return box[0], seen


def tasks() -> Any:
    """Run 1,000 tasks with timers, locks and a queue, and 50 children, in one event loop."""
    return asyncio.run(_tasks())


async def _tasks() -> Any:
    said: list[Any] = []
    items: asyncio.Queue[int] = asyncio.Queue(maxsize=20)
    lock, few = asyncio.Lock(), asyncio.Semaphore(10)

    async def wait(name: int) -> None:
        await asyncio.sleep(random.random() / 200)
        async with lock:
            said.append((name, time.time_ns()))

    async def put(name: int) -> None:
        await items.put(name)
        said.append((name, "put", await asyncio.to_thread(ask, name) if name % 50 == 1 else ask(name)))

    async def get(name: int) -> None:
        said.append((name, await items.get(), asyncio.get_running_loop().time()))

    async def spawn(name: int) -> None:
        async with few:
            child = await asyncio.create_subprocess_exec("sh", "-c", f"echo {name} $$", stdout=subprocess.PIPE)
            said.append((name, await child.communicate(), child.returncode))

    async def hurry(name: int) -> None:
        try:
            await asyncio.wait_for(asyncio.sleep(0.002 if name % 2 else 0.0005), 0.001)
            said.append((name, "in time"))
        except TimeoutError:
            said.append((name, "too late"))

    kinds: tuple[Callable[[int], Any], ...] = (wait, put, get, hurry)
    async with asyncio.TaskGroup() as group:
        for name in range(TASKS):
            kind = spawn if name % (TASKS // CHILDREN) == 0 else kinds[name % len(kinds)]
            group.create_task(kind(name))
    return said


PROGRAMS: Final[dict[str, Callable[[], Any]]] = {"mixed": mixed, "counter": counter, "tasks": tasks}
