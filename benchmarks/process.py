"""Replaying a child process beside running it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from _table import at_least, beside, best_ns

import testbench

ROUNDS = 100


def main() -> None:
    """Measure one process at a time; the shortest of many counts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "git.tape"
        plain = best_ns(run, ROUNDS)
        with testbench.record(path):
            recorded = best_ns(run, ROUNDS)
        with testbench.replay(path):
            replayed = best_ns(run, ROUNDS)
    at_least("replaying subprocess.run(git --version), times faster than running it", plain / replayed, 20)
    beside("recording subprocess.run(git --version), times the plain call", recorded / plain)


def run() -> None:
    """Run a short process and read what it says."""
    subprocess.run(["git", "--version"], capture_output=True)


if __name__ == "__main__":
    main()
