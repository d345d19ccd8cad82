"""Several processes and one tape: never torn, who comes second is told or waits, nobody waits for the dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.errors import TapeBusyError

PROGRAM = """
import sys, time, testbench
tape, mode, patience = sys.argv[1:4]
with testbench.session(tape, mode=mode, stall_s=float(patience)) as session:
    print(session.mode, flush=True)
    sys.stdin.read()
    for _ in range(50):
        time.sleep(0)
"""


@pytest.fixture(autouse=True)
def _at_a_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)


def start(tape: Path, mode: str, patience: float = 30.0, stdin: Any = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start a process that opens a session, and keeps it open until its stdin ends."""
    command = [sys.executable, "-c", PROGRAM, str(tape), mode, str(patience)]
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def recording(tape: Path) -> Iterator[subprocess.Popen[str]]:
    """Have another process record a tape meanwhile."""
    with start(tape, "record") as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "record\n"
        yield other
        assert other.stdin is not None
        other.stdin.close()


def test_a_second_recording_is_refused_at_once(tmp_path: Path) -> None:
    """It is told what to do, leaves the first alone, and can begin when that is over."""
    tape = tmp_path / "a.tape"
    with recording(tape):
        for again in (testbench.record(tape), testbench.session(tape, mode="record")):
            with pytest.raises(TapeBusyError, match="Wait for it, or record to another path"), again:
                pass
    assert [found for found in testbench.check(tape) if found.severity == "error"] == []
    with testbench.record(tape):
        time.time()


def test_a_second_copy_of_a_replay_is_refused_at_once(tmp_path: Path) -> None:
    """What is recorded again is a tape like any other."""
    tape = tmp_path / "a.tape"
    with testbench.record(tape):
        time.time()
    with (
        recording(tmp_path / "again.tape"),
        pytest.raises(TapeBusyError),
        testbench.replay(tape, rerecord=tmp_path / "again.tape"),
    ):
        time.time()


def test_all_who_come_together_get_what_one_records(tmp_path: Path) -> None:
    """Of several processes in mode once that find no tape, one records it and the others wait and replay it."""
    others = [start(tmp_path / "a.tape", "once", stdin=subprocess.DEVNULL) for _ in range(5)]
    ends = [other.communicate() for other in others]
    assert [(other.returncode, error) for other, (_, error) in zip(others, ends, strict=True)] == [(0, "")] * 5
    said = sorted(output for output, _ in ends)
    assert set(said) <= {"record\n", "replay\n"}
    assert "record\n" in said
    assert os.listdir(tmp_path) == ["a.tape"]


def test_who_has_waited_long_enough_says_so(tmp_path: Path) -> None:
    """Mode once does not wait for ever for another recording."""
    tape = tmp_path / "a.tape"
    with (
        recording(tape),
        pytest.raises(TapeBusyError, match=r"Waited 0\.05 s for it, see stall_s="),
        testbench.session(tape, mode="once", stall_s=0.05),
    ):
        pass


def test_nobody_waits_for_the_dead(tmp_path: Path) -> None:
    """A recording that was killed holds no lock; what it left is set aside."""
    tape = tmp_path / "a.tape"
    with start(tape, "record") as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "record\n"
        killed.send_signal(signal.SIGKILL)
    assert os.listdir(tmp_path) == ["a.tape.partial"]
    with testbench.session(tape, mode="once", stall_s=0.01) as session:
        time.time()
        assert session.mode == "record"
    assert "a.tape" in os.listdir(tmp_path)
    assert "a.tape.partial" not in os.listdir(tmp_path)


def test_a_replay_that_cannot_begin_lets_go_of_its_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place of the new tape can be used at once."""
    tape, again = tmp_path / "a.tape", tmp_path / "again.tape"
    with testbench.record(tape):
        time.time()

    def fail(*_: Any, **__: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("testbench._answering.Replaying", fail)
        with pytest.raises(MemoryError):
            testbench.replay(tape, rerecord=again).open()
        patched.setattr("testbench._beginning.Writer", fail)
        with pytest.raises(MemoryError):
            testbench.record(again).open()
    assert not (tmp_path / "again.tape.partial").exists()
    with testbench.replay(tape, rerecord=again):
        time.time()
    assert again.read_bytes() == tape.read_bytes()
