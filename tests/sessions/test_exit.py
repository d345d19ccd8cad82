"""How programs with sessions end: without a crash, and with nothing lost in silence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import testbench

PROGRAM = """
import sys, threading, time, testbench
session = testbench.record(sys.argv[1])
session.open()
for _ in range(3):
    time.time(), time.monotonic()
{end}
"""


@pytest.mark.parametrize(
    ("end", "left", "status"),
    [
        ("session.close()", "run.tape", 0),
        ("session.close(); keep = [time.time, session]", "run.tape", 0),
        ("", "run.tape.failed", 0),
        ("raise SystemExit(3)", "run.tape.failed", 3),
        ("raise ValueError", "run.tape.failed", 1),
        ("threading.Thread(target=time.sleep, args=(30,), daemon=True).start(); session.close()", "run.tape", 0),
    ],
)
def test_a_program_ends_without_a_crash_and_leaves_its_tape(end: str, left: str, status: int, tmp_path: Path) -> None:
    """A closed session leaves a good tape; one that nobody closed is set aside, and the program is told."""
    command = [sys.executable, "-c", PROGRAM.format(end=end), str(tmp_path / "run.tape")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [left]
    assert ("still open" in done.stderr) == left.endswith(".failed")
    with testbench.open_tape(tmp_path / left) as tape:
        assert tape.complete
        assert [len(event.values or ()) for event in tape.events(kind="clock", op="time")] == [1, 1, 1]


AT_ONCE = """
import contextlib, os, sys, time, testbench
def program(asked):
    time.sleep(0)
    if asked == "more":
        with contextlib.suppress(BaseException):
            time.sleep(1)
    os._exit(5)
with testbench.session(sys.argv[1], sys.argv[2]):
    program(sys.argv[3])
"""


def test_ending_at_once_ends_the_sessions_too(tmp_path: Path) -> None:
    """A tape is finished, a replay is judged: ``os._exit`` cannot turn a swallowed divergence into a success."""
    tape = tmp_path / "run.tape"

    def run(mode: str, asked: str) -> tuple[int, str]:
        command = [sys.executable, "-c", AT_ONCE, str(tape), mode, asked]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stderr

    assert run("record", "as ever") == (5, "")
    with testbench.open_tape(tape) as opened:
        assert [event.op for event in opened] == ["sleep"]
    assert run("replay", "as ever") == (5, "")
    status, told = run("replay", "more")
    assert status == 71
    assert "exhausted" in told


def test_a_session_that_nobody_closed_is_set_aside_without_a_stderr(tmp_path: Path) -> None:
    """Where nobody can be told, the tape is still not left as if its program went on."""
    command = [
        "sh",
        "-c",
        'exec "$@" 2>&-',
        "sh",
        sys.executable,
        "-c",
        PROGRAM.format(end=""),
        str(tmp_path / "run.tape"),
    ]
    assert subprocess.run(command).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["run.tape.failed"]


def test_a_program_that_replaces_itself_leaves_what_came_before(tmp_path: Path) -> None:
    """After an exec nobody can finish the tape; what was recorded is on disk and can be recovered."""
    end = 'import os; os.execv(sys.executable, [sys.executable, "-c", "print(5)"])'
    command = [sys.executable, "-c", PROGRAM.format(end=end), str(tmp_path / "run.tape")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "5\n")
    assert [path.name for path in tmp_path.iterdir()] == ["run.tape.partial"]
    testbench.recover(tmp_path / "run.tape.partial", tmp_path / "whole.tape")
    with testbench.open_tape(tmp_path / "whole.tape") as tape:
        assert [len(event.values or ()) for event in tape.events(kind="clock", op="time")] == [1, 1, 1]
