"""What it costs to record what a program reads, and to replay it: opening and reading, ``os.stat``, listings."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from _table import beside, best_ns

import testbench

ROUNDS = 20
TIMES = 100
SIZE = 10_000
LINE = b"A line of ordinary text, such as programs read: 12345.\n"

Work = Callable[[], object]


def main() -> None:
    """Measure each way in turn; of each the shortest counts."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("file").write_bytes(LINE * (SIZE // len(LINE)))
        os.mkdir("folder")
        for number in range(20):
            Path("folder", f"{number}").touch()
        for name, work in (("open().read() of 10 kB", read), ("os.stat", look), ("os.listdir of 20 names", names)):
            measure(name, work)
        os.chdir("/")


def measure(name: str, work: Work) -> None:
    """Print what one kind of read costs, in microseconds."""
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        ways: dict[str, Callable[[], AbstractContextManager[object]]] = {
            "plain": contextlib.nullcontext,
            "recorded, sealed": lambda: testbench.record("sealed.tape", files="sealed"),
            "replayed, sealed": lambda: testbench.replay("sealed.tape"),
            "recorded, observed": lambda: testbench.record("observed.tape", files="observed"),
            "replayed, observed": lambda: testbench.replay("observed.tape"),
        }
        for way, session in ways.items():
            with session():
                took = best_ns(lambda: [work() for _ in range(TIMES)], 1) / TIMES / 1000
            best[way] = min(took, best.get(way, took))
    for way, took in best.items():
        beside(f"{name}, {way}", took, " us")


def read() -> bytes:
    """Read a file."""
    with open("file", "rb") as stream:
        return stream.read()


def look() -> os.stat_result:
    """Ask of a file how it is."""
    return os.stat("file")


def names() -> list[str]:
    """List a directory."""
    return os.listdir("folder")


if __name__ == "__main__":
    main()
