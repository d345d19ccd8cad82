"""What the tests of the command line share: running it as a user does, and tapes to read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from testbench.tape import Raised, Returned, TapeFile, Writer

ROOT = Path(__file__).parents[2]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command line in an empty directory, in a process of its own."""

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "testbench", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    """Write a file in that directory and return its path."""

    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., str]:
    """Write a small tape with every shape of event, hostile texts and a kind never heard of, and return its path."""

    def make(name: str = "small.tape", extra: int = 0) -> str:
        file = TapeFile.create(tmp_path / name)
        writer = Writer(file.fd, {"note": "made\x1b[2Jby hand"})
        _fill(writer, extra)
        writer.close()
        return str(file.commit())

    return make


def _fill(writer: Writer, extra: int) -> None:
    fields = ["took_ns", "outcome"]
    writer.event([writer.kind("clock.time", ["values"]), 0, 0, writer.run_body([1.5, 2.5])])
    leap = writer.kind("future.leap", ["where", "how far", *fields])
    asked = ["\x1b[31mred\u202e", bytes(range(256)) * 8, 1_500]
    writer.event([leap, 1_000, 0, writer.call_body(asked, Returned({"ok": float("nan"), "far": [10**5000]}))])
    writer.event([0, 10, 1, ["main.1", 0]])
    call = writer.kind("call.f", ["", *fields])
    writer.event([call, 2_000_000, 1, writer.call_body([None, 5_000_000], Raised("builtins.OSError", [2, "gone"]))])
    for number in range(extra):
        writer.event([call, 1, 0, writer.call_body([number, 7], Returned(None))])
