"""A hundred exchanges with an interactive child: a line to it, a line back; as they are, recorded, replayed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from subprocess import DEVNULL, PIPE

from _table import at_least, beside

import testbench
from testbench.inplace.real import perf_counter_ns  # not redirected by the session that is measured

EXCHANGES = 100
ROUNDS = 15


def main() -> None:
    """Talk with Python, and with bc where it is installed; the shortest of some rounds counts."""
    plain, recorded, replayed = three_ways([sys.executable, "-i", "-q"], "print({0} * {0})\n")
    at_least(f"replaying {EXCHANGES} exchanges with python -i, start to end, times faster", plain[0] / replayed[0], 20)
    beside("    recording them, times the plain ones", recorded[0] / plain[0])
    beside("    the exchanges alone, when the child is up, times faster", plain[1] / replayed[1])
    beside("    one exchange as it is", plain[1] / EXCHANGES / 1000, " us")
    beside("    one exchange replayed", replayed[1] / EXCHANGES / 1000, " us")
    if shutil.which("bc"):
        plain, recorded, replayed = three_ways(["bc", "-q"], "{0} * {0}\n")
        beside(f"replaying {EXCHANGES} exchanges with bc, start to end, times faster", plain[0] / replayed[0])
        beside("    recording them, times the plain ones", recorded[0] / plain[0])


def three_ways(argv: list[str], line: str) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return the times of one dialogue: as it is, recorded, replayed; see `talk`."""

    def rounds() -> tuple[int, int]:
        times = [talk(argv, line) for _ in range(ROUNDS)]
        return min(whole for whole, _ in times), min(exchanges for _, exchanges in times)

    def within(session: Callable[[Path], testbench.Session]) -> tuple[int, int]:
        with session(path):
            return rounds()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dialogue.tape"
        return rounds(), within(testbench.record), within(testbench.replay)


def talk(argv: list[str], line: str) -> tuple[int, int]:
    """Hold the dialogue; return the nanoseconds of all of it, and those of the exchanges but for the first."""
    start = perf_counter_ns()
    with subprocess.Popen(argv, stdin=PIPE, stdout=PIPE, stderr=DEVNULL) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for number in range(EXCHANGES + 1):
            child.stdin.write(line.format(number).encode())
            child.stdin.flush()
            if child.stdout.readline() != b"%d\n" % (number * number):
                raise SystemExit(f"{argv[0]} does not answer as expected")
            if not number:
                begin = perf_counter_ns()  # the child is up
        end = perf_counter_ns()
    return perf_counter_ns() - start, end - begin


if __name__ == "__main__":
    main()
