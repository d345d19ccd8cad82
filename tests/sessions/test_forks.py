"""Forks that no recorder sees: the interpreter tells of them, and they are never quietly left out."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import testbench
from testbench import boundary
from testbench.inplace import private

unseen_fork = private(os.fork)


def fork_unseen() -> int:
    """Start a process as C code does, past every redirect; return how it ended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # CPython 3.13 counts the threads when ours is back
        pid = unseen_fork()
    if pid == 0:
        os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@boundary(name="fork_unseen_inside")
def fork_unseen_inside() -> int:
    """Do so within a boundary."""
    return fork_unseen()


def announce_fork() -> None:
    """Tell the interpreter of a fork, as C extensions do that start a process."""
    ctypes.pythonapi.PyOS_BeforeFork()
    ctypes.pythonapi.PyOS_AfterFork_Parent()


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Give a path for a tape."""
    return tmp_path / "run.tape"


def test_an_unseen_fork_is_a_leak_with_its_line(tape: Path) -> None:
    """While recording it happens, and the end of the session tells where, once."""
    with pytest.warns(testbench.LeakWarning, match=r"audit\.fork at .*in fork_unseen"), testbench.record(tape):
        fork_unseen()
    with (
        pytest.warns(testbench.LeakWarning, match=r"process\.unseen_fork at .*in announce_fork"),
        testbench.record(tape),
    ):
        announce_fork()


def test_an_unseen_fork_fails_a_replay_at_the_next_crossing_and_at_its_end(tape: Path) -> None:
    """It cannot be stopped, but it is never overlooked, whatever the program swallows."""
    with testbench.record(tape):
        time.time()
    with pytest.raises(testbench.RefusedError, match="started by C code"), testbench.replay(tape):
        announce_fork()
    with pytest.raises(testbench.RefusedError, match=r"unseen_fork") as failed, testbench.replay(tape):
        fork_unseen()
        with contextlib.suppress(testbench.DivergenceError):
            time.time()
    assert "in fork_unseen" in str(failed.value)


def test_forks_that_belong_to_a_crossing_are_no_alarm(tape: Path) -> None:
    """Each is on the tape."""

    def program() -> None:
        assert fork_unseen_inside() == 3
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        subprocess.run(["true"], preexec_fn=lambda: None, check=True)

    for session in (testbench.record(tape, leaks="fail"), testbench.replay(tape)):
        with session:
            program()


def test_sessions_without_a_recorder_of_processes_say_nothing(tape: Path) -> None:
    """What is not recorded is not missed."""
    for session in (
        testbench.record(tape, recorders=("clock",), leaks="fail"),
        testbench.replay(tape, recorders=("clock",)),
    ):
        with session:
            announce_fork()


def test_a_fork_of_a_thread_without_events_is_an_alarm_too(tape: Path) -> None:
    """It is found by the interpreter, not by lanes."""
    code = f"""
import ctypes, testbench
from testbench.inplace.real import allocate_lock, start_new_thread
done = allocate_lock()
done.acquire()
def stranger():
    ctypes.pythonapi.PyOS_BeforeFork()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    done.release()
with testbench.record({str(tape)!r}, leaks="fail"):
    start_new_thread(stranger, ())
    done.acquire()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "RecordingError" in done.stderr
    assert "process.unseen_fork" in done.stderr
