"""Threads: what an event costs where eight lanes contend; whole programs as they are, recorded, replayed."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from _table import at_most, beside

import testbench
from testbench.inplace.real import perf_counter_ns  # not redirected by the session that is measured

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from order_programs import PROGRAMS

EVENTS = 4000
ROUNDS = 7


@testbench.boundary
def ask(number: int) -> int:
    """Return what was asked: the least that an event can be."""
    return number


def main() -> None:
    """Compare eight threads with one, and whole programs three ways; the shortest of some rounds counts."""
    kinds: dict[str, Callable[[int], object]] = {"one event": ask, "one read of a clock": lambda _: time.time()}
    for kind, cross in kinds.items():
        one, eight = per_event(1, cross), per_event(8, cross)
        at_most(f"recording {kind} in 8 threads, times in 1", eight[0] / one[0], 2)
        beside(f"    {kind} recorded in 1 thread", one[0] / 1000, " us")
        beside(f"    {kind} recorded in 8 threads", eight[0] / 1000, " us")
        beside(f"    {kind} replayed in 8 threads", eight[1] / 1000, " us")
    for name, program in PROGRAMS.items():
        plain, recorded, replayed = three_ways(program)
        beside(f"the program {name} recorded, times the plain one", recorded / plain)
        beside(f"the program {name} replayed, times the plain one", replayed / plain)


def per_event(threads: int, cross: Callable[[int], object]) -> tuple[float, float]:
    """Return the nanoseconds of one event, recorded and replayed, where so many threads make the same number in all."""

    def work() -> None:
        for number in range(EVENTS // threads):
            cross(number)

    def program() -> None:
        made = [threading.Thread(target=work) for _ in range(threads)]
        for thread in made:
            thread.start()
        for thread in made:
            thread.join()

    _, recorded, replayed = three_ways(program)
    return recorded / EVENTS, replayed / EVENTS


def three_ways(program: Callable[[], object]) -> tuple[int, int, int]:
    """Return the nanoseconds of a program as it is, recorded and replayed; the sessions themselves are not counted."""

    def timed() -> int:
        start = perf_counter_ns()
        program()
        return perf_counter_ns() - start

    def within(session: Callable[[Path], testbench.Session]) -> int:
        with session(path):
            return timed()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "threads.tape"
        rounds = [(timed(), within(testbench.record), within(testbench.replay)) for _ in range(ROUNDS)]
    plain, recorded, replayed = (min(times) for times in zip(*rounds, strict=True))
    return plain, recorded, replayed


if __name__ == "__main__":
    main()
