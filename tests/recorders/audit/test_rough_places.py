"""Events that come where nobody expects them: finalisers, signal handlers, forks, other sessions, the end of all."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.inplace import private
from testbench.recorders.audit import _hook
from tests.recorders.audit.strangers import Strangers

unseen_fork = private(os.fork)


def connect(strangers: Strangers) -> None:
    """Cross a boundary that nobody records."""
    with socket.socket() as own:
        own.connect(strangers.tcp)


class Leaving:
    """It connects when it is thrown away."""

    def __init__(self, strangers: Strangers) -> None:
        self.strangers = strangers
        self.circle = self

    def __del__(self) -> None:
        """Cross."""
        connect(self.strangers)


@pytest.fixture
def empty(tape: Path) -> Path:
    """Give a tape with one read of the clock."""
    with testbench.record(tape):
        time.time()
    return tape


def names(session: testbench.Session) -> list[str]:
    """Return what a session has listed."""
    return [leak.name for leak in session.leaks]


def test_a_finaliser_is_found(strangers: Strangers, tape: Path) -> None:
    """It runs in the collector, and is a leak like any other."""
    with testbench.record(tape, leaks="ignore") as session:
        Leaving(strangers)
        gc.collect()
    assert names(session) == ["audit.connect"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_finaliser_cannot_hide_a_refusal(strangers: Strangers, empty: Path) -> None:
    """Nothing that it raises reaches anybody; the end of the session does."""
    with pytest.raises(testbench.RefusedError, match=r"in Leaving|in connect"), testbench.replay(empty):
        time.time()
        Leaving(strangers)
        gc.collect()


def test_a_finaliser_within_a_crossing_belongs_to_it(strangers: Strangers, tape: Path) -> None:
    """As everything that happens in an effect."""

    @testbench.boundary
    def collect() -> int:
        return gc.collect() and 0

    with testbench.record(tape, leaks="ignore") as session:
        gc.disable()
        try:
            Leaving(strangers)
            collect()
        finally:
            gc.enable()
    assert names(session) == []


def test_a_signal_handler_is_found_and_refused(strangers: Strangers, tape: Path) -> None:
    """It is code of the program."""

    def program() -> None:
        signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda *_: connect(strangers))
    try:
        with testbench.record(tape, leaks="ignore") as session:
            program()
        assert "audit.connect" in names(session)
        with pytest.raises(testbench.RefusedError, match=r"audit\.connect"), testbench.replay(tape):
            program()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_what_a_program_swallows_is_raised_at_the_end(strangers: Strangers, empty: Path) -> None:
    """A refusal sticks, and nothing after it is let through either."""
    reached = []

    def program() -> None:
        time.time()
        for _ in range(2):
            with contextlib.suppress(BaseException):
                connect(strangers)
                reached.append(True)

    with pytest.raises(testbench.RefusedError), testbench.replay(empty):
        program()
    assert reached == []


def test_in_an_event_loop(strangers: Strangers, tape: Path) -> None:
    """The connection is refused where it is made, and the program comes to its end."""
    # In a process of its own: what a loop leaves behind when it is ended like that logs once it is collected.
    code = f"""
import asyncio, testbench
async def main():
    await asyncio.open_connection(*{strangers.tcp!r})
with testbench.record({str(tape)!r}, leaks="ignore") as session:
    asyncio.run(main())
print([leak.name for leak in session.leaks])
try:
    with testbench.replay({str(tape)!r}):
        asyncio.run(main())
except testbench.RefusedError as error:
    print(str(error).splitlines()[0])
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    listed, refused = done.stdout.splitlines()
    assert "audit.connect" in listed
    assert refused.startswith("refused: audit.connect cannot be replayed")
    assert done.returncode == 0


def test_in_many_threads(strangers: Strangers, tape: Path) -> None:
    """The line is listed once."""
    with testbench.record(tape, leaks="ignore") as session:
        threads = [threading.Thread(target=connect, args=(strangers,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert names(session).count("audit.connect") == 1


def test_sessions_within_sessions(strangers: Strangers, tmp_path: Path) -> None:
    """Each lists what it sees; what the inner one refuses does not happen for the outer one."""
    with testbench.record(tmp_path / "outer.tape", leaks="ignore") as outer:
        with testbench.record(tmp_path / "inner.tape", leaks="ignore") as inner:
            connect(strangers)
        assert names(inner) == ["audit.connect"]
        assert names(outer) == ["audit.connect"]
        connect(strangers)
    with testbench.record(tmp_path / "outer.tape", leaks="ignore") as outer:
        with pytest.raises(testbench.RefusedError), testbench.replay(tmp_path / "inner.tape"):
            connect(strangers)
        assert names(outer) == []


def test_one_hook_and_none_awake_afterwards(empty: Path) -> None:
    """However many sessions there were, nobody is told of anything between them."""
    code = f"""
import sys, os
added = []
real = sys.addaudithook
sys.addaudithook = lambda hook: (added.append(hook), real(hook))
import testbench
assert added == []
for _ in range(3):
    with testbench.record({str(empty)!r}):
        pass
from testbench.recorders.audit import _hook
print(len(added), _hook._heard == frozenset(), _hook._listeners)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("1 True ()\n", "")


def test_a_session_that_nobody_closes(tape: Path) -> None:
    """The interpreter takes itself apart in peace, and a thread that still crosses is no trouble."""
    code = f"""
import socket, testbench, weakref, sys
testbench.record({str(tape)!r}, leaks="ignore").open()
class Last:
    def __del__(self):
        socket.socket(socket.AF_UNIX).connect_ex("/nowhere")
        open("/etc/passwd").close()
sys.last = Last()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == "testbench: a session was still open when the program ended; close it, or use a with block\n"


def test_where_hooks_are_forbidden(tape: Path) -> None:
    """An earlier hook may refuse further ones; then a session says so, and what to do."""
    code = f"""
import sys
def forbid(event, args):
    if event == "sys.addaudithook":
        raise RuntimeError("no")
sys.addaudithook(forbid)
import testbench
try:
    testbench.record({str(tape)!r}).open()
except testbench.UnsupportedError as error:
    print(error)
with testbench.record({str(tape)!r}, recorders=["clock"]):
    pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "recorders=['clock', 'process', ...]" in done.stdout
    assert done.stderr == ""


def test_a_refused_fork_has_no_child(empty: Path) -> None:
    """It is stopped before the process is there."""
    made: list[int] = []
    with pytest.raises(testbench.RefusedError, match=r"audit\.fork"), testbench.replay(empty):
        time.time()
        made.append(unseen_fork())
    assert made == []


def test_the_child_of_a_fork_is_nobodys(strangers: Strangers, tape: Path) -> None:
    """While recording it is real, and what it does is its own."""

    def program() -> int:
        pid = os.fork()
        if pid == 0:
            connect(strangers)
            os._exit(len(_hook._listeners))
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    with testbench.record(tape, leaks="ignore") as session:
        assert program() == 0
    assert names(session) == []
    with testbench.replay(tape):
        assert program() == 0


def test_splice_goes_live_where_a_tape_never_has_it(strangers: Strangers, empty: Path) -> None:
    """What leaves the process ends the part that is kept; a file that is read does not."""
    with testbench.session(empty, mode="splice", leaks="ignore") as session:
        Path("/etc/passwd").read_text()
        kept = session.splice
        connect(strangers)
        time.time()
    assert kept is None
    assert session.splice is not None
    assert "audit.connect is never on a tape" in session.splice.reason
    assert names(session) == ["audit.read", "audit.connect"]


def test_a_secret_in_what_is_asked_is_not_shown(tape: Path) -> None:
    """The list of leaks is redacted as the tape is."""
    with testbench.record(tape, leaks="ignore", redact_values=["hunter2hunter2"]) as session:
        os.listdir("/proc/1/../1/fd".replace("fd", "task"))
        with contextlib.suppress(OSError):
            socket.getaddrinfo("hunter2hunter2.invalid", 80)
    assert "hunter2" not in str([str(leak) for leak in session.leaks])
    assert "audit.lookup" in names(session)


def test_tapes_without_this_kind_replay_as_ever(strangers: Strangers, tape: Path) -> None:
    """What was recorded before there was an audit was never promised to be refused."""
    kinds: list[Any] = ["clock", "process"]
    with testbench.record(tape, recorders=kinds, leaks="fail"):
        connect(strangers)
    with testbench.replay(tape):
        connect(strangers)
