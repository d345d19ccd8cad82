"""Rough handling of children's descriptors: as it is, recorded, and replayed it comes to the same."""

from __future__ import annotations

import array
import asyncio
import fcntl
import os
import resource
import select
import selectors
import signal
import socket
import stat
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen
from typing import Any

import pytest

import testbench
from testbench.errors import RefusedError


def _error_of(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except Exception as error:
        return type(error).__name__, str(error)


def _all_of(fd: int) -> bytes:
    return b"".join(iter(lambda: os.read(fd, 1000), b""))


def _closed_behind_its_back(_: Path) -> Any:
    child = Popen(["cat"], stdin=PIPE, stdout=PIPE)
    fds = sorted([child.stdin.fileno(), child.stdout.fileno()])
    os.closerange(fds[0], fds[1] + 1)
    seen = [_error_of(child.stdout.read), _error_of(lambda: child.stdin.write(b"x")), _error_of(child.stdin.flush)]
    return seen, child.wait(), _error_of(child.stdin.close), _error_of(child.stdout.close)


def _number_used_again(place: Path) -> Any:
    (place / "file").write_bytes(b"from the file")
    with Popen(["cat"], stdin=PIPE, stdout=PIPE) as child:
        fd = os.dup(child.stdout.fileno())
        os.close(fd)
        own = os.open(place / "file", os.O_RDONLY)
        first = os.read(own, 4)
        child.stdin.write(b"x")
        child.stdin.close()
        seen = own == fd, first, child.stdout.read(), os.read(own, 100)
        os.close(own)
        return seen


def _closed_streams(_: Path) -> Any:
    child = Popen(["cat"], stdin=PIPE, stdout=PIPE, bufsize=0)
    child.stdin.close()
    child.stdout.close()
    out, given = child.stdout, child.stdin
    calls = [out.read, out.readable, out.fileno, out.isatty, out.seekable, lambda: given.write(b"x"), given.writable]
    calls += [lambda: select.select([out], [], [], 0), child.communicate]
    return [_error_of(call) for call in calls], child.wait()


def _what_a_pipe_is(_: Path) -> Any:
    with Popen(["cat"], stdin=PIPE, stdout=PIPE, pipesize=131_072) as child:
        fds = [child.stdin.fileno(), child.stdout.fileno()]
        asked = (fcntl.F_GETPIPE_SZ, fcntl.F_GETFL, fcntl.F_GETFD)
        told: list[Any] = [[fcntl.fcntl(fd, what) for what in asked] for fd in fds]
        told += [[stat.S_ISFIFO(os.fstat(fd).st_mode), os.isatty(fd), os.get_blocking(fd)] for fd in fds]
        told += [fcntl.fcntl(fds[0], fcntl.F_SETPIPE_SZ, 262_144), fcntl.fcntl(fds[0], fcntl.F_GETPIPE_SZ)]
        return told, _error_of(child.stdin.tell), _error_of(lambda: child.stdout.seek(0)), child.stdout.seekable()


def _how_much_there_is(_: Path) -> Any:
    with Popen(["echo", "hello"], stdout=PIPE) as child:
        child.wait()
        number, fd = array.array("i", [0]), child.stdout.fileno()
        return fcntl.ioctl(fd, termios.FIONREAD, number), number, fcntl.ioctl(child.stdout, termios.FIONREAD, b"\0" * 4)


def _blocking_is_shared(_: Path) -> Any:
    read_end, write_end = os.pipe()
    source = "import os; os.set_blocking(0, False)"
    status = Popen([sys.executable, "-c", source], stdin=read_end).wait()
    seen = status, os.get_blocking(read_end), _error_of(lambda: os.read(read_end, 5))
    os.close(read_end)
    os.close(write_end)
    return seen


def _terminal_of_two(_: Path) -> Any:
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    script = "stty size; stty -echo rows 5; read x; echo $x"
    with Popen(["sh", "-c", script], stdin=slave, stdout=slave, stderr=slave) as child:
        os.close(slave)
        said = b""
        while b"33 77\r\n" not in said:
            said += os.read(master, 100)
        while termios.tcgetattr(master)[3] & termios.ECHO or os.get_terminal_size(master).lines != 5:
            pass
        os.write(master, b"quiet\n")
        said += os.read(master, 100)
        ended = child.wait(), _error_of(lambda: os.tcgetpgrp(master)) != child.pid
        size = struct.unpack("HHHH", fcntl.ioctl(master, termios.TIOCGWINSZ, b"\0" * 8))
    os.close(master)
    return said, size, ended


def _slow_reader(_: Path) -> Any:
    data = memoryview(bytes(range(256)) * 4_000)
    with Popen(["sh", "-c", "read -r x; md5sum"], stdin=PIPE, stdout=PIPE, bufsize=0) as child:
        fd, sent = child.stdin.fileno(), 0
        os.set_blocking(fd, False)
        while sent < len(data):
            try:
                sent += os.write(fd, data[sent:])
            except BlockingIOError:
                select.select([], [fd], [])
        child.stdin.close()
        return child.stdout.read()


def _large_sendall(_: Path) -> Any:
    ours, theirs = socket.socketpair()
    child = Popen(["md5sum"], stdin=theirs, stdout=PIPE)
    theirs.close()
    with ours:
        ours.sendall(b"xy" * 1_000_000)
        ours.shutdown(socket.SHUT_WR)
        return child.communicate(), ours.recv(5)


def _socket_as_a_file(_: Path) -> Any:
    ours, theirs = socket.socketpair()
    child = Popen(["sh", "-c", "read x; echo got $x; echo more"], stdin=theirs, stdout=theirs)
    theirs.close()
    ours.settimeout(0.01)
    early = _error_of(lambda: ours.recv(10))
    ours.settimeout(None)
    with ours, ours.makefile("rwb") as file:
        file.write(b"hey\n")
        file.flush()
        return early, file.readlines(), child.wait(), _error_of(lambda: ours.send(b"x"))


def _edges(_: Path) -> Any:
    masks = lambda found: [mask for _, mask in found]  # noqa: E731
    with (
        Popen(["sh", "-c", "echo one; read x; echo two"], stdin=PIPE, stdout=PIPE, bufsize=0) as child,
        select.epoll() as epoll,
    ):
        epoll.register(child.stdout, select.EPOLLIN | select.EPOLLET)
        seen = [masks(epoll.poll()), masks(epoll.poll(0)), os.read(child.stdout.fileno(), 100)]
        epoll.modify(child.stdout, select.EPOLLIN | select.EPOLLONESHOT)
        child.stdin.write(b"\n")
        child.wait()
        return [*seen, masks(epoll.poll(maxevents=1)), epoll.poll(0)]


def _closed_without_unregister(_: Path) -> Any:
    with (
        Popen(["cat"], stdin=PIPE, stdout=PIPE) as one,
        Popen(["sh", "-c", "echo b; cat"], stdin=PIPE, stdout=PIPE) as two,
        selectors.EpollSelector() as selector,
    ):
        selector.register(one.stdout, selectors.EVENT_READ, "one")
        selector.register(two.stdout, selectors.EVENT_READ, "two")
        one.stdout.close()
        seen = [[key.data for key, _ in selector.select()], os.read(two.stdout.fileno(), 9)]
        two.stdin.close()
        return [*seen, [key.data for key, _ in selector.select()]]


def _a_thousand_pipes(_: Path) -> Any:
    pipes = [os.pipe() for _ in range(500)]
    with Popen(["cat"], stdin=PIPE, stdout=PIPE, bufsize=0) as child, selectors.EpollSelector() as selector:
        for number, (read_end, _) in enumerate(pipes):
            selector.register(read_end, selectors.EVENT_READ, number)
        selector.register(child.stdout, selectors.EVENT_READ, "child")
        seen = [selector.select(0)]
        os.write(pipes[250][1], b"x")
        child.stdin.write(b"y")
        while len(seen[-1]) < 2:
            seen.append(sorted(str(key.data) for key, _ in selector.select()))
    for ends in pipes:
        os.close(ends[0])
        os.close(ends[1])
    return seen[-1]


@contextmanager
def _few_descriptors(most: int) -> Iterator[None]:
    lowest = os.dup(0)
    os.close(lowest)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _no_descriptor_left(_: Path) -> Any:
    children: list[Popen[bytes]] = []
    with _few_descriptors(14):
        refused = [_error_of(lambda: children.append(Popen(["cat"], stdin=PIPE, stdout=PIPE))) for _ in range(9)]
        return refused[-1], {child.communicate(b"x") for child in children}


def _stdout_is_another(place: Path) -> Any:
    kept, other = os.dup(1), os.open(place / "out", os.O_RDWR | os.O_CREAT)
    os.dup2(other, 1)
    try:
        subprocess.run(["echo", "one"])
        os.write(1, b"mine\n")
        os.system("echo two")
        subprocess.run("echo three >&2", shell=True, stderr=STDOUT)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(other)
    return (place / "out").read_bytes()


def _one_pipe_of_several(_: Path) -> Any:
    read_end, write_end = os.pipe()
    ends = [Popen(["echo", name], stdout=write_end, close_fds=False).wait() for name in "abc"]
    os.close(write_end)
    said = _all_of(read_end)
    os.close(read_end)
    return said, ends


def _strange_text(_: Path) -> Any:
    found = []
    for encoding, errors in [
        ("utf-8", "surrogateescape"),
        ("utf-8", "strict"),
        ("utf-16", "strict"),
        ("shift_jis", "replace"),
        ("utf-7", "ignore"),
    ]:
        options: Any = {"stdout": PIPE, "encoding": encoding, "errors": errors}
        argv = ["printf", r"\377\376a\0\r\n\200bc\n"]
        with Popen(argv, **options) as child:
            found += [_error_of(child.stdout.readline), _error_of(child.stdout.read)]
        found.append(_error_of(lambda argv=argv, options=options: subprocess.run(argv, **options).stdout))
    return found


def _two_threads(_: Path) -> Any:
    with Popen(["cat"], stdin=PIPE, stdout=PIPE) as child:
        heard: list[bytes] = []
        thread = threading.Thread(target=lambda: heard.append(child.stdout.read()))
        thread.start()
        for number in range(50):
            child.stdin.write(b"line %d\n" % number)
            child.stdin.flush()
        child.stdin.close()
        thread.join()
        return heard


def _loop_reads_a_popen(_: Path) -> Any:
    async def main() -> Any:
        loop, heard = asyncio.get_running_loop(), []
        done = loop.create_future()

        def ready() -> None:
            heard.append(os.read(child.stdout.fileno(), 100))
            if not heard[-1]:
                loop.remove_reader(child.stdout)
                done.set_result(None)

        with Popen(["sh", "-c", "echo a; echo b"], stdout=PIPE) as child:
            loop.add_reader(child.stdout, ready)
            await done
        return b"".join(heard)

    return asyncio.run(main())


def _never_reads(_: Path) -> Any:
    child = Popen(["sleep", "60"], stdin=PIPE, stdout=PIPE)
    early = _error_of(lambda: child.communicate(b"x" * 1_000_000, timeout=0.01))
    child.kill()
    closing = Popen(["sh", "-c", "exec <&-; echo deaf"], stdin=PIPE, stdout=PIPE)
    said = early, child.communicate(), closing.stdout.readline(), closing.communicate(b"x" * 1_000_000)
    _error_of(child.stdin.close)
    return said


def _ignores_a_signal(_: Path) -> Any:
    with Popen(
        ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"], stdout=PIPE, stderr=DEVNULL
    ) as child:
        ready = child.stdout.readline()
        child.terminate()
        early = _error_of(lambda: child.wait(0.01)), child.poll()
        child.kill()
        return ready, early, child.wait()


PROGRAMS: dict[str, Callable[[Path], Any]] = {
    name.removeprefix("_").replace("_", " "): program
    for name, program in {
        function.__name__: function
        for function in (
            *(_closed_behind_its_back, _number_used_again, _closed_streams, _what_a_pipe_is, _how_much_there_is),
            *(_blocking_is_shared, _terminal_of_two, _slow_reader, _large_sendall, _socket_as_a_file, _edges),
            *(_closed_without_unregister, _a_thousand_pipes, _no_descriptor_left, _stdout_is_another),
            *(_one_pipe_of_several, _strange_text, _two_threads, _loop_reads_a_popen, _never_reads, _ignores_a_signal),
        )
    }.items()
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_rough_handling_comes_to_the_same(name: str, ways: Any) -> None:
    """As it is, recorded, and replayed without any process: the same outcomes and errors."""
    assert ways.agree(PROGRAMS[name])[0] == "returned"


def test_preexec_fn_is_named_and_not_run_on_replay(ways: Any) -> None:
    """What it does in the child shows in what the child did; nothing of it happens on replay."""
    ran: list[int] = []

    def before() -> None:
        ran.append(os.umask(0o77))

    def program(_: Path) -> Any:
        return subprocess.run("umask", shell=True, stdout=PIPE, preexec_fn=before).stdout

    assert ways.agree(program) == ("returned", b"0077\n")
    assert ran == []
    assert ways.events()[0].request["options"] == {"preexec_fn": True}


def test_a_pipe_under_another_file_is_reported(tmp_path: Path) -> None:
    """To put a file of one's own over a child's pipe is named, and refused on replay: its stream would read that."""

    def program() -> Any:
        with Popen(["true"], stdout=PIPE) as child, open("/dev/null", "rb") as file:
            os.dup2(file.fileno(), child.stdout.fileno())
            return child.stdout.read()

    with testbench.record(tmp_path / "t.tape", leaks="ignore") as session:
        assert program() == b""
    assert "process.dup2_over_pipe" in [leak.name for leak in session.leaks]
    with pytest.raises(RefusedError, match="dup2_over_pipe"), testbench.replay(tmp_path / "t.tape"):
        program()


def test_killed_in_the_middle(ways: Any) -> None:
    """A whole group that is killed is told by its signal, as often as it is asked."""

    def program(_: Path) -> Any:
        with Popen(["sh", "-c", "echo ready; sleep 60"], stdout=PIPE, start_new_session=True) as child:
            ready = child.stdout.readline()
            os.killpg(child.pid, signal.SIGKILL)
            return ready, child.stdout.read(), child.wait(), child.poll()

    assert ways.agree(program) == ("returned", (b"ready\n", b"", -9, -9))
