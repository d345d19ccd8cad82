"""Record concurrent programs once, and replay each N times: every outcome and every tape has to be the same.

The replays run in processes of their own, some in each, without the folders in PATH where programs are found; each is
recorded again, and has to give the same bytes. Exit status 1 means that one differed.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from order_programs import PROGRAMS

import testbench

USUAL: Final = {"mixed": 1000, "counter": 1000, "tasks": 200}
BATCH: Final = 25
"""So many replays in one process."""

LIMIT_S: Final = 120
"""A replay that takes longer hangs: the process is ended, and says where its threads are."""


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/prove_order", description=__doc__)
    usual = ", ".join(f"{count} for {name}" for name, count in USUAL.items())
    parser.add_argument("count", nargs="?", type=int, metavar="N", help=f"replays of each program (default: {usual})")
    parser.add_argument("names", nargs="*", metavar="PROGRAM", help=f"only these: {', '.join(PROGRAMS)}")
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="keep tapes and outcomes there")
    parser.add_argument("--replay", metavar="TAPE", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.names) - set(PROGRAMS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; expected some of {', '.join(PROGRAMS)}")
    return options


def main() -> int:
    """Prove, or do the part of one process."""
    options = parse()
    if options.replay:
        return replay(options.replay, options.names[0], options.count)
    with tempfile.TemporaryDirectory(prefix="order-") as folder:
        root = options.keep.resolve() if options.keep else Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        good = [prove(name, options.count or USUAL[name], root) for name in options.names or PROGRAMS]
    return 0 if all(good) else 1


def prove(name: str, count: int, root: Path) -> bool:
    """Record one program, replay it in batches, and print how many were the same."""
    tape = root / f"{name}.tape"
    begun_s = time.monotonic()
    with testbench.record(tape, leaks="fail"):
        outcome = repr(PROGRAMS[name]())
    recorded_s = time.monotonic() - begun_s
    outcome_of(tape).write_text(outcome, encoding="utf-8")
    begun_s = time.monotonic()
    same = sum(batch(tape, name, min(BATCH, count - start)) for start in range(0, count, BATCH))
    replayed_s = (time.monotonic() - begun_s) / count
    with testbench.open_tape(tape) as made:
        events, lanes = made.info().events, len(made.info().lanes)
    print(
        f"{name}: {same} of {count} replays the same, outcome and tape ({events} events, {lanes} lanes; "
        f"recorded in {recorded_s:.2f} s, replayed in {replayed_s:.2f} s)",
        flush=True,
    )
    return same == count


def batch(tape: Path, name: str, count: int) -> int:
    """Replay some times in a new process; return how many were the same."""
    command = [sys.executable, __file__, "--replay", str(tape), str(count), name]
    world = {**os.environ, "PATH": "/nonexistent"}
    done = subprocess.run(command, env=world, stdout=subprocess.PIPE, text=True)
    return done.stdout.count("same\n")


def replay(tape: Path, name: str, count: int) -> int:
    """Replay in this process, and say of each whether it was the same; why not goes to stderr."""
    recorded, again = outcome_of(tape).read_text(encoding="utf-8"), tape.with_suffix(".again")
    for number in range(count):
        faulthandler.dump_traceback_later(LIMIT_S, exit=True)
        try:
            with testbench.replay(tape, rerecord=again):
                outcome = repr(PROGRAMS[name]())
        except testbench.TestbenchError as error:
            print(f"{name}, replay {number + 1}: {error}", file=sys.stderr)
            continue
        found = [
            what
            for what, is_same in (("outcome", outcome == recorded), ("tape", same_bytes(again, tape)))
            if not is_same
        ]
        print("same" if not found else "differs", flush=True)
        if found:
            print(f"{name}, replay {number + 1}: another {' and another '.join(found)}", file=sys.stderr)
    return 0


def same_bytes(one: Path, other: Path) -> bool:
    """Tell whether two files are the same."""
    return one.read_bytes() == other.read_bytes()


def outcome_of(tape: Path) -> Path:
    """Return where the outcome of a recording is."""
    return tape.with_suffix(".outcome")


if __name__ == "__main__":
    sys.exit(main())
