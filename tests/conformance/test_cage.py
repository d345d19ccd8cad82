"""A replayed test cannot start a process: the cage that it runs in."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
CAGED = """
import ctypes, os, pty, subprocess, sys, threading
sys.path.insert(0, sys.argv[1])
from conformance_cage import enter
enter(lambda what: print("told", what, flush=True))
{code}
print("alive")
"""


def caged(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in the cage."""
    return subprocess.run([sys.executable, "-c", CAGED.format(code=code), str(SCRIPTS)], capture_output=True, text=True)


@pytest.mark.parametrize(
    "code",
    [
        "os.fork()",
        "os.forkpty()",
        "pty.fork()",
        "os.system('true')",
        "os.popen('true')",
        "os.execv(sys.executable, [sys.executable, '-V'])",
        "os.posix_spawn(sys.executable, [sys.executable, '-V'], {})",
        "subprocess.run(['true'])",
        "subprocess.run(['true'], preexec_fn=lambda: None)",
        "ctypes.CDLL(None).system(b'true')",
    ],
)
def test_every_way_of_starting_a_process_ends_the_process(code: str) -> None:
    """The process dies of the attempt, whichever way it goes."""
    done = caged(code)
    assert done.returncode in (-signal.SIGABRT, -signal.SIGSYS), done
    assert "Python" not in done.stdout
    assert "alive" not in done.stdout


def test_python_ways_are_told() -> None:
    """What Python itself announces is told before the end, so that a report can name it."""
    assert "told os.system" in caged("os.system('true')").stdout


def test_threads_can_start() -> None:
    """A caged process starts threads as ever."""
    done = caged("thread = threading.Thread(target=print, args=('hello',)); thread.start(); thread.join()")
    assert (done.returncode, done.stdout) == (0, "hello\nalive\n"), done
