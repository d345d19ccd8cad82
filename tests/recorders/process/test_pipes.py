"""How the pipes of children are made: nobody can tell them from those that Popen makes without a session."""

from __future__ import annotations

import fcntl
import gc
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

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


def test_descriptor_is_closed_once(ways: Any) -> None:
    """A file that takes the number of a pipe that the program has closed stays open."""

    def program(place: Path) -> Any:
        child = Popen(["cat"], stdin=PIPE)
        number = child.stdin.name
        child.stdin.close()
        with open(place / "one", "w") as one, open(place / "other", "w") as other:
            told = number in (one.fileno(), other.fileno()), child.communicate(), child.wait()
            one.write("x")
            other.write("x")
        return told

    assert ways.agree(program) == ("returned", (True, (None, None), 0))


def test_stream_of_another_kind_is_reported(tmp_path: Path) -> None:
    """A child whose stream is no pipe of Popen's own, because a subclass has put it there, is reported as a whole."""

    class Odd(Popen):  # type: ignore[type-arg]
        def _execute_child(self, *args: Any) -> None:
            self.stdout.close()
            self.stdout = open(os.devnull, "rb")  # noqa: SIM115  # closed with the child
            super()._execute_child(*args)  # type: ignore[misc]

    session = testbench.record(tmp_path / "t.tape", leaks="ignore").open()
    with Odd(["true"], stdout=PIPE) as child:
        assert child.communicate() == (b"", None)
    session.close()
    assert session.leaks[0].name == "process.foreign_stream"


@pytest.mark.parametrize("size", [-1, 0, 1, 2, 777])
def test_streams_are_opened_as_by_popen(size: int, tmp_path: Path) -> None:
    """Buffers have the sizes that CPython gives them, with its warning; an unbuffered stream is a raw one."""

    def opened() -> Any:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with Popen(["true"], stdin=PIPE, stdout=PIPE, bufsize=size) as child:
                streams = [(getattr(s, "raw", s) is s, s.readable(), s.writable()) for s in (child.stdin, child.stdout)]
                sizes = [sys.getsizeof(s) for s in (child.stdin, child.stdout)] if size else []
        return streams, sizes, [(str(one.message), one.filename) for one in caught]

    stock = opened()
    with testbench.record(tmp_path / "t.tape"):
        recorded = opened()
    with testbench.replay(tmp_path / "t.tape"):
        assert opened() == recorded == stock
    assert subprocess.io is io


def test_nothing_is_left_open(tmp_path: Path) -> None:
    """After a session as many files are open as before it."""
    gc.collect()  # what other tests have left must not be closed meanwhile
    before = _open_files()
    for open_session in (testbench.record, testbench.replay):
        with open_session(tmp_path / "t.tape"), Popen(["cat"], stdin=PIPE, stdout=PIPE, stderr=PIPE) as child:
            assert child.communicate(b"x") == (b"x", b"")
        assert _open_files() == before
