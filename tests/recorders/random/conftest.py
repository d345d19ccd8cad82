"""Run a program twice: recorded, and replayed in a world whose dice lie otherwise."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

import testbench
from testbench.tape import Event


@attrs.define
class Dice:
    """Records and replays programs that draw."""

    folder: Path

    @property
    def tape(self) -> Path:
        """Where the tape is."""
        return self.folder / "dice.tape"

    def record(self, program: Callable[[], Any], **options: Any) -> Any:
        """Record a program that leaks nothing, and return what it returns."""
        with testbench.record(self.tape, leaks="fail", **options):
            return program()

    def replay(self, program: Callable[[], Any]) -> Any:
        """Replay it after other draws, see that the replay recorded is the same tape, and return what it returns."""
        random.random()
        again = self.folder / "again.tape"
        with testbench.replay(self.tape, rerecord=again):
            seen = program()
        assert again.read_bytes() == self.tape.read_bytes()
        return seen

    def agree(self, program: Callable[[], Any], **options: Any) -> Any:
        """Check that two replays give what the recording gave, and return that."""
        recorded = self.record(program, **options)
        assert self.replay(program) == recorded
        assert self.replay(program) == recorded
        return recorded

    def events(self) -> list[Event]:
        """Return the events on the tape of kind ``random``."""
        with testbench.open_tape(self.tape) as tape:
            return [event for event in tape if event.kind == "random"]

    def ops(self) -> list[str]:
        """Return their ops."""
        return [event.op for event in self.events()]


@pytest.fixture
def dice(tmp_path: Path) -> Dice:
    """Give the two ways."""
    return Dice(tmp_path)
