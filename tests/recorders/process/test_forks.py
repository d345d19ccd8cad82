"""Children of ``os.fork``: the parent observes the same again on replay, where there are none."""

from __future__ import annotations

import mmap
import os
import pty
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import testbench

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

HOOKS: list[str] = []
os.register_at_fork(before=lambda: HOOKS.append("before"), after_in_parent=lambda: HOOKS.append("parent"))


def _read_all(fd: int) -> bytes:
    parts = iter(lambda: os.read(fd, 7), b"")
    return b"".join(parts)


def _talk(_: Path) -> Any:
    """Send a child something through one pipe, and get its answer through another."""
    there, to_child = os.pipe()
    from_child, back = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(to_child)
        os.write(back, _read_all(there).upper() + b" from the child")
        os._exit(7)
    os.close(there)
    os.close(back)
    os.write(to_child, b"hello")
    os.close(to_child)
    answer = _read_all(from_child)
    os.close(from_child)
    return answer, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _several(_: Path) -> Any:
    """Fork children that end by themselves, by a signal and by an exception, and wait for whoever ends first."""
    ends = [os.pipe() for _ in range(3)]
    pids = []
    for number, (reading, _end) in enumerate(ends):
        pids.append(os.fork())
        if pids[-1] == 0:
            os.read(reading, 1)
            os.kill(os.getpid(), signal.SIGKILL) if number == 1 else os._exit(number)
    for _reading, writing in ends:
        os.write(writing, b"x")
    found = dict(os.wait() for _ in pids)
    for pair in ends:
        list(map(os.close, pair))
    return [os.waitstatus_to_exitcode(found[pid]) for pid in pids]


def _terminal(_: Path) -> Any:
    pid, master = os.forkpty()
    if pid == 0:
        os.write(1, b"who? ")
        os.write(1, os.read(0, 100) + b"%d" % os.isatty(1))
        os._exit(3)
    said = os.read(master, 100)
    os.write(master, b"ada\n")
    try:
        while part := os.read(master, 100):
            said += part
    except OSError as error:
        said += str(error.errno).encode()
    os.close(master)
    return said, os.waitpid(pid, 0)[1]


def _pty_fork(_: Path) -> Any:
    pid, master = pty.fork()
    if pid == 0:
        os._exit(os.isatty(0))
    status = os.waitpid(pid, 0)[1]
    os.close(master)
    return status


def _pair(_: Path) -> Any:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        theirs.sendall(theirs.recv(10) * 2)
        os._exit(0)
    ours.sendall(b"ab")
    with ours, theirs:
        return ours.recv(10), os.waitpid(pid, 0)[1]


def _in_threads(_: Path) -> Any:
    """Fork in several threads, each of which waits for its own child."""
    results: list[Any] = []

    def work(number: int) -> None:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(writing, b"child %d" % number)
            os._exit(number)
        results.append((number, os.read(reading, 20), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
        os.close(reading)
        os.close(writing)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(results)


def _hooks(_: Path) -> Any:
    """Fork, and return what was called that was registered for the parent."""
    HOOKS.clear()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return HOOKS[:]


PROGRAMS = [_talk, _several, _terminal, _pty_fork, _pair, _in_threads, _hooks]


@pytest.mark.parametrize("program", PROGRAMS, ids=[program.__name__ for program in PROGRAMS])
def test_parent_observes_the_same_without_a_child(ways: Any, program: Any, tmp_path: Path) -> None:
    """Stock, recorded and replayed agree; the replay forks nothing, and records the same tape again."""
    ways.agree(program)
    ways.replay(program, rerecord=tmp_path / "again.tape")
    assert (tmp_path / "again.tape").read_bytes() == ways.tape.read_bytes()


def test_child_is_outside_of_the_session(ways: Any, tmp_path: Path) -> None:
    """What it does is on no tape; it may record one of its own, and the parent's is whole although it goes on."""

    def program(_: Path) -> Any:
        stays, to_parent = os.pipe()
        pid = os.fork()
        if pid == 0:
            time.time()
            with testbench.record(tmp_path / "child.tape", leaks="ignore"):
                subprocess.run(["true"], check=True)
            os.write(to_parent, b"done")
            os._exit(0)
        done = os.read(stays, 10)
        os.close(stays)
        os.close(to_parent)
        return done, os.waitpid(pid, 0)[1]

    assert ways.record(program) == ("returned", (b"done", 0))
    assert ways.ops() == ["fork", "read", "waitpid"]
    assert [found for found in testbench.check(ways.tape) if found.severity == "error"] == []
    with testbench.open_tape(tmp_path / "child.tape") as tape:
        assert [event.op for event in tape.events(kind="process")] == ["spawn", "communicate"]
    assert ways.replay(program) == ("returned", (b"done", 0))


def test_child_that_is_left_alone_does_not_touch_the_tape(ways: Any) -> None:
    """It lives on when the parent's session has ended, and the tape is finished at once."""
    reading, writing = os.pipe()

    def program(_: Path) -> int:
        pid = os.fork()
        if pid == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        return pid

    pid = ways.record(program)[1]
    with testbench.open_tape(ways.tape) as tape:
        assert tape.complete
    os.close(writing)
    os.close(reading)
    assert os.waitpid(pid, 0) == (pid, 0)
    assert ways.replay(program) == ("returned", pid)


def test_output_of_a_child_appears_on_replay(tmp_path: Path) -> None:
    """What it writes to the program's stdout and stderr is on the tape, and its end; it is seen there as a process."""
    script = tmp_path / "forks.py"
    script.write_text(
        textwrap.dedent("""
        import os, sys
        print("parent", flush=True)
        pid = os.fork()
        if pid == 0:
            print("child", flush=True)
            print("oh no", file=sys.stderr)
            sys.exit(3)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """)
    )
    outputs = []
    for way in (["record", "-o"], ["replay"]):
        command = [sys.executable, "-m", "testbench", *way, str(tmp_path / "t.tape"), "--", sys.executable, str(script)]
        outputs.append(subprocess.run(command, capture_output=True, text=True))
    assert [(done.returncode, done.stdout, done.stderr) for done in outputs] == [
        (0, "parent\nchild\n3\n", "oh no\n")
    ] * 2
    with testbench.open_tape(tmp_path / "t.tape") as tape:
        (process,) = tape.processes()
    assert (process.argv, process.stdout, process.stderr, process.returncode) == ([], b"child\n", b"oh no\n", 3)


def test_memory_that_a_child_shares_is_reported_and_refused(ways: Any) -> None:
    """What the child writes there is seen by nobody, so a replay is refused, with what to do instead."""
    memory = mmap.mmap(-1, 4096)

    def program(_: Path) -> int:
        pid = os.fork()
        if pid == 0:
            memory[0] = 1
            os._exit(0)
        os.waitpid(pid, 0)
        return memory[0]

    with memory:
        with testbench.record(ways.tape, leaks="ignore") as session:
            assert program(ways.place) == 1
        (leak,) = (leak for leak in session.leaks if leak.name == "process.shared_memory")
        assert leak.where.startswith(__file__)
        assert "multiprocessing.Pipe or Queue" in str(leak)
        with pytest.raises(testbench.RefusedError, match="shared_memory"), testbench.replay(ways.tape):
            program(ways.place)


def test_locks_of_ours_do_not_hold_up_a_child(tmp_path: Path) -> None:
    """A child that is forked while other threads cross boundaries all the time ends, and leaves the session behind."""
    over = threading.Event()

    def cross() -> None:
        while not over.is_set():
            time.time()
            os.urandom(1)

    with testbench.record(tmp_path / "t.tape", leaks="ignore"):
        threads = [threading.Thread(target=cross) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(30):
            pid = os.fork()
            if pid == 0:
                time.time()
                os._exit(subprocess.run(["true"]).returncode)
            assert os.waitpid(pid, 0)[1] == 0
        over.set()
        for thread in threads:
            thread.join()
