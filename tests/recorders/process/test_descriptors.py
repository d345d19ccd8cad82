"""What a program does with the descriptors of its children's pipes comes back byte for byte, system call for call."""

from __future__ import annotations

import fcntl
import os
import select
import selectors
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from typing import Any

import pytest

import testbench
from testbench.errors import DivergenceError, RefusedError


def _all_of(fd: int) -> list[Any]:
    """Read to the end, chunk by chunk; an error, as of a terminal, ends it too."""
    chunks: list[Any] = []
    while not chunks or chunks[-1]:
        try:
            chunks.append(os.read(fd, 1000))
        except OSError as error:
            return [*chunks, error.errno]
    return chunks


def _read_by_descriptor(_: Path) -> Any:
    with Popen(["sh", "-c", "echo a; sleep .02; printf b; sleep .02; echo c >&2"], stdout=PIPE, stderr=STDOUT) as child:
        return _all_of(child.stdout.fileno()), child.wait()


def _write_by_descriptor(_: Path) -> Any:
    with Popen(["cat"], stdin=PIPE, stdout=PIPE) as child:
        written = os.write(child.stdin.fileno(), memoryview(b"one ")), os.writev(child.stdin.fileno(), [b"t", b"wo"])
        child.stdin.close()
        return written, b"".join(_all_of(child.stdout.fileno())), child.wait()


def _vectors(_: Path) -> Any:
    with Popen(["printf", "abcdefgh"], stdout=PIPE) as child:
        child.wait()
        parts = [bytearray(3), bytearray(2), bytearray(9)]
        return os.readv(child.stdout.fileno(), parts), parts


def _mixed_with_streams(_: Path) -> Any:
    with Popen(["sh", "-c", "echo one; echo two; cat"], stdin=PIPE, stdout=PIPE, bufsize=0) as child:
        line = child.stdout.readline()
        rest = os.read(child.stdout.fileno(), 4)
        child.stdin.write(b"three")
        return line, rest, child.communicate(), child.returncode


def _never_blocks(_: Path) -> Any:
    with Popen(["sh", "-c", "read x; echo $x"], stdin=PIPE, stdout=PIPE, bufsize=0) as child:
        fd = child.stdout.fileno()
        os.set_blocking(fd, False)
        with pytest.raises(BlockingIOError) as empty:
            os.read(fd, 10)
        nothing = child.stdout.read(10)
        child.stdin.write(b"go\n")
        select.select([fd], [], [])
        return empty.value.errno, nothing, os.read(fd, 10), child.wait()


def _duplicate(_: Path) -> Any:
    child = Popen(["echo", "x"], stdout=PIPE)
    with open(os.dup(child.stdout.fileno()), "rb", buffering=0) as again:
        child.stdout.close()
        return again.read(1), again.readall(), again.readinto(bytearray(3)), child.wait()


def _broken_pipe(_: Path) -> Any:
    with Popen(["sh", "-c", "exec <&-; echo closed"], stdin=PIPE, stdout=PIPE, bufsize=0) as child:
        child.stdout.readline()
        with pytest.raises(BrokenPipeError) as broken:
            os.write(child.stdin.fileno(), b"x")
        return broken.value.args


def _own_pipe(_: Path) -> Any:
    read_end, write_end = os.pipe()
    child = Popen(["echo", "through my own pipe"], stdout=write_end)
    os.close(write_end)
    with open(read_end, "rb") as pipe:
        return pipe.read(), child.wait(), child.poll()


def _own_pipe_passed(_: Path) -> Any:
    read_end, made = os.pipe()
    write_end = fcntl.fcntl(made, fcntl.F_DUPFD, 200)  # the number is in the request, and others may be open or not
    os.close(made)
    child = Popen(["sh", "-c", f"echo x >/dev/fd/{write_end}"], pass_fds=[write_end])
    os.close(write_end)
    with open(read_end, "rb") as pipe:
        return pipe.read(), child.communicate(), child.returncode


def _own_pipe_inherited(_: Path) -> Any:
    read_end, made = os.pipe()
    write_end = fcntl.fcntl(made, fcntl.F_DUPFD, 200)  # the number is in the request, and others may be open or not
    os.close(made)
    child = Popen(["sh", "-c", f"echo x >/dev/fd/{write_end}"], close_fds=False)
    os.close(write_end)
    with open(read_end, "rb") as pipe:
        return pipe.read(), child.wait()


def _own_pipes_both_ways(_: Path) -> Any:
    theirs, ours = os.pipe()
    back, wrote = os.pipe()
    with Popen(["tr", "a-z", "A-Z"], stdin=theirs, stdout=wrote) as child:
        os.close(theirs)
        os.close(wrote)
        os.write(ours, b"loud")
        os.close(ours)
        chunks = _all_of(back)
        os.close(back)
        return chunks, child.wait()


def _sockets(_: Path) -> Any:
    ours, theirs = socket.socketpair()
    with (
        ours,
        theirs,
        Popen(["sh", "-c", "read x; echo got $x; read y; echo $y"], stdin=theirs, stdout=theirs) as child,
    ):
        theirs.close()
        ours.sendall(b"one\n")
        first = ours.recv(100)
        sent, buffer = ours.send(b"two\n"), bytearray(9)
        return first, sent, ours.recv_into(buffer), buffer, child.wait(), ours.recv(1)


def _terminal(_: Path) -> Any:
    master, slave = os.openpty()
    with Popen(["sh", "-c", "test -t 0 && read x && echo got $x"], stdin=slave, stdout=slave, stderr=slave) as child:
        os.close(slave)
        os.write(master, b"hello\n")
        said = _all_of(master)
        os.close(master)
        return b"".join(chunk for chunk in said if isinstance(chunk, bytes)), said[-1], child.wait()


def _passed_file(place: Path) -> Any:
    (place / "in").write_bytes(b"first\nsecond\n")
    with open(place / "out", "wb") as out, open(place / "in", "rb", buffering=0) as given:
        fds = [out.fileno(), given.fileno()]
        command = f"head -c 6 <&{fds[1]} >&{fds[0]}"
        status = Popen(["sh", "-c", command], pass_fds=fds).wait()
        return status, given.read(), (place / "out").read_bytes()


PROGRAMS: dict[str, Callable[[Path], Any]] = {
    "write by descriptor": _write_by_descriptor,
    "vectors": _vectors,
    "mixed with streams": _mixed_with_streams,
    "never blocks": _never_blocks,
    "duplicate": _duplicate,
    "broken pipe": _broken_pipe,
    "own pipe": _own_pipe,
    "own pipe passed": _own_pipe_passed,
    "own pipe inherited": _own_pipe_inherited,
    "own pipes both ways": _own_pipes_both_ways,
    "sockets": _sockets,
    "terminal": _terminal,
    "passed file": _passed_file,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_descriptors_behave_the_same(name: str, ways: Any) -> None:
    """As it is, recorded, and replayed without any process: the same outcomes and errors."""
    kind, *_ = ways.agree(PROGRAMS[name])
    assert kind == "returned"


def test_chunks_come_back_as_they_came(ways: Any) -> None:
    """How much came at once differs from run to run; a replay gives what the recording saw."""
    recorded = ways.record(_read_by_descriptor)
    assert ways.replay(_read_by_descriptor) == recorded
    assert b"".join(recorded[1][0]) == b"a\nbc\n"
    assert ways.ops()[1:-1].count("read") == len(recorded[1][0])


def _three_at_once(make: Callable[[], Any]) -> Callable[[Path], Any]:
    def program(_: Path) -> Any:
        script = "for i in 1 2 3; do echo $0$i; sleep .01; done"
        children = [Popen(["sh", "-c", script, name], stdout=PIPE) for name in "abc"]
        seen: list[Any] = []
        with make() as selector:
            for number, child in enumerate(children):
                selector.register(child.stdout, selectors.EVENT_READ, number)
            while selector.get_map():
                ready = selector.select(0.002)
                seen.append([key.data for key, _ in ready])
                for key, _ in ready:
                    seen.append(os.read(key.fd, 100))
                    if not seen[-1]:
                        selector.unregister(key.fileobj)
        for child in children:
            child.stdout.close()
        return seen, [child.wait() for child in children]

    return program


@pytest.mark.parametrize("selector", ["SelectSelector", "PollSelector", "EpollSelector"])
def test_order_of_readiness_comes_back(selector: str, ways: Any) -> None:
    """Which of several children was ready when, and how often none was, is as recorded."""
    program = _three_at_once(getattr(selectors, selector))
    recorded = ways.record(program)
    assert ways.replay(program) == recorded
    assert recorded[1][1] == [0, 0, 0]


def test_select_takes_objects_and_gives_them_back(ways: Any) -> None:
    """What is ready is told by the objects that were given, in all three lists."""

    def program(_: Path) -> Any:
        with Popen(["cat"], stdin=PIPE, stdout=PIPE, bufsize=0) as child:
            before = select.select([child.stdout], [child.stdin], [], 0)
            child.stdin.write(b"x")
            select.select([child.stdout], [], [])
            after = select.select([child.stdout], [child.stdin, child.stdin], [child.stdout])
            names = {id(child.stdin): "stdin", id(child.stdout): "stdout"}
            return [[[names[id(thing)] for thing in things] for things in found] for found in (before, after)]

    expected = [[[], ["stdin"], []], [["stdout"], ["stdin", "stdin"], []]]
    assert ways.agree(program) == ("returned", expected)


def test_live_descriptor_is_waited_for(ways: Any) -> None:
    """A descriptor that leads to no child, and was ready, is ready when the replay says so."""

    def program(_: Path) -> Any:
        own, other = os.pipe()
        with Popen(["cat"], stdin=PIPE, stdout=PIPE, bufsize=0) as child, selectors.DefaultSelector() as selector:
            selector.register(own, selectors.EVENT_READ, "own")
            selector.register(child.stdout, selectors.EVENT_READ, "child")
            os.write(other, b"!")
            seen = [[key.data for key, _ in selector.select()], os.read(own, 9)]
            child.stdin.write(b"x")
            seen.append([key.data for key, _ in selector.select()])
        os.close(own)
        os.close(other)
        return seen

    assert ways.agree(program) == ("returned", [["own"], b"!", ["child"]])


def test_waiting_by_select_costs_nothing_on_replay(ways: Any) -> None:
    """A program that sleeps by ``select`` sleeps on record only: the wait is an event like any other."""

    def program(_: Path) -> Any:
        return select.select([], [], [], 0.01), select.poll().poll(10), select.epoll().poll(0.01)

    assert ways.agree(program) == ("returned", (([], [], []), [], []))
    assert ways.ops() == ["ready"] * 3


def test_errors_of_waiting_come_back(ways: Any) -> None:
    """What ``select`` and its kin refuse, they refuse in the same words."""

    def program(_: Path) -> Any:
        found: list[Any] = []
        calls: list[Callable[[], Any]] = [
            lambda: select.select([-1], [], []),
            lambda: select.select([object()], [], []),
            lambda: select.select([], [], [], -1),
            lambda: select.select([], []),
            lambda: select.poll().poll("soon"),
        ]
        for call in calls:
            try:
                found.append(call())
            except Exception as error:
                found.append((type(error), str(error)))
        return found

    assert ways.agree(program)[0] == "returned"


def test_poll_object_made_before_is_reported(tmp_path: Path) -> None:
    """What a poll object watches cannot be seen from outside, so one from before the session is no event."""
    poll = select.poll()
    session = testbench.record(tmp_path / "t.tape", leaks="ignore").open()
    assert poll.poll(0) == []
    session.close()
    assert [leak.name for leak in session.leaks] == ["process.ready_of_older_poll"]
    with pytest.raises(RefusedError, match="ready_of_older_poll"), testbench.replay(tmp_path / "t.tape"):
        poll.poll(0)


def test_bytes_behind_the_back_are_reported(tmp_path: Path) -> None:
    """Ways to move a child's bytes that are not recorded are named, and refused on replay."""

    def program() -> int:
        with Popen(["echo", "x"], stdout=PIPE) as child, open("/dev/null", "wb") as out:
            return os.splice(child.stdout.fileno(), out.fileno(), 10)

    if not hasattr(os, "splice"):
        pytest.skip("this platform has no splice")
    session = testbench.record(tmp_path / "t.tape", leaks="ignore").open()
    assert program() == 2
    session.close()
    assert "process.splice" in [leak.name for leak in session.leaks]
    with pytest.raises(RefusedError, match="splice"), testbench.replay(tmp_path / "t.tape"):
        program()


def test_other_bytes_are_a_divergence(tmp_path: Path) -> None:
    """A replay that writes something else to a child is told so."""

    def program(data: bytes) -> None:
        with Popen(["cat"], stdin=PIPE, stdout=subprocess.DEVNULL) as child:
            os.write(child.stdin.fileno(), data)

    with testbench.record(tmp_path / "t.tape"):
        program(b"right")
    with pytest.raises(DivergenceError, match="right"), testbench.replay(tmp_path / "t.tape"):
        program(b"wrong")


def test_killed_in_the_middle_of_a_line(ways: Any) -> None:
    """What a child had written before it was killed is all there is, and its end is a signal."""

    def program(_: Path) -> Any:
        with Popen(["sh", "-c", "printf half; exec sleep 60"], stdout=PIPE, bufsize=0) as child:
            first = os.read(child.stdout.fileno(), 100)
            child.kill()
            return first, _all_of(child.stdout.fileno()), child.wait()

    assert ways.agree(program) == ("returned", (b"half", [b""], -signal.SIGKILL))
