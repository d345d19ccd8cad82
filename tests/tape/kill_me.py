"""Record without end, flushing often, and say after each flush how much is on the tape; `test_kill` kills it.

Usage: python kill_me.py PATH
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from itertools import count, islice

from testbench.tape import Returned, TapeFile, Writer


def steps() -> Iterator[tuple[str, int | float]]:
    """Give what is recorded, in order: values of a clock, and calls."""
    for number in count():
        if number % 41 in (0, 7, 8, 30):
            yield "call", number
        else:
            yield "clock", number if number % 100 < 60 else number + 0.5


def record(writer: Writer, size: int | None, flushed: Callable[[int], object]) -> None:
    """Record steps; runs of clock values stay open as long as possible."""
    clock, call = writer.kind("clock.time", ["values"]), writer.kind("call.f", ["n", "data", "took_ns", "outcome"])
    run: list[int | float] = []
    for number, (kind, value) in enumerate(islice(steps(), size)):
        if kind == "clock":
            run.append(value)
        else:
            if run:
                writer.event([clock, 1, 0, writer.run_body(run)])
                run.clear()
            payload = b"%d" % number * (number % 900)
            writer.event([call, 1, 0, writer.call_body([value, payload, 5], Returned(None))])
        if number % 3 == 0:
            writer.flush([clock, 1, 0, writer.run_body(run)] if run else None)
            flushed(number + 1)


def expected(size: int) -> list[tuple[str, int | float]]:
    """Give the first steps."""
    return list(islice(steps(), size))


if __name__ == "__main__":
    recording = Writer(TapeFile.create(sys.argv[1]).fd, {"who": "kill_me"})
    record(recording, None, lambda number: os.write(1, b"%d\n" % number))
