"""Trees of files, recorded and replayed from the same beginning, or with all of it gone."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

import testbench
from tests.trees import Tree, tree_of


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


@attrs.define
class World:
    """A directory that a program runs in, and a tape of that."""

    tape: Path

    def record(self, program: Callable[[], Any], **options: Any) -> Any:
        """Record a program; nothing of what it reads is a leak."""
        with testbench.record(self.tape, **{"files": "sealed", "leaks": "fail", **options}):
            return program()

    def replay(self, program: Callable[[], Any], **options: Any) -> Any:
        """Replay it."""
        with testbench.replay(self.tape, **options):
            return program()

    def agree(self, program: Callable[[], Any], **options: Any) -> Any:
        """Run it, record it, replay it with every file gone; check that all come to the same."""
        stock = program()
        recorded = self.record(program, **options)
        assert recorded == stock
        for name in os.listdir("."):
            shutil.rmtree(name) if os.path.isdir(name) and not os.path.islink(name) else os.unlink(name)
        assert self.replay(program) == recorded
        return recorded

    def ops(self) -> list[str]:
        """Return the ops of kind files on the tape."""
        return [event.op for event in testbench.open_tape(self.tape) if event.kind == "files"]

    @staticmethod
    def error_of(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Return all that can be seen of the exception that a call raises."""
        with pytest.raises((OSError, ValueError, TypeError, OverflowError, LookupError)) as caught:
            function(*args, **options)
        error = caught.value
        return type(error), str(error), error.args, getattr(error, "filename", None)

    @staticmethod
    def all_of(function: Callable[..., Any], *args: Any, **options: Any) -> list[Any]:
        """Return the lines of a file that a function opens."""
        with function(*args, **options) as stream:
            return list(stream)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Begin in a directory with a few files."""
    place = tmp_path / "place"
    (place / "folder" / "sub").mkdir(parents=True)
    (place / "text.txt").write_text("one\ntwö\nthree\n", encoding="utf-8")
    os.utime(place / "text.txt", ns=(-1_500_000_001, 1_234_567_890_123_456_789))
    (place / "bytes.bin").write_bytes(bytes(range(256)) * 100)
    (place / "folder" / "sub" / "deep.txt").write_text("deep")
    (place / "folder" / "link").symlink_to("sub/deep.txt")
    (place / "folder" / "lost").symlink_to("nowhere")
    (place / "folder" / "dirlink").symlink_to("sub")
    monkeypatch.chdir(place)
    return World(tmp_path / "run.tape")
