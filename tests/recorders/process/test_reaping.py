"""Waiting in every way that POSIX has: status, rusage and siginfo come back field by field, errors as they were."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
from collections.abc import Iterator
from os import wait3, wait4, waitid  # bound before any session, on purpose
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.recorders.process._children import FIRST_VIRTUAL_PID

needs_pidfd = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the kernel has no pidfd")


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    """Check that every child has been waited for."""
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def _start(script: str) -> int:
    return os.posix_spawn("/bin/sh", ["sh", "-c", script], os.environ)


def _raised(call: Any) -> Any:
    try:
        return call()
    except Exception as error:
        return type(error), str(error)


def _told(found: Any, *pids: int) -> Any:
    """Return a siginfo with a position in the place of a pid."""
    return None if found is None else (pids.index(found.si_pid), *tuple(found)[1:], type(found).__name__)


def _wait4(place: Path) -> Any:
    pid = _start(f"exec cat {place}/fifo")
    early = os.WIFEXITED(wait4(pid, os.WNOHANG)[1]), wait4(pid, options=os.WNOHANG)[0]
    os.kill(pid, signal.SIGTERM)
    found, status, usage = wait4(pid, 0)
    return early, found == pid, status, type(usage), len(usage), _raised(lambda: wait4(pid, 0))


def _wait3(place: Path) -> Any:
    pid = _start("exit 3")
    found, status, usage = wait3(0)
    return found == pid, status, usage.ru_maxrss > 0, _raised(lambda: wait3(options=0)), _raised(lambda: wait3(1 << 30))


def _by_popen(place: Path) -> Any:
    child = subprocess.Popen(["sh", "-c", "exit 4"])
    status = wait4(child.pid, 0)[1]
    return status, child.wait(), child.poll()


def _waitid(place: Path) -> Any:
    pid = _start(f"exec cat {place}/fifo")
    told = [_told(waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG))]
    for sig, options in (
        (signal.SIGSTOP, os.WSTOPPED),
        (signal.SIGCONT, os.WCONTINUED),
        (signal.SIGKILL, os.WEXITED | os.WNOWAIT),
    ):
        os.kill(pid, sig)
        told.append(_told(waitid(os.P_PID, pid, options), pid))
    told.append(_told(waitid(os.P_ALL, 0, os.WEXITED), pid))
    return told, _raised(lambda: waitid(os.P_PID, pid, os.WEXITED)), _raised(lambda: waitid(os.P_PID, pid, 0))


def _waitid_of_group(place: Path) -> Any:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 6"], {}, setpgroup=0)
    return _told(waitid(os.P_PGID, pid, os.WEXITED), pid)


def _pidfd(place: Path) -> Any:
    pid = _start(f"exec cat {place}/fifo")
    fd = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    told: list[Any] = [os.get_inheritable(fd), poll.poll(0), select.select([fd], [], [], 0)]
    told.append(waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOHANG))
    told.append(signal.pidfd_send_signal(fd, signal.SIGTERM))
    told += [poll.poll() == [(fd, select.POLLIN)], select.select([fd], [], []) == ([fd], [], [])]
    told.append(_raised(lambda: os.read(fd, 1)))
    told.append(_told(waitid(os.P_PIDFD, fd, os.WEXITED), pid))
    told.append(_raised(lambda: signal.pidfd_send_signal(fd, 0)))
    os.close(fd)
    null = os.open(os.devnull, os.O_RDONLY)
    told += [null == fd, os.read(null, 1), _raised(lambda: os.pidfd_open(pid)), _raised(lambda: os.pidfd_open(-5))]
    os.close(null)
    return told


def _several_pidfds(place: Path) -> Any:
    pids = [_start(f"exec cat {place}/fifo") for _ in range(3)]
    fds = {os.pidfd_open(pid): n for n, pid in enumerate(pids)}
    ends, epoll = {}, select.epoll()
    for fd in fds:
        epoll.register(fd, select.EPOLLIN)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    while fds:
        for fd, _ in epoll.poll():
            found = waitid(os.P_PIDFD, fd, os.WEXITED)
            ends[fds.pop(fd)] = found.si_code, found.si_status
            epoll.unregister(fd)
            os.close(fd)
    epoll.close()
    return ends


def _own_pidfd(place: Path) -> Any:
    heard: list[int] = []
    fd = os.pidfd_open(os.getpid())
    signal.pidfd_send_signal(fd, 0)
    os.close(fd)
    return heard, _raised(lambda: signal.pidfd_send_signal(fd, 0)), _raised(lambda: signal.pidfd_send_signal(0, 0))


PROGRAMS: dict[str, Any] = {
    "wait4": _wait4,
    "wait3": _wait3,
    "wait4 of a Popen": _by_popen,
    "waitid": _waitid,
    "waitid of a group": _waitid_of_group,
    "pidfd": _pidfd,
    "own pidfd": _own_pidfd,
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs_pidfd if "pidfd" in name else ()) for name in PROGRAMS]
)
def test_program_sees_the_same(ways: Any, name: str, tmp_path: Path) -> None:
    """A program sees the same as it is, recorded, and replayed; and the replay records the same tape again."""
    ways.agree(PROGRAMS[name])
    again = tmp_path / "again.tape"
    ways.replay(PROGRAMS[name], rerecord=again)
    assert again.read_bytes() == ways.tape.read_bytes()


@pytest.mark.parametrize("name", ["wait4", "waitid", pytest.param("pidfd", marks=needs_pidfd)])
def test_virtual_pids(ways: Any, name: str) -> None:
    """Made-up pids mean the child in every one of these calls, and are told by them."""
    ways.options = {"clock": "paused"}
    ways.agree(PROGRAMS[name])
    assert ways.events()[0].outcome.value == {"pid": FIRST_VIRTUAL_PID}


@pytest.mark.parametrize("name", ["wait4", "waitid", pytest.param("pidfd", marks=needs_pidfd)])
def test_sessions_nest(ways: Any, name: str, tmp_path: Path) -> None:
    """A recording inside a recording sees the same, also when the outer one is replayed; its tape replays alone."""
    inner = tmp_path / "inner.tape"

    def nested(place: Path) -> Any:
        with testbench.record(inner, leaks="ignore"):
            return PROGRAMS[name](place)

    value = ways.stock(PROGRAMS[name])
    assert ways.record(nested) == value
    assert ways.replay(nested) == value
    ways.tape = inner
    assert ways.replay(PROGRAMS[name]) == value


@needs_pidfd
def test_order_of_ends_comes_back(ways: Any) -> None:
    """Several children that are waited for by their descriptors end in the recorded order."""
    ways.agree(_several_pidfds)


def test_rusage_is_exact(ways: Any) -> None:
    """A recorded rusage comes back with each of its fields, also those that are no items of the tuple."""

    def program(place: Path) -> Any:
        usage = wait4(_start("exit"), 0)[2]
        names = [name for name in dir(usage) if name.startswith("ru_")]
        return isinstance(usage, resource.struct_rusage), usage, [getattr(usage, name) for name in names]

    assert ways.record(program) == ways.replay(program)


def test_output_of_the_reaped_child_comes_back(ways: Any, capfd: Any) -> None:
    """What a child wrote to the program's own stdout is part of the event that finds its end, in every way to wait."""

    def program(place: Path) -> Any:
        wait4(_start("echo one"), 0)
        _start("echo two")
        wait3(0)
        pid = _start("echo three")
        waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        waitid(os.P_PID, pid, os.WEXITED)

    seen = []
    for way in (ways.stock, ways.record, ways.replay):
        way(program)
        seen.append(capfd.readouterr().out)
    assert seen == ["one\ntwo\nthree\n"] * 3
    said = [event.outcome.value.get("stdout") for event in ways.events() if event.op != "spawn"]
    assert said == [b"one\n", b"two\n", b"three\n", None]


@needs_pidfd
def test_duplicated_pidfd_is_reported_and_refused(ways: Any) -> None:
    """A duplicate of such a descriptor leads to nothing known: what is done with it is never quietly different."""

    def program(place: Path) -> None:
        pid = _start(f"exec cat {place}/fifo")
        fd = os.pidfd_open(pid)
        again = os.dup(fd)
        try:
            signal.pidfd_send_signal(again, signal.SIGKILL)
        finally:
            os.close(again)
            os.close(fd)
        os.waitpid(pid, 0)

    with testbench.record(ways.tape, leaks="ignore") as session:
        program(ways.fresh())
    assert [leak.name for leak in session.leaks] == ["process.pidfd_signal"]
    with pytest.raises(testbench.RefusedError, match="do not duplicate it"):
        ways.replay(program)


@needs_pidfd
def test_unknown_pidfd_is_reported_and_refused(tmp_path: Path) -> None:
    """A descriptor that stands for a process of which nothing is on the tape is reported, and refused on replay."""
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    fd = os.pidfd_open(child.pid)
    session = testbench.record(tmp_path / "t.tape", leaks="ignore").open()
    signal.pidfd_send_signal(fd, 0)
    waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOHANG)
    session.close()
    assert [leak.name for leak in session.leaks] == ["process.pidfd_signal", "process.waitid"]
    for ask in (
        lambda: signal.pidfd_send_signal(fd, 9),
        lambda: waitid(os.P_PIDFD, fd, os.WEXITED),
        lambda: os.pidfd_open(child.pid),
    ):
        with pytest.raises(testbench.RefusedError), testbench.replay(tmp_path / "t.tape"):
            ask()
    os.close(fd)
    child.communicate()
    assert child.returncode == 0
