"""Trees of files, recorded and replayed from the same beginning."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

import testbench

Tree = dict[bytes, tuple[Any, ...]]


def tree_of(root: Path) -> Tree:
    """Return all that is in a directory: kind and mode, time and content of everything, itself too."""
    found: Tree = {}
    waiting = [os.fsencode(root)]
    while waiting:
        path = waiting.pop()
        seen = os.lstat(path)
        content: Any = None
        if stat.S_ISDIR(seen.st_mode):
            content = sorted(os.listdir(path))
            waiting += [os.path.join(path, name) for name in content]
        elif stat.S_ISLNK(seen.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(seen.st_mode):
            content = Path(os.fsdecode(path)).read_bytes() if seen.st_size < 1 << 24 else seen.st_size
        found[os.path.relpath(path, os.fsencode(root))] = (seen.st_mode, seen.st_mtime_ns, content)
    return found


@attrs.define
class Site:
    """A directory in which a program runs; brought back to its beginning between the ways to run it."""

    place: Path
    tape: Path
    _before: Path

    def begin(self) -> None:
        """Bring back the beginning, times included."""
        shutil.rmtree(self.place, ignore_errors=True)
        subprocess.run(["cp", "-a", self._before, self.place], check=True)

    def prepare(self, program: Callable[[Path], Any]) -> None:
        """Make the beginning."""
        program(self._before)

    def record(self, program: Callable[[Path], Any], **options: Any) -> tuple[Any, Tree]:
        """Record a program; return what it returns, and the tree that it leaves."""
        self.begin()
        with testbench.record(self.tape, **{"effects": "roots", "leaks": "fail", **options}):
            outcome = program(self.place)
        return outcome, tree_of(self.place)

    def replay(self, program: Callable[[Path], Any], **options: Any) -> tuple[Any, Tree]:
        """Replay it from the same beginning, with no program on PATH."""
        self.begin()
        return self.replay_here(program, **options)

    def replay_here(self, program: Callable[[Path], Any], **options: Any) -> tuple[Any, Tree]:
        """Replay it on what is there."""
        with pytest.MonkeyPatch.context() as world:
            world.setenv("PATH", "/nonexistent")
            with testbench.replay(self.tape, **options):
                outcome = program(self.place)
        return outcome, tree_of(self.place)

    def agree(self, program: Callable[[Path], Any], **options: Any) -> Tree:
        """Check that recording and replay come to the same, outcome and tree; return the tree."""
        recorded = self.record(program, **options)
        assert self.replay(program) == recorded
        return recorded[1]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Run programs in a directory of their own."""
    before = tmp_path / "before"
    before.mkdir()
    return Site(tmp_path / "place", tmp_path / "run.tape", before)


@pytest.fixture(scope="session")
def sh() -> Callable[..., str]:
    """Run a shell script in a directory; return what it prints."""

    def run(script: str, place: Path, **options: Any) -> str:
        command = ["sh", "-ec", script]
        return subprocess.run(command, cwd=place, capture_output=True, text=True, check=True, **options).stdout

    return run


@pytest.fixture(scope="session")
def tree() -> Callable[[Path], Tree]:
    """Return all that is in a directory."""
    return tree_of
