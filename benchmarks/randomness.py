"""What a draw costs: plain, recorded, replayed; and random bytes, beside the floor of any crossing.

All cases take turns in each round, so that a slow moment of the machine hits all alike; the best round of each counts.
The floor of recording is what an event costs whose effect does nothing; the floor of a draw is the smallest Python
function in the place of the builtin.
"""

from __future__ import annotations

import os
import random
import tempfile
import timeit
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from _table import at_most, beside

import testbench
from testbench.inplace import Redirect
from testbench.inplace.real import perf_counter_ns

ROUNDS = 9
GENERATOR = random.Random(1)
DRAWS: dict[str, tuple[Callable[[], object], int]] = {
    "random.random()": (random.random, 50_000),
    "random.getrandbits(32)": (lambda: random.getrandbits(32), 50_000),
    "generator.random()": (lambda: GENERATOR.random(), 50_000),
    "random.randint(1, 6)": (lambda: random.randint(1, 6), 20_000),
    "os.urandom(16)": (lambda: os.urandom(16), 2_000),
    "random.Random()": (random.Random, 500),
    "random.Random(5)": (lambda: random.Random(5), 500),
}
GOALS = {("random.random()", "recorded"): 6.0, ("random.random()", "replayed"): 6.0}


@testbench.boundary
def nothing() -> None:
    """Be a crossing that costs what every crossing costs."""


@contextmanager
def floor_of_a_draw() -> Iterator[None]:
    """Redirect ``random.random`` to the smallest closure."""
    redirect = Redirect(random.random)
    original = redirect.original
    redirect.to(lambda: original())
    try:
        yield
    finally:
        redirect.restore()


def cost(draw: Callable[[], object], number: int) -> float:
    """Return nanoseconds a draw, the loop included."""
    draw()  # the state is asked here
    return timeit.timeit("draw()", globals={"draw": draw}, number=number, timer=perf_counter_ns) / number


def measure(folder: Path) -> dict[tuple[str, str], float]:
    """Return the best nanoseconds of each draw in each way."""
    best: dict[tuple[str, str], float] = {}
    tape = folder / "dice.tape"
    ways: dict[str, Callable[[], AbstractContextManager[object]]] = {
        "plain": nullcontext,
        "recorded": lambda: testbench.record(tape),
        "replayed": lambda: testbench.replay(tape),
    }
    for _ in range(ROUNDS):
        for draw, (function, number) in DRAWS.items():
            for way, around in ways.items():
                with around():
                    keep(best, (draw, way), cost(function, number))
        for way in ("recorded", "replayed"):
            with ways[way]():
                keep(best, ("a crossing without an effect", way), cost(nothing, 2_000))
        with floor_of_a_draw():
            keep(best, ("random.random()", "floor"), cost(random.random, 50_000))
    return best


def keep(best: dict[tuple[str, str], float], case: tuple[str, str], ns: float) -> None:
    """Keep the best time of a case."""
    best[case] = min(ns, best.get(case, ns))


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        best = measure(Path(folder))
    for (draw, way), ns in best.items():
        plain = best.get((draw, "plain"))
        if way == "plain" or plain is None:
            beside(f"{draw}, {way}", ns, " ns")
        elif (draw, way) in GOALS:
            at_most(f"{draw}, {way}, times plain", ns / plain, GOALS[draw, way])
        else:
            beside(f"{draw}, {way}, times plain", ns / plain)


if __name__ == "__main__":
    main()
