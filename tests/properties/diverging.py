"""Concurrent programs made from a seed, each in one version to record and another that leaves the tape.

Run as ``python diverging.py FIRST LAST``: records and replays the programs of these seeds, and prints one line of JSON
for each. A program that takes longer than its time ends the process with the stacks of all threads.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import queue
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import testbench
from testbench import boundary

LIMIT_S = 5.0
LOCKS = 3


@boundary
def ask(what: Any) -> Any:
    """Give back what was asked."""
    return what


class Program:
    """Workers that ask the world, take locks and hand over items; the main thread waits for what they make.

    Args:
        steps: what each worker does.
    """

    def __init__(self, steps: list[list[tuple[Any, ...]]]) -> None:
        self.steps = steps
        self.locks = [threading.Lock() for _ in range(LOCKS)]
        self.again = threading.RLock()
        self.items: queue.Queue[Any] = queue.Queue()
        self.results: queue.Queue[Any] = queue.Queue()
        self.never: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.event, self.future = threading.Event(), Future[None]()
        self.barrier = threading.Barrier(len(steps) + 1)
        self.unstarted: set[int] = set()
        self.order = list(range(len(steps)))
        self.threads: list[threading.Thread] = []

    def run(self) -> None:
        """Start the workers, wait for what each makes, and for their ends."""
        self.threads = [threading.Thread(target=self.work, args=(name,), daemon=True) for name in self.order]
        for name, thread in zip(self.order, self.threads, strict=True):
            if name not in self.unstarted:
                thread.start()
        for number in range(len(self.steps)):
            self.items.put(number)
        for _ in self.steps:
            self.results.get()
        for thread in self.threads:
            thread.join()
        for lock in self.locks:
            with lock:
                ask("every lock is free")

    def let_go(self) -> None:
        """Let threads end that still wait, where anything can; those of a program that has failed may."""
        self.event.set()
        self.future.set_result(None)
        self.barrier.abort()
        for thread in self.threads:
            self.never.put(None)
            self.items.put(None)
            if thread.ident is not None:
                thread.join(0.05)

    def work(self, name: int) -> None:
        """Be one worker."""
        self.items.get()
        for step in self.steps[name]:
            self.perform(*step)
        self.results.put(name)

    def perform(self, what: str, *rest: Any) -> None:
        """Do one step."""
        actions: dict[str, Callable[..., Any]] = {
            "ask": ask,
            "clock": time.time,
            "sleep": lambda: time.sleep(0.0001),
            "locked": self.locked,
            "hold": lambda number: self.locks[number].acquire(),
            "get": self.never.get,
            "event": self.event.wait,
            "future": self.future.result,
            "barrier": self.barrier.wait,
            "die": self.die,
            "join": lambda name: self.threads[name].join(),
            "thread": self.another,
        }
        actions[what](*rest)

    def locked(self, number: int, inner: list[tuple[Any, ...]]) -> None:
        """Do steps with a lock."""
        with self.locks[number], self.again if number == 0 else contextlib.nullcontext():
            for step in inner:
                self.perform(*step)

    def die(self) -> None:
        """Raise what nobody catches."""
        raise LookupError("this worker dies early")

    def another(self) -> None:
        """Start one more lane, and wait for it."""
        thread = threading.Thread(target=ask, args=("one more",), daemon=True)
        thread.start()
        thread.join()


def made(draw: random.Random) -> list[list[tuple[Any, ...]]]:
    """Return the steps of some workers; each asks at least once."""
    simple = [("ask", 1), ("ask", "two"), ("clock",), ("sleep",)]

    def some(most: int) -> list[tuple[Any, ...]]:
        return [draw.choice(simple) for _ in range(draw.randint(1, most))]

    workers = []
    for number in range(draw.randint(2, 5)):
        steps: list[tuple[Any, ...]] = [("ask", f"worker {number}")]
        for _ in range(draw.randint(1, 4)):
            steps += [("locked", draw.randrange(LOCKS), some(3))] if draw.random() < 0.5 else some(2)
        workers.append(steps)
    return workers


def _insert(*step: Any) -> Callable[[Program, random.Random], None]:
    def change(program: Program, draw: random.Random) -> None:
        steps = draw.choice(program.steps)
        steps.insert(draw.randint(0, len(steps)), step)

    return change


def _drop(program: Program, draw: random.Random) -> None:
    draw.choice(program.steps).pop(0)


def _reorder(program: Program, draw: random.Random) -> None:
    program.order.reverse()


def _leave_out(program: Program, draw: random.Random) -> None:
    program.unstarted.add(draw.randrange(len(program.steps)))


def _join_each_other(program: Program, draw: random.Random) -> None:
    program.steps[0].insert(0, ("join", 1))
    program.steps[1].insert(0, ("join", 0))


def _take_crosswise(program: Program, draw: random.Random) -> None:
    for mine, others, steps in ((1, 2, program.steps[0]), (2, 1, program.steps[1])):
        steps[1:] = [("locked", mine, [("ask", "first"), ("locked", others, [("ask", "second")])])]


def _add_worker(program: Program, draw: random.Random) -> None:
    program.steps.append([("ask", "more than recorded")])
    program.order.append(len(program.steps) - 1)


def _move_an_event(program: Program, draw: random.Random) -> None:
    program.steps[1].append(program.steps[0].pop(0))


CHANGES: dict[str, Callable[[Program, random.Random], None]] = {
    "extra event": _insert("ask", "extra"),
    "missing event": _drop,
    "other lane order": _reorder,
    "lock left held": _insert("hold", 1),
    "thread never started": _leave_out,
    "thread dies early": _insert("die"),
    "join cycle": _join_each_other,
    "queue never filled": _insert("get"),
    "event never set": _insert("event"),
    "future never done": _insert("future"),
    "barrier never full": _insert("barrier"),
    "locks taken crosswise": _take_crosswise,
    "more workers": _add_worker,
    "one more lane": _insert("thread"),
    "event in another lane": _move_an_event,
}


def diverge(seed: int, folder: Path) -> dict[str, Any]:
    """Record a program and replay its other version; return what came of that."""
    draw = random.Random(seed)
    steps, how = made(draw), list(CHANGES)[seed % len(CHANGES)]
    tape = folder / f"{seed}.tape"
    with testbench.record(tape):
        Program([list(worker) for worker in steps]).run()
    changed = Program([list(worker) for worker in steps])
    CHANGES[how](changed, draw)
    told: dict[str, Any] = {"seed": seed, "how": how, "code": None, "lanes": []}
    begun = time.monotonic()
    try:
        with testbench.replay(tape):
            changed.run()
    except testbench.DivergenceError as error:
        told |= {"code": error.report.code, "lanes": error.lanes, "text": str(error)}
    seconds = time.monotonic() - begun
    changed.let_go()
    return told | {"seconds": seconds}


def main(first: int, last: int) -> None:
    """Try the programs of some seeds."""
    threading.excepthook = lambda args: None
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, last):
            faulthandler.dump_traceback_later(2 * LIMIT_S, exit=True)
            sys.stdout.write(json.dumps(diverge(seed, Path(folder))) + "\n")
        faulthandler.cancel_dump_traceback_later()
    sys.stdout.flush()
    os._exit(0)  # threads of programs that have failed may wait for ever, as they would without us


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
