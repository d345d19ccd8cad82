"""What a read of the clock costs: plain, recorded, replayed, and under the tools that freeze time.

All cases take turns in each round, so that a slow moment of the machine hits all alike; the best round of each counts.
The three floors show what a redirected function costs at least: with the smallest Python closure that keeps what it
reads, with a C iterator over floats, and with one that makes floats of eight bytes each, which are hashed before:
nothing of a tape is given out that was not verified.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import subprocess
import sys
import tempfile
import time
import timeit
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import freezegun
import time_machine
from _table import at_least, at_most, beside

import testbench
from testbench.inplace import Redirect
from testbench.inplace.real import perf_counter_ns

ROUNDS = 40
READS = 20_000
GOALS = {
    ("time.time()", "recorded"): 3.0,
    ("time.time()", "replayed"): 0.6,
    ("datetime.now()", "recorded"): 4.0,
    ("datetime.now()", "replayed"): 1.0,
}
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

LookUp = Callable[[], Callable[[], object]]
"""Finds the function as a program finds it at this moment: freezegun puts another object there."""


def read(look_up: LookUp, number: int) -> float:
    """Call the function in a loop; nanoseconds a call, the loop included."""
    return timeit.timeit("read()", globals={"read": look_up()}, number=number, timer=perf_counter_ns) / number


@contextmanager
def floor_of_recording() -> Iterator[None]:
    """Redirect ``time.time`` to the smallest closure that keeps what it reads."""
    redirect, kept = Redirect(time.time), []
    original, append = redirect.original, kept.append

    def closure() -> object:
        value = original()
        append(value)
        return value

    redirect.to(closure)
    try:
        yield
    finally:
        redirect.restore()


@contextmanager
def floor_of_replaying() -> Iterator[None]:
    """Redirect ``time.time`` to an iterator over floats."""
    redirect = Redirect(time.time)
    redirect.to(itertools.chain([0.5] * 10_000_000, itertools.repeat(0.5)).__next__)
    try:
        yield
    finally:
        redirect.restore()


@contextmanager
def floor_of_verifying() -> Iterator[None]:
    """Redirect ``time.time`` to an iterator that makes floats of bytes, and hash these, 4,096 floats at a time."""
    data = array("d", [0.5] * 4096).tobytes()

    def runs() -> Iterator[Iterable[float]]:
        while True:
            hashlib.sha256(data)
            yield array("d", data)

    redirect = Redirect(time.time)
    redirect.to(itertools.chain.from_iterable(runs()).__next__)
    try:
        yield
    finally:
        redirect.restore()


class Bench:
    """Keeps the best time of each case.

    Args:
        tape: where to record to; it is written anew in each round.
    """

    def __init__(self, tape: Path) -> None:
        self._tape = tape
        self.best: dict[str, float] = {}

    def case(self, name: str, look_up: LookUp, number: int) -> None:
        """Measure one case once."""
        with self._around(name):
            self.best[name] = min(read(look_up, number), self.best.get(name, float("inf")))

    def _around(self, name: str) -> AbstractContextManager[object]:
        around: dict[str, Callable[[], AbstractContextManager[object]]] = {
            "plain": nullcontext,
            "recorded": lambda: testbench.record(self._tape, recorders=["clock"]),
            "replayed": lambda: testbench.replay(self._tape),
            "floor of recording": floor_of_recording,
            "floor of replaying": floor_of_replaying,
            "floor of verifying": floor_of_verifying,
            "time-machine, frozen": lambda: time_machine.travel(START, tick=False),
            "time-machine, ticking": lambda: time_machine.travel(START, tick=True),
            "freezegun, frozen": lambda: freezegun.freeze_time(START),
            "freezegun, ticking": lambda: freezegun.freeze_time(START, tick=True),
        }
        return around[name]()


FUNCTIONS = {
    "time.time()": (lambda: time.time, True),
    "datetime.now()": (lambda: datetime.datetime.now, False),
}
_FLOORS = ("floor of recording", "floor of replaying", "floor of verifying")
OTHERS = ("time-machine, frozen", "time-machine, ticking", "freezegun, frozen", "freezegun, ticking")


def measure(look_up: LookUp, with_floors: bool) -> dict[str, float]:
    """Return the best nanoseconds a call of each case."""
    ours = ("plain", "recorded", "replayed", *(_FLOORS if with_floors else ()))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "clock.tape")
        for _ in range(ROUNDS):
            for name in ours:
                bench.case(name, look_up, READS)
            for name in OTHERS:
                bench.case(name, look_up, READS // 20)
    return bench.best


def per_session(tape: Path, opening: Callable[[Path], AbstractContextManager[object]]) -> float:
    """Open and close a session with all recorders; milliseconds, the best of many."""
    best = float("inf")
    for _ in range(ROUNDS * 3):
        start = perf_counter_ns()
        with opening(tape):
            pass
        best = min(best, perf_counter_ns() - start)
    return best / 1e6


MANY = """
import re, sys, time, testbench
from collections import deque
from itertools import repeat, starmap
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
how, tape = getattr(testbench, sys.argv[1]), sys.argv[2]
read = lambda count: deque(starmap(time.time, repeat((), count)), maxlen=0)
with how(tape):
    read(500_000)
    time.monotonic()
    before = peak()
    for _ in range(19):
        read(500_000)
        time.monotonic()
print(peak() - before)
"""
"""Reads a clock ten million times, another one now and then; prints by how many KiB that made the process grow."""


def report_many() -> None:
    """Print what ten million reads cost on the tape, and in memory on record and replay."""
    with tempfile.TemporaryDirectory() as folder:
        tape = Path(folder) / "many.tape"
        for how in ("record", "replay"):
            command = [sys.executable, "-c", MANY, how, tape]
            grown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            at_most(f"10,000,000 reads, memory added to {how}", int(grown) / 1024, 4, " MiB")
        at_most("10,000,000 reads, on the tape", tape.stat().st_size / 1e7, 12, " bytes each")


def report_long_run() -> None:
    """Print what a replayed read costs on a long tape, most of which cannot have been verified when it was opened."""
    count, best, plain = 32_768, float("inf"), min(read(lambda: time.time, READS) for _ in range(ROUNDS))
    with tempfile.TemporaryDirectory() as folder:
        tape = Path(folder) / "long.tape"
        with testbench.record(tape, recorders=["clock"]):
            for _ in range(4 * ROUNDS):
                read(lambda: time.time, count)
        with testbench.replay(tape):
            for _ in range(4 * ROUNDS):
                best = min(best, read(lambda: time.time, count))
    at_most("time.time(), replayed from a long tape, times plain", best / plain, 0.6)


def report_sessions() -> None:
    """Print what a session costs that does nothing."""
    with tempfile.TemporaryDirectory() as folder:
        tape = Path(folder) / "empty.tape"
        at_most("all recorders, recording nothing", per_session(tape, testbench.record), 3, " ms")
        at_most("all recorders, replaying nothing", per_session(tape, testbench.replay), 3, " ms")


def report(function: str, best: dict[str, float]) -> None:
    """Print a line a case: how many times plain it is."""
    plain = best.pop("plain")
    beside(f"{function}, plain", plain, " ns")
    for name, ns in best.items():
        line = f"{function}, {name}, times plain"
        if (function, name) in GOALS:
            at_most(line, ns / plain, GOALS[function, name])
        else:
            beside(line, ns / plain)
    for name in OTHERS:
        at_least(f"{function}, {name}, times replayed", best[name] / best["replayed"], 10)


def main() -> None:
    """Measure and print."""
    for function, (look_up, with_floors) in FUNCTIONS.items():
        report(function, measure(look_up, with_floors))
    report_long_run()
    report_many()
    report_sessions()


if __name__ == "__main__":
    main()
