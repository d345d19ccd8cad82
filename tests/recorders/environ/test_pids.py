"""The number of the process: told as it was, and still good for reaching oneself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.inplace import real
from testbench.inplace.own_pid import real_pid

ITSELF = """
import os, signal, logging, multiprocessing
came = []
signal.signal(signal.SIGUSR1, lambda number, frame: came.append(number))
def program():
    pid = os.getpid()
    os.kill(pid, signal.SIGUSR1)
    os.kill(pid, 0)
    descriptor = os.pidfd_open(pid)
    os.close(descriptor)
    record = logging.LogRecord("x", 20, "f", 1, "m", (), None)
    same = os.getpgid(pid) == os.getpgid(0), os.getsid(pid) == os.getsid(0), os.sched_getaffinity(pid)
    return pid, came, record.process, multiprocessing.current_process().pid, same
"""

PARENT = """
import os
def program():
    os.kill(os.getppid(), 0)
    return os.getppid()
"""


@pytest.mark.parametrize("program", [ITSELF, PARENT], ids=["itself", "parent"])
def test_a_pid_of_the_recording_still_reaches_the_process(fresh: Any, program: str) -> None:
    """In another process, functions that take a pid know what it means: signals hit the program itself."""
    recorded = fresh("record", program)
    assert fresh("replay", program) == recorded


def test_pids_repeat_under_a_paused_clock(tape: Path, tmp_path: Path) -> None:
    """Two recordings are the same to the last byte, and the program still reaches itself."""
    with testbench.record(tape, clock="paused"):
        first = os.getpid(), os.getppid()
        os.kill(os.getpid(), 0)
    assert first != (os.getpid(), os.getppid())
    again = tmp_path / "again.tape"
    with testbench.record(again, clock="paused"):
        assert (os.getpid(), os.getppid()) == first
        os.kill(os.getpid(), 0)
    assert again.read_bytes() == tape.read_bytes()
    with testbench.replay(tape):
        assert (os.getpid(), os.getppid()) == first


def test_what_compares_processes_is_left_alone(fresh: Any) -> None:
    """Temporary files and finalisers of the standard library, begun before the session, do not take it for a fork."""
    program = """
import os, tempfile, multiprocessing.util as util
ended = []
name = tempfile.NamedTemporaryFile().name
final = util.Finalize(None, ended.append, args=(1,), exitpriority=1)
def program():
    os.getpid()
    names = [os.path.basename(tempfile.mktemp()) for _ in range(2)]
    final()
    return names, ended
"""
    recorded = fresh("record", program)
    assert "[1]" in recorded
    assert fresh("replay", program) == recorded


def test_numbers_are_forgotten_after_the_session(fresh: Any, tape: Path) -> None:
    """The pid of a recording means nothing outside of its replay."""
    recorded = int(fresh("record", "import os\ndef program():\n    return os.getpid()"))
    with testbench.replay(tape):
        assert os.getpid() == recorded
        assert real_pid(recorded) == real.getpid()
    assert real_pid(recorded) == recorded
    assert os.getpid() == real.getpid()
