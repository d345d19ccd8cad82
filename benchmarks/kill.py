"""Recordings killed at random moments: what is left behind opens, misses nothing that was on disk, and is recovered."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _table import at_least

import testbench

KILLS = 100
SEED = 20260101

PROGRAM = """
import subprocess, sys, threading, time
import testbench

@testbench.boundary
def payload(n):
    return b"%d" % n * (n % 4000)

def work():
    for n in range(10**9):
        time.time(), payload(n), time.monotonic()
        if n % 500 == 0:
            subprocess.run(["true"])

with testbench.record(sys.argv[1]):
    threading.Thread(target=work, daemon=True).start()
    work()
"""


def main() -> None:
    """Kill a recording a hundred times and count what can be opened, what is still there, and what recovers."""
    dice = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        results = [kill(Path(folder) / f"{number}.tape", dice.uniform(0, 0.25)) for number in range(KILLS)]
    for name, good in zip(
        ("open", "hold every event that was on disk", "recover to a sound tape"),
        zip(*results, strict=True),
        strict=True,
    ):
        at_least(f"of {KILLS} recordings killed, {name}", sum(good), KILLS, "")


def kill(path: Path, wait_s: float) -> tuple[bool, bool, bool]:
    """Kill one recording after some time."""
    partial = path.with_name(path.name + ".partial")
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)])
    while not (partial.exists() and partial.stat().st_size):
        time.sleep(0.001)
    time.sleep(wait_s)
    seen = events(partial)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    left = events(partial)
    report = testbench.recover(partial, path)
    sound = not testbench.check(path) and events(path) == left == report.events
    path.unlink()
    return left >= 0, left >= seen, sound


def events(path: Path) -> int:
    """Count the events of a tape; -1 if it cannot be read."""
    try:
        with testbench.open_tape(path) as tape:
            return sum(1 for _ in tape)
    except testbench.TapeError:
        return -1


if __name__ == "__main__":
    main()
