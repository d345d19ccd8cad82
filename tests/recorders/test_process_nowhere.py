"""Pipes of a child lead nowhere until it starts, and nobody can tell."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import testbench


def _open_files() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


def test_descriptors_are_those_of_real_pipes(ways: Any) -> None:
    """Streams of a child, and files opened beside it, are numbered as they are without a session."""

    def program(place: Path) -> Any:
        with Popen(["cat"], stdin=PIPE, stdout=PIPE, stderr=PIPE) as child, open(os.devnull) as beside:
            names = [stream.name - child.stdin.name for stream in (child.stdout, child.stderr, beside.buffer)]
            child.communicate(b"x")
        return names

    ways.agree(program)


def test_size_of_a_pipe_is_kept(tmp_path: Path) -> None:
    """A program that asks for pipes of another size gets them."""
    with testbench.record(tmp_path / "t.tape"), Popen(["cat"], stdin=PIPE, stdout=PIPE, pipesize=8192) as child:
        sizes = [fcntl.fcntl(stream.name, fcntl.F_GETPIPE_SZ) for stream in (child.stdin, child.stdout)]
        assert child.communicate(b"x") == (b"x", None)
    assert sizes == [8192, 8192]


def test_pipes_of_a_subclass_stay(tmp_path: Path) -> None:
    """Pipes that a subclass of Popen has made itself are those of the child."""
    inodes = []

    class Own(Popen):  # type: ignore[type-arg]
        def _get_handles(self, *_: Any) -> Any:
            read_end, write_end = os.pipe()
            inodes.append(os.fstat(read_end).st_ino)
            return -1, -1, read_end, write_end, -1, -1

    with testbench.record(tmp_path / "t.tape"), Own(["echo", "hi"]) as child:
        inodes.append(os.fstat(child.stdout.name).st_ino)
        assert child.communicate() == (b"hi\n", None)
    assert inodes[0] == inodes[1]


def test_child_that_starts_as_the_session_ends_has_real_pipes(tmp_path: Path) -> None:
    """A thread may be about to start a child when another one ends the session."""
    session = testbench.record(tmp_path / "t.tape").open()

    class Late(Popen):  # type: ignore[type-arg]
        def _get_handles(self, *streams: Any) -> Any:
            handles = super()._get_handles(*streams)  # type: ignore[misc]
            session.close()
            return handles

    with Late(["cat"], stdin=PIPE, stdout=PIPE) as child:
        assert child.communicate(b"x") == (b"x", None)


def test_nothing_is_left_open(tmp_path: Path) -> None:
    """After a session as many files are open as before it."""
    before = _open_files()
    for open_session in (testbench.record, testbench.replay):
        with open_session(tmp_path / "t.tape"), Popen(["cat"], stdin=PIPE, stdout=PIPE) as child:
            assert child.communicate(b"x") == (b"x", None)
        assert _open_files() == before
