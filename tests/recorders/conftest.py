"""Run a program three ways: as it is, recorded, and replayed where no process can be started."""

from __future__ import annotations

import _posixsubprocess
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import attrs
import pytest

import testbench
from testbench.inplace import Redirect
from testbench.tape import Event

Program = Callable[[Path], Any]


def outcome_of(program: Program, place: Path) -> Any:
    """Return what the program returns, or all that can be seen of the exception it raises."""
    try:
        return "returned", program(place)
    except Exception as error:
        names = (
            "errno",
            "strerror",
            "filename",
            "filename2",
            "cmd",
            "returncode",
            "output",
            "stderr",
            "start",
            "reason",
        )
        seen = {name: getattr(error, name) for name in names if hasattr(error, name)}
        return "raised", type(error), str(error), error.args, seen


@contextmanager
def no_processes() -> Iterator[None]:
    """Make it impossible to start a process or to send a signal."""

    def refuse(*args: Any, **_: Any) -> NoReturn:
        raise AssertionError(f"the replay reached the world: {args!r}")

    places = [(_posixsubprocess, "fork_exec")]
    places += [(os, name) for name in ("fork", "posix_spawn", "posix_spawnp", "system", "kill", "killpg")]
    redirects = [Redirect(getattr(module, name)) for module, name in places]
    path = os.environ["PATH"]
    os.environ["PATH"] = "/nonexistent"
    try:
        for redirect in redirects:
            redirect.to(refuse)
        yield
    finally:
        for redirect in reversed(redirects):
            redirect.restore()
        os.environ["PATH"] = path


@attrs.define
class Ways:
    """Runs programs in one directory, fresh each time, on one tape."""

    place: Path
    tape: Path
    options: dict[str, Any] = attrs.Factory(dict)

    def fresh(self) -> Path:
        """Return the directory, empty but for a named pipe into which nobody ever writes."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        os.mkfifo(self.place / "fifo")
        return self.place

    def stock(self, program: Program) -> Any:
        """Run it as it is."""
        return outcome_of(program, self.fresh())

    def record(self, program: Program) -> Any:
        """Run it and write the tape; there is no leak, except that tests which are not captured write to a terminal."""
        with testbench.record(self.tape, leaks="ignore", **self.options) as session:
            outcome = outcome_of(program, self.fresh())
        assert [leak for leak in session.leaks if leak.name != "process.terminal_output"] == []
        return outcome

    def replay(self, program: Program, rerecord: Path | None = None) -> Any:
        """Answer it from the tape; write that down again if asked for."""
        self.fresh()
        options = {name: value for name, value in self.options.items() if name not in ("clock", "start")}
        with no_processes(), testbench.replay(self.tape, rerecord=rerecord, **options):
            return outcome_of(program, self.place)

    def events(self) -> list[Event]:
        """Return the events of kind ``process`` on the tape."""
        return [event for event in testbench.open_tape(self.tape) if event.kind == "process"]

    def ops(self) -> list[str]:
        """Return the ops of those events."""
        return [event.op for event in self.events()]

    def agree(self, program: Program) -> Any:
        """Check that all three ways come to the same, and return it."""
        stock = self.stock(program)
        recorded = self.record(program)
        assert recorded == stock
        assert self.replay(program) == recorded
        return recorded


@pytest.fixture
def ways(tmp_path: Path) -> Ways:
    """Run programs three ways."""
    return Ways(tmp_path / "place", tmp_path / "run.tape")
