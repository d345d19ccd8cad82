"""Looking for races: replay a program in many orders of its threads, until one of them ends otherwise."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from typing import Final

from testbench.cli._exit import DIFFERS, PROBLEM

_DIVERGED: Final = PROBLEM + DIFFERS


def explore(options: argparse.Namespace) -> int:
    """Run the program in the recorded order, then in others; tell of the first that ends with another status.

    Each runs in a process of its own, without what it says: run it again with the seed that is told. An order in which
    the program asks something else than was recorded, which a tape cannot answer, is told only if there is no such run.

    Returns:
        1 if there is such a run or such an order, or the recorded order cannot be replayed; else 0.
    """
    first, plain = options.shuffle or 0, _words(options, None)
    expected = _status(plain)
    if expected >= PROBLEM:
        print(f"the program ends with status {expected} in the recorded order already; see it with: {_command(plain)}")
        return 1
    diverged = []
    for seed in range(first, first + options.shuffle_runs):
        words = _words(options, seed)
        status = _status(words)
        if status == _DIVERGED:
            diverged.append(words)
        elif status != expected:
            print(f"seed {seed}: the program ends with status {status}, and in the recorded order with {expected}")
            print(f"see it with: {_command(words)}")
            return 1
    if not diverged:
        print(f"{options.shuffle_runs} orders, and the program ends with status {expected} in all of them")
        return 0
    print(
        f"{options.shuffle_runs} orders: in {len(diverged)} the program asks something else than was recorded, so that "
        f"it could not go on; in all others it ends with status {expected}"
    )
    print(f"see the first with: {_command(diverged[0])}")
    if options.order != "any":
        print("threads that share tasks ask for one another's: let them, with --order any")
    return 1


def _words(options: argparse.Namespace, seed: int | None) -> list[str]:
    """Return the words of the command that was given, with this seed and for one run."""
    cut = sys.argv.index("--")
    rest = iter(sys.argv[1:cut])
    kept = [word for word in rest if not (word.startswith("--shuffle") and ("=" in word or next(rest)))]
    return [*kept[:1], *([] if seed is None else ["--shuffle", str(seed)]), *kept[1:], "--", *options.program]


def _command(words: list[str]) -> str:
    return shlex.join(["testbench", *words])


def _status(words: list[str]) -> int:
    command = [sys.executable, "-m", "testbench", *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode
