"""What it costs to record what short git commands do to a small tree, and how fast a replay does it again."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

from _table import at_least, at_most, best_ns

import testbench

ROUNDS = 15
COMMITS = 6
GIT = ("git", "-c", "user.name=ada", "-c", "user.email=ada@example.org")
COMMANDS = (("add", "."), ("commit", "-qm", "x"), ("rev-parse", "HEAD"), ("status", "--short"), ("log", "--oneline"))

Times = dict[tuple[int, int], int]


def main() -> None:
    """Measure every command by itself, all ways in turn; of each the shortest counts."""
    ways: dict[str, Times] = {"plain": {}, "recorded": {}, "with effects": {}, "replayed": {}}
    with tempfile.TemporaryDirectory() as folder:
        tape = Path(folder, "effects.tape")
        for _ in range(ROUNDS):
            sessions: dict[str, AbstractContextManager[object]] = {
                "plain": contextlib.nullcontext(),
                "recorded": testbench.record(Path(folder, "plain.tape"), leaks="ignore"),
                "with effects": testbench.record(tape, effects="roots", leaks="ignore"),
            }
            for name, session in sessions.items():
                suite(session, Path(folder, "place"), ways[name])
            suite(testbench.replay(tape), Path(folder, "place"), ways["replayed"])
    plain, recorded, effects, replayed = (sum(times.values()) for times in ways.values())
    at_most("recording effects of short git commands, times recording without", effects / recorded, 1.15)
    at_least("replaying them, times faster than running them", plain / replayed, 3)


def suite(session: AbstractContextManager[object], place: Path, best: Times) -> None:
    """Let git make a repository with a few commits, each command timed."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    with session:
        subprocess.run([*GIT, "init", "-q"], cwd=place, check=True)
        for number in range(COMMITS):
            (place / f"file{number}").write_text(f"{number}\n")
            for at, command in enumerate(COMMANDS):
                took = best_ns(lambda: run(command, place), 1)  # noqa: B023  # called at once
                best[number, at] = min(took, best.get((number, at), took))


def run(command: tuple[str, ...], place: Path) -> None:
    """Run one command and read what it says."""
    subprocess.run([*GIT, *command], cwd=place, capture_output=True, check=True, env={"PATH": os.environ["PATH"]})


if __name__ == "__main__":
    main()
