"""The law that every generated program keeps."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import testbench


def _check_exact(program: Callable[[], Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tape, again = Path(folder, "a.tape"), Path(folder, "b.tape")
        with testbench.record(tape):
            recorded = program()
        for _ in range(2):
            with testbench.replay(tape, rerecord=again):
                replayed = program()
            assert replayed == recorded
            assert again.read_bytes() == tape.read_bytes()


@pytest.fixture(scope="session")
def check_exact() -> Callable[[Callable[[], Any]], None]:
    """Record a program, replay it twice, record it again each time; compare outcomes and bytes."""
    return _check_exact
